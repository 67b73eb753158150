"""Little time, few iterations, Ctrl-C and faults of our own never lose what was found."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold

from skbamm import BAMMSearchCV
from skbamm.glm import GLMProblem, LeastSquaresProblem
from skbamm.solvers.linear import LinearSolver
from tests.truth import LIST, LOSS, assert_finite, assert_true, logistic, ridge, search_over

CV = KFold(4, shuffle=True, random_state=0)
STOPPED = "stopped early"


def assert_usable(search, X, y, scoring):
    assert_finite(search)
    assert_true(search, X, y, cv=CV, scoring=scoring)
    assert search.predict(X).shape == y.shape
    assert len({len(values) for values in search.history_.values()}) == 1


@pytest.mark.parametrize("max_iter", [1, 2, 4])
def test_few_iterations(max_iter, binary):
    with pytest.warns(ConvergenceWarning, match=STOPPED) as record:
        search = search_over(
            logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS, max_iter=max_iter
        )
    assert len(record) == 1
    assert search.converged_ is False
    assert search.n_iter_ == max_iter
    assert_usable(search, *binary, LOSS)


def test_few_iterations_of_least_squares(regression):
    with pytest.warns(ConvergenceWarning, match=STOPPED):
        search = search_over(ridge(), {"alpha": (1e-6, 1e6)}, *regression, cv=CV, max_iter=1)
    assert search.converged_ is False
    assert_usable(search, *regression, "r2")


def test_no_time_at_all(binary):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = search_over(
            logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS, max_time=1e-9
        )
    assert search.converged_ is False
    assert search.n_iter_ == 1
    assert_usable(search, *binary, LOSS)


def test_time_runs_out_between_combinations(binary):
    """Those that come later get an iteration each, and are scored as well."""
    grid = {"C": (1e-3, 1e3), "fit_intercept": [True, False]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = search_over(logistic(), grid, *binary, cv=CV, scoring=LOSS, max_time=1e-9)
    assert set(search.cv_results_["param_fit_intercept"]) == {True, False}
    assert_usable(search, *binary, LOSS)


def raise_on_call(monkeypatch, cls, name, error, n):
    """Let the n-th call of a method raise."""
    own, calls = getattr(cls, name), []

    def method(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == n:
            raise error
        return own(self, *args, **kwargs)

    monkeypatch.setattr(cls, name, method)


@pytest.mark.parametrize(
    "method, n", [("directions", 1), ("directions", 3), ("directions", 9), ("curvature", 1)]
)
def test_ctrl_c(method, n, monkeypatch, binary):
    raise_on_call(monkeypatch, GLMProblem, method, KeyboardInterrupt(), n)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        search = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS)
    assert search.converged_ is False
    assert_usable(search, *binary, LOSS)


def test_ctrl_c_keeps_the_best_point(monkeypatch, regression):
    """The point of the last full iterations, not one of the starts."""
    whole = search_over(ridge(), {"alpha": (1e-6, 1e6)}, *regression, cv=CV)
    raise_on_call(
        monkeypatch, LeastSquaresProblem, "directions", KeyboardInterrupt(), whole.n_iter_
    )
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        search = search_over(ridge(), {"alpha": (1e-6, 1e6)}, *regression, cv=CV)
    assert search.best_score_ == pytest.approx(whole.best_score_, abs=1e-3)
    assert_usable(search, *regression, "r2")


def test_warnings_as_errors_are_not_taken_for_faults(binary):
    """A user who turns warnings into errors gets the warning, not a slower search."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = BAMMSearchCV(logistic(), {"C": (1e-3, 1e3)}, cv=CV, scoring=LOSS, max_iter=1)
        with pytest.raises(ConvergenceWarning, match=STOPPED):
            search.fit(*binary)


def faulty(statement):
    """Return a method of ours that runs into a statement: no frame of it is the user's."""
    code = f"def method(self, *args, **kwargs):\n    {statement}\n"
    exec(code, namespace := {"__name__": "skbamm.faulty"})
    return namespace["method"]


@pytest.mark.parametrize("listed", [{}, {"fit_intercept": [True, False]}], ids=["one", "two"])
def test_a_fault_of_ours_in_a_joint_grid(listed, monkeypatch, binary):
    """One warning a joint solve, then the table of scikit-learn's own fits."""
    monkeypatch.setattr(LinearSolver, "grid", faulty("raise ZeroDivisionError('a fault')"))
    space = {"C": LIST, **listed}
    with pytest.warns(RuntimeWarning, match=r"ZeroDivisionError: a fault.*own fits") as record:
        ours = search_over(logistic(), space, *binary, cv=CV, scoring=LOSS)
    assert len(record) == 2 ** len(listed)
    theirs = GridSearchCV(logistic(), space, cv=CV, scoring=LOSS).fit(*binary)
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )
    assert ours.best_params_ == theirs.best_params_


def test_a_fault_of_ours_in_an_interval(monkeypatch, binary):
    """One warning, and a few values of the interval by scikit-learn's own fits."""
    monkeypatch.setattr(LinearSolver, "search", faulty("raise ZeroDivisionError('a fault')"))
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError: a fault") as record:
        found = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS)
    assert len(record) == 1
    assert all(1e-3 <= params["C"] <= 1e3 for params in found.cv_results_["params"])
    assert "ZeroDivisionError" in found.search_plan_[0]["reason"]
    assert found.converged_ is False
    assert_true(found, *binary, cv=CV, scoring=LOSS)


def test_a_fault_after_the_search_keeps_its_point(monkeypatch, binary):
    """Polishing fails: what was found is still among the candidates, fitted by scikit-learn."""
    whole = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS)
    monkeypatch.setattr(LinearSolver, "polish", faulty("raise MemoryError('no memory left')"))
    with pytest.warns(RuntimeWarning, match="no memory left"):
        search = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring=LOSS)
    assert search.best_score_ == pytest.approx(whole.best_score_, abs=1e-4)
