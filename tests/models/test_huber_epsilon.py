"""HuberRegressor's epsilon, which its loss depends on: by intervals, alone and with alpha."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import HuberRegressor
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import EdgeWarning, Interval
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers.criterion import task_criterion
from skbamm.space import read_grid
from tests.models.test_huber import MAE, own_fit, with_outliers
from tests.problems import X_REG, Y_REG
from tests.truth import assert_served, fold_scores, roles, search_over

X, Y = X_REG, with_outliers(Y_REG, 0.08, 300.0)
CV = KFold(3, shuffle=True, random_state=0)
WEIGHT = np.random.default_rng(1).uniform(0.1, 3, len(Y))
ALPHA, EPSILON = (1e-2, 1e3), (1.1, 5.0)


def huber(**params):
    return HuberRegressor(**{"tol": 1e-10, "max_iter": 10_000, **params})


def maker_of(estimator, ends, X, Y, cv, weight=None):
    """Return the solver of all values of epsilon, as a search makes it."""
    combination = read_grid(estimator, {"epsilon": ends}).combinations[0]
    settings = Settings("squared_error", 100, 1e-4, None, "cpu", "float64", 0)
    given = {} if weight is None else {"sample_weight": weight}
    score_weight = given.get("sample_weight")
    maker = SolverFactory(
        settings, X, Y, list(cv.split(X)), given, given, None, score_weight=score_weight
    )
    return maker.make_line(
        combination.target, combination.params, combination.line_axis, bool(combination.axes)
    )


def line_solver(estimator, weight):
    """Return the same of the outliers here."""
    return maker_of(estimator, EPSILON, X, Y, CV, weight)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize(("epsilon", "alpha"), [(1.3, 10.0), (1.4, 30.0), (2.0, 10.0)])
def test_hypergradients_are_slopes_of_scikit_learns_loss(epsilon, alpha, weight):
    solver = line_solver(huber(alpha=alpha), weight)
    place = float(np.log(epsilon))
    joint = solver.at(place)
    chosen = task_criterion("squared_error", joint.task, joint.data.weights, joint.used)

    def loss(log_epsilon):
        losses = []
        for train, test in CV.split(X):
            fit, score = (None if weight is None else weight[rows] for rows in (train, test))
            own = huber(alpha=alpha, epsilon=float(np.exp(log_epsilon)))
            model = own_fit(own, X[train], Y[train], fit)
            losses.append(mean_squared_error(Y[test], model.predict(X[test]), sample_weight=score))
        return np.mean(losses)

    # Where a row becomes an outlier, the slope has a kink: no step may reach the next one.
    slope = derivative(np.vectorize(loss), place, initial_step=1e-4, maxiter=1, order=2).df
    assert solver.slope(place, (), [], chosen) * chosen.null == pytest.approx(slope, rel=1e-3)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize(
    ("both", "scoring"), [(False, MAE), (True, "r2")], ids=["alone", "with alpha"]
)
def test_intervals_reach_a_grid(both, scoring):
    settings = {"cv": CV, "scoring": scoring}
    space = {"alpha": ALPHA, "epsilon": EPSILON} if both else {"epsilon": EPSILON}
    search = search_over(huber(), space, X, Y, **settings)
    assert roles(search) == dict.fromkeys(space, "searched")
    assert_served(search, "searched")
    assert search.converged_ and type(search.best_params_["epsilon"]) is float
    assert set(search.history_) == {"seconds", "criterion", "kkt_residual", *space}
    grid = {name: np.geomspace(*ends, 6) for name, ends in space.items()}
    listed = search_over(huber(), grid, X, Y, refit=False, **settings)
    assert search.best_score_ >= listed.best_score_ - 1e-3 * abs(listed.best_score_)
    # The models that were scored have the epsilon that was found.
    found = {name: [value] for name, value in search.best_params_.items()}
    again = search_over(huber(), found, X, Y, **settings)
    np.testing.assert_allclose(fold_scores(search), fold_scores(again), rtol=1e-6)
    refit = clone(search.best_estimator_).fit(X, Y)
    for name in ("coef_", "intercept_", "scale_", "outliers_"):
        np.testing.assert_array_equal(getattr(search.best_estimator_, name), getattr(refit, name))


def test_adopted_models_know_their_scale_and_outliers():
    seen = []

    def scorer(model, X_test, y_test):
        seen.append(model.estimator)
        return model.score(X_test, y_test)

    search = search_over(huber(), {"epsilon": EPSILON}, X, Y, cv=CV, scoring=scorer, refit=False)
    chosen = np.repeat([p["epsilon"] for p in search.cv_results_["params"]], 3)
    for k, (epsilon, ours) in enumerate(zip(chosen, seen, strict=True)):
        train = list(CV.split(X))[k % 3][0]
        own = own_fit(huber(epsilon=epsilon), X[train], Y[train])
        assert ours.epsilon == epsilon
        assert ours.scale_ == pytest.approx(own.scale_, rel=1e-5)
        errors = np.abs(Y[train] - X[train] @ own.coef_ - own.intercept_)
        assert np.mean(ours.outliers_ != (errors > own.scale_ * epsilon)) < 0.01


def test_sparse_rows_are_as_good():
    rows = np.where(np.abs(X) > 0.3, X, 0.0)
    space = {"epsilon": EPSILON}
    dense, sparse = (
        search_over(huber(), space, form(rows), Y, cv=CV, scoring=MAE)
        for form in (np.asarray, sp.csr_array)
    )
    for name, value in dense.best_params_.items():
        assert sparse.best_params_[name] == pytest.approx(value, rel=1e-3)
    np.testing.assert_allclose(fold_scores(sparse), fold_scores(dense), rtol=1e-5)


def test_weights_are_repeated_rows():
    count = np.random.default_rng(0).integers(1, 4, len(Y))
    place, folds = np.repeat(np.arange(len(Y)), count), list(CV.split(X))
    many = [tuple(np.flatnonzero(np.isin(place, part)) for part in split) for split in folds]
    weight, space = {"sample_weight": count.astype(float)}, {"epsilon": EPSILON}
    weighted = search_over(huber(), space, X, Y, weight, cv=folds)
    repeated = search_over(huber(), space, X[place], Y[place], cv=many)
    assert weighted.best_params_["epsilon"] == pytest.approx(
        repeated.best_params_["epsilon"], rel=1e-2
    )


def test_in_a_pipeline_and_behind_a_transformed_target():
    inner = make_pipeline(StandardScaler(), huber(alpha=10.0))
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    ends = (1.5, 4.0)
    plain = search_over(inner, {"huberregressor__epsilon": ends}, X, Y, cv=CV, scoring=MAE)
    assert_served(plain, "searched")
    space = {"regressor__huberregressor__epsilon": ends}
    search = search_over(model, space, X, Y, cv=CV, scoring=MAE)
    assert_served(search, "searched")


def test_lists_beside_the_interval():
    grid = {"epsilon": (1.5, 3.0), "alpha": [1.0, 100.0]}
    search = search_over(huber(), grid, X, Y, cv=CV)
    assert roles(search)["epsilon"] == "searched"
    assert {p["alpha"] for p in search.cv_results_["params"]} == {1.0, 100.0}
    listed = search_over(huber(), {"epsilon": [1.5, 2.0], "alpha": ALPHA}, X, Y, cv=CV)
    assert roles(listed) == {"epsilon": "enumerated", "alpha": "searched"}


def test_the_best_value_at_an_end_is_told_of():
    with pytest.warns(EdgeWarning, match=r"best epsilon=.* is the (lower|upper) end"):
        search_over(huber(alpha=1.0), {"epsilon": (1.6, 1.65)}, X, Y, cv=CV, scoring=MAE)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_end_of_time_keeps_the_best_so_far():
    space = {"epsilon": EPSILON, "alpha": ALPHA}
    search = search_over(huber(), space, X, Y, cv=CV, max_time=1e-9)
    assert np.isfinite(search.best_score_) and not search.converged_


@pytest.mark.parametrize("low", [0.5, 1, 1.0])
def test_there_must_be_room_for_a_scale(low):
    with pytest.raises(
        ValueError, match=rf"parameter 'epsilon' must begin at above 1, got low={low}"
    ):
        search_over(huber(), {"epsilon": Interval(low, 2.0)}, X, Y, cv=CV)


def test_features_and_losses_are_not_searched_at_once():
    model = make_pipeline(Nystroem(random_state=0, n_components=10), huber())
    space = {"nystroem__gamma": (1e-2, 1.0), "huberregressor__epsilon": EPSILON}
    with pytest.raises(
        ValueError, match=r"'nystroem__gamma' and 'huberregressor__epsilon' cannot both"
    ):
        search_over(model, space, X, Y, cv=CV)
    search = search_over(model, {"huberregressor__epsilon": (1.2, 3.0)}, X, Y, cv=CV)
    assert_served(search, "searched")
