"""Rules that choose the best candidate."""

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_linnerud
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, PerGroup, most_regularised, one_standard_error
from skbamm.effort import OverBudget
from skbamm.refit_rules import rule_of, standard_error
from skbamm.search import solving

X, Y = load_diabetes(return_X_y=True)
X = X / X.std(0)
CV = KFold(5, shuffle=True, random_state=0)


def table(scores, **params):
    """``cv_results_`` of these scores, a row a candidate, and lists of parameters."""
    scores = np.array(scores, dtype=float)
    names = list(params)
    return {
        "params": [
            dict(zip(names, row, strict=True)) for row in zip(*params.values(), strict=True)
        ],
        "mean_test_score": scores.mean(1),
        **{f"split{k}_test_score": scores[:, k] for k in range(scores.shape[1])},
    }


def test_the_strongest_penalty_within_one_standard_error():
    # The second is best, with a standard error of 0.1; the third is within that, the last is not.
    scores = [[0.4, 0.6, 0.5], [0.6, 0.9, 0.75], [0.6, 0.8, 0.6], [0.4, 0.5, 0.3]]
    results = table(scores, alpha=[0.1, 1.0, 10.0, 100.0])
    assert standard_error(results, 1) == pytest.approx(0.15 / 3**0.5)
    assert one_standard_error(results) == 2
    assert one_standard_error(table(scores, C=[100.0, 10.0, 1.0, 0.1])) == 2
    assert one_standard_error(table(scores, C=[0.1, 1.0, 10.0, 100.0])) == 1


def test_only_candidates_with_the_same_other_settings_are_compared():
    scores = [[0.9, 0.7], [0.85, 0.75], [0.85, 0.7]]
    results = table(scores, step__alpha=[1.0, 100.0, 5.0], other=["a", "b", "a"])
    assert one_standard_error(results) == 2


def test_ties_go_to_the_most_regularised():
    scores = [[0.5, 0.7], [0.6, 0.6], [0.5, 0.6]]
    assert most_regularised(table(scores, alpha=[1.0, 3.0, 9.0])) == 1
    assert most_regularised(table(scores, C=[1.0, 3.0, 0.1])) == 0
    assert most_regularised(table(scores, alpha=[0.0, 0.0, 9.0])) == 0


def test_several_parameters_count_by_their_ratios():
    scores = [[0.5, 0.5]] * 3
    results = table(scores, reg_alpha=[1.0, 10.0, 2.0], reg_lambda=[1.0, 1.0, 50.0])
    assert most_regularised(results) == 2


def test_what_regularises_can_be_told():
    results = table([[0.5, 0.5]] * 3, width=[1, 4, 2])
    with pytest.raises(ValueError, match=r"no parameter is known to regularise, of \['width'\]"):
        one_standard_error(results)
    assert one_standard_error(results, stronger={"width": False}) == 0
    assert partial(one_standard_error, stronger={"width": True})(results) == 1


def test_scores_that_are_missing_are_never_chosen():
    results = table([[np.nan, 1.0], [0.5, 0.7], [0.5, 0.6]], alpha=[9.0, 1.0, 2.0])
    assert one_standard_error(results) == 2
    assert one_standard_error(table([[np.nan] * 2] * 2, alpha=[1.0, 2.0])) == 0


def test_an_unknown_metric_is_named():
    with pytest.raises(ValueError, match="metric='r2' was not scored; the scores are score"):
        one_standard_error(table([[0.5, 0.5]], alpha=[1.0]), metric="r2")


def test_our_rules_are_recognised():
    assert rule_of(partial(most_regularised, metric="r2")) == (most_regularised, "r2")
    assert rule_of(one_standard_error) == (one_standard_error, "score")
    for other in (True, False, "r2", max, partial(max)):
        assert rule_of(other) == (None, "score")


def test_a_grid_search_of_scikit_learn_takes_them():
    values = {"alpha": np.geomspace(1e-2, 1e4, 20)}
    own = GridSearchCV(Ridge(), values, cv=CV, refit=one_standard_error).fit(X, Y)
    mine = BAMMSearchCV(Ridge(), values, cv=CV, refit=one_standard_error).fit(X, Y)
    assert own.best_params_ == mine.best_params_
    assert mine.best_score_ == mine.cv_results_["mean_test_score"][mine.best_index_]
    best = mine.cv_results_["mean_test_score"].argmax()
    assert mine.best_score_ >= mine.cv_results_["mean_test_score"][best] - standard_error(
        mine.cv_results_, best
    )
    assert mine.best_params_["alpha"] == mine.best_params_range_["alpha"][1]
    assert best < mine.best_index_


