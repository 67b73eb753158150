"""The joint path, and not scikit-learn's own fits, serves where it should."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm.search import bank
from tests.truth import LIST, LOSS, logistic, ridge, roles, search_over

CV = StratifiedKFold(4)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("tol", [1e-4, 1e-10])
def test_only_the_refit_fits(tol, form, values, binary, own_fits):
    X, y = binary
    X = form(np.where(np.abs(X) > 0.4, X, 0.0))
    search_over(logistic(tol=tol), {"C": values}, X, y, cv=CV, scoring=LOSS)
    assert own_fits == {"LogisticRegression": 1}
    # Of ridge the folds' second moments tell the last model, too.
    search_over(Ridge(tol=tol), {"alpha": values}, X, y, cv=KFold(3))
    search_over(RidgeClassifier(tol=tol), {"alpha": values}, X, y, cv=CV)
    assert own_fits == {"LogisticRegression": 1}
    search_over(Ridge(tol=tol), {"alpha": values}, X, y, cv=ShuffleSplit(3, random_state=0))
    assert own_fits == {"LogisticRegression": 1, "Ridge": 1}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("return_train_score", [False, True])
def test_nothing_is_fitted_without_a_refit(return_train_score, n_jobs, values, three, own_fits):
    settings = {"return_train_score": return_train_score, "n_jobs": n_jobs, "refit": False}
    search_over(logistic(), {"C": values}, *three, cv=CV, **settings)
    assert own_fits == {}


def test_only_the_refit_fits_in_a_pipeline(values, three, own_fits):
    model = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": values, "standardscaler__with_std": [True, False]}
    search_over(model, grid, *three, cv=CV, scoring=LOSS)
    assert own_fits == {"LogisticRegression": 1}


def test_settings_with_a_joint_solve_of_their_own(three, own_fits):
    grid = {"fit_intercept": [True, False], "class_weight": [None, "balanced"], "C": LIST}
    search = search_over(LogisticRegression(), grid, *three, cv=CV, scoring=LOSS)
    assert own_fits == {"LogisticRegression": 1}
    assert roles(search) == {
        "fit_intercept": "enumerated", "class_weight": "enumerated", "C": "joint grid",
    }  # fmt: skip


def test_lists_without_the_penalty(three, own_fits):
    """A grid over other parameters only is solved jointly all the same."""
    grid = {"fit_intercept": [True, False]}
    search = search_over(LogisticRegression(C=0.3), grid, *three, cv=CV, scoring=LOSS)
    assert own_fits == {"LogisticRegression": 1}
    theirs = GridSearchCV(logistic(C=0.3), grid, cv=CV, scoring=LOSS).fit(*three)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-6
    )


class OwnRidge(Ridge):
    """A subclass may do anything."""


def test_what_is_left_to_scikit_learn(regression, own_fits):
    search = search_over(OwnRidge(), {"alpha": LIST}, *regression, cv=KFold(4))
    assert own_fits == {"Ridge": 4 * len(LIST) + 1}
    assert roles(search) == {"alpha": "enumerated"}
    assert "no differentiable twin" in search.search_plan_[0]["reason"]


def test_adopted_models_are_like_fitted_ones(monkeypatch, three, regression):
    """Attribute by attribute, types and shapes included; only iterations are not done."""
    pairs = []

    def adopt(estimator, solution, own=bank.adopt):
        own(estimator, solution)
        pairs.append(estimator)

    monkeypatch.setattr(bank, "adopt", adopt)
    X3, y3 = three
    X2, y2 = X3[y3 > 0], np.array(["a", "b"])[y3[y3 > 0] - 1]
    Xr, yr = regression
    cases = [
        (logistic(), "C", X3, y3),
        (logistic(), "C", X2, y2),
        (logistic(fit_intercept=False), "C", X2, y2),
        (RidgeClassifier(), "alpha", X3, y3),
        (RidgeClassifier(fit_intercept=False), "alpha", X2, y2),
        (ridge(), "alpha", Xr, yr),
        (ridge(fit_intercept=False), "alpha", Xr, np.column_stack([yr, yr[::-1]])),
        (ridge(), "alpha", Xr, yr[:, None]),
    ]
    for model, name, X, y in cases:
        pairs.clear()
        cv = KFold(3, shuffle=True, random_state=0)
        search_over(model, {name: [0.5]}, X, y, cv=cv)
        assert len(pairs) == 3
        for adopted, (train, test) in zip(pairs, cv.split(X), strict=True):
            fitted = clone(model).set_params(**{name: 0.5}).fit(X[train], y[train])
            got, expected = vars(adopted), vars(fitted)
            assert set(got) == set(expected)
            for key in expected:
                assert type(got[key]) is type(expected[key]), key
                assert np.shape(got[key]) == np.shape(expected[key]), key
            np.testing.assert_allclose(adopted.coef_, fitted.coef_, atol=1e-6)
            np.testing.assert_allclose(adopted.intercept_, fitted.intercept_, atol=1e-6, rtol=1e-6)
            assert adopted.coef_.dtype == fitted.coef_.dtype
            assert adopted.predict(X[test]).dtype == fitted.predict(X[test]).dtype
            assert adopted.predict(X[test]).shape == fitted.predict(X[test]).shape


def test_warm_fits_begin_at_the_solution(monkeypatch, binary):
    """A model that is not adopted is fitted by its own fit, which then has nothing to do."""
    from skbamm.search.solving import Solving

    keep = Solving.keep

    def never_adopt(self, *args):
        self.adoptable = False
        keep(self, *args)

    monkeypatch.setattr(Solving, "keep", never_adopt)
    iterations = []

    def scorer(estimator, X, y):
        iterations.append(int(estimator.n_iter_[0]))
        return estimator.score(X, y)

    model = LogisticRegression(warm_start=False)
    search = search_over(model, {"C": LIST}, *binary, cv=CV, scoring=scorer)
    assert max(iterations) <= 1
    assert search.best_estimator_.warm_start is False
    assert model.warm_start is False
