"""Learned sample weights, seen from outside: what they find, what fits receive, what is refused."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skbamm import BAMMSearchCV, SampleWeights, one_standard_error
from skbamm.search import factory
from skbamm.search.weighing import fold_models, learning, partitions
from skbamm.search.weighing.gate import Gate

INTERVAL = {"C": (1e-3, 1e2)}
N = 180


class Noisy:
    """Digits 0 to 2 with a quarter of the labels flipped, and as many clean ones for tests."""

    def __init__(self):
        X, y = load_digits(n_class=3, return_X_y=True)
        rng = np.random.default_rng(0)
        rows = rng.permutation(len(y))
        X, y = X[rows] / 16, y[rows]
        self.X, self.true = X[:N], y[:N]
        self.X_test, self.y_test = X[N : 2 * N], y[N : 2 * N]
        self.wrong = np.zeros(N, bool)
        self.wrong[rng.choice(N, N // 4, replace=False)] = True
        self.y = np.where(self.wrong, (self.true + rng.integers(1, 3, N)) % 3, self.true)


@pytest.fixture(scope="module")
def noisy():
    """Three classes, a quarter of the labels wrong."""
    return Noisy()


def search_for(estimator=None, grid=None, fit=(), **weights):
    """An unfitted search with learned weights."""
    model = LogisticRegression(max_iter=1000) if estimator is None else estimator
    options = {"cv": 3, **dict(fit)}
    grid = INTERVAL if grid is None else grid
    return BAMMSearchCV(model, grid, sample_weights=SampleWeights(**weights), **options)


@pytest.fixture(scope="module")
def fitted(noisy):
    """A search with one free weight a row."""
    return search_for().fit(noisy.X, noisy.y)


def assert_finds(search, noisy, f1=0.9):
    assert f1_score(noisy.wrong, search.label_issues_) > f1
    assert roc_auc_score(noisy.wrong, -search.label_quality_) > 0.95


def test_wrong_labels_are_found(fitted, noisy):
    assert_finds(fitted, noisy)
    assert fitted.label_quality_.min() >= 0
    assert fitted.label_quality_.max() <= 1
    np.testing.assert_array_equal(fitted.label_issues_, fitted.label_quality_ < 0.5)


def test_final_model_is_better_for_it(fitted, noisy):
    plain = BAMMSearchCV(LogisticRegression(max_iter=1000), INTERVAL, cv=3).fit(noisy.X, noisy.y)
    assert fitted.score(noisy.X_test, noisy.y_test) > plain.score(noisy.X_test, noisy.y_test)


def test_refit_is_the_estimators_own_with_sample_weight(fitted, noisy):
    assert fitted.sample_weight_.mean() == pytest.approx(1)
    model = clone(fitted.best_estimator_).set_params(tol=1e-8)
    model.fit(noisy.X, noisy.y, sample_weight=fitted.sample_weight_)
    np.testing.assert_allclose(
        model.predict_proba(noisy.X), fitted.predict_proba(noisy.X), rtol=0, atol=2e-3
    )


@pytest.fixture(params=["few", "many"])
def amount(request, monkeypatch):
    """As many rows as there are, and the way that many rows go."""
    if request.param == "many":
        for module in (partitions, fold_models, learning):
            monkeypatch.setattr(module, "MANY", 1)
        monkeypatch.setattr(fold_models, "enough_rows", lambda rows: 100)
    return request.param


@pytest.mark.parametrize("model", [None, make_pipeline(StandardScaler(), LogisticRegression())])
def test_some_of_many_rows_tell_which_labels_of_all_are_wrong(monkeypatch, noisy, model):
    seen = []
    own = fold_models.learn

    def learn(model, x, *, kind, some, **options):
        few, drawn = some
        assert few.rows.n_folds == model.rows.n_folds
        assert len(few.target) == len(drawn)
        torch.testing.assert_close(few.target, model.target[drawn])
        assert bool((model.share[drawn] > 0).all())  # none of the fold that is left out
        seen.append((kind, model.rows.n_folds, len(drawn), len(model.target)))
        return own(model, x, kind=kind, some=some, **options)

    for module in (partitions, fold_models, learning):
        monkeypatch.setattr(module, "MANY", 1)
    monkeypatch.setattr(fold_models, "enough_rows", lambda rows: 100)
    monkeypatch.setattr(fold_models, "learn", learn)
    grid = INTERVAL if model is None else {"logisticregression__C": INTERVAL["C"]}
    search = search_for(model, grid, fit={"cv": 5}).fit(noisy.X, noisy.y)
    assert seen == 5 * [(None, 4, 100, N)] + [("free", 5, 100, N)]
    assert_finds(search, noisy, f1=0.85)


def test_scores_are_of_fold_weights_that_saw_no_test_label(amount, noisy):
    search = search_for(
        LogisticRegression(max_iter=1000, tol=1e-8), fit={"scoring": "neg_log_loss"}
    )
    search.fit(noisy.X, noisy.y)
    scores = []
    for k, (train, test) in enumerate(StratifiedKFold(3).split(noisy.X, noisy.y)):
        weight = search.fold_sample_weight_[train, k]
        assert weight.mean() == pytest.approx(1)
        model = clone(search.best_estimator_).fit(
            noisy.X[train], noisy.y[train], sample_weight=weight
        )
        scores.append(-log_loss(noisy.y[test], model.predict_proba(noisy.X[test])))
    assert search.weights_score_ == search.best_score_
    assert search.best_score_ == pytest.approx(np.mean(scores), rel=1e-5)


def test_the_score_of_the_weights_is_that_of_a_rule_for_the_refit(noisy):
    search = search_for(LogisticRegression(), fit={"refit": one_standard_error})
    search.fit(noisy.X, noisy.y)
    assert search.weights_score_ == search.best_score_


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_outliers_that_move_the_first_models_are_found(share):
    rng = np.random.default_rng(1)
    X, off = rng.normal(size=(120, 6)), rng.random(120) < share
    y = X[:, 0] + np.where(off, 20, 0) + 0.1 * rng.normal(size=120)
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e2)}, sample_weights=SampleWeights())
    search.fit(X, y)
    assert search.label_issues_[off].all()
    assert search.label_issues_[~off].mean() < 0.1


def test_a_target_without_any_error_has_no_outlier():
    X = np.random.default_rng(0).normal(size=(120, 6))
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e2)}, sample_weights=SampleWeights())
    assert not search.fit(X, np.full(120, 3.0)).label_issues_.any()


CHOICE = {"kind": ["score", "free"], "prior": 0.5}


def assert_blind(X, y, cv, k, flips, **how):
    """Labels of the test rows of fold k change the weights of other folds only."""
    train, test = cv[k]
    before = search_for(fit={"cv": cv}, **how).fit(X, y).fold_sample_weight_
    for flipped in flips(test):
        other = y.copy()
        other[flipped] = (y[flipped] + 1) % (y.max() + 1)
        after = search_for(fit={"cv": cv}, **how).fit(X, other).fold_sample_weight_
        np.testing.assert_allclose(after[train, k], before[train, k], rtol=0, atol=1e-10)
        yield before, after


# Many rows are thinned out before anything is learned, whatever is chosen.
@pytest.mark.parametrize(
    ("how", "amount"),
    [({}, "few"), (CHOICE, "few"), ({}, "many")],
    ids=["one kind", "a choice", "many"],
    indirect=["amount"],
)
def test_weights_of_a_fold_do_not_depend_on_its_test_labels(how, amount, noisy):
    """Nor do the penalty, the kind and the prior that they are learned with."""
    few, flips = slice(None), lambda test: (test[:1], test)
    if how:  # a choice takes its time
        few, flips = slice(60), lambda test: (test,)
    X, y = noisy.X[few], noisy.y[few]
    cv = list(KFold(3).split(X))
    for before, after in assert_blind(X, y, cv, 1, flips, **how):
        assert np.abs(after[:, 0] - before[:, 0]).max() > 1e-6  # other folds learn from them


@pytest.mark.parametrize("strength, seed", [(0.0, 0), (3.0, 0)])
def test_nor_does_the_gate_of_a_fold(strength, seed, monkeypatch):
    X, y = weakly_predictable(160, 4, strength, 2, seed)
    asked, own = [], Gate.between

    def between(*likelihoods):
        asked.append(own(*likelihoods).weights)
        return own(*likelihoods)

    monkeypatch.setattr(Gate, "between", between)
    cv = list(KFold(4).split(X))
    assert len(list(assert_blind(X, y, cv, 2, lambda test: (test,)))) == 1
    assert len(asked) == 2 * (4 + 1)  # each fold's and the final one, in both searches


def test_clean_labels_keep_their_rows(noisy):
    search = search_for().fit(noisy.X, noisy.true)
    assert search.label_issues_.mean() <= 0.02
    assert np.median(search.sample_weight_) == pytest.approx(1, abs=0.1)
    assert search.weights_params_["weights"] in ("none", "learned")


def test_every_form_of_the_data_gives_the_same(fitted, noisy):
    names = np.array(["nought", "one", "two"])
    frame = pd.DataFrame(noisy.X, columns=[f"pixel {i}" for i in range(64)])
    for X, y in ((frame, pd.Series(names[noisy.y])), (sp.csr_array(noisy.X), names[noisy.y])):
        other = search_for().fit(X, y)
        np.testing.assert_allclose(other.label_quality_, fitted.label_quality_, atol=1e-3)
        assert set(other.classes_) == set(names)
        assert_finds(other, noisy)


def test_pipeline_hands_weights_to_its_last_step(noisy):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    search = search_for(model, {"logisticregression__C": (1e-3, 1e2)}).fit(noisy.X, noisy.y)
    assert_finds(search, noisy, 0.85)
    again = clone(search.best_estimator_).fit(
        noisy.X, noisy.y, logisticregression__sample_weight=search.sample_weight_
    )
    assert (again.predict(noisy.X_test) == search.predict(noisy.X_test)).mean() > 0.99


def test_any_estimator_by_way_of_a_proxy(noisy):
    forest = RandomForestClassifier(30, max_depth=6, random_state=0)
    proxy = LogisticRegression(max_iter=1000)
    search = search_for(forest, {"max_depth": [3, 6]}, proxy=proxy, proxy_grid=INTERVAL)
    search.fit(noisy.X, noisy.y)
    assert_finds(search, noisy)
    again = clone(search.best_estimator_).fit(noisy.X, noisy.y, sample_weight=search.sample_weight_)
    np.testing.assert_array_equal(
        again.predict_proba(noisy.X_test), search.predict_proba(noisy.X_test)
    )
    assert len(search.cv_results_["params"]) == 2


def test_proxy_learns_the_same_in_workers(noisy):
    forest = RandomForestClassifier(5, random_state=0)
    scores = [
        search_for(forest, {"max_depth": [2]}, fit={"n_jobs": n}, proxy=LogisticRegression())
        .fit(noisy.X, noisy.y)
        .best_score_
        for n in (None, 2)
    ]
    assert scores[0] == scores[1]


def test_groups_get_one_weight_each(noisy):
    rng = np.random.default_rng(1)
    group = rng.integers(0, 4, N)
    y = np.where(group == 2, rng.integers(0, 3, N), noisy.true)  # one annotator guesses
    names = np.array(["ann", "bob", "cy", "di"])[group]
    search = search_for(kind="groups").fit(noisy.X, y, groups=names)
    weight = [np.unique(search.sample_weight_[group == g].round(9)) for g in range(4)]
    assert all(len(w) == 1 for w in weight)
    assert weight[2][0] < 0.5 * min(weight[g][0] for g in (0, 1, 3))
    trace = search.history_["group_weight"]
    assert trace.shape == (len(search.history_["weights_criterion"]), 4)


def test_groups_also_reach_a_splitter_of_groups(noisy):
    group = np.arange(N) % 6
    search = search_for(kind="groups", fit={"cv": GroupKFold(3)})
    search.fit(noisy.X, noisy.true, groups=group)
    # Nobody guesses: no group loses its weight.
    assert search.sample_weight_.min() > 0.9


def test_trusted_rows_are_kept_and_scored_on(noisy):
    trusted = ~noisy.wrong & (np.arange(N) % 3 == 0)
    for given in (trusted, PredefinedSplit(np.where(trusted, 0, -1))):
        search = search_for(trusted=given).fit(noisy.X, noisy.y)
        assert (search.label_quality_[trusted] == 1).all()
        assert not search.label_issues_[trusted].any()
        for k in range(3):
            of_class = search.sample_weight_[noisy.y == k]
            np.testing.assert_allclose(
                search.sample_weight_[trusted & (noisy.y == k)], of_class.max(), rtol=1e-9
            )
        assert search.sample_weight_[trusted][0] == search.sample_weight_.max()
        assert search.best_score_ > 0.93  # the labels that it is scored on are right


def test_trusted_rows_may_be_left_out_of_the_refit(noisy):
    trusted = ~noisy.wrong & (np.arange(N) % 3 == 0)
    search = search_for(trusted=trusted, refit_on_trusted=False).fit(noisy.X, noisy.y)
    assert (search.sample_weight_[trusted] == 0).all()
    assert search.sample_weight_.mean() == pytest.approx(1)


def test_trusted_rows_at_the_end_are_in_every_fold(noisy):
    order = np.argsort(np.arange(N) % 3 == 0, kind="stable")
    X, y = (
        noisy.X[order],
        np.where(np.sort(np.arange(N) % 3 == 0), noisy.true[order], noisy.y[order]),
    )
    search = search_for(trusted=np.sort(np.arange(N) % 3 == 0)).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_given_weights_multiply_the_learned_ones(noisy):
    given = np.random.default_rng(0).integers(1, 3, N).astype(float)
    search = search_for().fit(noisy.X, noisy.y, sample_weight=given)
    assert search.sample_weight_.mean() == pytest.approx(given.mean())
    ratio = search.sample_weight_ / given
    assert ratio[~noisy.wrong].mean() > 5 * ratio[noisy.wrong].mean()


def test_outliers_of_a_regression_are_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    clean = X @ rng.normal(size=5)
    y = clean + 0.3 * rng.normal(size=200)
    wrong = np.zeros(200, bool)
    wrong[rng.choice(200, 30, replace=False)] = True
    y[wrong] += 8 * rng.choice([-1, 1], 30)
    search = search_for(Ridge(), {"alpha": (1e-3, 1e3)}).fit(X, y)
    assert f1_score(wrong, search.label_issues_) > 0.95
    plain = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e3)}, cv=3).fit(X, y)
    assert np.square(search.predict(X) - clean).sum() < np.square(plain.predict(X) - clean).sum()


def test_imbalanced_classes(noisy):
    keep = np.flatnonzero((noisy.true != 0) | (np.arange(N) % 4 == 0))
    search = search_for(fit={"scoring": "balanced_accuracy"}).fit(noisy.X[keep], noisy.y[keep])
    assert f1_score(noisy.wrong[keep], search.label_issues_) > 0.85


@pytest.mark.parametrize("cv", [ShuffleSplit(3, random_state=0), KFold(2)])
def test_any_splitter(cv, noisy):
    assert_finds(search_for(fit={"cv": cv}).fit(noisy.X, noisy.y), noisy, 0.8)


def test_lists_and_fixed_penalties(noisy):
    for grid in ({"C": [0.1, 1.0, 10.0]}, {}):
        search = search_for(grid=grid).fit(noisy.X, noisy.y)
        assert_finds(search, noisy)
        assert len(search.cv_results_["params"]) == max(1, len(grid.get("C", [])))


def test_kinds_and_priors_are_chosen_by_rows_that_they_did_not_see(noisy):
    X, y = noisy.X[:120], noisy.y[:120]
    search = search_for(kind=["score", "free"], prior=[0.15, 1e3]).fit(X, y)
    chosen = {name: search.weights_params_[name] for name in ("kind", "prior")}
    single = search_for(**chosen).fit(X, y)
    np.testing.assert_array_equal(single.sample_weight_, search.sample_weight_)
    assert f1_score(noisy.wrong[:120], search.label_issues_) > 0.85


def test_class_weight_of_the_estimator(noisy):
    model = LogisticRegression(max_iter=5000, class_weight="balanced", tol=1e-8)
    search = search_for(model).fit(noisy.X, noisy.y)
    again = clone(search.best_estimator_)
    again.fit(noisy.X, noisy.y, sample_weight=search.sample_weight_)
    np.testing.assert_allclose(
        again.predict_proba(noisy.X), search.predict_proba(noisy.X), rtol=0, atol=2e-5
    )


def test_same_again(fitted, noisy):
    again = clone(fitted).fit(noisy.X, noisy.y)
    np.testing.assert_array_equal(again.sample_weight_, fitted.sample_weight_)


def test_without_sample_weights_there_is_nothing_of_them(noisy):
    search = BAMMSearchCV(LogisticRegression(), INTERVAL, cv=3).fit(noisy.X, noisy.true)
    for name in ("sample_weight_", "label_quality_", "label_issues_", "weights_score_"):
        assert not hasattr(search, name)


@pytest.mark.parametrize(
    ("estimator", "weights", "message"),
    [
        (KNeighborsClassifier(), {}, "KNeighborsClassifier.fit does not accept sample_weight"),
        (SVC(), {}, "proxy=LogisticRegression"),
        (SVC(), {"proxy": Ridge()}, "both be classifiers"),
        (SVC(), {"proxy": RidgeClassifier()}, "proxy=LogisticRegression"),
        (PoissonRegressor(), {}, "proxy"),
        (LogisticRegression(), {"kind": "some"}, "kind must be one of"),
        (LogisticRegression(), {"kind": "groups"}, "groups=..."),
        (LogisticRegression(), {"trusted": np.ones(7, bool)}, "180 rows"),
    ],
)
def test_what_cannot_be_is_refused_by_name(estimator, weights, message, noisy):
    with pytest.raises(ValueError, match=message):
        search_for(estimator, {}, **weights).fit(noisy.X, noisy.y)


def test_regression_targets_with_a_classifier(noisy):
    with pytest.raises(ValueError, match="Unknown label type"):
        search_for(fit={"cv": KFold(3)}).fit(noisy.X, np.linspace(0, 1, N))


def test_regression_with_a_criterion_of_classes(noisy):
    search = search_for(Ridge(), {"alpha": (1e-3, 1e3)}, fit={"criterion": "expected_error"})
    with pytest.raises(ValueError, match="expected_error"):
        search.fit(noisy.X, noisy.X[:, 20])


def test_weights_for_other_rows(noisy):
    with pytest.raises(ValueError, match="sample_weight"):
        search_for().fit(noisy.X, noisy.y, sample_weight=np.ones(7))


def test_a_class_without_any_weight(noisy):
    with pytest.raises(ValueError, match="class 2 has weight zero"):
        search_for().fit(noisy.X, noisy.y, sample_weight=(noisy.y != 2).astype(float))


def test_no_target(noisy):
    with pytest.raises(ValueError, match="y"):
        search_for().fit(noisy.X)


def weakly_predictable(n, n_features, strength, classes, seed):
    """Labels drawn from the probabilities of a linear model: none is wrong."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    p = softmax(X @ rng.normal(size=(n_features, classes)) * strength / n_features**0.5, axis=1)
    return X, (p.cumsum(1) < rng.random((n, 1))).sum(1)


