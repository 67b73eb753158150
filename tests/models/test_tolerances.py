"""The epsilon of LinearSVR and SGDRegressor, which their losses depend on: by intervals."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.differentiate import derivative
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from skbamm.solvers.criterion import task_criterion
from tests.models.test_huber_epsilon import maker_of
from tests.problems import X_REG, Y_REG
from tests.truth import assert_served, assert_true, roles, search_over

X, Y = X_REG, Y_REG
CV = KFold(3, shuffle=True, random_state=0)
EPSILON, C = (1.0, 100.0), (1e-3, 1e1)
TIGHT = {"tol": 1e-10, "max_iter": 1_000_000}
SMOOTH = LinearSVR(loss="squared_epsilon_insensitive", dual=False, **TIGHT)
KINKS = LinearSVR(loss="epsilon_insensitive", **{**TIGHT, "tol": 1e-8})
pytestmark = pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")


@pytest.mark.parametrize("epsilon", [5.0, 30.0])
def test_hypergradients_are_slopes_of_scikit_learns_loss(epsilon):
    solver, place = maker_of(SMOOTH, EPSILON, X, Y, CV), float(np.log(epsilon))
    joint = solver.at(place)
    chosen = task_criterion("squared_error", joint.task, joint.data.weights, joint.used)

    def loss(log_epsilon):
        losses = []
        for train, test in CV.split(X):
            own = LinearSVR(**{**SMOOTH.get_params(), "epsilon": float(np.exp(log_epsilon))})
            model = own.fit(X[train], Y[train])
            losses.append(mean_squared_error(Y[test], model.predict(X[test])))
        return np.mean(losses)

    slope = derivative(np.vectorize(loss), place, initial_step=1e-4, maxiter=1, order=2).df
    assert solver.slope(place, (), [], chosen) * chosen.null == pytest.approx(slope, rel=2e-3)


@pytest.mark.parametrize("model", [SMOOTH, KINKS], ids=["smooth", "kinks"])
@pytest.mark.parametrize("both", [False, True], ids=["alone", "with C"])
def test_intervals_reach_a_grid(model, both):
    space = {"epsilon": EPSILON, **({"C": C} if both else {})}
    search = search_over(model, space, X, Y, cv=CV)
    assert roles(search) == dict.fromkeys(space, "searched")
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV, atol=1e-5)
    grid = {name: np.geomspace(*ends, 6) for name, ends in space.items()}
    own = GridSearchCV(model, grid, cv=CV).fit(X, Y)
    # With kinks the score jumps from one epsilon to the next, up to this much here.
    slack = 3e-2 if model is KINKS else 5e-3
    assert search.best_score_ >= own.best_score_ - slack * abs(own.best_score_)


def test_an_interval_may_begin_at_zero():
    search = search_over(SMOOTH, {"epsilon": (0, 50.0)}, sp.csr_array(X), Y, cv=CV)
    assert search.search_plan_[0]["scale"] == "linear"
    assert_served(search, "searched")
    with pytest.raises(ValueError, match="'epsilon' must begin at 0 or more"):
        search_over(SMOOTH, {"epsilon": (-1.0, 50.0)}, X, Y, cv=CV)


def test_in_a_pipeline_and_behind_a_transformed_target():
    inner = make_pipeline(StandardScaler(), SMOOTH)
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    space = {"regressor__linearsvr__epsilon": (1e-2, 1.0), "regressor__linearsvr__C": C}
    search = search_over(model, space, X, Y, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV, atol=1e-5)


@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_stochastic_gradient_descent(loss):
    model, rows = SGDRegressor(loss, random_state=0), X / X.std(0)
    space = {"epsilon": EPSILON, "alpha": (1e-3, 1.0)}
    search = search_over(model, space, rows, Y, cv=CV)
    assert_served(search, "searched")
    grid = {name: np.geomspace(*ends, 4) for name, ends in space.items()}
    listed = search_over(model, grid, rows, Y, cv=CV)
    assert search.best_score_ >= listed.best_score_ - 1e-3


@pytest.mark.parametrize("model", [SGDRegressor(), LinearSVC()], ids=str)
def test_other_losses_have_none(model):
    grid = {"epsilon": (0.1, 1.0)}
    y = Y if isinstance(model, SGDRegressor) else (np.median(Y) < Y).astype(int)
    with pytest.raises(ValueError, match="epsilon"):
        search_over(model, grid, X, y, cv=CV)
