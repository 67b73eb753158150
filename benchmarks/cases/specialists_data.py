"""The data of the specialists' cases, each a function of the fraction of the rows."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import make_classification, make_regression
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import scale

from benchmarks.lib.lasso_paths import standardised
from benchmarks.lib.real_data import Missing, golub


class Data(NamedTuple):
    """Rows, and what else a case has."""

    X: Any
    y: np.ndarray
    groups: np.ndarray | None = None
    note: str = ""


def multinomial_data(fraction: float) -> Data:
    X, y = make_classification(
        int(20_000 * fraction), 200, n_informative=50, n_redundant=50, n_classes=10,
        n_clusters_per_class=1, flip_y=0.1, random_state=0,
    )  # fmt: skip
    return Data(scale(X), y)


def elastic_net_data(fraction: float) -> Data:
    rows = int(5_000 * fraction)
    X, y = make_regression(rows, 500, n_informative=50, noise=100.0, random_state=0)
    return Data(*standardised((X, y)))


def group_data(fraction: float) -> Data:
    """Ten groups whose coefficients' sizes fall from 0.3 to 0.003: each asks for its own C."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 20)
    X = rng.standard_normal((int(20_000 * fraction), 200))
    w = np.geomspace(0.3, 0.003, 10)[groups] * rng.standard_normal(200)
    return Data(X, _drawn(X @ w, rng), groups)


def sparse_data(fraction: float) -> Data:
    """Words drawn by Zipf's law, about 100 different ones a row; 1,000 of them tell something."""
    rng = np.random.default_rng(0)
    rows, words, drawn, telling = int(10_000 * fraction), 20_000, 110, 1_000
    share = 1 / (np.arange(words) + 10.0)
    columns = rng.choice(words, size=rows * drawn, p=share / share.sum()).astype(np.int32)
    index = np.repeat(np.arange(rows, dtype=np.int32), drawn)
    counts = sp.csr_array((np.ones(len(columns)), (index, columns)), (rows, words))
    X = sp.csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    w = np.zeros(words)
    w[rng.choice(4 * telling, telling, replace=False)] = 12 * rng.standard_normal(telling)
    return Data(X, _drawn(X @ w, rng))


def _drawn(logit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(int)


def lasso_data(fraction: float = 1.0) -> Data:
    """Golub's genes, or as many that are drawn where these can't be had; always all rows."""
    try:
        return Data(*standardised(golub()), note="golub")
    except Missing:
        pass
    rng = np.random.default_rng(0)
    # Genes go up and down together: sixty causes, each gene has some of them and noise.
    X = rng.standard_normal((38, 60)) @ rng.standard_normal((60, 3051)) / 8
    X = scale(X + 0.5 * rng.standard_normal(X.shape))
    told = X[:, rng.choice(3051, 8, replace=False)] @ rng.uniform(0.5, 1.5, 8)
    y = told + 0.3 * told.std() * rng.standard_normal(38) > 0
    return Data(*standardised((X, y)), note="drawn")
