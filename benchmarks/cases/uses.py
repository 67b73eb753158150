"""Searches as people write them: a row for each, drawn over data, pipelines, models and scorers.

A use has a list of values, an interval over the same range, or both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
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
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier

from benchmarks.cases import uses_data as data

# Values of the grid that an interval is held against, or two intervals.
OF_INTERVALS, OF_TWO_INTERVALS = 15, (5, 4)


@dataclass(frozen=True)
class Use:
    """One search.

    Attributes
    ----------
    name : str
    make : callable
        Returns a ``Sample``.
    estimator : estimator
    values : dict of str to list
        The list; names without the steps before them.
    ends : dict of str to tuple
        The interval; empty where there is none.
    scoring : str or None
    """

    name: str
    make: Callable[[], data.Sample]
    estimator: Any
    values: dict[str, Any]
    ends: dict[str, tuple[float, float]]
    scoring: str | None = None

    def full(self, name: str) -> str:
        """Return a parameter's name as the estimator has it, the last step's before others'."""
        known = [full for full in self.estimator.get_params() if f"__{full}".endswith(f"__{name}")]
        return known[-1]

    @property
    def grid(self) -> dict[str, Any]:
        return {self.full(name): values for name, values in self.values.items()}

    @property
    def interval(self) -> dict[str, tuple[float, float]]:
        return {self.full(name): ends for name, ends in self.ends.items()}

    @property
    def fine_grid(self) -> dict[str, Any]:
        """The values from end to end that an interval is held against."""
        counts = (OF_INTERVALS,) if len(self.ends) == 1 else OF_TWO_INTERVALS
        return {
            self.full(name): (np.linspace if low <= 0 or name == "l1_ratio" else np.geomspace)(
                low, high, count
            )
            for (name, (low, high)), count in zip(self.ends.items(), counts, strict=False)
        }

    def model(self) -> Any:
        return clone(self.estimator)


def _log(low: float, high: float, count: int) -> np.ndarray:
    return np.logspace(low, high, count)


def _use(name, make, estimator, scoring=None, only: str = "", **values) -> Use:
    """A use whose interval has the ends of its list; ``only`` may be "list" or "interval"."""
    ends = {} if only == "list" else {key: (min(v), max(v)) for key, v in values.items()}
    return Use(name, make, estimator, {} if only == "interval" else values, ends, scoring)


def _logistic(**options: Any) -> LogisticRegression:
    return LogisticRegression(**{"max_iter": 1000, **options})


def _scaled(model: Any, *steps: Any) -> Any:
    return make_pipeline(StandardScaler(), *steps, model)


_WORDS = make_column_selector(dtype_exclude="number")
_NUMBERS = make_column_selector(dtype_include="number")


def columns(*numeric: Any, dense: bool = False, **options: Any) -> Any:
    """Scaled numbers and one-hot categories."""
    numeric = numeric or (StandardScaler(),)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense, **options)
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return make_column_transformer((make_pipeline(*numeric), _NUMBERS), (filled, _WORDS))


def imputed(**options: Any) -> Any:
    return columns(SimpleImputer(strategy="median"), StandardScaler(), **options)


def positive(sample: data.Sample) -> data.Sample:
    """The same with a positive target."""
    level = abs(min(sample.y.min(), sample.y_fresh.min())) + 1.0
    return sample._replace(y=sample.y + level, y_fresh=sample.y_fresh + level)


def several(sample: data.Sample) -> data.Sample:
    """The same with three targets."""
    y, fresh = (
        np.column_stack([t, X[:, 0] * t.std() + t, X[:, 1] * t.std() - t])
        for X, t in ((sample.X, sample.y), (sample.X_fresh, sample.y_fresh))
    )
    return sample._replace(y=y, y_fresh=fresh)


_B = partial(data.bundled, "breast_cancer")
_WINE, _IRIS = partial(data.bundled, "wine"), partial(data.bundled, "iris")
_DIGITS, _DIABETES = partial(data.bundled, "digits"), partial(data.bundled, "diabetes")
_C, _A = _log(-3, 3, 7), _log(-4, 2, 7)


