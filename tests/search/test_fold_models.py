"""Models of the splits and out-of-fold predictions, against scikit-learn's cross_val_predict."""

import gc
import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skbamm import BAMMSearchCV, PerFeature, SampleWeights
from tests.contract.comparison import roles

X_REG, Y_REG = load_diabetes(return_X_y=True)
X_REG, Y_REG = StandardScaler().fit_transform(X_REG)[::2], Y_REG[::2]
X, Y = load_breast_cancer(return_X_y=True)
X, Y = StandardScaler().fit_transform(X)[::3, :8], Y[::3]
FLOWERS, KINDS = load_iris(return_X_y=True)
SPLITS = KFold(4, shuffle=True, random_state=0)
LOGISTIC = LogisticRegression(tol=1e-10, max_iter=5000)


def searched(model, grid, X, y, method="predict", cv=SPLITS, fit_params=None, **more):
    search = BAMMSearchCV(model, grid, cv=cv, return_estimator=True, return_oof=method, **more)
    return search.fit(X, y, **(fit_params or {}))


def own_predictions(search, X, y, method="predict", cv=SPLITS, **more):
    model = clone(search.estimator).set_params(**search.best_params_)
    return cross_val_predict(model, X, y, cv=cv, method=method, **more)


@pytest.mark.parametrize("values", [[0.1, 1.0, 10.0], (1e-3, 1e3)], ids=["list", "interval"])
@pytest.mark.parametrize(
    "model, name, method, rows, labels",
    [
        (Ridge(), "alpha", "predict", X_REG, Y_REG),
        (Lasso(tol=1e-10), "alpha", "predict", X_REG, Y_REG),
        (KernelRidge(kernel="rbf"), "alpha", "predict", X_REG, Y_REG),
        (Ridge(), "alpha", "predict", X_REG, np.column_stack([Y_REG, X_REG[:, 0]])),
        (LOGISTIC, "C", "predict", X, np.array(["bad", "good"])[Y]),
        (LOGISTIC, "C", "predict_proba", FLOWERS, KINDS),
        (LOGISTIC, "C", "predict_log_proba", X, Y),
        (LOGISTIC, "C", "decision_function", X, Y),
        (RidgeClassifier(), "alpha", "decision_function", FLOWERS, KINDS),
        (make_pipeline(StandardScaler(), LOGISTIC), "logisticregression__C", "predict_proba", X, Y),
        (LOGISTIC, "C", "predict_proba", sp.csr_matrix(X), Y),
    ],
    ids=[
        "ridge", "lasso", "kernel", "targets", "labels", "probabilities", "log", "decision",
        "ridge classifier", "pipeline", "sparse",
    ],
)  # fmt: skip
def test_predictions_are_those_of_own_fits(model, name, method, rows, labels, values):
    search = searched(model, {name: values}, rows, labels, method)
    assert roles(search)[name] in ("joint grid", "searched")
    expected = own_predictions(search, rows, labels, method)
    assert search.oof_predictions_.shape == expected.shape
    if expected.dtype.kind == "U":
        assert (search.oof_predictions_ == expected).all()
    else:
        np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-5, atol=1e-5)


SHARED = {
    "tree": (DecisionTreeClassifier(random_state=0), {"ccp_alpha": [0.0, 0.01, 0.1]}),
    "boosting": (
        GradientBoostingClassifier(random_state=0, n_estimators=5), {"n_estimators": [3, 5]}
    ),
    "neighbours": (KNeighborsClassifier(), {"n_neighbors": [1, 5, 9]}),
    "steps": (
        make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)),
        {"decisiontreeclassifier__max_depth": [1, 2]},
    ),
    "own": (DecisionTreeClassifier(random_state=0), {"splitter": ["best", "random"]}),
    "none": (DecisionTreeClassifier(random_state=0), {}),
}  # fmt: skip


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("kind", SHARED)
def test_so_are_those_of_lists_that_share_fits(kind, n_jobs):
    model, grid = SHARED[kind]
    search = searched(model, grid, FLOWERS, KINDS, "predict_proba", n_jobs=n_jobs)
    np.testing.assert_array_equal(
        search.oof_predictions_, own_predictions(search, FLOWERS, KINDS, "predict_proba")
    )
    # The models answer for any rows.
    for fold, (train, _) in zip(search.fold_estimators_, SPLITS.split(FLOWERS), strict=True):
        own = clone(search.best_estimator_).fit(FLOWERS[train], KINDS[train])
        np.testing.assert_array_equal(fold.predict_proba(FLOWERS), own.predict_proba(FLOWERS))


