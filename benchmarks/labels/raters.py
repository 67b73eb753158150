"""Labels by single human raters, compared with the mean of many raters.

Between 15 and 29 people rated each movie review snippet of VADER from -4 to 4. The given label is
the sign of one rating, drawn at random; the true label is the sign of the mean rating. Snippets
whose mean is within 0.5 of zero are left out, since their sign is unclear. No flip is artificial,
and the wrong labels are not spread evenly: they are where people disagree.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split

from benchmarks.labels import noise
from benchmarks.labels.noise import GRID, Found, Method, Problem, run
from benchmarks.lib.harness import parser, write
from benchmarks.lib.paired import difference
from benchmarks.lib.real_data import Missing, vader

SEEDS = 3
N_TRAIN = 5000
CLEAR = 0.5  # how far from 0 a mean rating must be
WORST = 10
SIGNS = ("negative", "positive")

TITLES = {
    "plain_cv": "plain, C by CV",
    "pruning": "pruning",
    "cleanlab_cv": "cleanlab, C by CV",
    "ours": "ours",
}
METHODS: dict[str, Method] = {name: getattr(noise, name) for name in TITLES}
COLUMNS = ("accuracy", "flagged", "precision", "recall", "f1", "auroc", "ap", "seconds")


@cache
def snippets() -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Texts, all ratings of each, and their mean, where the mean is clear."""
    texts, ratings, mean = vader()
    kept = np.flatnonzero(np.abs(mean) >= CLEAR)
    return np.array(texts, dtype=object)[kept], [ratings[row] for row in kept], mean[kept]


def one_rater(ratings: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The sign of one rating of each text, 0 or 1: the first in a random order that is not 0."""
    orders = (rng.permutation(of_text) for of_text in ratings)
    return np.array([order[order != 0][0] > 0 for order in orders], dtype=int)


def draw(seed: int) -> tuple[Problem, np.ndarray]:
    """A split with one rater's labels to train on, and the numbers of its training texts."""
    texts, ratings, mean = snippets()
    clean = (mean > 0).astype(int)
    train, test = train_test_split(
        np.arange(len(clean)), train_size=N_TRAIN, stratify=clean, random_state=seed
    )
    given = one_rater([ratings[row] for row in train], np.random.default_rng(seed))
    tfidf = TfidfVectorizer(min_df=2, sublinear_tf=True, ngram_range=(1, 2)).fit(texts[train])
    problem = Problem(
        X=tfidf.transform(texts[train]),
        y=given,
        trusted=np.zeros(len(train), bool),
        wrong=given != clean[train],
        X_test=tfidf.transform(texts[test]),
        y_test=clean[test],
    )
    return problem, train


def measure(method: Method, problem: Problem, threads: int) -> tuple[dict[str, Any], Found]:
    """What `run` records, with precision and recall; and what was found."""
    kept: list[Found] = []

    def keeping(problem: Problem) -> Found:
        kept.append(method(problem))
        return kept[-1]

    record: dict[str, Any] = dict(run(keeping, problem, threads))
    if (flagged := kept[0].flagged) is not None:
        record["precision"] = precision_score(problem.wrong, flagged, zero_division=0)
        record["recall"] = recall_score(problem.wrong, flagged)
        record["n_flagged"] = int(np.sum(flagged))
    return record, kept[0]


def doubted(found: Found, problem: Problem, rows: np.ndarray) -> list[dict[str, Any]]:
    """The texts whose labels are doubted most, with what all raters together say."""
    if found.quality is None:
        return []
    texts, _, mean = snippets()
    return [
        {
            "text": texts[rows[k]],
            "given": SIGNS[problem.y[k]],
            "majority": SIGNS[int(mean[rows[k]] > 0)],
            "mean": mean[rows[k]],
            "quality": found.quality[k],
            "wrong": bool(problem.wrong[k]),
        }
        for k in np.argsort(found.quality, kind="stable")[:WORST]
    ]


def summary(records: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Means over the seeds, and what separates ours from each in accuracy."""
    found: dict[str, dict[str, Any]] = {}
    for name, rows in records.items():
        found[name] = {
            what: float(np.mean([row[what] for row in rows])) for what in COLUMNS if what in rows[0]
        }
        if "ours" in records and name != "ours":
            pairs = ([row["accuracy"] for row in records[n]] for n in ("ours", name))
            found[name]["difference"] = difference(*pairs)
    return found


def show(found: dict[str, dict[str, Any]], rate: float, n_rows: int) -> None:
    """The table; a method that flags at random would be right as often as labels are wrong."""
    print(f"movie review snippets, {n_rows} rows, {rate:.1%} of their labels wrong")
    print(f"  {'':20}" + "".join(f"{what:>11}" for what in COLUMNS) + "  ours - this, accuracy")
    at_random = {"precision": rate, "auroc": 0.5, "ap": rate}
    for title, row in [
        *((TITLES[name], row) for name, row in found.items()),
        ("flagged at random", at_random),
    ]:
        cells = (f"{row[what]:.4f}" if what in row else "" for what in COLUMNS)
        said = f"  {title:20}" + "".join(f"{cell:>11}" for cell in cells)
        if gap := row.get("difference"):
            said += f"  {gap['mean']:+.4f}"
            if gap["interval"]:
                said += " [{:+.4f}, {:+.4f}]".format(*gap["interval"])
        print(said, flush=True)


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument("--seeds", type=int, default=SEEDS, help="splits and raters")
    arguments.add_argument("--without-ours", action="store_true", help="the rivals alone")
    options = arguments.parse_args()
    methods = [name for name in METHODS if not (options.without_ours and name == "ours")]
    try:
        snippets()
    except Missing as error:
        print(error)
        return 0

    records: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    rates, worst = [], []
    for seed in range(options.seeds):
        problem, rows = draw(seed)
        rates.append(problem.wrong.mean())
        for name in methods:
            record, found = measure(METHODS[name], problem, options.threads)
            records[name].append(record)
            if name == "ours" and seed == 0:
                worst = doubted(found, problem, rows)
    found_by = summary(records)
    show(found_by, float(np.mean(rates)), N_TRAIN)
    if worst:
        print(f"  the {len(worst)} labels that ours doubts most, seed 0")
    for text in worst:
        print(
            f"  {text['quality']:.3f} given {text['given']}, by all {text['majority']} "
            f"({text['mean']:+.2f}): {text['text']}"
        )

    if (options.seeds == SEEDS and not options.without_ours) or options.output:
        body = {
            "seeds": options.seeds,
            "rows": N_TRAIN,
            "grid": GRID["C"],
            "cleanlab": version("cleanlab"),
            "wrong": rates,  # also the precision that flagging at random may expect
            "summary": found_by,
            "records": records,
            "doubted_most": worst,
        }
        write("label_noise_vader", body, threads=options.threads, output=options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
