"""Rows of classes that only they have, typing errors mostly: they are doubted, others judged."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbamm import BAMMSearchCV, SampleWeights
from skbamm.weights.weightings import FLOOR

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")
FOLDS = KFold(5, shuffle=True, random_state=1)
LOGISTIC, GRID = LogisticRegression(), {"C": (1e-3, 1e2)}
PIPELINE = make_pipeline(StandardScaler(), LOGISTIC)
PROXY = SampleWeights(proxy=LogisticRegression())


def labelled(**typos):
    """Return data with wrong labels, and rows of classes of their own; then which are wrong."""
    X, y = make_classification(
        160, 4, n_redundant=0, n_clusters_per_class=1, flip_y=0, class_sep=2, random_state=0
    )
    wrong = np.arange(40, 52)
    y[wrong] = 1 - y[wrong]
    y = np.where(y, "yes", "no").astype(object)
    for name, rows in typos.items():
        y[rows] = name
    return X, y, wrong


def learned(X, y, model=LOGISTIC, grid=GRID, how=None, cv=None, **params):
    how = SampleWeights() if how is None else how
    return BAMMSearchCV(model, grid, cv=cv, sample_weights=how).fit(X, y, **params)


ONE, TWO, CLASSES = {"yse": [0]}, {"yse": [0, 9]}, {"yse": [0], "n": [3]}
PIPED = {"logisticregression__C": (0.01, 10.0)}


@pytest.mark.parametrize(
    "typos, model, grid, how, cv",
    [
        (ONE, LOGISTIC, GRID, None, None),
        (CLASSES, LOGISTIC, GRID, None, None),
        (TWO, LOGISTIC, GRID, SampleWeights("score"), FOLDS),
        (CLASSES, LOGISTIC, GRID, SampleWeights("score"), FOLDS),
        (ONE, PIPELINE, PIPED, None, 3),
        (TWO, PIPELINE, PIPED, None, 3),
        (TWO, DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, PROXY, None),
    ],
    ids=["interval, one", "interval, classes", "score, two", "score, classes", "pipeline, one",
         "pipeline, two", "proxy, two"],
)  # fmt: skip
def test_they_are_doubted_and_others_judged(typos, model, grid, how, cv):
    X, y, wrong = labelled(**typos)
    rare = np.concatenate(list(typos.values()))
    search = learned(X, y, model, grid, how, cv)
    assert search.label_issues_[rare].all()
    assert (search.label_quality_[rare] == 0).all()
    np.testing.assert_allclose(search.sample_weight_[rare], FLOOR, rtol=0.1)
    assert search.sample_weight_.mean() == pytest.approx(1)
    assert search.label_issues_[wrong].mean() > 0.7
    right = np.setdiff1d(np.arange(len(y)), [*rare, *wrong])
    assert search.label_issues_[right].mean() < 0.15
    assert search.fold_sample_weight_.shape == (len(y), search.n_splits_)
    assert np.isfinite(search.best_score_)


def test_the_users_weights_go_with_their_rows():
    X, y, _ = labelled(yse=[0])
    weight = np.linspace(0.5, 1.5, len(y))
    search = learned(X, y, sample_weight=weight)
    assert search.sample_weight_.mean() == pytest.approx(weight.mean())
    assert search.label_issues_[0]


def test_groups_go_with_their_rows():
    X, y, _ = labelled(yse=[0])
    groups = np.where(np.arange(len(y)) < 1, "alone", np.arange(len(y)) // 20)
    search = learned(X, y, how=SampleWeights("groups"), groups=groups)
    assert search.label_issues_[0]
    assert search.history_["group_weight"].shape[1] == 8


def test_trusted_rows_are_not_doubted():
    X, y, _ = labelled(yse=[0])
    trusted = np.arange(len(y)) < 20
    search = learned(X, y, how=SampleWeights(trusted=trusted))
    assert search.label_quality_[0] == 1 and not search.label_issues_[0]
    assert search.sample_weight_[0] == pytest.approx(search.sample_weight_.max(), rel=1e-6)
    with pytest.raises(ValueError, match="every row of class 'yse' has weight zero"):
        learned(X, y, how=SampleWeights(trusted=trusted, refit_on_trusted=False))


def test_without_two_classes_an_error_names_the_rare_ones():
    X, y, _ = labelled(yse=[0])
    y[1:] = "no"
    with pytest.raises(
        ValueError, match=r"weights cannot be learned.*; class 'yse' has 1 of 160 rows\.$"
    ):
        learned(X, y)
