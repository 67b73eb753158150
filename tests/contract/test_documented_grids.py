"""The grids of scikit-learn's documentation have the same best parameters and the same tables."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skbamm import BAMMSearchCV

documented = pytest.importorskip("benchmarks.cases.documented", reason="without benchmarks")


@pytest.mark.parametrize("name", documented.CASES)
def test_best_parameters_are_the_grids(name):
    case = documented.CASES[name]
    X, y = case.data()
    rows = slice(None, None, 2)  # the largest have as many as are needed to tell values apart
    if len(X) > 200:
        X, y = X[rows], None if y is None else y[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of settings that leave no words
        own, ours = (
            kind(case.model, case.grid, **case.options).fit(X, y)
            for kind in (GridSearchCV, BAMMSearchCV)
        )
    assert own.best_params_ == ours.best_params_
    for split in range(own.n_splits_):
        tables = (one.cv_results_[f"split{split}_test_score"] for one in (own, ours))
        np.testing.assert_allclose(*tables, rtol=1e-7, atol=1e-12)
    assert any(row["role"] in ("shared fits", "joint grid") for row in ours.search_plan_)
