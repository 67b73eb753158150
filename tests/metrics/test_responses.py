"""Metrics of what models answer on the CPU are scikit-learn's, many of them to the last digit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics

from skbamm.metrics import EXACT, TWINS, NoTwin
from skbamm.metrics.responses import TestTarget as Target

OF_LABELS = [
    metrics.f1_score, metrics.precision_score, metrics.recall_score, metrics.jaccard_score
]  # fmt: skip
OF_NUMBERS = [
    metrics.mean_squared_error, metrics.root_mean_squared_error, metrics.mean_absolute_error,
    metrics.r2_score,
]  # fmt: skip


def twin(function, target, response, method, **options):
    assert function in EXACT
    return float(TWINS[function](target.predicted(response, method), **options))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(2, 6), kind=st.sampled_from(["i", "U", "O"]))
def test_labels_and_probabilities(seed, m, kind):
    rng = np.random.default_rng(seed)
    numbers = np.r_[np.arange(m), rng.integers(0, m, rng.integers(5, 300))]
    classes = np.arange(m) if kind == "i" else np.array(list("abcdef"))[:m].astype(kind)
    y, z = classes[numbers], rng.standard_normal((len(numbers), m))
    p = softmax(z, axis=1)
    if m == 2:
        p = np.c_[1 - expit(z[:, 0]), expit(z[:, 0])]
    labels, target = classes[p.argmax(1)], Target.of(y, classes, None)
    for function in (metrics.accuracy_score, metrics.balanced_accuracy_score):
        assert twin(function, target, labels, "predict") == function(y, labels)
    for function in OF_LABELS:
        for average in ("macro", "weighted", "micro"):
            found = None
            try:
                found = twin(function, target, labels, "predict", average=average)
            except NoTwin:  # a class is not predicted, which scikit-learn warns of
                assert len(np.unique(labels)) < m
            if found is not None:
                assert found == function(y, labels, average=average)
    given_p = p if m > 2 else p[:, 1]  # as the scorer hands it on
    found = twin(metrics.log_loss, target, p, "predict_proba")
    assert found == pytest.approx(metrics.log_loss(y, given_p), rel=1e-14)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), outputs=st.integers(0, 3))
def test_numbers(seed, outputs):
    rng = np.random.default_rng(seed)
    shape = (rng.integers(2, 300), outputs) if outputs else (rng.integers(2, 300),)
    y, found = rng.standard_normal(shape) * 10 + 5, rng.standard_normal(shape)
    target = Target.of(y, None, None)
    for function in OF_NUMBERS:
        assert twin(function, target, found, "predict") == function(y, found)


def test_what_is_left_to_scikit_learn():
    y, classes = np.arange(12) % 3, np.arange(3)
    for odd, why in [
        ((y[:2], classes, None), "a class has no test row"),
        ((y.astype(float), classes, None), "another type"),
        ((np.c_[y, y], classes, None), "another type"),
        ((y + np.nan, None, None), "not finite"),
        ((y.astype(str), None, None), "no numbers"),
        ((y.astype(np.longdouble), None, None), "no numbers"),
    ]:
        with pytest.raises(NoTwin, match=why):
            Target.of(*odd)
    target, numbers = Target.of(y, classes, None), Target.of(y + 0.5, None, None)
    p = np.full((12, 3), 1 / 3)
    for where, response, method in [
        (target, np.full(12, 7), "predict"),
        (target, p * 0.9, "predict_proba"),
        (target, p - np.array([[0.5, -0.25, -0.25]]), "predict_proba"),
        (target, p[:, :2], "predict_proba"),
        (target, p[:, 0], "decision_function"),
        (target, p.astype(">f8"), "predict_proba"),
        (target, p[:-1], "predict_proba"),
        (target, p.tolist(), "predict_proba"),
        (numbers, p[:, :1], "predict"),
        (numbers, p[:, 0] + np.nan, "predict"),
        (numbers, p, "predict_proba"),
    ]:
        with pytest.raises(NoTwin):
            where.predicted(response, method)


def test_targets_that_cannot_be_written_are_read():
    y = np.arange(5.0)
    y.flags.writeable = False
    assert Target.of(y, None, None).y.tolist() == y.tolist()