@pytest.mark.parametrize("refit", [True, False])
def test_models_of_the_splits_are_those_that_were_scored(refit):
    model = make_pipeline(StandardScaler(), Ridge())
    search = searched(model, {"ridge__alpha": (1e-3, 1e3)}, X_REG, Y_REG, refit=refit)
    assert len(search.fold_estimators_) == 4
    for k, (fold, (_, test)) in enumerate(
        zip(search.fold_estimators_, SPLITS.split(X_REG), strict=True)
    ):
        score = search.cv_results_[f"split{k}_test_score"][search.best_index_]
        assert fold.score(X_REG[test], Y_REG[test]) == pytest.approx(score, abs=1e-12)
        assert type(fold) is type(model) and fold.get_params()["ridge__alpha"] > 0


def test_precomputed_kernels_and_weights_of_rows():
    kernel, weight = rbf_kernel(X_REG, gamma=0.1), 1.0 + np.arange(len(X_REG)) % 3
    for model, rows in ((KernelRidge(kernel="precomputed"), kernel), (Ridge(), X_REG)):
        search = searched(
            model, {"alpha": (1e-2, 1e2)}, rows, Y_REG, fit_params={"sample_weight": weight}
        )
        expected = own_predictions(search, rows, Y_REG, params={"sample_weight": weight})
        np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-6)


def test_an_own_kernel_machine():
    search = searched(SVC(), {"kernel": ["linear", "rbf"]}, FLOWERS, KINDS)
    np.testing.assert_array_equal(search.oof_predictions_, own_predictions(search, FLOWERS, KINDS))


def test_vectors_and_learned_weights():
    vector = {"alpha": PerFeature(1e-2, 1e3)}
    search = searched(Ridge(), vector, X_REG[:, :4], Y_REG, scoring="neg_mean_squared_error")
    residuals = (Y_REG - search.oof_predictions_) ** 2
    means = [-residuals[test].mean() for _, test in SPLITS.split(X_REG)]
    assert np.mean(means) == pytest.approx(search.best_score_, rel=1e-9)
    weights = searched(
        LogisticRegression(), {"C": (1e-2, 1e2)}, X, Y, sample_weights=SampleWeights(),
        scoring="accuracy",
    )  # fmt: skip
    right = weights.oof_predictions_ == Y
    means = [right[test].mean() for _, test in SPLITS.split(X)]
    assert np.mean(means) == pytest.approx(weights.best_score_, abs=1e-12)