@pytest.mark.parametrize("model", [Ridge(), Lasso(tol=1e-8, max_iter=100_000)])
def test_an_interval_gets_candidates_around_what_was_found(model):
    low, high = 1e-4, 1e5
    search = BAMMSearchCV(model, {"alpha": (low, high)}, cv=CV, refit=one_standard_error).fit(X, Y)
    stage, results = search.cv_results_["stage"], search.cv_results_
    alphas = results["param_alpha"].astype(float)
    assert {"refined", "profile"} <= set(stage)
    assert alphas.min() == low and alphas.max() == high
    # Its choice is what a fine grid of scikit-learn's fits chooses, up to the steps around it.
    grid = {"alpha": np.geomspace(low, high, 80)}
    own = GridSearchCV(model, grid, cv=CV, refit=one_standard_error).fit(X, Y)
    ratio = search.best_params_["alpha"] / own.best_params_["alpha"]
    assert 0.3 < ratio <= 1.1
    plain = BAMMSearchCV(model, {"alpha": (low, high)}, cv=CV).fit(X, Y)
    assert "profile" not in plain.cv_results_["stage"] and plain.best_params_range_ == {}
    refined = alphas[stage == "refined"]
    assert search.best_params_["alpha"] > refined
    below, above = search.best_params_range_["alpha"]
    assert below < refined < above == search.best_params_["alpha"]
    # The profile's scores are those of scikit-learn's own fits.
    some = int(np.flatnonzero(stage == "profile")[5])
    own = GridSearchCV(model, {"alpha": [alphas[some]]}, cv=CV).fit(X, Y)
    assert results["mean_test_score"][some] == pytest.approx(own.best_score_, abs=1e-6)


def test_where_own_fits_serve_the_choice_is_theirs(monkeypatch):
    def over(*args):
        raise OverBudget("own fits are faster")

    monkeypatch.setattr(solving, "budget", over)
    model = Lasso(tol=1e-8, max_iter=100_000)
    search = BAMMSearchCV(model, {"alpha": (1e-4, 1e2)}, cv=CV, refit=one_standard_error).fit(X, Y)
    assert set(search.cv_results_["stage"]) == {"scan", "finer"}
    own = GridSearchCV(model, {"alpha": np.geomspace(1e-4, 1e2, 100)}, cv=CV)
    own.set_params(refit=one_standard_error).fit(X, Y)
    assert 0.3 < search.best_params_["alpha"] / own.best_params_["alpha"] <= 1.1
    assert search.best_params_range_["alpha"][1] == search.best_params_["alpha"]


def test_of_a_pipeline_and_several_metrics():
    data, labels = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    rule = partial(one_standard_error, metric="accuracy")
    search = BAMMSearchCV(
        model, {"logisticregression__C": (1e-3, 1e3)}, cv=StratifiedKFold(4), refit=rule,
        scoring=["neg_log_loss", "accuracy"],
    ).fit(data, labels)  # fmt: skip
    results = search.cv_results_
    best = results["mean_test_accuracy"].argmax()
    assert (
        search.best_params_["logisticregression__C"]
        <= results["params"][best]["logisticregression__C"]
    )
    assert search.best_score_ == results["mean_test_accuracy"][search.best_index_]
    expected = standard_error(results, search.best_index_, "accuracy")
    assert search.best_score_standard_error_ == expected


def test_values_that_are_no_numbers_have_no_range():
    """One penalty for each target: what the joint solve cannot take, own fits can."""
    X, Y = load_linnerud(return_X_y=True)
    grid = {"alpha": [np.array([1.0, 2.0, 3.0]), np.array([1e3, 1e3, 1e3]), 1e2]}
    ours = BAMMSearchCV(Ridge(), grid, cv=3).fit(X, Y)
    own = GridSearchCV(Ridge(), grid, cv=3).fit(X, Y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"]
    )
    assert ours.best_index_ == own.best_index_
    assert ours.best_params_range_ == {}


def test_a_vector_counts_by_its_geometric_mean():
    scores = [[0.5, 0.5]] * 3
    vectors = [np.array([1.0, 4.0]), np.array([1.0, 9.0]), np.array([2.0, 2.0])]
    assert most_regularised(table(scores, alpha=vectors)) == 1
    assert most_regularised(table(scores, C=vectors)) == 0  # of equal ones the first
    assert most_regularised(table(scores, alpha=[*vectors[:2], 3.5])) == 2


def test_a_search_of_a_vector_beside_one_value():
    grids = [{"alpha": (1e-1, 1e3)}, {"alpha": PerGroup(1e-1, 1e3, [0] * 4 + [1] * 6)}]
    search = BAMMSearchCV(Ridge(), grids, refit=one_standard_error, cv=CV).fit(X, Y)
    shapes = {np.shape(value) for value in search.history_["alpha"]}
    assert shapes == {(), (2,)}
    assert len(search.history_["alpha"]) == len(search.history_["seconds"])