@pytest.mark.parametrize(
    "strength, classes, seed",
    [(0.0, 2, 0), (0.5, 2, 0), (0.5, 2, 1), (0.5, 3, 0), (2.0, 3, 0)],
    ids=["chance", "weak", "weak, other rows", "weak, three classes", "stronger"],
)
def test_labels_that_are_hard_to_predict_are_not_called_wrong(strength, classes, seed):
    X, y = weakly_predictable(500, 10, strength, classes, seed)
    search = search_for(fit={"cv": 5}).fit(X, y)
    assert search.label_issues_.mean() <= 0.02
    assert search.weights_params_["evidence"] < 4


def test_no_weights_are_told_and_are_the_search_without_them(capsys, monkeypatch):
    """If held-out labels speak for no noise, the result is that of a search without weights."""
    monkeypatch.setattr(Gate, "between", lambda *likelihoods: Gate("none", -3.0))
    X, y = weakly_predictable(160, 4, 2.0, 2, 0)
    same = {"cv": 4, "scoring": "neg_log_loss"}
    search = search_for(fit={**same, "verbose": 1}).fit(X, y)
    reason = search.weights_params_["reason"]
    assert reason.startswith("no weights: ") and reason in capsys.readouterr().out
    assert search.weights_params_["weights"] == "none"
    np.testing.assert_array_equal(search.sample_weight_, 1)
    plain = BAMMSearchCV(LogisticRegression(max_iter=1000), INTERVAL, **same).fit(X, y)
    assert search.best_params_["C"] == pytest.approx(plain.best_params_["C"], rel=0.02)
    assert search.best_score_ == pytest.approx(plain.best_score_, rel=1e-4)
    assert not search.label_issues_.any()
    assert len(np.unique(search.label_quality_)) > 100  # the order can be told all the same