def _small() -> list[Use]:
    """Bundled data, as in tutorials."""
    hinge = LinearSVC(loss="hinge", max_iter=10000)
    saga = _logistic(solver="saga", l1_ratio=1.0, max_iter=2000)
    lib_l1 = LogisticRegression(solver="liblinear", l1_ratio=1.0)
    return [
        _use("breast_cancer, scaled, logistic", _B, _scaled(_logistic()), C=_C),
        _use("breast_cancer, scaled, logistic, log loss", _B, _scaled(_logistic()),
             "neg_log_loss", C=_log(-4, 4, 20)),
        _use("breast_cancer, scaled, logistic, AUC", _B, _scaled(_logistic()), "roc_auc", C=_C),
        _use("breast_cancer, liblinear", _B, _scaled(_logistic(solver="liblinear")),
             C=[0.001, 0.01, 0.1, 1, 10, 100]),
        _use("breast_cancer, liblinear L1", _B, _scaled(lib_l1), C=_log(-2, 2, 9)),
        _use("breast_cancer, saga L1", _B, _scaled(saga), C=_log(-2, 2, 5)),
        _use("breast_cancer, LinearSVC", _B, _scaled(LinearSVC()), C=_C),
        _use("breast_cancer, LinearSVC hinge", _B, _scaled(hinge), C=_log(-3, 1, 5)),
        _use("breast_cancer, LinearSVC L1", _B, _scaled(LinearSVC(penalty="l1", dual=False)),
             C=_log(-3, 1, 5)),
        _use("breast_cancer, SGD hinge", _B, _scaled(SGDClassifier(random_state=0)),
             alpha=_log(-5, 0, 6)),
        _use("breast_cancer, SGD log loss, elastic net", _B,
             _scaled(SGDClassifier(loss="log_loss", penalty="elasticnet", random_state=0)),
             alpha=_log(-5, 0, 6)),
        _use("breast_cancer, RidgeClassifier", _B, _scaled(RidgeClassifier()),
             alpha=_log(-3, 3, 13)),
        _use("breast_cancer, minmax, PCA 10, logistic", _B,
             make_pipeline(MinMaxScaler(), PCA(10), _logistic()), C=_C),
        _use("wine, scaled, logistic", _WINE, _scaled(_logistic()), C=_C),
        _use("wine, scaled, logistic, f1_macro", _WINE, _scaled(_logistic()), "f1_macro", C=_C),
        _use("wine, LinearSVC", _WINE, _scaled(LinearSVC()), C=_C),
        _use("iris, logistic", _IRIS, _logistic(), C=[0.01, 0.1, 1, 10, 100]),
        _use("iris, scaled, logistic, log loss", _IRIS, _scaled(_logistic()), "neg_log_loss",
             C=_log(-2, 3, 11)),
        _use("iris, saga L1", _IRIS, _scaled(saga), C=_log(-2, 2, 5)),
        _use("iris, one-vs-rest LinearSVC", _IRIS, OneVsRestClassifier(LinearSVC()), C=_C),
        _use("digits, scaled, logistic", _DIGITS, _scaled(_logistic()), C=_log(-3, 1, 5)),
        _use("digits, scaled, PCA 30, logistic", _DIGITS, _scaled(_logistic(), PCA(30)),
             C=_log(-4, 4, 4)),
        _use("digits, LinearSVC", _DIGITS, _scaled(LinearSVC()), C=_log(-4, 0, 5)),
        _use("digits, Nystroem, RidgeClassifier", _DIGITS,
             make_pipeline(MinMaxScaler(), Nystroem(n_components=200, random_state=0),
                           RidgeClassifier()), alpha=_log(-4, 2, 7)),
        _use("diabetes, Ridge", _DIABETES, _scaled(Ridge()), alpha=_log(-3, 4, 15)),
        _use("diabetes, Lasso", _DIABETES, _scaled(Lasso()), alpha=_log(-3, 1.5, 10)),
        _use("diabetes, elastic net, two", _DIABETES, _scaled(ElasticNet(max_iter=5000)),
             "neg_mean_squared_error", alpha=_log(-3, 1, 6), l1_ratio=[0.1, 0.5, 0.9]),
        _use("diabetes, polynomials, Ridge", _DIABETES,
             make_pipeline(PolynomialFeatures(2), StandardScaler(), Ridge()),
             alpha=_log(-2, 4, 7)),
        _use("diabetes, splines, Ridge, MAE", _DIABETES,
             make_pipeline(SplineTransformer(6), Ridge()), "neg_mean_absolute_error",
             alpha=_log(-3, 2, 6)),
        _use("diabetes, Huber", _DIABETES, _scaled(HuberRegressor(max_iter=1000)),
             alpha=_log(-4, 2, 7)),
        _use("diabetes, Huber, epsilon too", _DIABETES, _scaled(HuberRegressor(max_iter=1000)),
             alpha=_log(-4, 1, 4), epsilon=[1.2, 1.5, 2.0]),
        _use("diabetes, quantile, pinball", _DIABETES, _scaled(QuantileRegressor()),
             "neg_mean_absolute_error", alpha=_log(-4, 0, 5)),
        _use("diabetes, LinearSVR", _DIABETES, _scaled(LinearSVR(max_iter=10000)),
             C=_log(-2, 2, 5)),
        _use("diabetes, Poisson", _DIABETES, _scaled(PoissonRegressor(max_iter=500)),
             alpha=_log(-4, 2, 7)),
        _use("diabetes, gamma, deviance", _DIABETES, _scaled(GammaRegressor(max_iter=500)),
             "neg_mean_gamma_deviance", alpha=_log(-4, 2, 7)),
        _use("diabetes, Ridge of log target", _DIABETES,
             TransformedTargetRegressor(_scaled(Ridge()), func=np.log1p, inverse_func=np.expm1),
             alpha=_log(-2, 3, 6)),
        _use("diabetes, KernelRidge rbf", _DIABETES, _scaled(KernelRidge(kernel="rbf", gamma=0.05)),
             alpha=_log(-3, 2, 6)),
        _use("diabetes, SGD", _DIABETES, _scaled(SGDRegressor(random_state=0)),
             alpha=_log(-5, 1, 7)),
    ]  # fmt: skip


