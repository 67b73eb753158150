"""How well the best value is known, and whether it is an end of its interval."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, EdgeWarning, Interval

X, Y = load_diabetes(return_X_y=True)
X = X / X.std(0)
CV = KFold(4, shuffle=True, random_state=0)


def warned(search):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    return [str(w.message) for w in caught if issubclass(w.category, EdgeWarning)]


@pytest.mark.parametrize(
    "ends, said",
    [
        ((1e3, 1e6), "The best alpha=1000 is the lower end of its interval [1000, 1e+06]: smaller"),
        (
            (1e-6, 1e-2),
            "The best alpha=0.01 is the upper end of its interval [1e-06, 0.01]: larger",
        ),
        (Interval(300, 500, "linear"), "The best alpha=300 is the lower end"),
        ((1e-4, 1e4), None),
    ],
)
def test_an_end_is_named(ends, said):
    messages = warned(BAMMSearchCV(Ridge(), {"alpha": ends}, cv=CV))
    assert (not messages) if said is None else (len(messages) == 1 and said in messages[0])


def test_an_end_that_is_the_last_possible_value_is_none():
    """l1_ratio cannot be above one; it can be below a half."""
    grid = {"alpha": (1e-3, 1e2), "l1_ratio": (0.5, 1.0)}
    search = BAMMSearchCV(ElasticNet(), grid, cv=CV)
    messages = warned(search)
    at_one = search.best_params_["l1_ratio"] == 1
    assert at_one or search.best_params_["l1_ratio"] < 1
    assert not [m for m in messages if "l1_ratio" in m and "upper" in m]
    grid = {"alpha": [50.0], "l1_ratio": (0.5, 1.0)}
    assert "l1_ratio=0.5 is the lower end" in warned(BAMMSearchCV(ElasticNet(), grid, cv=CV))[0]
    grid = {"alpha": [50.0], "l1_ratio": (0.0, 1.0)}
    assert not warned(BAMMSearchCV(ElasticNet(), grid, cv=CV))


def test_only_the_best_combination_is_spoken_of():
    model = make_pipeline(StandardScaler(), Ridge())
    grids = [
        {"ridge__alpha": (1e3, 1e6)},
        {"ridge__alpha": (1e-2, 1e5), "ridge__fit_intercept": [True, False]},
    ]
    assert not warned(BAMMSearchCV(model, grids, cv=CV))
    assert len(warned(BAMMSearchCV(model, grids[:1], cv=CV))) == 1


def test_lists_have_no_ends():
    assert not warned(BAMMSearchCV(Ridge(), {"alpha": [1e3, 1e4]}, cv=CV))


def test_the_warning_points_to_the_users_line():
    with pytest.warns(EdgeWarning) as caught:
        BAMMSearchCV(Ridge(), {"alpha": (1e3, 1e6)}, cv=CV).fit(X, Y)
    assert caught[0].filename == __file__


def test_the_standard_error_of_the_best_score():
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 10.0, 100.0, 1e5]}, cv=CV).fit(X, Y)
    scores = [search.cv_results_[f"split{k}_test_score"][search.best_index_] for k in range(4)]
    assert search.best_score_standard_error_ == pytest.approx(np.std(scores, ddof=1) / 2)
    low, high = search.best_params_range_["alpha"]
    assert low <= search.best_params_["alpha"] <= high < 1e5


def test_without_a_best_score_there_is_nothing_to_say():
    scoring = ["r2", "neg_mean_squared_error"]
    several = BAMMSearchCV(Ridge(), {"alpha": [1.0]}, cv=CV, scoring=scoring, refit=False)
    own_rule = BAMMSearchCV(Ridge(), {"alpha": [1.0]}, cv=CV, refit=lambda results: 0)
    for search in (several, own_rule):
        search.fit(X, Y)
        assert not hasattr(search, "best_score_standard_error_")
    one = BAMMSearchCV(Ridge(), {"alpha": [1.0]}, cv=CV, scoring=scoring, refit="r2").fit(X, Y)
    expected = np.std(
        [one.cv_results_[f"split{k}_test_r2"][0] for k in range(4)], ddof=1
    ) / np.sqrt(4)
    assert one.best_score_standard_error_ == pytest.approx(expected)


def test_a_fit_leaves_nothing_of_an_earlier_one():
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=CV).fit(X, Y)
    assert search.best_params_range_
    several = {"scoring": ["r2", "neg_mean_squared_error"], "refit": False}
    search.set_params(**several).fit(X, Y)
    assert not hasattr(search, "best_score_standard_error_")
    assert not hasattr(search, "best_params_range_")


def test_parameters_without_a_twin_have_no_range():
    grid = {"C": [0.1, 1.0], "fit_intercept": [True, False]}
    labels = (np.median(Y) < Y).astype(int)
    search = BAMMSearchCV(LogisticRegression(), grid, cv=CV).fit(X, labels)
    assert set(search.best_params_range_) == {"C"}
