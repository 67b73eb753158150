"""How much the values of a vector are drawn together, and how that is found out."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from skbamm import BAMMSearchCV, PerFeature, PerGroup
from skbamm.shrinkage.path import Check, PathSearch, Shrinkage, _outer_groups
from tests.shrinkage.vectors import REGRESSION, TWO, quick, with_values
from tests.truth import LOSS, assert_true

ERROR = "neg_mean_squared_error"
ENDS = 1e-2, 1e4


def blocks(n=100, seed=0):
    """Three features that count and six of noise, and what they make."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 9))
    return X, X[:, :3] @ [2.0, -2, 2] + rng.normal(size=n)


LABELS = ["counts"] * 3 + ["noise"] * 6


def search_of(model, grid, X, y, fit_params=None, **settings):
    return BAMMSearchCV(model, grid, **settings).fit(X, y, **(fit_params or {}))


@pytest.fixture(scope="module")
def noted():
    """A search with a path of four points, with what was scored on rows left out, and how."""
    notes = []
    score = Check.score

    def noting(self, x):
        notes.append((x[0].numpy().copy(), self.joint.data.splits[0], score(self, x)))
        return notes[-1][2]

    X, y = blocks(60)
    cv = KFold(3, shuffle=True, random_state=0)
    points = ((1.0, 0.0), (0.1, 0.0), (0.1, 2.0))
    with quick(points, outer=5), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Check, "score", noting)
        search = search_of(Ridge(), {"alpha": PerFeature(*ENDS)}, X, y, cv=cv, scoring=ERROR)
    return X, y, list(cv.split(X)), search, notes


def test_what_is_published(noted):
    X, _, splits, search, _ = noted
    found, n = search.shrinkage_, 4
    assert found["parameter"] == "alpha" and found["names"].tolist() == list("012345678")
    spread, freedom = found["spread"], found["freedom"]
    assert spread[0] == np.inf and freedom[0] == 0 and n == len(spread) == len(freedom)
    assert (np.diff(spread) <= 0).all() and (np.diff(freedom) >= 0).all()
    assert found["values"].shape == (n, X.shape[1]) and found["score"].shape == (n, len(splits))
    assert found["criterion"].shape == (n,)
    assert len(set(found["values"][0])) == 1
    assert ((found["values"] >= ENDS[0]) & (found["values"] <= ENDS[1])).all()
    best = found["values"][found["chosen"]]
    np.testing.assert_array_equal(search.best_params_["alpha"], best)
    assert search.dropped_ == found["names"][best == ENDS[1]].tolist()
    assert search.best_score_ == pytest.approx(-found["criterion"][found["chosen"]], rel=1e-5)
    assert_true(search, *noted[:2], cv=splits, scoring=ERROR)


def test_criteria_are_those_of_the_points(noted):
    X, y, splits, search, _ = noted
    for values, got in zip(
        *(search.shrinkage_[n][::2] for n in ("values", "criterion")), strict=True
    ):
        own = with_values(Ridge(), values)
        losses = [np.mean((own.fit(X[a], y[a]).predict(X[b]) - y[b]) ** 2) for a, b in splits]
        assert got == pytest.approx(np.mean(losses), rel=1e-5)


def test_scores_are_on_rows_that_had_no_part(noted):
    """Each outer split's test rows; models are fitted to its training rows."""
    X, y, splits, search, notes = noted
    assert len(notes) == search.shrinkage_["score"].size
    for i, (x, (train, test), score) in enumerate(notes):
        point, outer = divmod(i, len(splits))
        assert score == search.shrinkage_["score"][point, outer]
        np.testing.assert_array_equal(test, np.sort(splits[outer][1]))
        np.testing.assert_array_equal(train, np.sort(splits[outer][0]))
        own = with_values(Ridge(), np.exp(x)).fit(X[train], y[train])
        assert score == pytest.approx(np.mean((own.predict(X[test]) - y[test]) ** 2), rel=1e-5)


