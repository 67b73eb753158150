"""Which differentiable loss stands best for a score that has none?

Models of many values of the penalty, from end to end of an interval, are solved on each fold and on
all rows. Each loss chooses the value at which it is least over the folds, and the final model of
that value is scored on rows that nobody has seen. The table has the mean difference to what a list
of nine values chooses by the score itself, which is also what "nine by the score" would be with
ties broken in the middle, and with all values. Losses "of free scale" multiply each fold's margins
by the factor that is best for them.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn import metrics
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.cases.held_out import LABELS, NUMBERS, Draw, draws, model_of
from benchmarks.lib.harness import equal_threads, parser, write

VALUES, EVERY, DRAWS = 17, 2, 3  # of the interval; a list of nine has every other
_AROUND = 4.0  # of the logarithm of a free scale


def probabilities(z: np.ndarray) -> np.ndarray:
    return np.column_stack([expit(-z), expit(z)]) if z.ndim == 1 else softmax(z, 1)


def log_loss(z, y, w=None):
    v = np.logaddexp(0, -z * (2 * y - 1)) if z.ndim == 1 else -log_softmax(z, 1)[range(len(y)), y]
    return np.average(v, weights=w)


def brier(z, y, w=None):
    p = probabilities(z)
    return np.average(((p - np.eye(p.shape[1])[y]) ** 2).sum(1), weights=w)


def pairwise(z, y, w=None):
    return np.logaddexp(0, z[y == 0][None] - z[y == 1][:, None]).mean()


def free_scale(loss: Callable) -> Callable:
    def least(z, y, w=None):
        middle = -np.log(np.abs(z).mean() + 1e-300)  # where margins are about one
        ends = middle - _AROUND, middle + _AROUND
        options = {"xatol": 1e-2}
        return minimize_scalar(
            lambda t: loss(np.exp(t) * z, y, w), bounds=ends, method="bounded", options=options
        ).fun

    return least


def balanced(loss: Callable) -> Callable:
    return lambda z, y: loss(z, y, 1 / np.maximum(np.bincount(y), 1)[y])


LOSSES_OF_LABELS: dict[str, Callable] = {
    "log loss": log_loss,
    "log loss of free scale": free_scale(log_loss),
    "balanced log loss of free scale": balanced(free_scale(log_loss)),
    "Brier score": brier,
    "Brier score of free scale": free_scale(brier),
    "balanced Brier score": balanced(brier),
    "log loss of pairs": pairwise,
    "log loss of pairs, free scale": free_scale(pairwise),
}
LOSSES_OF_NUMBERS: dict[str, Callable] = {
    "squared error": lambda z, y: np.mean((z - y) ** 2),
    "absolute error": lambda z, y: np.mean(np.abs(z - y)),
    "variance of the error": lambda z, y: np.var(z - y),
    "mean fourth power of the error": lambda z, y: np.mean((z - y) ** 4) ** 0.25,
}


def scores_of_labels(z: np.ndarray, y: np.ndarray) -> dict[str, float]:
    p, label = probabilities(z), (z > 0).astype(int) if z.ndim == 1 else z.argmax(1)
    two = z.ndim == 1
    found = {
        "accuracy": metrics.accuracy_score(y, label),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, label),
        "f1_macro": metrics.f1_score(y, label, average="macro", zero_division=0),
        "roc_auc_ovr": metrics.roc_auc_score(y, z if two else p, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(y, z if two else p),
        "neg_brier_score": -brier(z, y) / (2 if two else 1),
    }
    if not two:
        found["top_k_accuracy"] = metrics.top_k_accuracy_score(y, z, k=2)
    return found


def scores_of_numbers(z: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Errors relative to the target's spread, so that data sets can be averaged."""
    unit = np.std(y)
    return {
        "explained_variance": metrics.explained_variance_score(y, z),
        "neg_mean_absolute_error": -metrics.mean_absolute_error(y, z) / unit,
        "neg_median_absolute_error": -metrics.median_absolute_error(y, z) / unit,
        "neg_max_error": -metrics.max_error(y, z) / unit,
    }


