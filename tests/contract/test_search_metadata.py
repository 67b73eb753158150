"""Weights, groups and metadata routing in BAMMSearchCV."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    GRID,
    GROUPS,
    LOSS,
    WEIGHT,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    assert_same_failure,
    assert_same_table,
    fit_both,
    logistic,
    outcome,
    ridge,
    roles,
)
from tests.versions import SKLEARN

scorers_get_weights = pytest.mark.skipif(
    SKLEARN < (1, 7), reason="before 1.7 no sample_weight is passed on to scorers"
)


def weighted_scores(model, X, y, weight, cv):
    """Score each fold with weights in the fit and in the score, by hand."""
    scores = []
    for train, test in cv.split(X, y):
        fitted = clone(model).fit(X[train], y[train], sample_weight=weight[train])
        probability = fitted.predict_proba(X[test])
        scores.append(-log_loss(y[test], probability, sample_weight=weight[test]))
    return np.array(scores)


@scorers_get_weights
def test_sample_weight_reaches_fit_and_score(values):
    fit_params = {"sample_weight": WEIGHT}
    ours, theirs = fit_both(logistic(), GRID, X_CLASS, Y_MULTI, fit_params, **LOSS)
    assert_same_table(ours, theirs)
    assert roles(ours) == {"C": "joint grid"}
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS)
    search.fit(X_CLASS, Y_MULTI, **fit_params)
    scores = weighted_scores(search.best_estimator_, X_CLASS, Y_MULTI, WEIGHT, StratifiedKFold(3))
    assert search.best_score_ == pytest.approx(scores.mean(), abs=1e-6)
    alone = clone(search.best_estimator_).fit(X_CLASS, Y_MULTI, **fit_params)
    np.testing.assert_allclose(search.best_estimator_.coef_, alone.coef_, atol=1e-5)


def test_sample_weight_of_ridge():
    fit_params = {"sample_weight": np.linspace(0, 2, len(Y_REG))}
    grid = {"alpha": [0.01, 0.1, 1.0]}
    assert_same_table(*fit_both(ridge(), grid, X_REG, Y_REG, fit_params, cv=4))


def test_sample_weight_of_a_step():
    pipeline = make_pipeline(StandardScaler(), logistic())
    grid = {"logisticregression__C": [0.1, 1.0]}
    fit_params = {"logisticregression__sample_weight": WEIGHT}
    assert_same_table(*fit_both(pipeline, grid, X_CLASS, Y_MULTI, fit_params, **LOSS))


def test_no_sample_weight_is_like_none_given(values):
    plain, none = (
        BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X_CLASS, Y_BINARY, **fit_params)
        for fit_params in ({}, {"sample_weight": None})
    )
    assert plain.best_score_ == none.best_score_


@scorers_get_weights
def test_weights_of_zero_are_like_absent_rows(values):
    keep = WEIGHT > 0
    splits = list(StratifiedKFold(3).split(X_CLASS, Y_BINARY))
    position = np.cumsum(keep) - 1
    fewer = [tuple(position[part[keep[part]]] for part in split) for split in splits]
    settings = {"scoring": "neg_log_loss"}
    weighted = BAMMSearchCV(logistic(), {"C": values}, cv=splits, **settings)
    weighted.fit(X_CLASS, Y_BINARY, sample_weight=WEIGHT)
    absent = BAMMSearchCV(logistic(), {"C": values}, cv=fewer, **settings)
    absent.fit(X_CLASS[keep], Y_BINARY[keep], sample_weight=WEIGHT[keep])
    assert weighted.best_score_ == pytest.approx(absent.best_score_, abs=1e-5)


@scorers_get_weights
def test_weights_the_scorer_ignores_are_warned_of(values):
    def scorer(estimator, X, y):
        return -log_loss(y, estimator.predict_proba(X))

    search = BAMMSearchCV(logistic(), {"C": values}, scoring=scorer, cv=3)
    with pytest.warns(UserWarning, match="does not support sample_weight"):
        search.fit(X_CLASS, Y_BINARY, sample_weight=WEIGHT)


@pytest.mark.parametrize("fit, score", [(True, True), (True, False), (False, True)])
def test_routed_sample_weight(fit, score):
    with config_context(enable_metadata_routing=True):
        model = logistic().set_fit_request(sample_weight=fit).set_score_request(sample_weight=score)
        settings = {"cv": 3}
        fit_params = {"sample_weight": WEIGHT}
        ours, theirs = fit_both(model, GRID, X_CLASS, Y_MULTI, fit_params, **settings)
        np.testing.assert_allclose(
            ours.best_estimator_.coef_, theirs.best_estimator_.coef_, atol=1e-5
        )
        weight = fit_params if score else {}
        assert ours.score(X_CLASS, Y_MULTI, **weight) == theirs.score(X_CLASS, Y_MULTI, **weight)
        assert_same_table(ours, theirs, atol=0.02)  # a row of accuracy may flip


def test_routed_sample_weight_by_interval():
    with config_context(enable_metadata_routing=True):
        model = logistic().set_fit_request(sample_weight="weight")
        search = BAMMSearchCV(model, {"C": (1e-2, 1e2)}, **LOSS)
        search.fit(X_CLASS, Y_MULTI, weight=WEIGHT)
        scores = cross_val_score(
            clone(search.best_estimator_), X_CLASS, Y_MULTI, **LOSS, params={"weight": WEIGHT}
        )
        assert search.best_score_ == pytest.approx(scores.mean(), abs=1e-6)


def test_routing_of_nothing(values):
    with config_context(enable_metadata_routing=True):
        search = BAMMSearchCV(ridge(), {"alpha": values}, cv=3).fit(X_REG, Y_REG)
    plain = BAMMSearchCV(ridge(), {"alpha": values}, cv=3).fit(X_REG, Y_REG)
    assert search.best_score_ == plain.best_score_


def test_routing_errors(values):
    with config_context(enable_metadata_routing=True):
        for fit_params in ({"sample_weight": WEIGHT}, {"foo": WEIGHT}, {"groups": GROUPS}):
            assert_same_failure(
                lambda cls: cls(logistic(), GRID, cv=3),
                lambda s, kw=fit_params: s.fit(X_CLASS, Y_BINARY, **kw),
            )
            search = BAMMSearchCV(logistic(), {"C": values}, cv=3)
            assert outcome(search, lambda s, kw=fit_params: s.fit(X_CLASS, Y_BINARY, **kw))
    ours, theirs = (cls(logistic(), GRID, cv=3) for cls in (BAMMSearchCV, GridSearchCV))
    assert type(ours.get_metadata_routing()) is type(theirs.get_metadata_routing())


def test_groups(values):
    settings = {"scoring": "neg_log_loss", "cv": GroupKFold(3)}
    assert_same_failure(
        lambda cls: cls(logistic(), GRID, **settings), lambda s: s.fit(X_CLASS, Y_BINARY)
    )
    with pytest.raises(ValueError, match="The 'groups' parameter should not be None"):
        BAMMSearchCV(logistic(), {"C": values}, **settings).fit(X_CLASS, Y_BINARY)
    search = BAMMSearchCV(logistic(), {"C": values}, **settings)
    search.fit(X_CLASS, Y_BINARY, groups=GROUPS)
    scores = cross_val_score(
        clone(search.best_estimator_), X_CLASS, Y_BINARY, groups=GROUPS, **settings
    )
    assert search.best_score_ == pytest.approx(scores.mean(), abs=1e-6)


def test_groups_in_nested_cross_validation(values):
    with config_context(enable_metadata_routing=True):
        search = BAMMSearchCV(logistic(), {"C": values}, scoring="neg_log_loss", cv=GroupKFold(2))
        scores = cross_validate(
            search, X_CLASS, Y_BINARY, params={"groups": GROUPS}, cv=GroupKFold(3)
        )["test_score"]
        assert np.isfinite(scores).all()


def test_scalars_and_callables_among_fit_parameters():
    class Picky(ClassifierMixin, BaseEstimator):
        def __init__(self, a=0):
            self.a = a

        def fit(self, X, y, pair=None, scale=None, hook=None):
            assert len(pair[0]) == 2
            assert scale == 3
            assert callable(hook)
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    pair = (np.zeros((2, 13)), np.zeros(2))
    search = BAMMSearchCV(Picky(), {"a": [1, 2]}, cv=3, error_score="raise")
    search.fit(X_CLASS, Y_BINARY, pair=pair, scale=3, hook=len)
    assert roles(search) == {"a": "enumerated"}


@pytest.mark.parametrize("asked", [False, True, "of_rows"], ids=str)
def test_each_of_several_scorers_has_weights_of_its_own(asked):
    # The criterion of an interval follows the scorer that selects, whatever another asks for.
    with config_context(enable_metadata_routing=True):
        model = logistic().set_fit_request(sample_weight=True)
        selects = get_scorer("neg_log_loss").set_score_request(sample_weight=asked)
        beside = get_scorer("accuracy").set_score_request(sample_weight=True)
        given = {"sample_weight": WEIGHT}
        if asked == "of_rows":
            given["of_rows"] = WEIGHT[::-1]
        alone = BAMMSearchCV(model, {"C": (1e-3, 1e2)}, scoring=selects, cv=3)
        several = clone(alone).set_params(scoring={"a": beside, "b": selects}, refit="b")
        alone.fit(X_CLASS, Y_BINARY, **{n: w for n, w in given.items() if asked or n != "of_rows"})
        several.fit(X_CLASS, Y_BINARY, **given)
    assert several.best_params_["C"] == pytest.approx(alone.best_params_["C"], rel=1e-3)
    assert several.best_score_ == pytest.approx(alone.best_score_, abs=1e-6)