def _few_rows() -> list[Use]:
    """Synthetic and real data of 50 to 500 rows, and more features than rows."""
    heavy = partial(data.numbers, 300, 20, tail=2.0)
    wide = partial(data.numbers, 100, 1500, informative=30)
    saga = _logistic(solver="saga", l1_ratio=0.5, max_iter=1000)
    cells = lambda: data.array(data.r_frame("cells", "class", 500))  # noqa: E731
    speech = lambda: data.array(data.r_frame("pd_speech", "class", 180))  # noqa: E731
    bits = lambda: data.array(  # noqa: E731
        data.r_frame("permeability_qsar", "permeability", 120, labels=False)
    )
    return [
        _use("heavy tails 300 x 20, Huber, MAE", heavy, _scaled(HuberRegressor(max_iter=500)),
             "neg_mean_absolute_error", alpha=_log(-4, 2, 7)),
        _use("heavy tails 300 x 20, quantile", heavy, _scaled(QuantileRegressor(quantile=0.8)),
             alpha=_log(-4, 0, 6)),
        _use("100 rows, two classes, hinge", partial(data.classes, 100, 10),
             LinearSVC(loss="hinge", max_iter=20000), C=_log(-3, 1, 5)),
        _use("400 x 60, saga elastic net", partial(data.classes, 400, 60), _scaled(saga),
             C=_log(-2, 1, 4)),
        _use("300 x 100, five classes, logistic", partial(data.classes, 300, 100, 5),
             _scaled(_logistic()), C=_log(-4, 1, 6)),
        _use("60 x 5, Lasso", partial(data.numbers, 60, 5), Lasso(), alpha=_log(-2, 2, 9)),
        _use("wide 100 x 1,500, elastic net, two", wide, ElasticNet(max_iter=5000),
             "neg_mean_squared_error", alpha=_log(-1, 2, 4), l1_ratio=[0.1, 0.4, 0.7, 1.0]),
        _use("wide 100 x 1,500, Ridge", wide, Ridge(), alpha=_log(-2, 4, 7)),
        _use("wide 100 x 1,500, Lasso", wide, Lasso(max_iter=5000), alpha=_log(-1, 2, 8)),
        _use("speech 180 x 750, logistic, AUC", speech, _scaled(_logistic()), "roc_auc",
             C=_log(-5, 1, 7)),
        _use("speech 180 x 750, liblinear L1", speech,
             _scaled(LogisticRegression(solver="liblinear", l1_ratio=1.0)), C=_log(-2, 1, 4)),
        _use("permeability 120 x 1,107, Ridge", bits, Ridge(), alpha=_log(-1, 4, 6)),
        _use("permeability 120 x 1,107, Lasso", bits, Lasso(max_iter=5000), alpha=_log(-1, 1, 6)),
        _use("cells 500 x 56, logistic, AUC", cells, _scaled(_logistic()), "roc_auc",
             C=_log(-4, 2, 7)),
        _use("cells 500 x 56, LinearSVC, balanced accuracy", cells,
             _scaled(LinearSVC(class_weight="balanced")), "balanced_accuracy", C=_log(-4, 1, 6)),
        _use("cells 500 x 56, best 20, logistic", cells, _scaled(_logistic(), SelectKBest(k=20)),
             C=_log(-3, 2, 6)),
        _use("three targets 200 x 40, MultiTaskLasso",
             lambda: several(data.numbers(200, 40)), MultiTaskLasso(), alpha=_log(-1, 2, 7)),
        _use("three targets 500 x 40, Ridge", lambda: several(data.numbers(500, 40)), Ridge(),
             alpha=_log(-2, 4, 7)),
    ]  # fmt: skip


