"""The final model of a search on a (pretended) GPU is solved there, to the estimator's own tol."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skbamm import BAMMSearchCV
from skbamm.search import final_fit
from skbamm.solvers.linear import LinearSolver
from tests.pretend_gpu import pretended_gpu

CANCER, TUMOUR = load_breast_cancer(return_X_y=True)
TWO = scale(CANCER)[:300, :8], TUMOUR[:300]
RAW = CANCER, TUMOUR
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
LOGISTIC = LogisticRegression(tol=1e-8, max_iter=10_000)
SCALED = make_pipeline(StandardScaler(), LOGISTIC)
C = {"C": [0.1, 1.0]}
CASES = {
    "logistic": (LOGISTIC, C, TWO),
    "several": (LOGISTIC, C, IRIS),
    "scaled": (SCALED, {"logisticregression__C": [0.1, 1.0]}, RAW),
    "counts": (PoissonRegressor(tol=1e-8, max_iter=10_000), {"alpha": [0.1, 1.0]}, DIABETES),
    "interval": (LOGISTIC, {"C": (1e-2, 1e2)}, TWO),
    "kinks": (Lasso(tol=1e-10), {"alpha": [0.1, 1.0]}, DIABETES),
}


def search_there(model, space, data, **options):
    with pretended_gpu() as device:
        return BAMMSearchCV(model, space, cv=3, device=device, **options).fit(*data)


def parameters(fitted):
    last = fitted[-1] if hasattr(fitted, "steps") else fitted
    return np.r_[np.ravel(last.coef_), np.ravel(last.intercept_)]


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_estimators_own(name, monkeypatch):
    model, space, data = CASES[name]
    weight = np.random.default_rng(0).random(len(data[1])) + 0.5
    prefix = "logisticregression__" if name == "scaled" else ""
    given = {} if name == "kinks" else {f"{prefix}sample_weight": weight}
    for fit in ("own_fit", "warm_fit"):
        monkeypatch.setattr(final_fit, fit, lambda *_: pytest.fail("an own fit"))
    with pretended_gpu() as device:
        search = BAMMSearchCV(model, space, cv=3, device=device).fit(*data, **given)
    assert search.refit_adopted_
    own = clone(search.best_estimator_).fit(*data, **given)
    np.testing.assert_allclose(
        parameters(search.best_estimator_), parameters(own), rtol=1e-4, atol=1e-5
    )
    assert search.best_estimator_.n_features_in_ == data[0].shape[1]
    assert f"the final model was solved on {search.device_}" in search.report()


def test_that_of_second_moments_is_exact():
    search = search_there(Ridge(), {"alpha": [0.1, 1.0]}, DIABETES)
    assert not search.refit_adopted_  # the own fit ends there, too
    own = clone(search.best_estimator_).fit(*DIABETES)
    np.testing.assert_allclose(parameters(search.best_estimator_), parameters(own), rtol=1e-9)


def test_the_own_fit_may_be_asked_for():
    search = search_there(*CASES["logistic"], refit="own")
    assert not search.refit_adopted_
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    np.testing.assert_allclose(
        parameters(search.best_estimator_),
        parameters(clone(search.best_estimator_).fit(*TWO)),
        rtol=1e-4,
    )


def test_own_may_be_the_name_of_a_score():
    scoring = {"own": "accuracy", "loss": "neg_log_loss"}
    search = search_there(*CASES["logistic"], refit="own", scoring=scoring)
    assert search.refit_adopted_
    assert search.best_score_ == search.cv_results_["mean_test_own"].max()


def test_where_a_gpu_is_full_the_cpu_solves_it(monkeypatch):
    polish = LinearSolver.polish

    def full(self, axes, x, y, tol=0.0):
        if not axes and self.device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 EiB.")
        return polish(self, axes, x, y, tol)

    plain = BAMMSearchCV(LOGISTIC, C, cv=3, device="cpu").fit(*TWO)
    monkeypatch.setattr(LinearSolver, "polish", full)
    with pytest.warns(RuntimeWarning, match="GPU is out of memory"):
        search = search_there(*CASES["logistic"])
    assert search.best_params_ == plain.best_params_
    np.testing.assert_allclose(
        parameters(search.best_estimator_), parameters(plain.best_estimator_), rtol=1e-5
    )
