"""check_model passes a twin that is right, and names what is wrong of one that is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from skbamm import register_model
from skbamm.losses import PointwiseLoss
from skbamm.models import Factors, registry
from skbamm.models.kernel_ridge import KernelRidgeTwin
from skbamm.models.ridge import RidgeTwin
from skbamm.models.support_vectors import SVCTwin
from skbamm.solvers.kernel import KernelSolver
from skbamm.support_vectors.kernels import RadialKernel
from skbamm.testing import check_model

ALPHA = {"alpha": (0.1, 10.0)}
GAMMA = (0.05, 0.5)


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
        (MultiTaskLasso(), {"alpha": (0.01, 0.1)}, np.random.default_rng(0).normal(size=(60, 2))),
        (KernelRidge(kernel="rbf"), {"alpha": (0.01, 1.0), "gamma": GAMMA}, None),
        (KernelRidge(kernel="poly", degree=2), {"alpha": (0.01, 1.0)}, None),
        (SVC(), {"C": (0.3, 10.0), "gamma": GAMMA}, None),
        (SVC(), {"C": (0.3, 10.0), "gamma": GAMMA}, np.arange(60) % 3),
        (SVC(), {"C": (0.3, 10.0)}, None),  # its gamma depends on the rows, not on their weights
        (SVC(kernel="poly", degree=2), {"C": (0.3, 3.0), "coef0": (0.5, 2.0)}, None),
        (NuSVC(), {"nu": (0.2, 0.6), "gamma": GAMMA}, None),
        (SVR(), {"C": (0.3, 10.0), "epsilon": (0.05, 0.3), "gamma": GAMMA}, None),
        (NuSVR(), {"C": (0.3, 10.0), "nu": (0.2, 0.6)}, None),
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


class MyKernelRidge(KernelRidge):
    """A kernel ridge regression without a twin."""


class MySVC(SVC):
    """A support vector machine without a twin."""


def half(self, estimator, task, dual_coef, rows):
    """Export half of the solution."""
    KernelRidgeTwin.export(self, estimator, task, dual_coef / 2, rows)


def without_scale(self, estimator, task, *solution):
    """Export a model whose intercept is forgotten."""
    SVCTwin.export(self, estimator, task, *solution)
    estimator._intercept_ = 0 * estimator._intercept_


class WrongSlopes(RadialKernel):
    """The slope of its kernel is twice what it should be."""

    def slope(self, base, values, numbers, name):
        return 2 * super().slope(base, values, numbers, name)


def test_wrong_twins_of_other_families_are_found(monkeypatch):
    """Explanations by another penalty or intercept are given for linear models only."""
    wrong = {"estimator_type": MyKernelRidge, "export": half}
    register_model(type("HalfTwin", (KernelRidgeTwin,), wrong)())
    with pytest.raises(AssertionError, match=r"of MyKernelRidge's own fits: .*; check the loss"):
        check_model(MyKernelRidge(kernel="rbf"), ALPHA)

    wrong = {"estimator_type": MySVC, "export": without_scale}
    register_model(type("FreeTwin", (SVCTwin,), wrong)())
    with pytest.raises(AssertionError, match=r"the solutions at C=.* are not those of MySVC's own"):
        check_model(MySVC(), {"C": (0.3, 10.0)})

    monkeypatch.setattr("skbamm.solvers.support_vectors.svm_kernel", lambda _: WrongSlopes())
    with pytest.raises(
        AssertionError, match=r"hypergradient of scaled_log_loss in gamma at .* but"
    ):
        check_model(SVC(), {"gamma": GAMMA})


def test_a_family_has_to_state_its_hypergradient(monkeypatch):
    monkeypatch.delattr(KernelSolver, "exact_hypergradient")
    with pytest.raises(NotImplementedError, match="KernelSolver has no exact_hypergradient"):
        check_model(KernelRidge(kernel="rbf"), ALPHA)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(AssertionError, match="no differentiable twin; register one"):
        check_model(Mine(), ALPHA)
    with pytest.raises(AssertionError, match="no differentiable twin; register one"):
        check_model(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": (0.1, 1.0)})
    with pytest.raises(ValueError, match="param_grid must have intervals and nothing else"):
        check_model(Ridge(), {"alpha": [0.1, 1.0]})
    with pytest.raises(AssertionError, match=r"rejects the data: .*; pass X and y"):
        check_model(Ridge(), ALPHA, y=np.resize(["a", "b"], 60))
