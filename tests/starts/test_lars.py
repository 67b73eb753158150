"""Exact paths of one L1 penalty: models anywhere on them are scikit-learn's own."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Lasso, MultiTaskLasso
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm.solvers import linear, problems
from skbamm.starts import lars, path
from tests.truth import search_over

CV = KFold(3, shuffle=True, random_state=0)
MSE = "neg_mean_squared_error"
TIGHT = {"tol": 1e-10, "max_iter": 1_000_000}
FEW = make_regression(60, 12, n_informative=5, noise=20.0, random_state=0)
WIDE = make_regression(40, 200, n_informative=8, noise=5.0, random_state=0)
FACTORS = np.array([0.7, 3.0, 11.0, 40.0])


@pytest.fixture
def begun(monkeypatch):
    """What searches began with: the arguments and what was returned."""
    seen = []

    def spy(*args):
        seen.append((args, lars.begin_on_paths(*args)))
        return seen[-1][1]

    monkeypatch.setattr(linear, "begin_on_paths", spy)
    return seen


@pytest.mark.parametrize("data", [FEW, WIDE], ids=["moments", "rows"])
@pytest.mark.parametrize(("weighted", "intercept"), [(True, True), (False, False)])
def test_models_on_the_paths_are_those_of_the_folds(data, weighted, intercept, begun, monkeypatch):
    monkeypatch.setattr(problems, "MANY_FEATURES", 100)
    X, y = data[0], data[1] + 7.0
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else None
    model = Lasso(fit_intercept=intercept, **TIGHT)
    fit_params = {"sample_weight": weight} if weighted else None
    search = search_over(model, {"alpha": (0.5, 500.0)}, X, y, fit_params, scoring=MSE, cv=CV)
    (problem, axis, inverse, _), begin = begun[0]
    units = lars._units(problem, axis, 1.0)
    paths = lars._Paths(problem, axis, inverse, lars._folds(problem), units)
    paths.extend(0.5)
    models = problem.coefficients(paths.models(FACTORS)).numpy()[:, :, 0]
    for s, alpha in enumerate(FACTORS):
        for k, (train, _) in enumerate(CV.split(X)):
            own = Lasso(alpha=alpha, fit_intercept=intercept, **TIGHT)
            own.fit(X[train], y[train], None if weight is None else weight[train])
            expected = [*own.coef_, own.intercept_][: models.shape[2]]
            np.testing.assert_allclose(models[s, k], expected, rtol=1e-5, atol=1e-5)
    # F at the beginning is no higher than anywhere on a fine grid.
    fine = np.geomspace(0.5, paths.top * 0.999, 300)
    assert paths.upper(np.exp(begin.x[0].numpy()))[0] <= paths.upper(fine).min() * (1 + 1e-6)
    assert search.best_params_["alpha"] == pytest.approx(np.exp(float(begin.x)), rel=0.2)


@pytest.mark.parametrize(
    "model, grid, data",
    [
        (ElasticNet(l1_ratio=0.5), {"alpha": (0.01, 10.0)}, FEW),
        (MultiTaskLasso(), {"alpha": (0.01, 10.0)}, (FEW[0], np.stack([FEW[1], -FEW[1]], 1))),
    ],
)
def test_other_penalties_are_followed_point_by_point(model, grid, data, begun, monkeypatch):
    followed = []
    original = path.follow_paths
    monkeypatch.setattr(linear, "follow_paths", lambda *args: followed.append(1) or original(*args))
    search_over(model, grid, *data, scoring=MSE, cv=CV)
    assert begun[0][1] is None and followed


def test_many_rows_end_the_paths_where_f_has_risen(begun, monkeypatch):
    monkeypatch.setattr(lars, "LARS", replace(lars.LARS, few_rows=10))
    reached = []
    extend = lars._Paths.extend
    monkeypatch.setattr(
        lars._Paths, "extend", lambda self, low: reached.append(low) or extend(self, low)
    )
    search = search_over(Lasso(**TIGHT), {"alpha": (1e-8, 1e8)}, *FEW, scoring=MSE, cv=CV)
    assert (np.diff(reached) < 0).all()
    assert search.best_params_["alpha"] / 100 < reached[-1] < search.best_params_["alpha"]


def test_time_that_is_up_ends_them_too(monkeypatch):
    monkeypatch.setattr(lars, "LARS", replace(lars.LARS, few_rows=10))
    steps = iter(np.arange(0.0, 1e6, 100.0))
    monkeypatch.setattr(lars.time, "perf_counter", lambda: float(next(steps)))
    search = search_over(
        Lasso(**TIGHT), {"alpha": (1e-3, 1e3)}, *FEW, scoring=MSE, cv=CV, max_time=1e5
    )
    assert np.isfinite(search.best_score_)


def test_features_that_are_alike_do_no_harm():
    X = np.hstack([FEW[0], FEW[0][:, :3], np.zeros((60, 2))])
    model = make_pipeline(StandardScaler(), Lasso(**TIGHT))
    found = search_over(model, {"lasso__alpha": (0.1, 100.0)}, X, FEW[1], scoring=MSE, cv=CV)
    alone = search_over(model, {"lasso__alpha": (0.1, 100.0)}, *FEW, scoring=MSE, cv=CV)
    assert found.best_score_ == pytest.approx(alone.best_score_, rel=1e-4)
