"""Eight problems, the searches made for them, and the bars that ours must meet.

Rivals that do not search the same values score in their own way: RidgeCV leaves one row out,
HalvingGridSearchCV uses a subset of the rows, path solvers use models that are not quite solved.
Their hyperparameters are therefore scored again, by the model itself in the same 5 folds of all
rows; that does not count as their time.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import ElasticNet, ElasticNetCV, Lasso, LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, check_cv

from benchmarks.cases.searches import (
    CV,
    N_VALUES_EACH,
    SMALL,
    classifier,
    grid_of,
    logistic_data,
    logistic_path,
)
from benchmarks.cases.searches import ridge_data as hundred_thousand_rows
from benchmarks.cases.specialists_data import (
    Data,
    elastic_net_data,
    group_data,
    lasso_data,
    multinomial_data,
    sparse_data,
)
from benchmarks.lib.harness import Rival
from benchmarks.lib.lasso_paths import CELER, MAX_ITER, SPAN, TOL, WORSE, CelerCV, cv, largest
from skbamm import BAMMSearchCV, PerGroup

LOG_LOSS, MSE = "neg_log_loss", "neg_mean_squared_error"
L1_RATIOS = (0.1, 1.0)
TIGHT = {"tol": 1e-8, "max_iter": 100 * MAX_ITER}
PACKAGES = ("celer", "himalaya", "optuna", "optuna-integration", "sparho")  # of rivals


class Bar(NamedTuple):
    """What ours must be beside a rival: so many times as fast, and with what score.

    The score may be worse by a share of the rival's; where that is zero, it must be better.
    """

    times: float | None
    worse_by: float = 1e-4


@dataclass(frozen=True)
class SpeedCase:
    """One model on one data set.

    Attributes
    ----------
    title : str
        What the tables call it.
    data : callable
        ``data(fraction)`` gives Data, with that fraction of the rows.
    model : estimator
    intervals : callable
        Maps Data to the ends of each parameter's interval.
    scoring : str
    bars : dict
        Rival -> Bar; all rivals of ``RIVALS`` that are here are timed.
    others : tuple of str
        Rivals that have no bar.
    cv : int or splitter
    exact : estimator, optional
        The model that all searches are scored with, where the one that is searched stops too far
        from its solution for scores to tell hyperparameters apart.
    optuna : float
        How many times our seconds Optuna gets; 0 leaves it out.
    """

    title: str
    data: Callable[[float], Data]
    model: Any
    intervals: Callable[[Data], dict[str, tuple[float, float]]]
    scoring: str
    bars: Mapping[str, Bar]
    others: tuple[str, ...] = ()
    cv: Any = CV
    exact: Any = None
    optuna: float = 0.0

    @property
    def rivals(self) -> list[str]:
        return [name for name in RIVALS if name in self.bars or name in self.others]

    @property
    def settings(self) -> dict[str, Any]:
        return {"scoring": self.scoring, "cv": self.cv}


# Rivals. Each is a function of the case and its data; ImportError says that it can't be had.


def grid(case: SpeedCase, data: Data) -> Rival:
    def build(n_jobs: int | None) -> Any:
        values = grid_of(case.intervals(data))
        return GridSearchCV(case.model, values, n_jobs=n_jobs, **case.settings)

    return Rival("GridSearchCV", build, _read_search, parallel=True)


def halving(case: SpeedCase, data: Data) -> Rival:
    def build(n_jobs: int | None) -> Any:
        values = grid_of(case.intervals(data))
        return HalvingGridSearchCV(
            case.model, values, n_jobs=n_jobs, random_state=0, **case.settings
        )

    # Its best score is one of the rows that were left at the end.
    return Rival(
        "HalvingGridSearchCV", build, lambda found: {"params": found.best_params_}, parallel=True
    )


def logistic_cv(case: SpeedCase, data: Data) -> Rival:
    def build(n_jobs: int | None) -> Any:
        (values,) = grid_of(case.intervals(data)).values()
        return logistic_path(case.model, values, n_jobs=n_jobs, **case.settings)

    return Rival("LogisticRegressionCV", build, _reader(C="C_"), parallel=True)


def ridge_loo(case: SpeedCase, data: Data) -> Rival:
    (values,) = grid_of(case.intervals(data)).values()
    return Rival("RidgeCV", lambda n_jobs: RidgeCV(values), _reader(alpha="alpha_"))


def ridge_cv(case: SpeedCase, data: Data) -> Rival:
    (values,) = grid_of(case.intervals(data)).values()
    return Rival(
        "RidgeCV(cv=5)", lambda n_jobs: RidgeCV(values, **case.settings), _reader(alpha="alpha_")
    )


def himalaya(case: SpeedCase, data: Data) -> Rival:
    from himalaya.ridge import RidgeCV as HimalayaRidgeCV

    # Of each fold it makes a matrix of the rows left out by the rows trained on.
    size = 8 * len(data.y) ** 2 * (case.cv - 1) / case.cv**2
    if size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        raise ImportError(f"it would make an array of {size / 1e9:.0f} GB")
    (values,) = grid_of(case.intervals(data)).values()
    # Of each alpha it makes a matrix of features by rows; of all of them at once, 5 GB.
    batch = {"n_alphas_batch": 1, "warn": False}

    def build(n_jobs: int | None) -> Any:
        return HimalayaRidgeCV(values, fit_intercept=True, cv=case.cv, solver_params=batch)

    return Rival("himalaya", build, _reader(alpha="best_alphas_"))


def elastic_net_cv(case: SpeedCase, data: Data) -> Rival:
    def build(n_jobs: int | None) -> Any:
        ratios = np.linspace(*L1_RATIOS, N_VALUES_EACH)
        return ElasticNetCV(l1_ratio=ratios, cv=case.cv, max_iter=MAX_ITER, n_jobs=n_jobs)

    read = _reader(alpha="alpha_", l1_ratio="l1_ratio_")
    return Rival("ElasticNetCV", build, read, parallel=True)


def celer(case: SpeedCase, data: Data) -> Rival:
    import celer  # noqa: F401

    return Rival("celer", lambda n_jobs: CelerCV(), _reader(alpha="alpha_"))


def sparho(case: SpeedCase, data: Data) -> Rival:
    import sparho  # noqa: F401

    ends = case.intervals(data)
    ratios = np.linspace(*L1_RATIOS, N_VALUES_EACH) if "l1_ratio" in ends else None
    return Rival(
        "sparho",
        lambda n_jobs: SparhoCV(ends["alpha"], ratios, case.cv),
        lambda found: {"params": found.best_params_},
    )


class SparhoCV:
    """sparho's own search of alpha, HOAG with folds' models as warm starts, as it times itself.

    It has no intercept, so data are centred; and a fixed l1_ratio, so each of a list is tried.
    """

    def __init__(self, ends: tuple[float, float], l1_ratios: np.ndarray | None, cv: Any):
        self.begin, self.l1_ratios, self.cv = float(np.sqrt(ends[0] * ends[1])), l1_ratios, cv

    def fit(self, X: np.ndarray, y: np.ndarray) -> "SparhoCV":
        from sparho import L1, CrossVal, Problem, SquaredLoss, adapters, hoag_search
        from sparho import ElasticNet as ElasticNetPenalty

        X, y = np.asfortranarray(X - X.mean(0)), y - y.mean()
        folds = tuple(
            (train.astype(np.int32), test.astype(np.int32))
            for train, test in check_cv(self.cv).split(X, y)
        )
        best = np.inf
        for ratio in [None] if self.l1_ratios is None else self.l1_ratios:
            solver = adapters.CelerLasso() if ratio is None else adapters.SklearnElasticNet()
            penalty = L1() if ratio is None else ElasticNetPenalty(float(ratio))
            found = hoag_search(
                Problem(SquaredLoss(), penalty, X, y), self.begin, solver=solver,
                criterion=CrossVal(folds, warm_start=True), n_iter=30, inner_tol=1e-6,
                inner_tol_initial=1e-2, tolerance_decrease="exponential",
            )  # fmt: skip
            # The last half: before it, models are too rough for their scores to be compared.
            value = min(record.value for record in found.history[15:] or found.history)
            if value < best:
                best, named = value, {} if ratio is None else {"l1_ratio": float(ratio)}
                self.best_params_ = {"alpha": float(found.best_hyperparam), **named}
        return self


RIVALS: dict[str, Callable[[SpeedCase, Data], Rival]] = {
    "GridSearchCV": grid,
    "HalvingGridSearchCV": halving,
    "LogisticRegressionCV": logistic_cv,
    "RidgeCV": ridge_loo,
    "RidgeCV(cv=5)": ridge_cv,
    "himalaya": himalaya,
    "ElasticNetCV": elastic_net_cv,
    "celer": celer,
    "sparho": sparho,
}


def ours(case: SpeedCase, data: Data, device: str) -> list[Rival]:
    """Our search; of groups also the one whose values are drawn together, which is the default."""

    def build(shrinkage: bool, n_jobs: int | None) -> BAMMSearchCV:
        space: dict[str, Any] = case.intervals(data)
        if data.groups is not None:
            space = {
                name: PerGroup(*ends, data.groups, shrinkage=shrinkage)
                for name, ends in space.items()
            }
        return BAMMSearchCV(case.model, space, n_jobs=n_jobs, device=device, **case.settings)

    def read(search: BAMMSearchCV) -> dict[str, Any]:
        history = {name: search.history_[name] for name in ("seconds", "criterion")}
        return _read_search(search) | {
            "iterations": search.n_iter_, "converged": search.converged_,
            "device": search.device_, "history": history,
        }  # fmt: skip

    found = [Rival("ours", lambda n_jobs: build(False, n_jobs), read)]
    if data.groups is not None:
        found.append(Rival("ours, drawn together", lambda n_jobs: build(True, n_jobs), read))
    return found


def optuna(case: SpeedCase, data: Data, seconds: float, at_once: int) -> Rival:
    """Optuna with so many seconds, which no trial begins after; its refit comes on top."""
    from optuna_rival import group_search, hush, optuna_search

    hush()

    def build(n_jobs: int | None) -> Any:
        ends = case.intervals(data)
        settings = {"random_state": 0, "n_jobs": at_once, **case.settings}
        if data.groups is None:
            return optuna_search(case.model, ends, seconds, **settings)
        low, high = ends["C"]  # a factor of the penalty of C=1 is one over C
        return group_search(case.model, data.groups, (1 / high, 1 / low), seconds, **settings)

    def read(search: Any) -> dict[str, Any]:
        return _read_search(search) | {"trials": len(search.trials_)}

    return Rival("OptunaSearchCV", build, read)


def _read_search(search: Any) -> dict[str, Any]:
    return {"params": search.best_params_, "score": search.best_score_}


def _reader(**attributes: str) -> Callable[[Any], dict[str, Any]]:
    """Read parameters from attributes that may be arrays of one number."""

    def read(fitted: Any) -> dict[str, Any]:
        return {
            "params": {
                name: float(np.ravel(getattr(fitted, where))[0])
                for name, where in attributes.items()
            }
        }

    return read


# Cases


def inverse_strengths(data: Data) -> dict[str, tuple[float, float]]:
    return {"C": (1e-4, 1e4)}


def l1_strengths(data: Data) -> dict[str, tuple[float, float]]:
    top = largest(data.X, data.y)
    return {"alpha": (SPAN * top, top)}


_small = SMALL["breast_cancer"]
CASES = {
    "logistic": SpeedCase(
        "logistic regression, 200,000 x 100",
        lambda fraction: Data(*logistic_data(fraction)),
        classifier(),
        inverse_strengths,
        LOG_LOSS,
        bars={"GridSearchCV": Bar(30.0), "LogisticRegressionCV": Bar(5.0)},
        others=("HalvingGridSearchCV",),
        optuna=1.0,
    ),
    "multinomial": SpeedCase(
        "logistic regression, 20,000 x 200, 10 classes",
        multinomial_data,
        classifier(),
        inverse_strengths,
        LOG_LOSS,
        bars={"GridSearchCV": Bar(15.0), "LogisticRegressionCV": Bar(3.0)},
        others=("HalvingGridSearchCV",),
    ),
    "ridge": SpeedCase(
        "ridge regression, 200,000 x 200",
        lambda fraction: Data(*hundred_thousand_rows(2 * fraction)),
        Ridge(),
        lambda data: {"alpha": (1e-3, 1e5)},
        "r2",
        bars={"GridSearchCV": Bar(50.0), "RidgeCV": Bar(1.0), "RidgeCV(cv=5)": Bar(20.0)},
        others=("HalvingGridSearchCV", "himalaya"),
    ),
    "elastic_net": SpeedCase(
        "elastic net (alpha, l1_ratio), 5,000 x 500",
        elastic_net_data,
        ElasticNet(max_iter=MAX_ITER),
        lambda data: {**l1_strengths(data), "l1_ratio": L1_RATIOS},
        MSE,
        bars={"GridSearchCV": Bar(20.0), "ElasticNetCV": Bar(1.0, worse_by=0.0)},
        others=("sparho",),
        exact=ElasticNet(**TIGHT),
    ),
    "groups": SpeedCase(
        "logistic regression, C of ten groups, 20,000 x 200",
        group_data,
        LogisticRegression(max_iter=1000),
        lambda data: {"C": (1e-6, 1e2)},
        LOG_LOSS,
        bars={"OptunaSearchCV": Bar(None, worse_by=0.0)},
        optuna=10.0,
    ),
    "sparse": SpeedCase(
        "logistic regression, sparse 10,000 x 20,000",
        sparse_data,
        classifier(),
        inverse_strengths,
        LOG_LOSS,
        bars={"GridSearchCV": Bar(30.0), "LogisticRegressionCV": Bar(10.0)},
        exact=classifier().set_params(tol=1e-8, max_iter=10_000),
    ),
    "lasso": SpeedCase(
        "lasso, 38 x 3,051",
        lasso_data,
        Lasso(tol=TOL, max_iter=MAX_ITER),
        l1_strengths,
        MSE,
        bars={"GridSearchCV": Bar(10.0, WORSE), "celer": Bar(CELER, WORSE)},
        others=("sparho",),
        cv=cv(),
        exact=Lasso(**TIGHT),
    ),
    "small": SpeedCase(
        _small.title,
        lambda fraction: Data(*_small.data(fraction)),
        _small.estimator,
        lambda data: _small.interval,
        _small.scoring,
        bars={"GridSearchCV": Bar(1.0)},
        others=("HalvingGridSearchCV",),
        optuna=1.0,
    ),
}