def test_rows_are_left_out_where_that_is_likelier_than_weights(noisy, monkeypatch):
    monkeypatch.setattr(Gate, "between", lambda *likelihoods: Gate("pruned", 30.0))
    search = search_for(fit={"cv": 4}).fit(noisy.X, noisy.y)
    assert search.weights_params_["weights"] == "pruned"
    out = search.sample_weight_ < 0.01
    for kept in (search.sample_weight_[~out & (noisy.y == c)] for c in range(3)):
        assert kept.max() == pytest.approx(kept.min())
    # Some odds are taken off what is told of the rows: all that are called wrong are left out.
    assert out[search.label_issues_].all()
    assert f1_score(noisy.wrong, out) > 0.8


@pytest.mark.parametrize(
    "rates", [(0.4, 0.4), (0.05, 0.45), (0.45, 0.05)], ids=["even", "one class", "the other"]
)
def test_two_classes_with_many_wrong_labels(rates):
    """Neither class gives way to the other, whichever of them has more wrong labels."""
    X, y = load_breast_cancer(return_X_y=True)
    X, rng = StandardScaler().fit_transform(X), np.random.default_rng(0)
    rows = rng.permutation(len(y))
    given = y.copy()
    for k, rate in enumerate(rates):
        of_class = rows[:300][y[rows[:300]] == k]
        given[of_class[: round(rate * len(of_class))]] = 1 - k
    train, test = rows[:300], rows[300:]
    search = search_for(fit={"cv": 5}).fit(X[train], given[train])
    wrong = (y != given)[train]
    assert roc_auc_score(wrong, -search.label_quality_) > 0.93
    assert balanced_accuracy_score(y[test], search.predict(X[test])) > 0.9


