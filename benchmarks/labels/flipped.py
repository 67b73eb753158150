"""Do learned sample weights find wrong labels, and what is that worth on clean test rows?

Known flips are put into the training labels. Every method gets the same split and the same flips
a seed, and chooses its C by cross-validation on the labels it is given; only the judge knows which
labels are wrong. Two regimes, never in one table: no trusted rows, and a few rows whose labels are
sure. "cleanlab (best)" is, at each rate, whichever of its rows has the higher mean accuracy on the
*test* rows: a choice in the rival's favour that nobody could make in practice. Each table goes to a
result of its own, so that they can be measured side by side.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from benchmarks.labels import noise
from benchmarks.labels.noise import Draw, Method, pair, problem, run, split, symmetric
from benchmarks.lib.harness import parser, write
from benchmarks.lib.paired import difference
from benchmarks.lib.real_data import SCRATCH, Missing, reuters_r8

SEEDS = 10
CACHE = SCRATCH / "label_noise_cache.json"

TITLES = {
    "plain": "plain, C=1",
    "plain_cv": "plain, C by CV",
    "self_confidence": "self-confidence",
    "pruning": "pruning",
    "cleanlab_1": "cleanlab, C=1",
    "cleanlab_cv": "cleanlab, C by CV",
    "cleanlab_again": "cleanlab, C by CV twice",
    "cleanlab_best": "cleanlab (best)",
    "trusted_only": "trusted only",
    "oracle": "oracle",
    "ours": "ours",
}
BEST = "cleanlab_best"
METHODS: dict[str, Method] = {name: getattr(noise, name) for name in TITLES if name != BEST}
CLEANLAB = tuple(name for name in METHODS if name.startswith("cleanlab"))
GAP = 0.5  # of the way from cleanlab to the oracle, in the mean over the rates
F1 = 0.94  # in the mean over the rates
FLAGGED = 0.02  # at most, where every label is right
LOSS = 0.003  # of accuracy, at most, where every label is right


# Data sets


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def draw_digits(seed: int) -> Draw:
    return split(*digits(), 1000, 100, seed)


def draw_binary(seed: int) -> Draw:
    """breast_cancer, scaled by what the training rows say."""
    draw = split(*load_breast_cancer(return_X_y=True), 300, 40, seed)
    scaler = StandardScaler().fit(draw.X)
    X, X_trusted, X_test = map(scaler.transform, (draw.X, draw.X_trusted, draw.X_test))
    return Draw(X, draw.y, X_trusted, draw.y_trusted, X_test, draw.y_test)


def draw_imbalanced(seed: int) -> Draw:
    """Digits, 120 rows of class 0 down to 20 of class 9; tested on all the rows that are left."""
    X, y = digits()
    rng = np.random.default_rng(seed)
    train, trusted, test = [], [], []
    for k, size in enumerate(np.geomspace(120, 20, 10).round().astype(int)):
        rows = rng.permutation(np.flatnonzero(y == k))
        few = round(size / 6)
        train.append(rows[:size])
        trusted.append(rows[size : size + few])
        test.append(rows[size + few :])
    # Shuffled: folds are cut from what comes first.
    rows, sure = rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(trusted))
    left = np.concatenate(test)
    return Draw(X[rows], y[rows], X[sure], y[sure], X[left], y[left])


def draw_text(seed: int) -> Draw:
    """1,000 and 100 of Reuters R8's training texts; tested on its own test texts."""
    texts, y, texts_test, y_test = cache(reuters_r8)()
    draw = split(np.array(texts, dtype=object), y, 1000, 100, seed)
    tfidf = TfidfVectorizer(min_df=3, sublinear_tf=True, stop_words="english").fit(draw.X)
    X, X_trusted, X_test = map(tfidf.transform, (draw.X, draw.X_trusted, texts_test))
    return Draw(X, draw.y, X_trusted, draw.y_trusted, X_test, y_test)


@dataclass(frozen=True)
class Table:
    """One data set with one kind of noise; bars are set on `digits` alone."""

    title: str
    draw: Callable[[int], Draw]
    flip: Callable[..., np.ndarray]
    rates: tuple[float, ...]
    scoring: str = "accuracy"


