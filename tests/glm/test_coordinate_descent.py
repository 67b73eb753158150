"""Where coordinate descent brings lassos and elastic nets before a metric is asked for."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold

from skbamm import BAMMSearchCV, PerFeature
from skbamm.bilevel import solve_lower
from skbamm.bilevel.faces import Face
from skbamm.criteria import make_criterion
from skbamm.folds import DenseRows, FoldWeights
from skbamm.glm import LeastSquaresProblem
from skbamm.glm.coordinate_descent import ModelDescent
from skbamm.glm.penalties import AbsoluteValues, Squares, Total
from skbamm.losses import HalfSquaredLoss

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 12)) + 3
TARGETS = X[:, :3] @ RNG.standard_normal((3, 2)) + RNG.standard_normal((90, 2))
SPLITS = list(KFold(3, shuffle=True, random_state=0).split(X))
ALPHAS, RATIO = torch.tensor([[0.05], [0.5]], dtype=torch.float64), 0.7


def elastic_net(mask):
    """Return the penalty of coefficients with these shares of alpha."""
    squares = Squares(lambda x: (1 - RATIO) * x[..., None] * mask)
    return Total(squares, AbsoluteValues(lambda x: RATIO * x[..., None] * mask))


def problem(fit_intercept=True, weight=None, shares=None, starts=2, criterion=None):
    """Elastic nets of two alphas, two targets and three folds."""
    weights = FoldWeights(len(X), SPLITS, fit_weight=weight)
    rows = DenseRows(
        torch.from_numpy(X), torch.from_numpy(TARGETS), weights, fit_intercept, torch.float64
    )
    mask = torch.ones(rows.n_coefficients, dtype=torch.float64)
    if fit_intercept:
        mask[-1] = 0
    if shares is not None:
        mask[:12] = torch.from_numpy(shares)
    if criterion is not None:
        criterion = make_criterion(criterion, HalfSquaredLoss(2), torch.as_tensor(TARGETS), weights)
    return LeastSquaresProblem(
        rows, elastic_net(mask), starts, mean_loss=True, criterion=criterion
    )  # fmt: skip


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 2, len(X))], ids=["even", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_comes_near_scikit_learns_solution(fit_intercept, weight):
    one = problem(fit_intercept, weight)
    near = one.coefficients(one.descend(ALPHAS, one.start(ALPHAS), 1e-6)).numpy()
    for s, alpha in enumerate(ALPHAS[:, 0].tolist()):
        for k, (train, _) in enumerate(SPLITS):
            for m in range(2):
                net = ElasticNet(
                    alpha=alpha, l1_ratio=RATIO, fit_intercept=fit_intercept, tol=1e-14,
                    max_iter=100_000,
                )  # fmt: skip
                net.fit(X[train], TARGETS[train, m], None if weight is None else weight[train])
                np.testing.assert_allclose(near[s, k, m, :12], net.coef_, atol=1e-5)
                if fit_intercept:
                    assert near[s, k, m, 12] == pytest.approx(net.intercept_, abs=1e-4)


def test_a_loose_tolerance_is_met_and_a_start_is_gone_on_from():
    one = problem()
    exact = solve_lower(one, ALPHAS, tol=1e-10).y
    least, _ = one.lower(ALPHAS, exact)
    value, _ = one.lower(ALPHAS, one.descend(ALPHAS, one.start(ALPHAS), 1e-2))
    assert bool((value - least <= 1e-4 * (1 + least)).all())
    again = one.descend(ALPHAS, exact.clone(), 1e-2)
    torch.testing.assert_close(again, exact, rtol=0, atol=1e-9)


def test_what_it_is_not_for_is_left_as_it_is():
    own = problem(shares=np.linspace(1, 2, 12))
    y = torch.ones(own.y_shape, dtype=torch.float64)
    assert own.descend(ALPHAS, y, 1e-4) is y
    squares = problem()
    squares = squares.with_penalty(squares.penalty.parts[0])
    assert squares.descend(ALPHAS, y, 1e-4) is y


def test_a_value_for_each_feature_is_searched_as_before():
    space = {"alpha": PerFeature(0.01, 1.0, shrinkage=False)}
    search = BAMMSearchCV(ElasticNet(), space, cv=SPLITS).fit(X[:, :4], TARGETS[:, 0])
    assert search.search_plan_[0]["role"] == "searched"
    assert np.isfinite(search.best_score_)


def model(shared, free):
    """A quadratic model of two starts, three folds and two outputs, and a face far from its end."""
    rng = np.random.default_rng(1)
    lead = (2, 1, 1) if shared else (2, 3, 2)
    root = torch.from_numpy(rng.normal(size=(*lead, 9, 6)))
    matrix, y = root.mT @ root, torch.from_numpy(rng.normal(size=(2, 3, 2, 6)))
    kink = torch.full((2, 1, 1, 6), 2.0, dtype=torch.float64)
    kink[1] *= 0.1
    if free:
        kink[..., -1] = 0
    gradient = torch.from_numpy(20 * rng.normal(size=y.shape))
    return matrix, y, Face.at(y, gradient, kink, 100)


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_a_model_is_descended_to_near_its_minimum(shared, free):
    matrix, y, face = model(shared, free)
    at = ModelDescent(matrix)(face, y)
    change = (matrix @ (at - y)[..., None])[..., 0]
    before, after = face.violation(), face.moved(at, change).violation()
    assert bool((before > 1).all()) and bool((after < 0.01 * before).all())
    assert bool((at[..., :5] == 0).any())


@pytest.mark.parametrize("fitted", [False, True])
def test_several_entries_without_a_kink_are_eliminated(fitted):
    """As intercepts of several classes are; of rows that are fitted nothing is left of them."""
    matrix, y, face = model(False, False)
    kink = face.kink.clone()
    kink[..., [1, 4]] = 0
    if fitted:
        matrix = matrix.clone()
        matrix[..., [1, 4], :] = 0
        matrix[..., :, [1, 4]] = 0
        face.gradient[..., [1, 4]] = 0
    face = Face.at(y, face.gradient, kink, 100)
    at = ModelDescent(matrix)(face, y)
    after = face.moved(at, (matrix @ (at - y)[..., None])[..., 0])
    assert bool((after.violation() < 0.01 * face.violation()).all())
    assert fitted or bool((after.slope[..., [1, 4]].abs() < 1e-8).all())


def test_models_of_other_kinks_are_left_alone():
    matrix, y, face = model(True, True)
    kink = face.kink.clone()
    kink[..., 0] = 1.0
    assert ModelDescent(matrix)(Face.at(y, face.gradient, kink, 100), y) is y
    assert ModelDescent(matrix)(Face.at(y, face.gradient, 0 * kink, 100), y) is y


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_models_and_multipliers_follow_at_once(fit_intercept):
    """What coordinate descent and a step on its face give solves the equations of y and v."""
    one = problem(fit_intercept, criterion="squared_error")
    y = one.start(ALPHAS)
    metric = one.curvature(ALPHAS, y, 0.0)
    y, v = one.closed_form(ALPHAS, y, metric, 0.0)
    d = one.directions(ALPHAS, y, v, 0.0)
    face = one.face(ALPHAS, y, d.grad_y)
    assert float(face.slope.abs().max()) < 1e-8
    assert float((d.residual_v * face.free).abs().max()) < 1e-8
    assert bool((y == 0).any()) and bool((v[y == 0] == 0).all())
    torch.testing.assert_close(y, solve_lower(one, ALPHAS, tol=1e-12).y)
    assert one.closed_form(ALPHAS, y, metric, 0.5) is None
    own = problem(shares=np.linspace(1, 2, 12), criterion="squared_error")
    assert own.closed_form(ALPHAS, own.start(ALPHAS), metric, 0.0) is None
