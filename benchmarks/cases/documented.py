"""Grids that scikit-learn's user guide and examples search, on data that it ships.

The grids are theirs, the longest with fewer values; the code is not. Where an example loads data
from elsewhere, shipped data take their place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.naive_bayes import ComplementNB, GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier


@dataclass(frozen=True)
class Documented:
    """A grid search of the documentation.

    Attributes
    ----------
    where : str
        The example, or the page of the user guide.
    data : callable
        Returns X and y.
    model : estimator
    grid : dict or list of dict
    options : dict
        Further arguments of the search.
    """

    where: str
    data: Callable[[], tuple[Any, Any]]
    model: Any
    grid: Any
    options: dict[str, Any]


def scaled_iris() -> tuple[Any, Any]:
    """Two features of iris, scaled."""
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X[:, :2]), y


def digits(rows: int) -> tuple[Any, Any]:
    """Return the first of the digits."""
    X, y = load_digits(return_X_y=True)
    return X[:rows], y[:rows]


def curve() -> tuple[Any, Any]:
    """A sine with noise."""
    rng = np.random.RandomState(42)
    X = 5 * rng.rand(300, 1)
    y = np.sin(X).ravel()
    y[::5] += 3 * (0.5 - rng.rand(60))
    return X, y


def descriptions() -> tuple[Any, Any]:
    """Sentences of the descriptions of two data sets, and which of them each is of."""
    texts: list[str] = []
    labels: list[int] = []
    for label, load in enumerate((load_breast_cancer, load_diabetes)):
        words = load().DESCR.split()
        parts = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)][:40]
        texts, labels = texts + parts, labels + [label] * len(parts)
    order = np.random.RandomState(0).permutation(len(texts))
    return [texts[i] for i in order], np.array(labels)[order]


_FOREST = RandomForestClassifier(random_state=0)
CASES = {
    "SVC, kernels, digits": Documented(
        "plot_grid_search_digits",
        lambda: digits(600),
        SVC(),
        [
            {"kernel": ["rbf"], "gamma": [1e-3, 1e-4], "C": [1, 10, 100, 1000]},
            {"kernel": ["linear"], "C": [1, 10, 100, 1000]},
        ],
        {"scoring": "accuracy"},
    ),
    "SVC, wide grid, iris": Documented(
        "plot_rbf_parameters",
        scaled_iris,
        SVC(),
        {"gamma": np.logspace(-9, 3, 7), "C": np.logspace(-2, 4, 7)},
        {"cv": StratifiedShuffleSplit(n_splits=5, test_size=0.2, random_state=42)},
    ),
    "SVC, iris": Documented(
        "plot_nested_cross_validation_iris",
        lambda: load_iris(return_X_y=True),
        SVC(kernel="rbf"),
        {"C": [1, 10, 100], "gamma": [0.01, 0.1]},
        {},
    ),
    "SVR, a curve": Documented(
        "plot_kernel_ridge_regression",
        curve,
        SVR(kernel="rbf", gamma=0.1),
        {"C": [1e0, 1e1, 1e2, 1e3], "gamma": np.logspace(-2, 2, 5)},
        {},
    ),
    "KernelRidge, a curve": Documented(
        "plot_kernel_ridge_regression",
        curve,
        KernelRidge(kernel="rbf", gamma=0.1),
        {"alpha": [1e0, 0.1, 1e-2, 1e-3], "gamma": np.logspace(-2, 2, 5)},
        {},
    ),
    "neighbours, wine": Documented(
        "neighbors",
        lambda: load_wine(return_X_y=True),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        {
            "kneighborsclassifier__n_neighbors": list(range(1, 31)),
            "kneighborsclassifier__weights": ["uniform", "distance"],
        },
        {},
    ),
    "density, digits": Documented(
        "plot_digits_kde_sampling",
        lambda: (PCA(15, random_state=0).fit_transform(digits(600)[0]), None),
        KernelDensity(),
        {"bandwidth": np.logspace(-1, 1, 20)},
        {},
    ),
    "naive Bayes of texts": Documented(
        "plot_grid_search_text_feature_extraction",
        descriptions,
        Pipeline([("vect", TfidfVectorizer()), ("clf", ComplementNB())]),
        {
            "vect__max_df": [0.4, 1.0],
            "vect__min_df": [1, 5],
            "vect__norm": ["l1", "l2"],
            "clf__alpha": np.logspace(-6, 6, 13),
        },
        {},
    ),
    "Gaussian naive Bayes, breast cancer": Documented(
        "naive_bayes",
        lambda: load_breast_cancer(return_X_y=True),
        GaussianNB(),
        {"var_smoothing": np.logspace(0, -9, 50)},
        {},
    ),
    "linear discriminant, wine": Documented(
        "lda_qda",
        lambda: load_wine(return_X_y=True),
        LinearDiscriminantAnalysis(solver="lsqr"),
        {"shrinkage": np.linspace(0, 1, 21)},
        {},
    ),
    "pruned tree, breast cancer": Documented(
        "plot_cost_complexity_pruning",
        lambda: load_breast_cancer(return_X_y=True),
        DecisionTreeClassifier(random_state=0),
        {"ccp_alpha": np.linspace(0, 0.03, 13)},
        {},
    ),
    "forest, digits": Documented(
        "plot_forest_hist_grad_boosting_comparison",
        lambda: digits(600),
        _FOREST,
        {"n_estimators": [10, 20, 50, 100]},
        {},
    ),
    "boosting, diabetes": Documented(
        "plot_gradient_boosting_early_stopping",
        lambda: load_diabetes(return_X_y=True),
        GradientBoostingRegressor(random_state=0),
        {"n_estimators": [20, 50, 100, 200], "learning_rate": [0.1]},
        {"scoring": "neg_mean_squared_error"},
    ),
    "boosted histograms, breast cancer": Documented(
        "plot_forest_hist_grad_boosting_comparison",
        lambda: load_breast_cancer(return_X_y=True),
        HistGradientBoostingClassifier(max_leaf_nodes=15, random_state=0, early_stopping=False),
        {"max_iter": [10, 30, 100]},
        {},
    ),
}