def test_the_first_score_is_that_of_a_nested_search_of_one_value(noted):
    X, y, splits, search, notes = noted
    for k, (train, test) in enumerate(splits):
        inner = [
            (np.setdiff1d(a, test), np.setdiff1d(b, test))
            for j, (a, b) in enumerate(splits)
            if j != k
        ]
        one = search_of(Ridge(), {"alpha": ENDS}, X, y, cv=inner, scoring=ERROR)
        np.testing.assert_allclose(np.exp(notes[k][0]), one.best_params_["alpha"], rtol=0.05)
        own = Ridge(alpha=one.best_params_["alpha"]).fit(X[train], y[train])
        error = np.mean((own.predict(X[test]) - y[test]) ** 2)
        assert search.shrinkage_["score"][0, k] == pytest.approx(error, rel=1e-3)


def test_published_values_are_the_means_of_all_splits_and_those_without_one(noted):
    *_, search, notes = noted
    history = search.history_["alpha"]
    for point, values in enumerate(search.shrinkage_["values"]):
        apart = [x for x, *_ in notes[3 * point : 3 * point + 3]]
        full = 4 * np.log(values) - np.sum(apart, 0)  # what is left for all splits
        assert np.abs(np.log(history) - full).max(1).min() < 1e-3


def test_features_of_noise_get_larger_penalties(noted):
    *_, search, _ = noted
    alpha = search.best_params_["alpha"]
    assert alpha[3:].min() > alpha[:3].max()
    assert np.median(alpha[3:]) > 3 * np.median(alpha[:3])
    one = search_of(Ridge(), {"alpha": ENDS}, *noted[:2], cv=noted[2], scoring=ERROR)
    assert search.best_score_ > one.best_score_
    X, y = blocks(2000, 1)
    assert search.score(X, y) > one.score(X, y)


