"""Data as people have them: bundled, synthetic and real; arrays, CSR, frames and texts.

Each function returns a ``Sample``: rows for a search, and fresh rows that judge what it found.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn import datasets
from sklearn.model_selection import train_test_split

from benchmarks.lib import real_data

_FRESH = 2000  # fresh rows of synthetic data


class Sample(NamedTuple):
    """What a search sees, and the rows that judge it."""

    X: Any
    y: np.ndarray
    X_fresh: Any
    y_fresh: np.ndarray


def _split(X: Any, y: np.ndarray, rows: float, labels: bool) -> Sample:
    X, X_fresh, y, y_fresh = train_test_split(
        X, y, train_size=rows, random_state=0, stratify=y if labels else None
    )
    return Sample(X, y, X_fresh, y_fresh)


def _halves(X: Any, y: np.ndarray, rows: int) -> Sample:
    return Sample(X[:rows], y[:rows], X[rows:], y[rows:])


def bundled(name: str, rows: float = 0.75) -> Sample:
    """A data set of scikit-learn."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return _split(X, y, rows, labels=name != "diabetes")


def classes(n: int, p: int, k: int = 2, informative: int | None = None) -> Sample:
    X, y = datasets.make_classification(
        n + _FRESH, p, n_informative=informative or max(p // 3, 4), n_redundant=p // 10,
        n_classes=k, flip_y=0.05, class_sep=0.7, random_state=0,
    )  # fmt: skip
    return _halves(X, y, n)


def numbers(n: int, p: int, informative: int | None = None, tail: float = 30.0) -> Sample:
    """A linear signal; errors of Student's t with ``tail`` degrees."""
    rng = np.random.default_rng(0)
    X, signal = datasets.make_regression(
        n + _FRESH, p, n_informative=informative or max(p // 3, 3), random_state=0
    )
    return _halves(X, signal + 0.5 * signal.std() * rng.standard_t(tail, len(signal)), n)


def counts(n: int, p: int) -> Sample:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + _FRESH, p))
    y = rng.poisson(np.exp(0.5 + X @ rng.normal(scale=0.5 / p**0.5, size=p)))
    return _halves(X, y, n)


def curve(n: int, p: int = 10) -> Sample:
    """Friedman's first: sines, squares and lines of the first five features."""
    X, y = datasets.make_friedman1(n + _FRESH, p, noise=2.0, random_state=0)
    return _halves(X, y, n)


def words(n: int, k: int, vocabulary: int = 6000) -> Sample:
    """Texts of words by Zipf's law, some of which lean to a class."""
    rng = np.random.default_rng(0)
    y = rng.integers(k, size=n + _FRESH)
    drawn = rng.zipf(1.25, size=(len(y), 70)) % vocabulary
    for c in range(k):
        mine = y == c
        drawn[mine, :6] = (drawn[mine, :6] * 7 + 131 * c) % vocabulary
    texts = np.array([" ".join(f"w{w}" for w in row) for row in drawn], dtype=object)
    return _halves(texts, y, n)


def counted_words(n: int, k: int, vocabulary: int = 6000) -> Sample:
    """The same texts as counts, CSR."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts = words(n, k, vocabulary)
    count = CountVectorizer(dtype=np.float64).fit(texts.X)
    X, X_fresh = (sp.csr_matrix(count.transform(some)) for some in (texts.X, texts.X_fresh))
    return Sample(X, texts.y, X_fresh, texts.y_fresh)


def sparse_numbers(n: int, p: int, density: float = 0.01) -> Sample:
    rng = np.random.default_rng(0)
    X = sp.random(n + _FRESH, p, density, format="csr", random_state=0)
    signal = X @ (rng.normal(size=p) * (rng.random(p) < 0.1))
    return _halves(X, signal + signal.std() * rng.normal(size=len(signal)), n)


def mixed(n: int, missing: float = 0.0, k: int = 2) -> Sample:
    """A frame of twelve numeric and six categorical columns, 192 features one-hot."""
    rng = np.random.default_rng(0)
    total = n + _FRESH
    frame = pd.DataFrame(rng.normal(size=(total, 12)), columns=[f"n{i}" for i in range(12)])
    score = frame.to_numpy() @ rng.normal(size=(12, k)) / 3
    for i, levels in enumerate((5, 10, 20, 30, 45, 70)):
        codes = np.minimum(rng.geometric(2.5 / levels, total) - 1, levels - 1)
        frame[f"c{i}"] = np.array([f"v{c}" for c in range(levels)], dtype=object)[codes]
        score += rng.normal(scale=0.4, size=(levels, k))[codes]
    y = (score + rng.gumbel(size=score.shape)).argmax(1)
    if missing:
        for name in [*frame.columns[:6], "c1", "c3"]:
            frame.loc[rng.random(total) < missing, name] = np.nan
    return Sample(frame[:n], y[:n], frame[n:], y[n:])


def frame(load: Callable[[], Any], target: str, rows: float, labels: bool) -> Sample:
    """A real table as a frame; columns of words are categories."""
    table = load().dropna(subset=[target])
    y = table[target]
    y = y.astype("category").cat.codes.to_numpy() if labels else y.to_numpy(dtype=float)
    rest = table.drop(columns=target)
    for name in rest.select_dtypes(exclude="number").columns:
        rest[name] = rest[name].astype(object).where(rest[name].notna(), "none").astype(str)
    return _split(rest, y, rows, labels)


def r_frame(name: str, target: str, rows: float = 0.75, labels: bool = True, package="modeldata"):
    return frame(partial(real_data.rdataset, package, name), target, rows, labels)


def islp_frame(name: str, target: str, rows: float = 0.75, labels: bool = True):
    return frame(partial(real_data.islp, name), target, rows, labels)


def array(sample: Sample) -> Sample:
    """The numeric columns as an array, the median where something is missing."""
    X = sample.X.select_dtypes("number")
    middle = X.median()
    X, X_fresh = (
        part[X.columns].fillna(middle).to_numpy(float) for part in (sample.X, sample.X_fresh)
    )
    keep = X.std(0) > 0
    return Sample(X[:, keep], sample.y, X_fresh[:, keep], sample.y_fresh)


def movies(rows: int) -> Sample:
    """Reviews that were rated good or bad."""
    texts, _, mean = real_data.vader()
    far = np.abs(mean) > 1
    kept = np.array(texts, dtype=object)[far]
    return _split(kept, (mean[far] > 0).astype(int), rows, labels=True)