def _several_classes() -> list[Use]:
    """Few rows and features of three to ten classes."""

    def made(n: int, d: int, k: int) -> Callable[[], data.Sample]:
        return partial(data.classes, n, d, k, max(6, d // 2))

    return [
        _use(f"{n:,} x {d}, {k} classes, logistic{told}", made(n, d, k), model, C=_C)
        for n, d, k, model, told in (
            (300, 8, 3, _logistic(), ""),
            (300, 30, 3, _scaled(_logistic()), ", scaled"),
            (400, 10, 5, _logistic(), ""),
            (500, 100, 4, _logistic(max_iter=2000), ""),
            (600, 20, 8, _scaled(_logistic()), ", scaled"),
            (1000, 16, 10, _scaled(_logistic()), ", scaled"),
            (1000, 40, 3, _logistic(), ""),
            (2000, 30, 6, _scaled(_logistic()), ", scaled"),
        )
    ]


def _maps_and_kinks() -> list[Use]:
    """Feature maps whose gamma is tuned, and L1 penalties with more features than rows."""
    few, more = partial(data.classes, 150, 8), partial(data.classes, 1000, 8)
    wide = partial(data.classes, 130, 1500)
    saga = LogisticRegression(solver="saga", l1_ratio=1.0, max_iter=300)
    nystroem = make_pipeline(Nystroem(n_components=50, random_state=0), _logistic())
    fourier = make_pipeline(RBFSampler(n_components=100, random_state=0), _logistic())
    return [
        _use("150 x 8, Nystroem's gamma, logistic", few, nystroem, gamma=_log(-3, 1, 9)),
        _use("1,000 x 8, random features, log loss", more, fourier, "neg_log_loss",
             gamma=_log(-3, 1, 5), C=_log(-2, 2, 4)),
        _use("wide 100 x 1,500, saga L1", wide, saga, C=_log(-1, 1, 5)),
        _use("wide 100 x 1,500, liblinear L1", wide,
             LogisticRegression(solver="liblinear", l1_ratio=1.0), C=_log(-1, 1, 5)),
    ]  # fmt: skip


def _tables() -> list[Use]:
    """Frames, real and synthetic, with categories and what is missing."""
    credit = partial(data.r_frame, "credit_data", "Status")
    attrition = partial(data.r_frame, "attrition", "Attrition")
    houses = partial(data.r_frame, "ames", "Sale_Price", labels=False)
    loans = partial(data.r_frame, "lending_club", "Class")
    wages = partial(data.r_frame, "CPS1988", "wage", 15000, False, "AER")
    caravan = lambda: data.array(data.islp_frame("Caravan", "Purchase", 4000))  # noqa: E731
    bikes = lambda: data.Sample(  # noqa: E731
        *(part.drop(columns=["casual", "registered"]) if hasattr(part, "columns") else part
          for part in data.islp_frame("Bikeshare", "bikers", 6000, False))
    )  # fmt: skip
    jobs = partial(data.r_frame, "hpc_data", "class", 3000)
    return [
        _use("credit, imputed, one-hot, logistic", credit, make_pipeline(imputed(), _logistic()),
             C=_C),
        _use("credit, imputed, one-hot, logistic, AUC", credit,
             make_pipeline(imputed(), _logistic()), "roc_auc", C=_log(-3, 2, 6)),
        _use("credit, k-bins, one-hot, logistic", credit,
             make_pipeline(columns(SimpleImputer(), KBinsDiscretizer(10)), _logistic()),
             C=_log(-3, 2, 6)),
        _use("attrition, one-hot, balanced logistic, f1", attrition,
             make_pipeline(columns(), _logistic(class_weight="balanced")), "f1", C=_log(-3, 2, 6)),
        _use("attrition, one-hot, LinearSVC", attrition, make_pipeline(columns(), LinearSVC()),
             C=_log(-4, 1, 6)),
        _use("houses, imputed, one-hot, Ridge", houses, make_pipeline(imputed(), Ridge()),
             alpha=_log(-2, 3, 6)),
        _use("houses, imputed, one-hot, Ridge of log price", houses,
             TransformedTargetRegressor(make_pipeline(imputed(), Ridge()), func=np.log,
                                        inverse_func=np.exp), alpha=_log(-2, 3, 6)),
        _use("houses, imputed, dense one-hot, Lasso", houses,
             make_pipeline(imputed(dense=True), Lasso(max_iter=3000)), alpha=_log(1.5, 4, 6)),
        _use("loans, one-hot, logistic, AUC", loans, make_pipeline(columns(), _logistic()),
             "roc_auc", C=_log(-3, 1, 5)),
        _use("wages, one-hot, Ridge, MAE", wages, make_pipeline(columns(), Ridge()),
             "neg_mean_absolute_error", alpha=_log(-2, 4, 7)),
        _use("Caravan, scaled, logistic, AUC", caravan, _scaled(_logistic()), "roc_auc",
             C=_log(-4, 1, 6)),
        _use("bikes, one-hot, Poisson", bikes,
             make_pipeline(columns(), PoissonRegressor(max_iter=500)), alpha=_log(-4, 1, 6)),
        _use("jobs, one-hot, four classes, logistic", jobs,
             make_pipeline(columns(), _logistic()), C=_log(-2, 2, 5)),
        _use("mixed 10,000, one-hot, logistic", partial(data.mixed, 10000),
             make_pipeline(columns(), _logistic()), C=_log(-3, 2, 6)),
        _use("mixed 5,000, three classes, missing, logistic", partial(data.mixed, 5000, 0.1, 3),
             make_pipeline(imputed(), _logistic()), C=_log(-3, 2, 6)),
        _use("mixed 5,000, one-hot, RidgeClassifier", partial(data.mixed, 5000),
             make_pipeline(columns(), RidgeClassifier()), alpha=_log(-2, 3, 6)),
        _use("mixed 5,000, one-hot, liblinear L1", partial(data.mixed, 5000),
             make_pipeline(columns(), LogisticRegression(solver="liblinear", l1_ratio=1.0)),
             C=_log(-2, 1, 4)),
        _use("mixed 5,000, one-hot, SGD", partial(data.mixed, 5000),
             make_pipeline(columns(), SGDClassifier(random_state=0)), alpha=_log(-5, -1, 5)),
    ]  # fmt: skip


def _texts() -> list[Use]:
    """Texts, TF-IDF fitted inside, and counts that are sparse already."""
    two, six, twenty = (partial(data.words, n, k) for n, k in ((2000, 2), (600, 6), (2000, 20)))
    reviews = partial(data.movies, 2000)
    tfidf = TfidfVectorizer
    return [
        _use("2,000 texts, TF-IDF, logistic", two, make_pipeline(tfidf(), _logistic()),
             C=_log(-2, 3, 6)),
        _use("600 texts, six classes, TF-IDF, LinearSVC", six, make_pipeline(tfidf(), LinearSVC()),
             C=_log(-3, 2, 6)),
        _use("600 texts, six classes, TF-IDF, logistic", six, make_pipeline(tfidf(), _logistic()),
             C=_log(-2, 3, 6)),
        _use("2,000 texts, twenty classes, TF-IDF, logistic", twenty,
             make_pipeline(tfidf(min_df=3), _logistic()), C=_log(-1, 2, 4)),
        _use("2,000 texts, twenty classes, TF-IDF, LinearSVC", twenty,
             make_pipeline(tfidf(), LinearSVC()), C=_log(-2, 1, 4)),
        _use("reviews, TF-IDF, logistic, AUC", reviews, make_pipeline(tfidf(min_df=2), _logistic()),
             "roc_auc", C=_log(-2, 2, 5)),
        _use("reviews, bigrams, LinearSVC", reviews,
             make_pipeline(tfidf(ngram_range=(1, 2), min_df=2), LinearSVC()), C=_log(-3, 1, 5)),
        _use("reviews, TF-IDF, SGD", reviews, make_pipeline(tfidf(), SGDClassifier(random_state=0)),
             alpha=_log(-6, -2, 5)),
        _use("reviews, TF-IDF, SVD 50, logistic", reviews,
             make_pipeline(tfidf(), TruncatedSVD(50, random_state=0), _logistic()),
             C=_log(-2, 3, 6)),
        _use("reviews, TF-IDF, MultinomialNB", reviews, make_pipeline(tfidf(), MultinomialNB()),
             only="list", alpha=_log(-3, 1, 9)),
        _use("600 texts, six classes, TF-IDF, ComplementNB", six,
             make_pipeline(tfidf(), ComplementNB()), only="list", alpha=_log(-3, 1, 9)),
        _use("counts 1,000 x 6,000, TF-IDF, RidgeClassifier",
             partial(data.counted_words, 1000, 2), make_pipeline(TfidfTransformer(),
             RidgeClassifier()), alpha=_log(-2, 2, 5)),
        _use("counts 3,000 x 6,000, logistic, log loss", partial(data.counted_words, 3000, 2),
             _logistic(max_iter=3000), "neg_log_loss", C=_log(-4, 1, 6)),
        _use("sparse 3,000 x 2,000, Ridge", partial(data.sparse_numbers, 3000, 2000), Ridge(),
             alpha=_log(-2, 3, 6)),
        _use("sparse 3,000 x 2,000, Lasso", partial(data.sparse_numbers, 3000, 2000), Lasso(),
             alpha=_log(-4, -1.5, 6)),
    ]  # fmt: skip


def _large() -> list[Use]:
    """Thousands of rows."""
    poisson = PoissonRegressor(max_iter=500)
    return [
        _use("5,000 x 20, five classes, logistic", partial(data.classes, 5000, 20, 5),
             _scaled(_logistic()), C=_C),
        _use("20,000 x 50, logistic", partial(data.classes, 20000, 50), _logistic(),
             C=_log(-4, 4, 10)),
        _use("20,000 x 50, scaled, logistic, Brier", partial(data.classes, 20000, 50),
             _scaled(_logistic()), "neg_brier_score", C=_log(-4, 2, 7)),
        _use("100,000 x 20, scaled, logistic", partial(data.classes, 100000, 20),
             _scaled(_logistic()), C=_log(-3, 2, 6)),
        _use("5,000 x 60, ten classes, logistic", partial(data.classes, 5000, 60, 10, 20),
             _scaled(_logistic()), C=_log(-3, 1, 5)),
        _use("10,000 x 30, LinearSVC", partial(data.classes, 10000, 30), _scaled(LinearSVC()),
             C=_log(-3, 1, 5)),
        _use("5,000 x 30, SGD log loss", partial(data.classes, 5000, 30),
             _scaled(SGDClassifier(loss="log_loss", random_state=0)), alpha=_log(-5, -1, 5)),
        _use("5,000 x 20, newton-cholesky, log loss", partial(data.classes, 5000, 20),
             _scaled(_logistic(solver="newton-cholesky")), "neg_log_loss", C=_C),
        _use("20,000 x 40, PCA 10, logistic", partial(data.classes, 20000, 40),
             _scaled(_logistic(), PCA(10)), C=_log(-3, 2, 6)),
        _use("50,000 x 30, Ridge", partial(data.numbers, 50000, 30), _scaled(Ridge()),
             alpha=_log(-2, 5, 8)),
        _use("10,000 x 100, Lasso", partial(data.numbers, 10000, 100), _scaled(Lasso()),
             alpha=_log(-1, 2, 7)),
        _use("3,000 x 200, elastic net, two", partial(data.numbers, 3000, 200), ElasticNet(),
             "neg_mean_squared_error", alpha=_log(-2, 1, 5), l1_ratio=[0.2, 0.5, 0.8]),
        _use("8,000 x 40, Huber", partial(data.numbers, 8000, 40, tail=3.0),
             HuberRegressor(max_iter=500), alpha=_log(-4, 2, 6)),
        _use("20,000 x 20, Poisson", partial(data.counts, 20000, 20), poisson,
             alpha=_log(-4, 1, 6)),
        _use("5,000 x 15, Tweedie 1.5", partial(data.counts, 5000, 15),
             TweedieRegressor(power=1.5, max_iter=500), alpha=_log(-4, 1, 6)),
        _use("curve 3,000, splines, Ridge", partial(data.curve, 3000),
             make_pipeline(SplineTransformer(8), Ridge()), alpha=_log(-4, 2, 7)),
        _use("curve 5,000, cubes, Ridge", partial(data.curve, 5000, 8),
             make_pipeline(PolynomialFeatures(3), StandardScaler(), Ridge()), alpha=_log(-2, 4, 7)),
        _use("curve 2,000, squares, Lasso", partial(data.curve, 2000),
             make_pipeline(PolynomialFeatures(2), StandardScaler(), Lasso(max_iter=3000)),
             alpha=_log(-3, 0, 7)),
        _use("curve 3,000, Nystroem, Ridge", partial(data.curve, 3000),
             _scaled(Ridge(), Nystroem(n_components=200, random_state=0)), alpha=_log(-4, 1, 6)),
        _use("curve 1,000, KernelRidge, two", partial(data.curve, 1000),
             _scaled(KernelRidge(kernel="rbf")), "neg_mean_squared_error", alpha=_log(-3, 1, 4),
             gamma=_log(-3, 0, 4)),
        _use("robust scaler 4,000 x 25, LinearSVR", partial(data.numbers, 4000, 25, tail=3.0),
             make_pipeline(RobustScaler(), LinearSVR(max_iter=5000)), C=_log(-2, 1, 4)),
    ]  # fmt: skip


def _enumerated() -> list[Use]:
    """What has no derivative."""
    tree, forest = (
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(30, random_state=0),
    )
    boosted = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    return [
        _use("breast_cancer, tree depth", _B, tree, only="list", max_depth=[2, 3, 4, 6, 8, None]),
        _use("breast_cancer, forest", _B, forest, only="list", max_features=[0.2, 0.5, 0.8]),
        _use("diabetes, boosting", _DIABETES, boosted, only="list", learning_rate=[0.03, 0.1, 0.3]),
        _use("digits, scaled, neighbours", _DIGITS, _scaled(KNeighborsClassifier()), only="list",
             n_neighbors=[1, 3, 5, 7, 9, 15]),
        _use("credit, one-hot, tree", partial(data.r_frame, "credit_data", "Status"),
             make_pipeline(imputed(), tree), only="list", max_depth=[2, 4, 6, 8, 10]),
        _use("wine, scaled, SVC", _WINE, _scaled(SVC()), only="list", C=_log(-2, 3, 6),
             gamma=_log(-3, 0, 4)),
        _use("breast_cancer, scaled, SVC", _B, _scaled(SVC()), only="list", C=_log(-1, 3, 5)),
        _use("diabetes, PCA 5, neighbours", _DIABETES,
             _scaled(KNeighborsRegressor(), PCA(5)), only="list", n_neighbors=[3, 5, 9, 15, 25]),
        _use("diabetes, SVR", _DIABETES, _scaled(SVR()), only="list", C=_log(0, 3, 4),
             epsilon=[0.1, 1.0, 10.0]),
        _use("breast_cancer, logistic, penalties and scaling", _B, _scaled(_logistic()),
             only="list", C=_log(-2, 2, 5), class_weight=[None, "balanced"]),
    ]  # fmt: skip


def all_uses() -> list[Use]:
    """Every use, small before large."""
    return [
        *_small(),
        *_few_rows(),
        *_several_classes(),
        *_maps_and_kinks(),
        *_tables(),
        *_texts(),
        *_large(),
        *_enumerated(),
    ]