@pytest.mark.parametrize("kind", ["squares", "classes"])
def test_groups_of_noise_get_larger_penalties(kind):
    X, y = blocks()
    model, name, scoring, ends = Ridge(), "alpha", ERROR, ENDS
    if kind == "classes":
        model, name, scoring, ends = LogisticRegression(tol=1e-8), "C", LOSS, (1e-4, 1e2)
        y = (y > 0).astype(int)
    with quick():
        search = search_of(model, {name: PerGroup(*ends, LABELS)}, X, y, cv=3, scoring=scoring)
    counts, noise = search.best_params_[name]
    assert (noise > 10 * counts) if name == "alpha" else (counts > 10 * noise)
    assert search.shrinkage_["names"].tolist() == ["counts", "noise"]
    assert_true(search, X, y, cv=3, scoring=scoring, atol=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_a_target_of_noise_gets_one_value_or_no_worse_models(seed):
    """Values of their own fit the validation rows; rows that nobody has seen tell."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(60, 6)), rng.normal(size=60)
    options = {"cv": 3, "scoring": ERROR}
    with quick():
        search = search_of(Ridge(), {"alpha": PerFeature(*ENDS)}, X, y, **options)
    one = search_of(Ridge(), {"alpha": ENDS}, X, y, **options)
    new, target = rng.normal(size=(2000, 6)), rng.normal(size=2000)
    assert search.score(new, target) >= one.score(new, target) - 0.02


def test_a_log_loss_is_scored_on_rows_left_out_too():
    X, y = TWO[0][:, :3], TWO[1]
    cv = StratifiedKFold(2)
    with quick(points=((0.1, 0.0),)):
        search = search_of(
            LogisticRegression(tol=1e-8), {"C": PerFeature(1e-3, 1e2)}, X, y, cv=cv, scoring=LOSS
        )
    first = search.shrinkage_["values"][0]
    losses = []
    for train, test in cv.split(X, y):
        own = with_values(LogisticRegression(), first).fit(X[train], y[train])
        losses.append(log_loss(y[test], own.predict_proba(X[test])))
    assert search.shrinkage_["criterion"][0] == pytest.approx(np.mean(losses), rel=1e-3)


# Which rows are left out


@pytest.mark.parametrize(
    ("cv", "count", "expected"),
    [
        (ShuffleSplit(1), 5, [[0]]),
        (KFold(2), 5, [[0], [1]]),
        (KFold(5), 5, [[0], [1], [2], [3], [4]]),
        (KFold(7), 5, [[0, 1], [2, 3], [4], [5], [6]]),
        (KFold(5), 2, [[0], [1]]),
        (KFold(12), 2, [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]),
        (KFold(12), 1, [[0]]),
        (LeaveOneOut(), 5, [[*range(k, k + 12)] for k in range(0, 60, 12)]),
        # A fifth of the splits may test on all rows.
        (RepeatedKFold(n_splits=5, n_repeats=5, random_state=0), 5, None),
        (ShuffleSplit(50, test_size=0.2, random_state=0), 5, None),
    ],
    ids=str,
)
def test_groups_of_outer_splits(cv, count, expected):
    splits = list(cv.split(np.zeros(60)))
    groups = _outer_groups(splits, count)
    if expected is not None:
        assert groups == expected
    rows = [len(np.unique(np.concatenate([splits[k][1] for k in group]))) for group in groups]
    assert max(rows) <= max(30, len(splits[0][1])) and len(groups) == min(count, len(splits))


SPLITTERS = {
    "two folds": KFold(2),
    "one split": ShuffleSplit(1, test_size=0.3, random_state=0),
    "predefined": PredefinedSplit([-1] * 40 + [0] * 20),
    "leave one out": LeaveOneOut(),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "in time": TimeSeriesSplit(6, max_train_size=30),
}


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("name", SPLITTERS)
def test_rows_that_are_scored_are_in_no_other_part(name, monkeypatch):
    X, y = (part[:60] for part in REGRESSION)
    if name == "leave one out":
        X, y = X[:16, :3], y[:16]
    cv, parts = SPLITTERS[name], []
    outer = PathSearch._outer

    def noting(self, group):
        found = outer(self, group)
        if found is not None:
            parts.append((found[0].joint.data.splits, found[1].joint.data.splits[0]))
        return found

    monkeypatch.setattr(PathSearch, "_outer", noting)
    with quick(points=((1.0, 0.0),)):
        search = search_of(Ridge(), {"alpha": PerFeature(*ENDS)}, X, y, cv=cv, scoring=ERROR)
    splits = list(cv.split(X))
    seen = set(np.concatenate([np.concatenate(split) for split in splits]))
    assert parts
    for inner, (train, test) in parts:
        assert not set(train) & set(test) and set(train) <= seen
        assert len(inner) >= 2
        for fit, check in inner:
            assert not set(test) & {*fit, *check} and not set(fit) & set(check)
            assert {*fit, *check} <= seen
    assert search.shrinkage_["score"].shape == (2, len(parts))
    assert np.isfinite(search.shrinkage_["score"]).all()
    assert_true(search, X, y, cv=splits, scoring=ERROR)


def test_the_strongest_shrinkage_near_the_best_score_is_chosen():
    path = Shrinkage(score=[np.array(s) for s in ([5.0, 6], [3.1, 4.1], [3, 4.3], [2.9, 4.4])])
    path.choose()
    assert path.chosen == 1  # 3.6 is the best mean
    path = Shrinkage(score=[np.array([v]) for v in (2.0, 1.5, 1.5, 1.6)])
    path.choose()
    assert path.chosen == 1
    path = Shrinkage(score=[np.array(s) for s in ([1.1, 1.0], [1.0, 1.05], [4, 4])])
    path.choose()
    assert path.chosen == 0  # by less than the error of their difference


def test_time_that_is_over_leaves_one_value():
    X, y = REGRESSION
    with pytest.warns(ConvergenceWarning, match="max_time=1e-09 seconds were used"):
        search = search_of(Ridge(), {"alpha": PerFeature(*ENDS)}, X, y, cv=3, max_time=1e-9)
    assert len(set(search.best_params_["alpha"])) == 1
    assert "chosen" not in search.shrinkage_ and not search.converged_  # no path was followed
    again = clone(search).set_params(max_time=None, max_iter=3)
    with quick(points=((0.1, 0.0),)), pytest.warns(UserWarning, match="stopped early"):
        again.fit(X, y)
    assert again.best_params_["alpha"].shape == (6,)


def test_two_fits_are_equal_and_an_earlier_ones_results_go():
    X, y = REGRESSION[0][:, :3], REGRESSION[1]
    search = BAMMSearchCV(Ridge(), {"alpha": PerFeature(*ENDS)}, cv=2)
    with quick(points=((0.1, 1.0),)):
        one = search.fit(X, y).shrinkage_
        two = search.fit(X, y).shrinkage_
    for name in ("values", "score", "criterion"):
        np.testing.assert_array_equal(one[name], two[name])
    search.set_params(param_grid={"alpha": [1.0]}).fit(X, y)
    assert not hasattr(search, "shrinkage_") and not hasattr(search, "dropped_")
    assert torch.get_default_dtype() is torch.float32
