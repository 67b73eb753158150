"""check_model passes a twin that is right, and names what is wrong of one that is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import register_model
from skbamm.losses import PointwiseLoss
from skbamm.models import Factors, registry
from skbamm.models.ridge import RidgeTwin
from skbamm.testing import check_model

ALPHA = {"alpha": (0.1, 10.0)}


class Mine(Ridge):
    """A ridge regression without a twin."""


class MineTwin(RidgeTwin):
    estimator_type = Mine


class LogCosh(PointwiseLoss):
    """Not the loss of ridge regression; its gradient may be wrong as well."""

    n_outputs = 1
    times = 1.0

    def targets(self, target):
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        r = z - target
        slope = torch.tanh(r)
        product = None if u is None else self.times * (1 - slope * slope) * u
        value = torch.logaddexp(r, -r) - np.log(2)
        return value.sum(1), self.times * slope, product

    def curvature(self, z, target):
        slope = torch.tanh(z - self.targets(target))
        return self.times * (1 - slope * slope)


class OfAnotherHessian(LogCosh):
    def curvature(self, z, target):
        return 2 * super().curvature(z, target)


def with_task(**changes):
    """Return a method that makes another task."""

    def task(self, *given):
        return replace(MineTwin.task(self, *given), **changes)

    return task


def wrong_gradient():
    loss = LogCosh()
    loss.times = 0.5
    return loss


def stepwise(self, estimator, task, coef, intercept):
    """Export coefficients, and no intercept."""
    MineTwin.export(self, estimator, task, coef, 0 * intercept)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The registry, which is left as it was."""
    monkeypatch.setattr(registry, "_TWINS", dict(registry._TWINS))


@pytest.mark.parametrize(
    ("model", "grid", "y"),
    [
        (Mine(), ALPHA, None),
        (ElasticNet(), {"alpha": (1e-3, 0.1), "l1_ratio": (0.1, 0.9)}, None),
        (ElasticNet(positive=True), {"alpha": (1e-3, 0.1)}, None),
        (LogisticRegression(), {"C": (0.01, 10.0)}, np.arange(60) % 3),
        (PoissonRegressor(), ALPHA, np.random.default_rng(0).poisson(3.0, 60)),
        (QuantileRegressor(), {"alpha": (0.01, 0.1)}, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_right_passes(model, grid, y):
    register_model(MineTwin())
    check_model(model, grid, y=y)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"penalty": lambda self, values: Factors(2 * values["alpha"])},
            r"solutions at alpha=0\.\d+ .*predictors differ by .*scale of the penalty .* 1/2 times",
        ),
        ({"mean_loss": True}, r"the scale of the penalty is wrong: 1/n times it"),
        ({"task": with_task(fit_intercept=False)}, r"the intercept is wrong: the estimator has an"),
        ({"task": with_task(intercept_penalty=1.0)}, r"the estimator has an intercept that is fr"),
        ({"task": with_task(loss=LogCosh())}, r"own fits: predictors .*: check the loss"),
        ({"task": with_task(loss=wrong_gradient())}, r"gradient of LogCosh is not the slope of i"),
        ({"task": with_task(loss=OfAnotherHessian())}, r"curvature of OfAnotherHessian is not th"),
        ({"export": stepwise}, r"models that OtherTwin exports have another predict .*: check exp"),
    ],
    ids=["scale", "mean", "no intercept", "penalised intercept", "loss", "gradient", "hessian",
         "export"],
)  # fmt: skip
def test_what_is_wrong_is_named(attributes, message):
    register_model(type("OtherTwin", (MineTwin,), attributes)())
    with pytest.raises(AssertionError, match=message):
        check_model(Mine(), ALPHA)


def test_weights_that_do_not_reach_the_loss_are_named():
    """The own fit forgets them, and so the twin's solutions differ with weights only."""

    class Forgetful(Ridge):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X, y)

    register_model(type("ForgetfulTwin", (RidgeTwin,), {"estimator_type": Forgetful})())
    with pytest.raises(AssertionError, match="the solutions with sample weights at alpha="):
        check_model(Forgetful(), ALPHA)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(AssertionError, match="no differentiable twin; register one"):
        check_model(Mine(), ALPHA)
    with pytest.raises(AssertionError, match="no differentiable twin; register one"):
        check_model(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": (0.1, 1.0)})
    with pytest.raises(ValueError, match="param_grid must have intervals and nothing else"):
        check_model(Ridge(), {"alpha": [0.1, 1.0]})
    with pytest.raises(AssertionError, match=r"does not take the data: .*; give X and y"):
        check_model(Ridge(), ALPHA, y=np.resize(["a", "b"], 60))