TABLES = {
    "digits": Table(
        "digits, 1,000 x 64, 10 classes, symmetric flips",
        draw_digits,
        symmetric,
        (0, 0.2, 0.4, 0.5),
    ),
    "pair": Table("digits, 1,000 x 64, flips to the next class", draw_digits, pair, (0.3,)),
    "binary": Table(
        "breast_cancer, 300 x 30, 2 classes, symmetric flips", draw_binary, symmetric, (0.2, 0.4)
    ),
    "imbalanced": Table(
        "digits, 573 x 64, classes of 120 to 20 rows, symmetric flips",
        draw_imbalanced,
        symmetric,
        (0.2, 0.4),
        "balanced_accuracy",
    ),
    "text": Table(
        "Reuters R8, 1,000 sparse texts, 8 classes, symmetric flips",
        draw_text,
        symmetric,
        (0.2, 0.4),
    ),
}
REGIMES = {False: "no trusted rows", True: "trusted rows"}
Records = dict[str, list[dict[str, float]]]  # method -> one record a seed


# Measuring


class Cache:
    """Records of the rivals from earlier runs, for those who only change ours."""

    def __init__(self, path: Path | None):
        self.path = path
        known = path is not None and path.exists()
        self.records = json.loads(path.read_text()) if known else {}

    def get(self, key: str, measure: Callable[[], dict]) -> dict:
        if self.path is None or key.split("/")[-2] == "ours":
            return measure()
        if key not in self.records:
            self.records[key] = measure()
            self.path.parent.mkdir(exist_ok=True)
            self.path.write_text(json.dumps(self.records, indent=0))
        return self.records[key]


def measure(
    name: str, rate: float, with_trusted: bool, methods: list[str], seeds: int, cached: Cache
) -> Records:
    """All methods on the same splits and flips."""
    table = TABLES[name]
    records: Records = {method: [] for method in methods}
    for seed in range(seeds):
        given = problem(
            table.draw(seed),
            table.flip,
            rate,
            seed,
            with_trusted=with_trusted,
            scoring=table.scoring,
        )
        for method in methods:
            key = f"{name}/{rate}/{'trusted' if with_trusted else 'none'}/{method}/{seed}"
            records[method].append(cached.get(key, lambda m=METHODS[method], p=given: run(m, p)))
    return records


def summary(records: Records, scoring: str) -> dict[str, dict[str, Any]]:
    """Means over the seeds, with cleanlab's best row, and what separates ours from each."""

    def mean(rows: list[dict], what: str) -> float | None:
        return float(np.mean([row[what] for row in rows])) if what in rows[0] else None

    found = {
        method: {
            what: mean(rows, what) for what in (scoring, "f1", "auroc", "ap", "flagged", "seconds")
        }
        for method, rows in records.items()
    }
    rows = dict(records)
    if tried := [method for method in CLEANLAB if method in records]:
        best = max(tried, key=lambda method: found[method][scoring])
        found[BEST] = found[best] | {"which": best}
        rows[BEST] = records[best]
    if "ours" in records:
        for method in found:
            if method != "ours" and scoring in rows[method][0]:
                pairs = ([row[scoring] for row in rows[m]] for m in ("ours", method))
                found[method]["difference"] = difference(*pairs)
    return found


# Saying


def show(found: dict[str, dict[str, Any]], scoring: str) -> None:
    """One setting's table."""

    def number(value: float | None, form: str = ".3f") -> str:
        return "" if value is None else format(value, form)

    head = "balanced" if scoring == "balanced_accuracy" else "accuracy"
    print(
        f"  {'':25}{head:>9}  {'ours - this':24}{'F1':>6}{'AUROC':>8}{'AP':>7}"
        f"{'flagged':>9}{'seconds':>9}"
    )
    for method in [method for method in TITLES if method in found]:
        row, title = found[method], TITLES[method]
        apart = ""
        if gap := row.get("difference"):
            apart = f"{gap['mean']:+.4f}"
            if gap["interval"]:
                apart += " [{:+.4f}, {:+.4f}]".format(*gap["interval"])
        print(
            f"  {title:25}{number(row[scoring], '.4f'):>9}  {apart:24}{number(row['f1']):>6}"
            f"{number(row['auroc'], '.4f'):>8}{number(row['ap']):>7}"
            f"{number(row['flagged']):>9}{number(row['seconds'], '.2f'):>9}",
            flush=True,
        )


