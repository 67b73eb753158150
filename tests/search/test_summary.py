"""What a fitted search says of itself: as text, and in a notebook."""

import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skbamm import BAMMSearchCV, PerFeature, one_standard_error

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:120], Y[:120]


def test_an_interval_says_what_was_found_and_how():
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e3)}, refit=one_standard_error).fit(X, Y)
    told = search.report()
    assert f"alpha = {search.best_params_['alpha']:.4g}" in told
    assert f"{search.best_score_:.4g} ± {search.best_score_standard_error_:.2g}" in told
    assert "alpha: searched in [0.0001, 1000], log scale" in told
    assert f"{search.n_iter_} iterations" in told
    low, high = search.best_params_range_["alpha"]
    assert f"alpha: {low:.4g} to {high:.4g}" in told
    assert "note" not in told and max(map(len, told.splitlines())) <= 80


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_notes_are_what_was_warned_of():
    search = BAMMSearchCV(Ridge(), {"alpha": (1e2, 1e3)}, max_iter=1).fit(X, Y)
    assert "alpha is at the lower end of its interval" in search.report()
    assert ("did not meet tol" in search.report()) is not search.converged_


def test_reasons_of_lists_and_long_values():
    grid = {"max_depth": [1, 2], "criterion": ["squared_error"]}
    assert "max_depth = 2" in BAMMSearchCV(DecisionTreeRegressor(), grid).fit(X, Y).report()
    vector = {"alpha": PerFeature(1e-2, 1e2, shrinkage=False)}
    told = BAMMSearchCV(Ridge(), vector, tol=0.1).fit(X, Y).report()
    assert re.search(r"alpha = \[.*, … \(10 values\)\]", told)
    assert len(max(told.splitlines(), key=len)) < 100


def test_without_a_refit_and_before_fit():
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, scoring=["r2"], refit=False)
    with pytest.raises(NotFittedError):
        search.report()
    assert "best" not in search.fit(X, Y).report()


def test_in_a_notebook_texts_are_escaped_and_the_diagram_follows():
    step = "<script>alert(1)"
    model = Pipeline([("scale", StandardScaler()), (step, Ridge())])
    search = BAMMSearchCV(model, {f"{step}__alpha": [0.1, 1.0]})
    assert "best values" not in search._repr_mimebundle_()["text/html"]
    html = search.fit(X, Y)._repr_mimebundle_()["text/html"]
    assert "<script>alert" not in html and "&lt;script&gt;alert(1)__alpha" in html
    assert html.index("best values") < html.index("sk-top-container")
    with config_context(display="text"):
        assert list(search._repr_mimebundle_()) == ["text/plain"]
    assert np.isfinite(search.best_score_)