class Noting(StandardScaler):
    """Notes the rows that it is fitted to."""

    seen: ClassVar[list] = []

    def fit(self, X, y=None):
        self.seen.append(X.tobytes())
        return super().fit(X, y)


def test_transformers_are_fitted_once_for_each_set_of_training_rows(binary):
    X, y = binary
    Noting.seen.clear()
    model = make_pipeline(Noting(), LogisticRegression())
    BAMMSearchCV(model, {"logisticregression__C": (1e-3, 1e2)}, sample_weights=SampleWeights()).fit(
        X, y
    )
    assert len(Noting.seen) == len(set(Noting.seen)) > 2 * 5  # those of folds within folds


def test_all_splits_share_one_matrix(binary, monkeypatch):
    placed, original = [], factory.place
    monkeypatch.setattr(factory, "place", lambda *args: placed.append(1) or original(*args))
    BAMMSearchCV(LogisticRegression(), INTERVAL, sample_weights=SampleWeights()).fit(*binary)
    assert len(placed) == 1


def test_codes_among_numbers_have_no_weight():
    """An error of a million standard deviations outweighs all other rows at any weight."""
    X, y = make_regression(620, 8, noise=5, random_state=0)
    y = y / y.std()
    fresh, truth, X, y = X[120:], y[120:], X[:120], y[:120]
    wrong = np.random.default_rng(1).random(120) < 0.1
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e3)}, sample_weights=SampleWeights())
    search.fit(X, np.where(wrong, 999999.0, y))
    assert search.label_issues_[wrong].all() and search.label_issues_[~wrong].mean() < 0.05
    assert (search.sample_weight_[wrong] == 0).all()
    assert search.score(fresh, truth) > 0.99
