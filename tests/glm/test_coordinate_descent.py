"""Where coordinate descent brings lassos and elastic nets before a metric is asked for."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold

from skbamm import BAMMSearchCV, PerFeature
from skbamm.bilevel import solve_lower
from skbamm.folds import DenseRows, FoldWeights
from skbamm.glm import LeastSquaresProblem

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 12)) + 3
TARGETS = X[:, :3] @ RNG.standard_normal((3, 2)) + RNG.standard_normal((90, 2))
SPLITS = list(KFold(3, shuffle=True, random_state=0).split(X))
ALPHAS, RATIO = torch.tensor([[0.05], [0.5]], dtype=torch.float64), 0.7


def problem(fit_intercept=True, weight=None, shares=None, starts=2):
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
    return LeastSquaresProblem(
        rows, lambda x: (1 - RATIO) * x[..., None] * mask, starts, mean_loss=True,
        absolute=lambda x: RATIO * x[..., None] * mask,
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
    squares.absolute = None
    assert squares.descend(ALPHAS, y, 1e-4) is y


def test_a_value_for_each_feature_is_searched_as_before():
    space = {"alpha": PerFeature(0.01, 1.0, shrinkage=False)}
    search = BAMMSearchCV(ElasticNet(), space, cv=SPLITS).fit(X[:, :4], TARGETS[:, 0])
    assert search.search_plan_[0]["role"] == "searched"
    assert np.isfinite(search.best_score_)
