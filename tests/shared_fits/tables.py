"""What it means that a list's table is GridSearchCV's."""

import warnings

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from skbamm import BAMMSearchCV


def check_same_table(estimator, grid, X, y=None, shared=True, fit_params=None, **options):
    """Compare all scores with GridSearchCV's, to rounding; return the search.

    ``shared`` are the parameters, without the step's name, that must be in the plan as shared; True
    for all of the grid, and none must be for False.
    """
    options = {"cv": 3, "refit": False} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of scores without a value
        warnings.simplefilter("ignore", FitFailedWarning)
        grids = [
            kind(estimator, grid, **options).fit(X, y, **(fit_params or {}))
            for kind in (GridSearchCV, BAMMSearchCV)
        ]
    theirs, ours = (one.cv_results_ for one in grids)
    assert theirs["params"] == ours["params"]
    for name in theirs:
        if "test_" in name or "train_" in name:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-12)
    found = {
        row["parameter"].rpartition("__")[2]
        for row in grids[1].search_plan_
        if row["role"] == "shared fits"
    }
    if shared is True:
        shared = {name.rpartition("__")[2] for name in grid}
    assert found == set(shared or ())
    return grids[1]
