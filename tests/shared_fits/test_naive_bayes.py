"""Naive Bayes models that are counted once give the tables of GridSearchCV."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.shared_fits.tables import check_same_table

X, Y = load_wine(return_X_y=True)
X_D, Y_D = (rows[:250] for rows in load_digits(return_X_y=True))
SMOOTHINGS = {"var_smoothing": np.logspace(-12, 1, 8)}
ALPHAS = {"alpha": [1e-12, 0.01, 0.5, 1.0, 30.0]}
BOTH = ["accuracy", "neg_log_loss", "roc_auc_ovr"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("data", [(X, Y), (X_D, Y_D)], ids=["wine", "digits"])
def test_gaussian(data, dtype):
    """Digits have features without variance, and likelihoods of a million digits."""
    rows, labels = data
    check_same_table(GaussianNB(), SMOOTHINGS, rows.astype(dtype), labels, scoring=BOTH)
    names = np.array(list("abcdefghij"))[labels]
    check_same_table(GaussianNB(), SMOOTHINGS, rows.astype(dtype), names, return_train_score=True)


def test_gaussian_with_weights_priors_and_transformers():
    weights = {"sample_weight": np.linspace(0, 2, len(Y))}
    check_same_table(GaussianNB(), SMOOTHINGS, X, Y, fit_params=weights, scoring="neg_log_loss")
    priors = {"priors": [None, [0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [1.0]]}
    check_same_table(GaussianNB(), SMOOTHINGS | priors, X, Y, shared=SMOOTHINGS)
    model = make_pipeline(StandardScaler(), GaussianNB())
    grid = {"gaussiannb__var_smoothing": SMOOTHINGS["var_smoothing"]}
    for n_jobs in (1, 2):
        check_same_table(model, grid, X, Y, scoring=BOTH, n_jobs=n_jobs)


def test_classes_that_are_as_likely():
    """Rows half way between two classes: rounding decides, and is to be the model's own."""
    rng = np.random.default_rng(0)
    some = rng.integers(0, 2, (40, 6)).astype(float)
    rows, labels = np.concatenate([some, 1 - some]), np.repeat([0, 1], 40)
    check_same_table(GaussianNB(), SMOOTHINGS, rows, labels, scoring=["accuracy", "roc_auc"])
    check_same_table(GaussianNB(), {"var_smoothing": [0.0, 0.1]}, rows * 0 + 1, labels)


@pytest.mark.filterwarnings("ignore:alpha too small", "ignore:divide by zero")
@pytest.mark.parametrize("kind", [MultinomialNB, ComplementNB, BernoulliNB, CategoricalNB])
def test_counts(kind):
    rows, options = X_D, {}
    if kind is CategoricalNB:
        rows, options = (X_D > 8).astype(int), {"min_categories": 2}
    grid = ALPHAS | {"force_alpha": [True, False], "fit_prior": [True, False]}
    check_same_table(kind(**options), grid, rows, Y_D, scoring=BOTH)
    weights = {"sample_weight": np.linspace(0, 2, len(Y_D))}
    check_same_table(kind(**options), ALPHAS, rows, Y_D, fit_params=weights, n_jobs=2)
    if kind is not CategoricalNB:
        check_same_table(kind(), ALPHAS, sp.csr_matrix(rows), Y_D == 3, scoring="roc_auc")


def test_counts_with_other_lists():
    check_same_table(ComplementNB(), ALPHAS | {"norm": [True, False]}, X_D, Y_D)
    grid = ALPHAS | {"binarize": [0.0, 8.0]}
    check_same_table(BernoulliNB(), grid, X_D, Y_D, shared=ALPHAS)
    several = {"alpha": [np.linspace(0.1, 1, 64), np.ones(3), 1.0]}
    check_same_table(MultinomialNB(), several, X_D, Y_D)
    priors = {"class_prior": [None, [0.1] * 10, [0.5, 0.5]]}
    check_same_table(MultinomialNB(), ALPHAS | priors, X_D, Y_D, scoring="neg_log_loss")


def test_texts():
    words = np.array(["one", "two", "three", "four", "five", "six"])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 90)
    texts = [" ".join(rng.choice(words[label : label + 5], 6)) for label in labels]
    model = make_pipeline(TfidfVectorizer(), MultinomialNB())
    grid = {
        "multinomialnb__alpha": ALPHAS["alpha"],
        "tfidfvectorizer__ngram_range": [(1, 1), (1, 2)],
    }
    check_same_table(model, grid, texts, labels, shared=["alpha"], scoring=["roc_auc", "accuracy"])


def test_classes_are_counted_once(monkeypatch):
    counted = []
    own = GaussianNB.fit
    monkeypatch.setattr(
        GaussianNB, "fit", lambda *some, **more: counted.append(1) or own(*some, **more)
    )
    X_I, y = load_iris(return_X_y=True)
    check_same_table(GaussianNB(), SMOOTHINGS, X_I, y)
    assert len(counted) == 3 * (8 + 1)  # GridSearchCV's, and ours


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value", "ignore:divide")
def test_variances_that_are_no_numbers():
    check_same_table(GaussianNB(), {"var_smoothing": [0.0, 1e-9]}, X * 1e160, Y)
