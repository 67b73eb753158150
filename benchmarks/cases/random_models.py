"""The models that small random searches tune, and what of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LassoLars,
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import (
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR

TOL = 1e-8  # of the estimators, so that their own fits can be compared with


@dataclass(frozen=True)
class Model:
    """An estimator and what is searched of it.

    Attributes
    ----------
    build : callable
        Maps a generator of random numbers to an estimator.
    target : str
        "number", "positive", "count", "numbers" (several), "class", "labels" (several).
    tuned : dict of str -> tuple
        Parameter to the ends of its widest interval; the first is always searched.
    lists : dict of str -> list
        What may stand beside an interval.
    weighted : bool
        Whether its fit takes ``sample_weight``.
    exact : bool
        Whether own fits reach the minimum.
    slack : float
        How much further from it than others own fits stop, whatever ``tol``.
    whole : bool
        Whether the first parameter is a whole number: then it is always a list.
    learns : bool
        Whether weights of the rows are learned.
    """

    build: Callable[[np.random.Generator], Any]
    target: str
    tuned: dict[str, tuple[float, float]]
    lists: dict[str, list] = field(default_factory=dict)
    weighted: bool = True
    exact: bool = True
    slack: float = 1.0
    whole: bool = False
    learns: bool = False


def _logistic(**options: Any) -> Callable[[np.random.Generator], Any]:
    return lambda rng: LogisticRegression(
        tol=TOL, max_iter=300, class_weight=_balanced(rng), **options
    )


def one_of(rng: np.random.Generator, *values: Any) -> Any:
    """Return one of the values, drawn."""
    return values[int(rng.integers(len(values)))]


def _balanced(rng: np.random.Generator) -> str | None:
    return "balanced" if rng.random() < 0.2 else None


_ALPHA, _C, _BOTH = (1e-4, 1e4), (1e-4, 1e3), [True, False]
_INTERCEPT = {"fit_intercept": _BOTH}
_WEIGHTS = {"class_weight": [None, "balanced"]}
_SVM = {"tol": TOL, "max_iter": 1000, "random_state": 0}
_PATH = {"tol": TOL, "max_iter": 2000}

MODELS: dict[str, Model] = {
    "Ridge": Model(
        lambda rng: Ridge(solver=one_of(rng, "auto", "cholesky", "svd"), tol=TOL),
        "number", {"alpha": _ALPHA}, _INTERCEPT,
    ),
    "Ridge, several targets": Model(
        lambda rng: Ridge(tol=TOL), "numbers", {"alpha": _ALPHA}, _INTERCEPT
    ),
    "RidgeClassifier": Model(
        lambda rng: RidgeClassifier(class_weight=_balanced(rng), tol=TOL),
        "class", {"alpha": _ALPHA},
    ),
    "RidgeClassifier, labels": Model(
        lambda rng: RidgeClassifier(tol=TOL), "labels", {"alpha": _ALPHA}, weighted=False
    ),
    "Lasso": Model(lambda rng: Lasso(**_PATH), "number", {"alpha": (1e-3, 1e1)}, _INTERCEPT),
    "LassoLars": Model(
        lambda rng: LassoLars(), "number", {"alpha": (1e-3, 1e1)}, _INTERCEPT, weighted=False
    ),
    "ElasticNet": Model(
        lambda rng: ElasticNet(**_PATH), "number",
        {"alpha": (1e-3, 1e1), "l1_ratio": (0.05, 1.0)}, {"l1_ratio": [0.2, 0.9]},
    ),
    "MultiTaskLasso": Model(
        lambda rng: MultiTaskLasso(**_PATH), "numbers", {"alpha": (1e-3, 1e1)}, weighted=False
    ),
    "MultiTaskElasticNet": Model(
        lambda rng: MultiTaskElasticNet(**_PATH), "numbers",
        {"alpha": (1e-3, 1e1), "l1_ratio": (0.05, 1.0)}, weighted=False,
    ),
    "LogisticRegression": Model(_logistic(), "class", {"C": _C}, _WEIGHTS),
    "LogisticRegression, newton-cholesky": Model(
        _logistic(solver="newton-cholesky"), "class", {"C": _C}, _INTERCEPT
    ),
    "LogisticRegression, newton-cg": Model(_logistic(solver="newton-cg"), "class", {"C": _C}),
    "LogisticRegression, liblinear": Model(
        lambda rng: LogisticRegression(
            solver="liblinear", l1_ratio=float(rng.integers(2)), tol=TOL, max_iter=1000,
            intercept_scaling=one_of(rng, 1.0, 10.0),
        ),
        "class", {"C": (1e-3, 1e2)},
    ),
    "LogisticRegression, saga": Model(
        lambda rng: LogisticRegression(
            solver="saga", l1_ratio=one_of(rng, 0.0, 0.5, 1.0), tol=1e-6,
            max_iter=300, random_state=0
        ),
        "class", {"C": (1e-3, 1e1), "l1_ratio": (0.0, 1.0)},
    ),
    "PoissonRegressor": Model(
        lambda rng: PoissonRegressor(tol=TOL, max_iter=300, solver=_newton(rng)),
        "count", {"alpha": (1e-4, 1e2)}, _INTERCEPT,
    ),
    "GammaRegressor": Model(
        lambda rng: GammaRegressor(tol=TOL, max_iter=300, solver=_newton(rng)),
        "positive", {"alpha": (1e-4, 1e2)}, _INTERCEPT,
    ),
    "TweedieRegressor": Model(
        lambda rng: TweedieRegressor(
            power=one_of(rng, 0, 1, 1.5, 2), tol=TOL, max_iter=300, solver=_newton(rng)
        ),
        "positive", {"alpha": (1e-4, 1e2)},
    ),
    "HuberRegressor": Model(
        lambda rng: HuberRegressor(tol=TOL, max_iter=300), "number",
        {"alpha": (1e-4, 1e4), "epsilon": (1.05, 3.0)}, {"epsilon": [1.1, 1.8]}, slack=100.0,
    ),
    "QuantileRegressor": Model(
        lambda rng: QuantileRegressor(quantile=one_of(rng, 0.1, 0.5, 0.8)),
        "number", {"alpha": (1e-4, 1e1)}, {"quantile": [0.3, 0.5]},
    ),
    "LinearSVC": Model(
        lambda rng: LinearSVC(
            **_SVM, class_weight=_balanced(rng), dual="auto",
            loss=one_of(rng, "squared_hinge", "squared_hinge", "hinge"),
        ),
        "class", {"C": (1e-4, 1e2)},
    ),
    "LinearSVC, L1": Model(
        lambda rng: LinearSVC(**_SVM, penalty="l1", dual=False), "class", {"C": (1e-3, 1e2)}
    ),
    "LinearSVR": Model(
        lambda rng: LinearSVR(
            **_SVM, dual="auto",
            loss=one_of(rng, "epsilon_insensitive", "squared_epsilon_insensitive"),
        ),
        "number", {"C": (1e-4, 1e2), "epsilon": (0.0, 1.0)}, {"epsilon": [0.0, 0.3]},
    ),
    "SGDClassifier": Model(
        lambda rng: SGDClassifier(
            loss=one_of(rng, "hinge", "log_loss", "modified_huber", "squared_hinge"),
            penalty=one_of(rng, "l2", "elasticnet"), random_state=0,
        ),
        "class", {"alpha": (1e-5, 1e0)}, exact=False,
    ),
    "SGDRegressor": Model(
        lambda rng: SGDRegressor(
            loss=one_of(rng, "squared_error", "huber", "epsilon_insensitive"), random_state=0
        ),
        "number", {"alpha": (1e-5, 1e1)}, exact=False,
    ),
    "KernelRidge": Model(
        lambda rng: KernelRidge(kernel=one_of(rng, "rbf", "laplacian", "poly")), "number",
        {"alpha": (1e-4, 1e2), "gamma": (1e-3, 1e1)}, {"kernel": ["rbf", "laplacian"]}, slack=100.0,
    ),
    "KernelRidge, linear": Model(
        lambda rng: KernelRidge(kernel=one_of(rng, "linear", "cosine")), "number",
        {"alpha": (1e-4, 1e2)}, slack=100.0,
    ),
    "OneVsRest(LogisticRegression)": Model(
        lambda rng: OneVsRestClassifier(_logistic()(rng)), "class", {"estimator__C": _C},
        weighted=False,
    ),
    "OneVsRest(LogisticRegression), labels": Model(
        lambda rng: OneVsRestClassifier(LogisticRegression(tol=TOL, max_iter=300)), "labels",
        {"estimator__C": _C}, weighted=False,
    ),
    "OneVsRest(LinearSVC)": Model(
        lambda rng: OneVsRestClassifier(LinearSVC(**_SVM)), "class",
        {"estimator__C": (1e-4, 1e2)}, weighted=False,
    ),
    "MultiOutput(Ridge)": Model(
        lambda rng: MultiOutputRegressor(Ridge(tol=TOL)), "numbers", {"estimator__alpha": _ALPHA}
    ),
    "MultiOutput(Lasso)": Model(
        lambda rng: MultiOutputRegressor(Lasso(**_PATH)), "numbers",
        {"estimator__alpha": (1e-3, 1e1)},
    ),
    "TransformedTarget(Ridge)": Model(
        lambda rng: TransformedTargetRegressor(
            Ridge(tol=TOL), func=np.log1p, inverse_func=np.expm1
        ),
        "positive", {"regressor__alpha": _ALPHA},
    ),
    "TransformedTarget(Lasso)": Model(
        lambda rng: TransformedTargetRegressor(Lasso(**_PATH), transformer=StandardScaler()),
        "number", {"regressor__alpha": (1e-3, 1e0)},
    ),
}  # fmt: skip


_KERNEL = {"tol": TOL, "max_iter": 200_000}
_RBF = {"C": (1e-2, 1e3), "gamma": (1e-3, 1e1)}

# Searched since the others were first drawn, whose numbers are to stay.
NEWER: dict[str, Model] = {
    "SVC": Model(
        lambda rng: SVC(
            kernel=one_of(rng, "rbf", "rbf", "poly"), class_weight=_balanced(rng), **_KERNEL
        ),
        "class", _RBF, {"kernel": ["rbf", "linear"]}, slack=100.0,
    ),
    "SVC, linear": Model(lambda rng: SVC(kernel="linear", **_KERNEL), "class", {"C": (1e-3, 1e1)}),
    "NuSVC": Model(
        lambda rng: NuSVC(nu=0.1, **_KERNEL), "class", {"gamma": (1e-3, 1e1)}, slack=100.0
    ),
    "SVR": Model(
        lambda rng: SVR(**_KERNEL), "number", {**_RBF, "epsilon": (0.0, 1.0)}, slack=1000.0
    ),
    "NuSVR": Model(
        lambda rng: NuSVR(**_KERNEL), "number", {"C": (1e-2, 1e2), "nu": (0.1, 0.9)}, slack=1000.0
    ),
    "KNeighborsClassifier": Model(
        lambda rng: KNeighborsClassifier(metric=one_of(rng, "minkowski", "manhattan", "cosine")),
        "class", {"n_neighbors": (1, 12)}, {"weights": ["uniform", "distance"]},
        weighted=False, whole=True,
    ),
    "KNeighborsRegressor": Model(
        lambda rng: KNeighborsRegressor(), "number", {"n_neighbors": (1, 12)},
        {"weights": ["uniform", "distance"]}, weighted=False, whole=True,
    ),
    "GaussianNB": Model(lambda rng: GaussianNB(), "class", {"var_smoothing": (1e-9, 1e0)}),
    "BernoulliNB": Model(
        lambda rng: BernoulliNB(), "class", {"alpha": (1e-3, 1e2)}, {"fit_prior": _BOTH}
    ),
    "LinearDiscriminantAnalysis": Model(
        lambda rng: LinearDiscriminantAnalysis(solver=one_of(rng, "lsqr", "eigen")), "class",
        {"shrinkage": (1e-3, 1e0)}, weighted=False,
    ),
    "QuadraticDiscriminantAnalysis": Model(
        lambda rng: QuadraticDiscriminantAnalysis(), "class", {"reg_param": (1e-3, 1e0)},
        weighted=False,
    ),
    "RandomForestClassifier": Model(
        lambda rng: RandomForestClassifier(max_depth=4, random_state=0), "class",
        {"n_estimators": (2, 20)}, {"class_weight": [None, "balanced"]}, whole=True,
    ),
    "ExtraTreesRegressor": Model(
        lambda rng: ExtraTreesRegressor(max_depth=4, random_state=0), "number",
        {"n_estimators": (2, 20)}, whole=True,
    ),
    "GradientBoostingRegressor": Model(
        lambda rng: GradientBoostingRegressor(max_depth=2, random_state=0), "number",
        {"n_estimators": (2, 20)}, {"learning_rate": [0.1, 0.3]}, whole=True,
    ),
    "LogisticRegression, weights": Model(
        _logistic(), "class", {"C": _C}, learns=True, weighted=False
    ),
    "Ridge, weights": Model(
        lambda rng: Ridge(tol=TOL), "number", {"alpha": _ALPHA}, learns=True, weighted=False
    ),
}  # fmt: skip


def _newton(rng: np.random.Generator) -> str:
    return one_of(rng, "lbfgs", "newton-cholesky")
