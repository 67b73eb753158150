"""Twins of estimators that others bring along."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from skbamm import BAMMSearchCV, Interval, register_model
from skbamm.models import (
    Hyperparameter,
    LinearTwin,
    families,
    find_twin,
    register_family,
    registry,
    supported,
)  # fmt: skip
from skbamm.models.ridge import RidgeTwin
from skbamm.solvers import LinearSolver
from tests.truth import roles

X, Y = load_diabetes(return_X_y=True)
PAGE = Path(__file__).parents[2] / "docs" / "your_own_model.rst"


class Mine(Ridge):
    """A ridge regression, but not the one whose twin is there."""


class MineTwin(RidgeTwin):
    estimator_type = Mine


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The registry, which is left as it was."""
    twins = dict(registry._TWINS)
    monkeypatch.setattr(registry, "_TWINS", twins)
    return twins


def with_(**attributes):
    """Return a twin of Mine with other attributes."""
    return type("OtherTwin", (MineTwin,), attributes)()


def test_a_registered_class_is_searched_jointly():
    assert find_twin(Mine()) == (None, "Mine has no differentiable twin")
    with pytest.raises(ValueError, match="Mine has no differentiable twin"):
        BAMMSearchCV(Mine(), {"alpha": Interval(1e-3, 1e2)}).fit(X, Y)
    twin = MineTwin()
    assert register_model(twin) is None
    assert find_twin(Mine()) == (twin, "")
    assert ", Mine (alpha), one" in supported()
    search = BAMMSearchCV(Mine(), {"alpha": (1e-3, 1e2)}).fit(X, Y)
    assert roles(search) == {"alpha": "searched"}
    assert type(search.best_estimator_) is Mine
    plain = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e2)}).fit(X, Y)
    assert search.best_params_ == plain.best_params_
    listed = BAMMSearchCV(Mine(), {"alpha": [0.1, 1.0]}).fit(X, Y)
    assert roles(listed) == {"alpha": "joint grid"}


def test_subclasses_are_not_matched():
    register_model(MineTwin())

    class Further(Mine):
        pass

    assert find_twin(Further()) == (None, "Further has no differentiable twin")


def test_another_twin_takes_the_place_of_one_only_where_it_is_told_to(registered):
    register_model(MineTwin())
    before = dict(registered)
    other = MineTwin()
    with pytest.raises(ValueError, match=r"Mine already has a twin: .*Pass replace=True"):
        register_model(other)
    assert registered == before
    register_model(other, replace=True)
    assert find_twin(Mine())[0] is other
    # Those that come with the package need no telling: a later one must not break older code.
    own = RidgeTwin()
    register_model(own)
    assert find_twin(Ridge())[0] is own
    with pytest.raises(TypeError):
        register_model(other, True)  # by keyword only


def test_replace_needs_nothing_to_replace():
    register_model(MineTwin(), replace=True)
    assert find_twin(Mine())[1] == ""


class NoFit:
    """Not an estimator."""


@pytest.mark.parametrize(
    ("twin", "error", "message"),
    [
        (
            Mine(),
            TypeError,
            "twin must be an instance of a twin's class, such as skbamm.models.LinearTwin or "
            "KernelTwin, got Mine()",
        ),
        (None, TypeError, "or KernelTwin, got None."),
        (MineTwin, TypeError, "MineTwin'>; give an instance of it."),
        (
            with_(estimator_type=Mine()),
            TypeError,
            "twin.estimator_type must be a class with a fit method, got Mine()",
        ),
        (
            with_(estimator_type=NoFit),
            TypeError,
            "twin.estimator_type must be a class with a fit method, got <class",
        ),
        (with_(hyperparameters=()), ValueError, "twin.hyperparameters must not be empty"),
        (
            with_(hyperparameters=("alpha",)),
            TypeError,
            "twin.hyperparameters must be a tuple of skbamm.models.Hyperparameter, got ('alpha',)",
        ),
        (
            with_(hyperparameters=Hyperparameter("alpha")),
            TypeError,
            "twin.hyperparameters must be a tuple of skbamm.models.Hyperparameter, got",
        ),
        (
            with_(hyperparameters=(Hyperparameter("alpha"), Hyperparameter("C"))),
            ValueError,
            "twin.hyperparameters has 'C', which is not a parameter of Mine; its "
            "parameters are ['alpha',",
        ),
        (
            with_(hyperparameters=(Hyperparameter("alpha"),) * 2),
            ValueError,
            "twin.hyperparameters has a duplicate name: ['alpha', 'alpha'].",
        ),
        (
            with_(loss_parameter="epsilon"),
            TypeError,
            "twin.loss_parameter must be a skbamm.models.Hyperparameter or None, got 'epsilon'.",
        ),
        (
            with_(loss_parameter=Hyperparameter("epsilon")),
            ValueError,
            "twin.loss_parameter is 'epsilon', which is not a parameter of Mine; "
            "its parameters are ['alpha',",
        ),
        (
            with_(warm_starts=True),
            ValueError,
            "twin.warm_starts is True, but Mine lacks 'warm_start' or 'tol'",
        ),
        (
            with_(mean_loss="columns"),
            ValueError,
            "twin.mean_loss must be True, False or 'rows', got 'columns'.",
        ),
    ],
)
def test_what_is_no_twin_is_refused(registered, twin, error, message):
    before = dict(registered)
    with pytest.raises(error, match=re.escape(message)):
        register_model(twin)
    assert registered == before


def test_a_twin_without_a_class_is_refused():
    class Lost(LinearTwin):
        def mismatch(self, estimator):
            return ""

        task = penalty = export = mismatch

    with pytest.raises(TypeError, match="estimator_type must be a class with a fit method, got No"):
        register_model(Lost())


def test_the_page_on_models_of_your_own(capsys):
    """Its code runs, and shows what it says."""
    blocks = re.findall(r"\.\. code-block:: python\n\n((?: {4}.*\n|\n)+)", PAGE.read_text())
    assert len(blocks) == 6
    names = {"__name__": "page"}
    for block in blocks:
        exec(compile(textwrap.dedent(block), str(PAGE), "exec"), names)
    search, ours = names["search"], names["ours"]
    assert roles(search) == {"logcoshregressor__alpha": "searched"} and search.converged_
    assert roles(ours) == {"logcoshregressor__alpha": "joint grid"}
    assert "joint grid" in capsys.readouterr().out
    fine = BAMMSearchCV(
        clone(names["model"]), {"logcoshregressor__alpha": np.logspace(-2, 4, 25)},
        scoring="neg_mean_absolute_error",
    ).fit(names["X"], names["y"])  # fmt: skip
    assert search.best_score_ >= fine.best_score_ - 1e-3


def test_a_family_has_a_solver_of_its_own(registered, monkeypatch):
    monkeypatch.setattr(families, "_SOLVERS", dict(families._SOLVERS))
    made = []

    class Solver(LinearSolver):
        def __init__(self, *args):
            made.append(args)
            super().__init__(*args)

    class OtherTwin(MineTwin):
        family = "other"

    with pytest.raises(ValueError, match=r"one of \['linear', 'kernel', 'support vectors'\], got"):
        register_model(OtherTwin())
    register_family("other", Solver)
    register_model(OtherTwin())
    search = BAMMSearchCV(Mine(), {"alpha": (1e-3, 1e3)}, cv=3).fit(X, Y)
    assert made
    assert roles(search) == {"alpha": "searched"}
    with pytest.raises(ValueError, match="'linear' already has a solver: LinearSolver"):
        register_family("linear", Solver)
