"""Learned weights over sets and kinds of noise that they were not built for, a cell each.

Eleven sets of two to ten classes, dense and sparse, of at most 800 training rows; seven kinds of
noise. Nothing is chosen on test rows, which are clean. ``--methods`` measures some anew and keeps
the figures of the others.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.labels.noise import (
    Problem,
    cleanlab_1,
    cleanlab_again,
    cleanlab_cv,
    oracle,
    ours,
    pair,
    plain_cv,
    pruning,
    run,
    symmetric,
)
from benchmarks.labels.rivals import CONFIDENT, FILTERS
from benchmarks.lib.harness import parts, write_part
from benchmarks.lib.real_data import keel, news_groups, reuters_r8

TEST_ROWS = 2000
Rows = tuple[Any, np.ndarray, Any, np.ndarray]


@cache
def _raw(name: str) -> tuple[Any, np.ndarray]:
    if name == "breast_cancer":
        return load_breast_cancer(return_X_y=True)
    return load_digits(return_X_y=True) if name == "digits" else keel(name)


@cache
def _texts(names: tuple[str, ...]) -> tuple[Sequence[str], np.ndarray]:
    return news_groups(names) if names else reuters_r8()[:2]


def dense(name: str, n_train: int) -> Callable[[int], Rows]:
    """Standardised rows."""

    def draw(seed: int) -> Rows:
        X, y = _raw(name)
        A, B, y_train, y_test = _split(X, y, n_train, seed)
        scaler = StandardScaler().fit(A)
        return scaler.transform(A), y_train, scaler.transform(B), y_test

    return draw


def texts(n_train: int, *names: str) -> Callable[[int], Rows]:
    """Sparse TF-IDF rows of newsgroups, or without names of Reuters R8."""

    def draw(seed: int) -> Rows:
        found, y = _texts(names)
        A, B, y_train, y_test = _split(np.array(found, dtype=object), y, n_train, seed)
        words = TfidfVectorizer(min_df=3, sublinear_tf=True, stop_words="english").fit(A)
        return words.transform(A), y_train, words.transform(B), y_test

    return draw


def _split(X: Any, y: np.ndarray, n_train: int, seed: int) -> tuple[Any, Any, Any, Any]:
    A, B, a, b = train_test_split(X, y, train_size=n_train, stratify=y, random_state=seed)
    return A, B[:TEST_ROWS], a, b[:TEST_ROWS]


SETS: dict[str, Callable[[int], Rows]] = {
    "spambase": dense("spambase", 700),
    "twonorm": dense("twonorm", 700),
    "breast_cancer": dense("breast_cancer", 300),
    "magic": dense("magic", 700),
    "news, two": texts(700, "rec.autos", "sci.space"),
    "penbased": dense("penbased", 700),
    "digits": dense("digits", 700),
    "satimage": dense("satimage", 700),
    "segment": dense("segment", 700),
    "reuters": texts(800),
    "news, four": texts(800, "rec.autos", "sci.space", "talk.religion.misc", "comp.graphics"),
}


def by_class(X: Any, y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Flip so many labels on average, of some classes many, each class to a few others."""
    K = int(y.max()) + 1
    rates = rng.permutation(np.linspace(0.2, 1.8, K)) * rate
    rates = np.minimum(rates * rate / (rates @ (np.bincount(y) / len(y))), 0.55)
    shares, flipped = rng.dirichlet(np.full(K - 1, 0.5), K), y.copy()
    for k in range(K):
        rows = rng.permutation(np.flatnonzero(y == k))
        rows = rows[: round(rates[k] * len(rows))]
        flipped[rows] = np.delete(np.arange(K), k)[rng.choice(K - 1, len(rows), p=shares[k])]
    return flipped


def by_row(X: Any, y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Flip the labels of rows on one side more often, to classes that depend on the row."""
    K = int(y.max()) + 1
    Z = TruncatedSVD(10, random_state=0).fit_transform(X) if sp.issparse(X) else np.asarray(X)
    Z = (Z - Z.mean(0)) / (Z.std(0) + 1e-9)
    place = (Z @ rng.normal(size=Z.shape[1])).argsort().argsort() / (len(y) - 1)
    towards = rng.normal(size=(K, Z.shape[1], K)) / np.sqrt(Z.shape[1])
    flipped = y.copy()
    for i in np.flatnonzero(rng.random(len(y)) < np.minimum(2 * rate * place, 0.95)):
        score = Z[i] @ towards[y[i]]
        score[y[i]] = -np.inf
        share = np.exp(score - score.max())
        flipped[i] = rng.choice(K, p=share / share.sum())
    return flipped


NOISES: dict[str, tuple[Callable[..., np.ndarray], float]] = {
    "none": (lambda X, y, rate, rng: y.copy(), 0.0),
    "symmetric 20 %": (lambda X, *rest: symmetric(*rest), 0.2),
    "symmetric 40 %": (lambda X, *rest: symmetric(*rest), 0.4),
    "pair 30 %": (lambda X, *rest: pair(*rest), 0.3),
    "by class 25 %": (by_class, 0.25),
    "by row 20 %": (by_row, 0.2),
    "by row 30 %": (by_row, 0.3),
}
CLEANLAB = (cleanlab_1, cleanlab_cv, cleanlab_again, *CONFIDENT)
METHODS = {m.__name__: m for m in (plain_cv, pruning, *CLEANLAB, *FILTERS, oracle, ours)}


def cell(name: str, noise: str, seed: int, methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the figures of each method."""
    X, y, X_test, y_test = SETS[name](seed)
    flip, rate = NOISES[noise]
    given = flip(X, y, rate, np.random.default_rng(1000 + seed))
    problem = Problem(X, given, np.zeros(len(y), bool), given != y, X_test, y_test)
    found = {}
    for method in methods:
        try:
            found[method] = run(METHODS[method], problem)
        except ValueError:
            if METHODS[method] in (plain_cv, oracle, ours):
                raise
            # It leaves a class without rows: then nothing is left out.
            found[method] = run(plain_cv, problem) | {"failed": True}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=list(NOISES))
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    known = {name: part["cells"] for name, part in parts("label_cells").items()}
    # A seed of all sets before the next: what is there when time is over is of use.
    for seed, name in product(range(args.seeds), args.sets):
        cells = known.setdefault(name, {})
        for noise in args.noises:
            found = cell(name, noise, seed, args.methods)
            cells.setdefault(f"{noise}, {seed}", {}).update(found)
            told = ", ".join(f"{m} {one['accuracy']:.3f}" for m, one in found.items())
            print(f"{name}, {noise}, {seed}: {told}", flush=True)
        write_part("label_cells", name, {"cells": cells}, threads=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
