"""Where searches of penalties with kinks begin, and lists of their values."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, make_regression
from sklearn.linear_model import ElasticNet, Lasso, LassoCV, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from skbamm.bilevel import Problem
from skbamm.solvers import linear
from skbamm.solvers import values as values_module
from skbamm.starts import multistart, path
from tests.truth import assert_served, search_over

MSE = "neg_mean_squared_error"
CV = KFold(4, shuffle=True, random_state=0)
TIGHT = {"tol": 1e-9, "max_iter": 1_000_000}
X, Y = make_regression(120, 30, n_informative=5, noise=30.0, random_state=0)
X_WIDE, Y_WIDE = make_regression(60, 300, n_informative=8, noise=5.0, random_state=0)


@pytest.fixture
def one_by_one(monkeypatch):
    """Paths as of many features and any loss."""
    monkeypatch.setattr(path, "_SMALL", 0)
    monkeypatch.setattr(linear, "begin_on_paths", lambda *args: None)


@pytest.fixture
def solved(monkeypatch, one_by_one):
    """The x of every model that a path solved, and the supports' sizes."""
    seen = []

    def spy(problem, x, *args, **kwargs):
        result = path_solve(problem, x, *args, **kwargs)
        seen.append((x[0].tolist(), int(torch.count_nonzero(result.y[..., :-1]))))
        return result

    path_solve = path.solve_lower
    monkeypatch.setattr(path, "solve_lower", spy)
    return seen


def test_a_path_leads_from_the_empty_model_to_where_f_has_risen(solved):
    search = search_over(Lasso(), {"alpha": (1e-8, 1e8)}, X, Y, scoring=MSE, cv=CV)
    alphas = np.exp([x for (x,), _ in solved])
    coarse = alphas[: np.argmax(np.diff(alphas) > 0) + 1]
    assert (np.diff(coarse) < 0).all()
    assert solved[0][1] <= CV.get_n_splits()  # the last coefficient of one fold or another
    # What a thousand times weaker penalties do is not asked.
    assert search.best_params_["alpha"] / 100 < coarse[-1] < search.best_params_["alpha"]


def test_where_the_penalty_falls_with_the_parameter_paths_begin_at_its_lower_end(solved):
    data, labels = load_breast_cancer(return_X_y=True)
    data = StandardScaler().fit_transform(data)
    model = LogisticRegression(solver="saga", l1_ratio=1.0, tol=1e-4, max_iter=2000)
    cv = StratifiedKFold(3)
    search = search_over(
        model, {"C": (1e-4, 1e2)}, data, labels, scoring="neg_log_loss", cv=cv, refit=False
    )
    assert_served(search, "searched")
    first, second = (x for (x,), _ in solved[:2])
    assert first < second and solved[0][1] <= 3


def test_several_minima_close_to_each_other_are_told_apart():
    """With few rows the criterion has many; the least is that of a fine path."""
    search = search_over(
        Lasso(**TIGHT), {"alpha": (0.08, 150.0)}, X_WIDE, Y_WIDE, scoring=MSE, cv=CV
    )
    alphas = np.geomspace(0.08, 80.0, 200)
    fine = LassoCV(cv=CV, alphas=alphas, **TIGHT).fit(X_WIDE, Y_WIDE)
    assert -search.best_score_ <= fine.mse_path_.mean(1).min() * (1 + 1e-3)


@pytest.mark.parametrize("informative, noise, count", [(5, 30.0, 2), (30, 300.0, 3)])
def test_other_hyperparameters_get_paths_of_their_own(informative, noise, count, solved):
    """The sparsest models come first, and paths that lead away from the best are the last."""
    grid = {"alpha": (1e-3, 1e3), "l1_ratio": (0.1, 1.0)}
    data = make_regression(120, 30, n_informative=informative, noise=noise, random_state=0)
    search_over(ElasticNet(), grid, *data, scoring=MSE, cv=CV)
    ratios = [x[1] for x, _ in solved]
    assert len(set(ratios)) == count and ratios[0] == 10.0


def test_of_many_rows_a_parabola_tells_where_to_begin():
    """Of few rows F has several minima, closer to each other than a path's points."""
    problem = Stub(lambda x: 3.0 + 0.5 * (x - 2.2) ** 2)
    begin = path.follow_paths(problem, [torch.arange(6.0)[:, None]], None)
    assert float(begin.x) == pytest.approx(2.2) and begin.bend == pytest.approx(1.0)
    problem.rows = SimpleNamespace(n_rows=100)
    begin = path.follow_paths(problem, [torch.arange(6.0)[:, None]], None)
    assert float(begin.x) in problem.asked and begin.bend is None


@pytest.mark.parametrize("points", [[5.0, 4.0, 3.0], [3.0, 4.0, 5.0], [3.0, 1.0, 1.0], [3.0, 1.0]])
def test_no_parabola_is_drawn_where_nothing_bounds_the_best(points):
    zero = torch.zeros(1, 1)
    assert path._parabola([path._Point(zero + i, f, zero) for i, f in enumerate(points)]) is None


