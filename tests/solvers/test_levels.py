"""Values that begin between solved ones end where all at once do."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV

from skbamm import BAMMSearchCV
from skbamm.solvers import values as solving
from skbamm.solvers.levels import between, levels
from tests.truth import LOSS

CLASSES = make_classification(300, 12, random_state=0)
X, NUMBERS = make_regression(200, 8, noise=5, random_state=0)
COUNTS = np.random.default_rng(0).poisson(np.exp(NUMBERS / NUMBERS.std()))


@pytest.mark.parametrize("count", [4, 6, 7, 8, 10, 20, 33, 100])
def test_levels_hold_each_value_once_and_the_ends_first(count):
    found = levels(count)
    assert sorted(i for level in found for i in level) == list(range(count))
    assert {0, count - 1} <= set(found[0])
    assert 4 <= len(found[0]) <= 8


def test_between_nodes_cubics_are_themselves():
    nodes = torch.tensor([0.0, 0.5, 2.0, 3.0, 4.5], dtype=torch.float64)
    places = torch.tensor([0.2, 1.0, 2.5, 4.0], dtype=torch.float64)
    cubic = lambda t: torch.stack([t**3 + t, -2 * t], -1)  # noqa: E731
    torch.testing.assert_close(between(nodes, cubic(nodes), places), cubic(places))


def test_what_jumps_is_not_overshot():
    nodes = torch.arange(6, dtype=torch.float64)
    step = (nodes > 2).double() * 1e3
    found = between(nodes, step[:, None], torch.linspace(0, 5, 50, dtype=torch.float64))
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1e3


@pytest.mark.parametrize(
    ("model", "name", "values", "data", "scoring"),
    [
        (LogisticRegression(tol=1e-10), "C", np.logspace(-4, 4, 11), CLASSES, LOSS),
        (LogisticRegression(tol=1e-10), "C", [1, 0.1, 1, 30, 0.1, 7, 2], CLASSES, LOSS),
        (PoissonRegressor(tol=1e-10), "alpha", [0.0, *np.logspace(-3, 1, 8)], (X, COUNTS), None),
    ],
    ids=["logistic", "in no order, some twice", "without a penalty"],
)
def test_tables_are_those_of_all_at_once_and_of_own_fits(
    model, name, values, data, scoring, monkeypatch
):
    model, tables = model.set_params(max_iter=10000), []
    for in_levels, in_turn in ((True, True), (True, False), (False, True), (False, False)):
        monkeypatch.setattr(solving, "levels_pay", lambda *_, pays=in_levels: pays)
        monkeypatch.setattr(solving, "turns_pay", lambda *_, pays=in_turn: pays)
        search = BAMMSearchCV(model, {name: values}, scoring=scoring, cv=3).fit(*data)
        assert search.search_plan_[0]["role"] == "joint grid"
        tables.append(search.cv_results_["mean_test_score"])
    for table in tables[1:]:
        np.testing.assert_allclose(table, tables[0], rtol=1e-8)
    own = GridSearchCV(model, {name: values}, scoring=scoring, cv=3).fit(*data)
    np.testing.assert_allclose(tables[0], own.cv_results_["mean_test_score"], rtol=1e-6)