def path(name: str, X: Any, y: np.ndarray, other: Any) -> list[np.ndarray]:
    """Predictors of other rows by models of all values, each begun at the one before."""
    model, param, low, high = model_of(name)
    model = clone(model)
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(model, "steps"):
        before = model[:-1].fit(X, y)
        X, other = before.transform(X), before.transform(other)
    if "warm_start" in last.get_params():
        last.set_params(warm_start=True, tol=1e-5)
    found = []
    for value in np.geomspace(low, high, VALUES):
        last.set_params(**{param.rpartition("__")[2]: value}).fit(X, y)
        found.append(getattr(last, "decision_function", last.predict)(other))
    return found


def chosen(scores: np.ndarray, worth: float, every: int) -> int:
    """The middle of the values that score like the best of every few."""
    index = np.arange(0, VALUES, every)
    ties = index[scores[index] >= scores[index].max() - worth - 1e-12]
    return int(ties[len(ties) // 2])


def judge(name: str, draw: Draw, labels: bool) -> dict[str, dict[str, float]]:
    """Fresh scores of what each way of choosing chooses, less those of a list of nine."""
    splitter = StratifiedKFold(5) if labels else KFold(5)
    splits = list(splitter.split(draw.X, draw.y))
    folds = [path(name, draw.X[a], draw.y[a], draw.X[b]) for a, b in splits]
    targets = [draw.y[b] for _, b in splits]
    fresh = path(name, draw.X, draw.y, draw.X_fresh)
    scores = scores_of_labels if labels else scores_of_numbers
    losses = LOSSES_OF_LABELS if labels else LOSSES_OF_NUMBERS

    def over_folds(function):
        return [
            [function(fold[i], y) for fold, y in zip(folds, targets, strict=True)]
            for i in range(VALUES)
        ]

    two = folds[0][0].ndim == 1
    usable = {n: f for n, f in losses.items() if two or "pairs" not in n}
    least = {n: int(np.argmin(np.mean(over_folds(f), 1))) for n, f in usable.items()}
    true = over_folds(scores)
    found: dict[str, dict[str, float]] = {}
    for scorer in true[0][0]:
        cv = np.array([np.mean([one[scorer] for one in row]) for row in true])
        new = np.array([scores(z, draw.y_fresh)[scorer] for z in fresh])
        nine = int(np.argmax(np.round(cv[::EVERY], 12))) * EVERY
        picks = {
            "(best of all on fresh rows)": int(new.argmax()),
            "the score, of all values": int(np.argmax(np.round(cv, 12))),
            "the score, of all, middle of ties within a row": chosen(cv, 1 / len(draw.y), 1),
            "the score, of nine, middle of ties within a row": chosen(cv, 1 / len(draw.y), EVERY),
            **least,
        }
        found[scorer] = {way: float(new[i] - new[nine]) for way, i in picks.items()}
    return found


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument("--draws", type=int, default=DRAWS, help="draws of each data set")
    options = arguments.parse_args()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data, labels in ((LABELS, True), (NUMBERS, False)):
            for name, draw_of in draws(data, options.draws):
                for seed in range(options.draws):
                    for scorer, ways in judge(name, draw_of(seed), labels).items():
                        for way, difference in ways.items():
                            found[scorer][way].append(difference)
                print(f"{name}: done", flush=True)
    table = {
        scorer: {
            way: {"mean": float(np.mean(d)), "worst": float(np.min(d)), "cases": len(d)}
            for way, d in ways.items()
        }
        for scorer, ways in found.items()
    }
    for scorer, ways in table.items():
        print(f"\n{scorer}")
        for way, one in ways.items():
            print(
                f"  {way:50s} {one['mean']:+.4f}  worst {one['worst']:+.4f}  {one['cases']} cases"
            )
    write("surrogates", {"draws": options.draws, "table": table}, threads=1, output=options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
