"""Intervals of elastic nets where own fits are faster: paths tell where these are judged."""

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Lasso, MultiTaskElasticNet, MultiTaskLasso
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV

pytestmark = pytest.mark.budget
WIDE = make_regression(60, 1510, n_informative=3, noise=20, random_state=0)
SEVERAL = make_regression(60, 12, n_informative=4, n_targets=3, noise=20, random_state=1)
ALPHA = (1e-1, 1e2)
CASES = {
    "both": (ElasticNet(max_iter=5000), {"alpha": ALPHA, "l1_ratio": (0.1, 1.0)}, WIDE),
    "alpha": (ElasticNet(l1_ratio=0.8, max_iter=5000), {"alpha": ALPHA}, WIDE),
    "no intercept": (
        ElasticNet(l1_ratio=0.9, fit_intercept=False, max_iter=5000), {"alpha": ALPHA}, WIDE
    ),
    "a pipeline": (
        make_pipeline(StandardScaler(), ElasticNet(l1_ratio=0.7, max_iter=5000)),
        {"elasticnet__alpha": ALPHA}, WIDE,
    ),
    "several targets": (MultiTaskElasticNet(), {"alpha": ALPHA}, SEVERAL),
    "groups": (MultiTaskLasso(), {"alpha": ALPHA}, SEVERAL),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_few_own_fits_find_what_a_list_finds(case):
    model, ends, (X, y) = CASES[case]
    scoring = "neg_mean_squared_error" if case == "groups" else "r2"
    search = BAMMSearchCV(model, ends, cv=3, scoring=scoring).fit(X, y)
    assert {row["reason"] for row in search.search_plan_} == {"own fits are faster"}
    assert len(search.cv_results_["params"]) <= 3
    assert search.cv_results_["stage"][0] == "refined"
    grid = {
        name: np.geomspace(*pair, 7 if len(ends) == 1 else 4) if "alpha" in name
        else np.linspace(*pair, 3)
        for name, pair in ends.items()
    }  # fmt: skip
    few = GridSearchCV(model, grid, cv=3, scoring=scoring, refit=False).fit(X, y)
    assert search.best_score_ >= few.best_score_ - 1e-3 * abs(few.best_score_)
    again = cross_val_score(search.best_estimator_, X, y, cv=3, scoring=scoring)
    assert search.best_score_ == pytest.approx(again.mean(), rel=1e-9)


def test_r2_counts_every_output_by_its_variance():
    X, Y = SEVERAL
    Y = Y * [1.0, 1e-2, 1e2] + 50 * np.random.default_rng(0).normal(size=Y.shape) * [1, 2e-2, 1]
    search = BAMMSearchCV(MultiTaskLasso(), {"alpha": (1e-3, 1e4)}, cv=3).fit(X, Y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    grid = {"alpha": np.geomspace(1e-3, 1e4, 15)}
    few = GridSearchCV(MultiTaskLasso(), grid, cv=3, refit=False).fit(X, Y)
    assert search.best_score_ >= few.best_score_ - 1e-3


@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", "neg_max_error"])
def test_scores_that_squares_only_stand_for_are_judged_from_end_to_end(scoring):
    X, y = WIDE
    model = Lasso(max_iter=5000)
    search = BAMMSearchCV(model, {"alpha": (1.0, 10.0)}, cv=3, scoring=scoring).fit(X, y)
    assert len(search.cv_results_["params"]) > 3
