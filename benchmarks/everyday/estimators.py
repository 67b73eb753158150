"""Every supported kind of model on real data: the score reached, and the time, beside a grid.

The interval against GridSearchCV with 20 values from one end to the other, 10 x 10 for two
hyperparameters, on equal threads, in turns. Scorers with a gradient are judged by the CV score,
which may be a thousandth (of the grid's) lower. Scorers that jump (accuracy) are judged on fresh
rows: ten outer splits, a search of each on the training part, the mean difference of the scores on
the other part with its 95 % interval.
``python -m benchmarks.everyday.estimators lasso svc`` runs some.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_linnerud,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, KFold, StratifiedShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from benchmarks.cases.searches import grid_of
from benchmarks.lib.harness import RESULTS, Rival, in_turns, parser, ratio, verdict, write
from benchmarks.lib.paired import difference
from benchmarks.lib.real_data import Missing, diamonds, reuters_r8
from skbamm import BAMMSearchCV, EdgeWarning

CV = 5
ROUNDS = 3
OUTER = 10
WORSE = 1e-3  # of the grid's score that a CV score may be lower
PATIENCE = 30.0  # seconds above which a search is timed once
LOWER = -5e-3  # lower end of the held-out difference


@dataclass(frozen=True)
class Pair:
    """A model on a data set.

    Attributes
    ----------
    data : str
        Of ``DATA``.
    estimator : estimator
        Preceded by a StandardScaler where ``scale``.
    intervals : dict
        Parameter -> ends; values of a grid are spaced evenly in the logarithm, of "l1_ratio"
        evenly.
    scoring : str
    jumps : bool
        Whether the scorer has no gradient.
    scale : bool
    """

    data: str
    estimator: Any
    intervals: dict[str, tuple[float, float]]
    scoring: str
    jumps: bool = False
    scale: bool = True

    @property
    def model(self) -> Any:
        return make_pipeline(StandardScaler(), self.estimator) if self.scale else self.estimator

    def _named(self, values: dict[str, Any]) -> dict[str, Any]:
        step = f"{type(self.estimator).__name__.lower()}__" if self.scale else ""
        return {step + name: value for name, value in values.items()}

    @property
    def space(self) -> dict[str, Any]:
        return self._named(self.intervals)

    @property
    def grid(self) -> dict[str, Any]:
        return self._named(grid_of(self.intervals))

    def searches(self) -> tuple[Callable, Callable]:
        """Builders of the grid and of ours, of n_jobs."""
        cv = KFold(CV, shuffle=True, random_state=0) if self.data in REGRESSION else CV
        settings = {"scoring": self.scoring, "cv": cv}
        return (
            lambda n_jobs: GridSearchCV(self.model, self.grid, n_jobs=n_jobs, **settings),
            lambda n_jobs: BAMMSearchCV(self.model, self.space, n_jobs=n_jobs, **settings),
        )


def _text() -> tuple[Any, np.ndarray]:
    """Whether an article is of an acquisition; with all eight classes a grid takes half an hour."""
    texts, y, _, _ = reuters_r8()
    return TfidfVectorizer(sublinear_tf=True).fit_transform(texts), (y == 0).astype(int)


DATA: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
    "diabetes": partial(load_diabetes, return_X_y=True),
    "linnerud": partial(load_linnerud, return_X_y=True),
    "diamonds": diamonds,
    "breast_cancer": partial(load_breast_cancer, return_X_y=True),
    "wine": partial(load_wine, return_X_y=True),
    "digits": partial(load_digits, return_X_y=True),
    "Reuters R8": _text,
}
REGRESSION = ("diabetes", "linnerud", "diamonds")
MSE, MAE, LOG_LOSS = "neg_mean_squared_error", "neg_mean_absolute_error", "neg_log_loss"
_PENALTY, _C = {"alpha": (1e-4, 1e4)}, {"C": (1e-4, 1e4)}
PAIRS = {
    "ridge": Pair("diabetes", Ridge(), {"alpha": (1e-3, 1e5)}, MSE),
    "ridge_diamonds": Pair("diamonds", Ridge(), {"alpha": (1e-3, 1e5)}, MSE),
    "lasso": Pair("diabetes", Lasso(), {"alpha": (1e-3, 1e2)}, MSE),
    "elastic_net": Pair(
        "diabetes", ElasticNet(), {"alpha": (1e-3, 1e2), "l1_ratio": (0.1, 1.0)}, MSE
    ),
    "poisson": Pair(
        "diabetes", PoissonRegressor(max_iter=1000), _PENALTY, "neg_mean_poisson_deviance"
    ),
    "gamma": Pair("diabetes", GammaRegressor(max_iter=1000), _PENALTY, "neg_mean_gamma_deviance"),
    "tweedie": Pair(
        "diabetes", TweedieRegressor(power=1.5, max_iter=1000), _PENALTY, "neg_mean_gamma_deviance"
    ),
    "svr": Pair(
        "diabetes",
        LinearSVR(loss="squared_epsilon_insensitive", dual=False, max_iter=10_000),
        {"C": (1e-5, 1e2)},
        "r2",
    ),
    "huber": Pair("diabetes", HuberRegressor(max_iter=1000), _PENALTY, "neg_mean_absolute_error"),
    "huber_both": Pair(
        "diabetes",
        HuberRegressor(max_iter=1000),
        {"alpha": (1e-4, 1e4), "epsilon": (1.1, 3.0)},
        "neg_mean_absolute_error",
    ),
    "quantile": Pair("diabetes", QuantileRegressor(), {"alpha": (1e-4, 1e1)}, MAE),
    "transformed": Pair(
        "diamonds",
        TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
        {"regressor__alpha": (1e-3, 1e5)},
        MSE,
    ),
    "multi_task": Pair("linnerud", MultiTaskLasso(), {"alpha": (1e-2, 1e2)}, MSE),
    "logistic": Pair("breast_cancer", LogisticRegression(max_iter=10_000), _C, LOG_LOSS),
    "logistic_wine": Pair("wine", LogisticRegression(max_iter=10_000), _C, LOG_LOSS),
    "logistic_digits": Pair(
        "digits", LogisticRegression(max_iter=10_000), {"C": (1e-3, 1e2)}, LOG_LOSS
    ),
    "logistic_auc": Pair("breast_cancer", LogisticRegression(max_iter=10_000), _C, "roc_auc", True),
    "logistic_l1": Pair(
        "breast_cancer",
        # At saga's own tol=1e-4 its scores are those of models 1 % from the minimum.
        LogisticRegression(solver="saga", l1_ratio=1.0, tol=1e-6, max_iter=10_000),
        {"C": (1e-2, 1e1)},
        LOG_LOSS,
    ),
    "liblinear": Pair("breast_cancer", LogisticRegression(solver="liblinear"), _C, LOG_LOSS),
    "liblinear_l1": Pair(
        "breast_cancer",
        LogisticRegression(solver="liblinear", l1_ratio=1.0, tol=1e-6, max_iter=10_000),
        {"C": (1e-2, 1e1)},
        LOG_LOSS,
    ),
    "one_vs_rest": Pair(
        "digits",
        OneVsRestClassifier(LogisticRegression(max_iter=10_000)),
        {"estimator__C": (1e-3, 1e2)},
        LOG_LOSS,
    ),
    "logistic_text": Pair(
        "Reuters R8",
        LogisticRegression(max_iter=1000),
        {"C": (1e-1, 1e3)},
        LOG_LOSS,
        scale=False,
    ),
    "svc": Pair("breast_cancer", LinearSVC(dual=False), {"C": (1e-5, 1e2)}, "accuracy", True),
    "svc_hinge": Pair(
        "breast_cancer",
        LinearSVC(loss="hinge", max_iter=100_000),
        {"C": (1e-5, 1e2)},
        "accuracy",
        True,
    ),
    "ridge_classifier": Pair("digits", RidgeClassifier(), {"alpha": (1e-2, 1e5)}, "accuracy", True),
    "logistic_accuracy": Pair(
        "breast_cancer", LogisticRegression(max_iter=10_000), _C, "accuracy", True
    ),
}


def described(estimator: Any) -> str:
    """The estimator as one writes it, without what only lets its fit converge."""
    given = estimator.get_params(deep=False)
    kept = {name: value for name, value in given.items() if name not in ("max_iter", "tol")}
    return " ".join(repr(type(estimator)(**kept)).split())


@cache
def data(name: str) -> tuple[Any, np.ndarray]:
    return DATA[name]()


def timed(pair: Pair, rounds: int, threads: int) -> dict[str, Any]:
    """Both searches in turns on all rows."""

    def read(search: Any) -> dict[str, Any]:
        return {"best_score": search.best_score_, "best_params": search.best_params_}

    grid, ours = pair.searches()
    rivals = [Rival("grid", grid, read, parallel=True), Rival("ours", ours, read)]
    return in_turns(rivals, *data(pair.data), rounds=rounds, threads=threads, patience=PATIENCE)


def held_out(pair: Pair) -> dict[str, Any]:
    """Scores of both on rows that neither search saw, and what separates them."""
    X, y = data(pair.data)
    grid, ours = (clone(build(None)) for build in pair.searches())
    found: dict[str, list[float]] = {"grid": [], "ours": []}
    splits = StratifiedShuffleSplit(OUTER, test_size=0.5, random_state=0)
    for train, test in splits.split(X, y):
        for name, search in (("grid", grid), ("ours", ours)):
            found[name].append(clone(search).fit(X[train], y[train]).score(X[test], y[test]))
    return {
        "scores": found,
        "difference": difference(*map(np.array, (found["ours"], found["grid"]))),
    }


def judge(pair: Pair, rounds: int, threads: int) -> dict[str, Any]:
    """Measure one pair and say how it went."""
    turns = timed(pair, rounds, threads)
    sooner = ratio(turns["grid"]["seconds"], turns["ours"]["seconds"], 1.0)
    scores = {name: turns[name]["outcome"]["best_score"] for name in ("grid", "ours")}
    found: dict[str, Any] = {
        "data": pair.data,
        "shape": data(pair.data)[0].shape,
        "estimator": described(pair.estimator),
        "intervals": pair.intervals,
        "scoring": pair.scoring,
        "turns": turns,
        "sooner": sooner,
        "cv_score": scores,
    }
    print(
        f"  {turns['grid']['median_seconds']:.3g} s and {turns['ours']['median_seconds']:.3g} s, "
        f"{sooner['median']:.1f} times sooner: {verdict(sooner['passes'], 1.0)}"
    )
    if pair.jumps:
        found |= held_out(pair)
        gap = found["difference"]
        low, high = gap["interval"]
        found["score_passes"] = bool(low >= LOWER)
        said = f"held out {gap['mean']:+.4f} [{low:+.4f}, {high:+.4f}]"
    else:
        gained = (scores["ours"] - scores["grid"]) / abs(scores["grid"])
        found |= {"gained": gained, "score_passes": bool(gained >= -WORSE)}
        said = f"CV score {gained:+.2e} of the grid's"
    print(f"  {said}: {'meets' if found['score_passes'] else 'MISSES'} its bar", flush=True)
    return found


def main() -> int:
    arguments = parser(__doc__, rounds=ROUNDS)
    arguments.add_argument("pairs", nargs="*", metavar="pair", help=f"of {', '.join(PAIRS)}")
    options = arguments.parse_args()
    if unknown := set(options.pairs) - set(PAIRS):
        arguments.error(f"no such pair: {', '.join(sorted(unknown))}")
    # Of weak penalties a rival's solver may not converge; an optimum may be an end for both.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", EdgeWarning)
    # Named pairs take the place of their entries; those of all are measured anew.
    path = (options.output or RESULTS) / "estimators.json"
    kept = json.loads(path.read_text())["pairs"] if options.pairs and path.exists() else {}
    found: dict[str, dict[str, Any]] = {}
    for name in options.pairs or PAIRS:
        pair = PAIRS[name]
        try:
            shape = data(pair.data)[0].shape
        except Missing as error:
            print(error)
            continue
        model = described(pair.estimator)
        print(f"{pair.data} {shape[0]:,} x {shape[1]:,}, {model}, {pair.scoring}", flush=True)
        found[name] = judge(pair, options.rounds, options.threads)
        write("estimators", {"pairs": kept | found}, threads=options.threads, output=options.output)
    missed = [n for n, f in found.items() if not (f["score_passes"] and f["sooner"]["passes"])]
    print(f"{len(found) - len(missed)} of {len(found)} meet both bars", *missed)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