@pytest.mark.parametrize("features", [30, 8])
def test_points_of_few_features_are_solved_together_and_are_the_same(features, monkeypatch):
    grid = {"alpha": (1e-2, 1e2)}

    def searched():
        return search_over(Lasso(**TIGHT), grid, X[:, :features], Y, scoring=MSE, cv=CV)

    monkeypatch.setattr(linear, "begin_on_paths", lambda *args: None)
    with monkeypatch.context() as patch:
        patch.setattr(path, "follow", None)
        together = searched()
    with monkeypatch.context() as patch:
        patch.setattr(path, "_SMALL", 0)
        patch.setattr(path, "together", None)
        apart = searched()
    assert together.best_params_["alpha"] == pytest.approx(apart.best_params_["alpha"], rel=1e-2)
    assert together.best_score_ == pytest.approx(apart.best_score_, rel=1e-5)


def test_time_that_is_up_ends_the_paths(monkeypatch):
    monkeypatch.setattr(path.time, "perf_counter", iter(np.arange(0.0, 1e6, 100.0)).__next__)
    problem = Stub()
    begin = path.follow_paths(problem, [torch.arange(5.0)[:, None]], max_time=150.0)
    assert len(problem.asked) < 5 and float(begin.x) in problem.asked


def test_values_that_are_not_finite_are_never_the_best():
    problem = Stub(lambda x: float("nan") if x < 2 else 1.0 + x)
    assert path._parabola(path.together(problem, torch.arange(1.0, 4.0)[:, None], None)) is None
    together = path.together(problem, torch.arange(6.0)[:, None], None)
    assert min(together, key=lambda point: point.upper).upper == 3.0
    begin = path.follow_paths(problem, [torch.arange(6.0)[:, None]], None)
    assert float(begin.x) == 2


class Stub(Problem):
    """A problem whose models are found at once."""

    second_order = True
    rows = SimpleNamespace(n_rows=1000)

    def __init__(self, of_x=lambda x: (x - 2) ** 2, features=1000, starts=1):
        self.of_x, self.asked, self.shape = of_x, [], (starts, 1)
        self.y_shape = (starts, 1, 1, features)

    def select(self, starts):
        return Stub(self.of_x, self.y_shape[-1], len(starts))

    def start(self, x):
        return torch.zeros(len(x), 1, 1, 1, dtype=torch.float64)

    def lower(self, x, y):
        self.at_last = x.flatten().tolist()
        return torch.zeros(len(x), 1), torch.zeros_like(y)

    def curvature(self, x, y, mu):
        return self

    def solve(self, residuals):
        return residuals

    def at(self, x, y):
        return self

    def directions(self, x, y, v, mu):
        raise NotImplementedError

    def upper(self, y):
        self.asked += self.at_last
        return torch.tensor([[self.of_x(at)] for at in self.at_last])


@pytest.mark.parametrize(
    "estimator, values",
    [
        (Lasso(**TIGHT), {"alpha": [0.5, 20.0, 0.1, 3.0, 0.5]}),
        (ElasticNet(**TIGHT), {"alpha": [3.0, 0.3], "l1_ratio": [0.5, 1.0]}),
        (ElasticNet(alpha=0.5, **TIGHT), {"l1_ratio": [0.3, 1.0, 0.8]}),
    ],
)
def test_lists_are_solved_along_paths_and_told_in_their_order(estimator, values, monkeypatch):
    began = []

    def spy(solver, axes, x, y, *tol):
        began.append(y is not None)
        return block(solver, axes, x, y, *tol)

    block = values_module._solve_block
    monkeypatch.setattr(values_module, "_solve_block", spy)
    mine = search_over(estimator, values, X_WIDE, Y_WIDE, scoring=MSE, cv=CV, refit=False)
    assert_served(mine, "joint grid")
    own = GridSearchCV(estimator, values, scoring=MSE, cv=CV, refit=False).fit(X_WIDE, Y_WIDE)
    assert mine.cv_results_["params"] == own.cv_results_["params"]
    scores = (search.cv_results_["mean_test_score"] for search in (mine, own))
    np.testing.assert_allclose(*scores, rtol=1e-5)
    assert began.count(False) == (2 if len(values) == 2 else 1)


def test_starts_that_are_solved_in_turn_lead_to_the_same_minimum(monkeypatch):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((400, 8))
    labels = data[:, 0] + rng.standard_normal(400) > 0
    given = []

    def spy(problem, points, max_time):
        found = path.in_turn(problem, points, max_time)
        given.append((problem, points, found))
        return found

    monkeypatch.setattr(multistart, "in_turn", spy)
    found = []
    for turns in (False, True):
        monkeypatch.setattr(linear, "turns_pay", lambda solver, turns=turns: turns)
        model = LogisticRegression(tol=1e-8)
        found.append(search_over(model, {"C": (1e-3, 1e3)}, data, labels, scoring="neg_log_loss"))
    assert found[0].best_params_["C"] == pytest.approx(found[1].best_params_["C"], rel=1e-2)
    assert found[0].n_iter_ > found[1].n_iter_
    [(problem, points, models)] = given
    assert len(points) > 2
    for x, y in zip(points, models, strict=True):  # in the order of the points
        exact = path.solve_lower(problem, x[None], tol=1e-10).y[0]
        torch.testing.assert_close(y, exact, rtol=0.05, atol=0.02)