def test_rows_that_are_tested_several_times_or_never():
    cv = RepeatedKFold(n_splits=3, n_repeats=4, random_state=0)
    search = searched(Ridge(), {"alpha": [1.0, 10.0]}, X_REG, Y_REG, cv=cv)
    every = np.full((4, len(X_REG)), np.nan)
    for k, (model, (_, test)) in enumerate(
        zip(search.fold_estimators_, cv.split(X_REG), strict=True)
    ):
        every[k // 3, test] = model.predict(X_REG[test])
    np.testing.assert_allclose(search.oof_predictions_, every.mean(0), rtol=1e-12)
    once = ShuffleSplit(1, test_size=0.3, random_state=0)
    test = next(once.split(X_REG))[1]
    part = searched(Ridge(), {"alpha": [1.0, 10.0]}, X_REG, Y_REG, cv=once).oof_predictions_
    assert np.isfinite(part[test]).all() and np.isnan(np.delete(part, test)).all()


def test_labels_go_by_the_most_frequent():
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
    names = np.array(["setosa", "versicolor", "virginica"])[KINDS]
    search = searched(LogisticRegression(), {"C": [0.01, 1.0]}, FLOWERS, names, cv=cv)
    votes = np.zeros((len(names), 3), dtype=int)
    for model, (_, test) in zip(search.fold_estimators_, cv.split(FLOWERS, names), strict=True):
        said = model.predict(FLOWERS[test])
        votes[test, np.searchsorted(np.unique(names), said)] += 1
    np.testing.assert_array_equal(search.oof_predictions_, np.unique(names)[votes.argmax(1)])
    once = ShuffleSplit(1, test_size=0.3, random_state=0)
    test = next(once.split(FLOWERS))[1]
    part = searched(LogisticRegression(), {"C": [1.0]}, FLOWERS, names, cv=once).oof_predictions_
    assert set(part[test]) <= set(names) and {*np.delete(part, test)} == {None}
    part = searched(LogisticRegression(), {"C": [1.0]}, FLOWERS, KINDS, cv=once).oof_predictions_
    assert np.isnan(np.delete(part, test)).all() and not np.isnan(part[test]).any()


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_a_class_that_is_not_in_training(method):
    order = np.argsort(KINDS == 2, kind="stable")  # the last third is all of one class
    rows, labels, cv = FLOWERS[order], KINDS[order], KFold(3)
    search = searched(LOGISTIC, {"C": [0.1, 1.0]}, rows, labels, method, cv=cv)
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        expected = own_predictions(search, rows, labels, method, cv=cv)
    np.testing.assert_allclose(search.oof_predictions_, expected, rtol=1e-5, atol=1e-5)
    with pytest.warns(UserWarning, match="There is no oof_predictions_: a split's training rows"):
        search = searched(LOGISTIC, {"C": [0.1, 1.0]}, rows, labels, "decision_function", cv=cv)
    assert not hasattr(search, "oof_predictions_") and len(search.fold_estimators_) == 3


def test_several_outputs_have_a_list_as_cross_val_predict():
    both = np.column_stack([KINDS, KINDS == 1]).astype(int)
    model = MultiOutputClassifier(DecisionTreeClassifier(random_state=0, max_depth=2))
    grid = {"estimator__max_depth": [1, 2]}
    search = searched(model, grid, FLOWERS, both, "predict_proba")
    expected = own_predictions(search, FLOWERS, both, "predict_proba")
    for ours, theirs in zip(search.oof_predictions_, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    search = searched(model, grid, FLOWERS, both)
    np.testing.assert_array_equal(search.oof_predictions_, own_predictions(search, FLOWERS, both))


def test_frames_keep_the_names_of_their_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X_REG, columns=[f"f{j}" for j in range(X_REG.shape[1])])
    for values in ([1.0, 2.0], (1e-2, 1e2)):
        search = searched(Ridge(), {"alpha": values}, frame, pd.Series(Y_REG))
        assert all(list(m.feature_names_in_) == list(frame) for m in search.fold_estimators_)


def test_a_later_fit_forgets_them_and_no_data_are_held():
    search = searched(Ridge(), {"alpha": (1e-2, 1e2)}, X_REG, Y_REG)
    rows = X_REG.copy()
    seen = weakref.ref(rows)
    search.fit(rows, Y_REG)
    del rows
    gc.collect()
    assert seen() is None
    search.set_params(return_estimator=False, return_oof=False).fit(X_REG, Y_REG)
    assert not hasattr(search, "fold_estimators_") and not hasattr(search, "oof_predictions_")


def test_a_fit_that_fails():
    labels = np.r_[np.zeros(75, int), np.ones(75, int)]
    cv = [(np.arange(70), np.arange(70, 150)), (np.arange(150), np.arange(150))]
    with pytest.warns() as told:
        search = searched(
            LogisticRegression(), {"C": [1.0, 2.0]}, FLOWERS, labels, cv=cv, error_score=0.0
        )
    assert any(
        issubclass(w.category, FitFailedWarning) and "1 of the 2 models" in str(w.message)
        for w in told
    )
    assert search.fold_estimators_[0] is None
    np.testing.assert_array_equal(
        search.oof_predictions_, search.fold_estimators_[1].predict(FLOWERS)
    )


def test_what_cannot_be_returned():
    with pytest.raises(AttributeError, match="return_oof='predict_proba': Ridge has no predict_p"):
        searched(Ridge(), {"alpha": [1.0]}, X_REG, Y_REG, "predict_proba")
    several = {"scoring": ["accuracy", "neg_log_loss"], "refit": False}
    with pytest.raises(ValueError, match="return_oof needs a best candidate, which several scores"):
        searched(LogisticRegression(), {"C": [1.0]}, X, Y, **several)
    with pytest.raises(ValueError, match="The 'return_oof' parameter of BAMMSearchCV must be"):
        searched(Ridge(), {"alpha": [1.0]}, X_REG, Y_REG, "transform")
    with pytest.raises(ValueError, match="The 'return_estimator' parameter of BAMMSearchCV must"):
        BAMMSearchCV(Ridge(), {"alpha": [1.0]}, return_estimator="yes").fit(X_REG, Y_REG)


def test_stratified_splits_of_labels():
    search = searched(LOGISTIC, {"C": (1e-2, 1e2)}, X, Y, "predict_proba", cv=3)
    expected = own_predictions(search, X, Y, "predict_proba", cv=StratifiedKFold(3))
    np.testing.assert_allclose(search.oof_predictions_, expected, atol=1e-5)