def bars(
    settings: dict[float, dict[str, dict[str, Any]]], with_trusted: bool
) -> list[dict[str, Any]]:
    """What must hold on digits: statements with their figures and whether they do."""
    said: list[dict[str, Any]] = []

    def state(statement: str, value: float, bar: float, passes: bool) -> None:
        said.append({"statement": statement, "value": value, "bar": bar, "passes": bool(passes)})

    noisy = {rate: found for rate, found in settings.items() if rate > 0}
    for rate, found in noisy.items():
        gap = found[BEST]["difference"]
        low = gap["interval"][0] if gap["interval"] else float("nan")
        state(f"{rate:.0%}: lower end of ours - cleanlab above", low, 0.0, low > 0)
    accuracy = {
        method: np.array([found[method]["accuracy"] for found in noisy.values()])
        for method in ("ours", BEST, "oracle")
    }
    gained, gap = accuracy["ours"] - accuracy[BEST], accuracy["oracle"] - accuracy[BEST]
    for rate, closed in zip(noisy, gained / gap, strict=True):
        said.append({"statement": f"{rate:.0%}: gap to the oracle closed", "value": closed})
    closed = gained.mean() / gap.mean()
    state("gap to the oracle closed in the mean, at least", closed, GAP, closed >= GAP)
    if with_trusted:
        return said

    for rate, found in noisy.items():
        # The highest of its rows, even where another one predicts better.
        rival = max(found[method]["f1"] for method in CLEANLAB)
        value = found["ours"]["f1"]
        state(f"{rate:.0%}: F1 above cleanlab's", value, rival, value > rival)
    value = float(np.mean([found["ours"]["f1"] for found in noisy.values()]))
    state("F1 in the mean, at least", value, F1, value >= F1)
    for rate, found in noisy.items():
        value, rival = found["ours"]["auroc"], found["self_confidence"]["auroc"]
        state(f"{rate:.0%}: AUROC not below self-confidence", value, rival, value >= rival)
    clean = settings[0]
    value = clean["ours"]["flagged"]
    state("0%: flagged, at most", value, FLAGGED, value <= FLAGGED)
    value = clean["plain_cv"]["difference"]["mean"]
    state("0%: accuracy against plain with C by CV, at least", value, -LOSS, value >= -LOSS)
    return said


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join(TABLES)}")
    arguments.add_argument("--seeds", type=int, default=SEEDS, help="splits and flips")
    arguments.add_argument(
        "--methods",
        type=lambda names: names.split(","),
        default=list(METHODS),
        metavar="A,B",
        help=f"of {', '.join(METHODS)}",
    )
    arguments.add_argument(
        "--reuse-rivals", action="store_true", help="keep what the rivals scored, and use it again"
    )
    options = arguments.parse_args()
    for given, known in ((options.tables, TABLES), (options.methods, METHODS)):
        if unknown := set(given) - set(known):
            arguments.error(f"no such thing: {', '.join(sorted(unknown))}")

    cached = Cache(CACHE if options.reuse_rivals else None)
    table_of: dict[str, Any] = {}
    verdicts: list[dict[str, Any]] = []
    for name in options.tables or TABLES:
        table = TABLES[name]
        try:
            table.draw(0)
        except Missing as error:
            print(error)
            continue
        table_of[name] = {"title": table.title, "scoring": table.scoring, "regimes": {}}
        for with_trusted, regime in REGIMES.items():
            methods = [m for m in options.methods if with_trusted or m != "trusted_only"]
            settings, kept = {}, {}
            for rate in table.rates:
                print(f"{table.title}, {rate:.0%} wrong, {regime}", flush=True)
                records = measure(name, rate, with_trusted, methods, options.seeds, cached)
                settings[rate] = summary(records, table.scoring)
                kept[str(rate)] = {"summary": settings[rate], "seeds": records}
                show(settings[rate], table.scoring)
            table_of[name]["regimes"][regime] = kept
            if name == "digits" and set(methods) >= set(METHODS) - {"trusted_only"}:
                for said in bars(settings, with_trusted):
                    verdicts.append({"table": name, "regime": regime, **said})
                    judged = {True: "meets", False: "MISSES", None: ""}[said.get("passes")]
                    bar = f" {judged} {said['bar']:.4f}" if judged else ""
                    print(f"  {said['statement']}: {said['value']:.4f}{bar}", flush=True)
        if options.methods == list(METHODS) and options.seeds == SEEDS:
            body = {
                "seeds": options.seeds,
                "grid": noise.GRID["C"],
                "cleanlab": version("cleanlab"),
                "rivals_reused": options.reuse_rivals,
                **table_of[name],
                "bars": [said for said in verdicts if said["table"] == name],
            }
            write(f"label_noise_{name}", body, threads=1)

    return 0 if all(said.get("passes", True) for said in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
