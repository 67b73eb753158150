"""Which estimators have a twin, and why others have none."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LassoLars,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from skbamm.models import find_twin, supported
from tests.models.conftest import make

KINDS = [
    Ridge,
    RidgeClassifier,
    Lasso,
    LassoLars,
    ElasticNet,
    LogisticRegression,
    PoissonRegressor,
    GammaRegressor,
    TweedieRegressor,
    QuantileRegressor,
    LinearSVC,
    LinearSVR,
    SGDClassifier,
    SGDRegressor,
    KernelRidge,
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_estimator_has_a_twin(kind):
    twin, reason = find_twin(make(kind))
    assert twin.estimator_type is kind and reason == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_may_do_anything_and_has_none(kind):
    class Mine(kind):
        pass

    assert find_twin(Mine()) == (None, "Mine has no differentiable twin")


@pytest.mark.parametrize(
    "other",
    [GaussianProcessRegressor(), OneClassSVM(), DecisionTreeClassifier(), None, "passthrough"],
)
def test_others_have_none(other):
    twin, reason = find_twin(other)
    assert twin is None
    assert reason == f"{type(other).__name__} has no differentiable twin"


def test_every_reason_names_the_estimator():
    assert find_twin(LassoLars(positive=True)) == (
        None,
        "LassoLars: with positive=True the path may end before alpha",
    )


def test_supported_estimators_are_named_with_what_is_tuned():
    assert supported() == (
        "Ridge (alpha), RidgeClassifier (alpha), Lasso (alpha), LassoLars (alpha), "
        "ElasticNet (alpha, l1_ratio), "
        "MultiTaskLasso (alpha), MultiTaskElasticNet (alpha, l1_ratio), "
        "LogisticRegression (C, l1_ratio), PoissonRegressor (alpha), GammaRegressor (alpha), "
        "TweedieRegressor (alpha), HuberRegressor (alpha, epsilon), QuantileRegressor (alpha), "
        "LinearSVC (C), LinearSVR (C, epsilon), "
        "SGDClassifier (alpha, l1_ratio), SGDRegressor (alpha, l1_ratio), "
        "KernelRidge (alpha, gamma), SVC (C, gamma, coef0), NuSVC (nu, gamma, coef0), "
        "SVR (C, epsilon, gamma, coef0), NuSVR (C, nu, gamma, coef0), "
        "one of ClassPenalty, FeaturePenalty, MultiOutputRegressor, "
        "OneVsRestClassifier, TransformedTargetRegressor around such a model, "
        "and gamma of Nystroem and RBFSampler before a linear one"
    )


@pytest.mark.parametrize(
    ("kind", "name", "positive", "value", "factor"),
    [
        (Ridge, "alpha", False, 4.0, 4.0),
        (RidgeClassifier, "alpha", False, 4.0, 4.0),
        (LogisticRegression, "C", True, 4.0, 0.25),
        (PoissonRegressor, "alpha", False, 4.0, 4.0),
        (GammaRegressor, "alpha", False, 4.0, 4.0),
        (TweedieRegressor, "alpha", False, 4.0, 4.0),
        (LinearSVC, "C", True, 4.0, 0.25),
        (LinearSVR, "C", True, 4.0, 0.25),
        (SGDClassifier, "alpha", False, 4.0, 4.0),
        (SGDRegressor, "alpha", False, 4.0, 4.0),
    ],
)
def test_what_is_tuned_and_what_it_means(kind, name, positive, value, factor):
    twin, _ = find_twin(make(kind))
    first = twin.hyperparameters[0]
    assert (first.name, first.positive) == (name, positive)
    assert twin.penalty({name: np.float64(value)}) == (factor, None)
    assert twin.penalty({name: 2 * value}).squares == (factor / 2 if twin.inverse else 2 * factor)
    cold = (Ridge, RidgeClassifier, LinearSVC, LinearSVR, SGDClassifier, SGDRegressor)
    assert twin.warm_starts == (kind not in cold)
