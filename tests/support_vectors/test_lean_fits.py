"""Fits of the parts that do the work set what a model's own fit sets."""

import pickle

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from skbamm.support_vectors import lean_fits
from skbamm.support_vectors.lean_fits import LeanFits, lean_responses

X, Y = load_iris(return_X_y=True)
X_R, Y_R = (rows[:150] for rows in load_diabetes(return_X_y=True))
K, K_R = rbf_kernel(X), rbf_kernel(X_R, gamma=1.0)
WEIGHTS = np.linspace(0.2, 2, 150)
NAMES = np.array(list("abc"))[Y]


@pytest.mark.parametrize("weight", [{}, {"sample_weight": WEIGHTS}], ids=["plain", "weights"])
@pytest.mark.parametrize(
    ("models", "kernel", "target"),
    [
        ([SVC(), SVC(C=30.0), SVC(class_weight="balanced"), SVC(class_weight={"a": 3})], K, NAMES),
        ([SVC(), SVC(C=0.1, break_ties=True)], K, Y == 1),
        ([NuSVC(nu=0.2), NuSVC(nu=0.15)], K, Y),
        ([SVR(), SVR(C=1e3), SVR(epsilon=5.0)], K_R, Y_R),
        ([NuSVR(), NuSVR(C=100.0)], K_R, Y_R),
        ([OneClassSVM(), OneClassSVM(nu=0.1)], K_R, None),
    ],
    ids=["SVC", "two classes", "NuSVC", "SVR", "NuSVR", "OneClassSVM"],
)
def test_fits_and_predictions_are_equal(models, kernel, target, weight):
    fits = LeanFits(target, weight)
    for given in models:
        model, own = (type(given)(**given.get_params()) for _ in range(2))
        model.kernel = own.kernel = "precomputed"
        own.fit(kernel, target, **weight)
        vars(model).update(fits.fit(model, kernel))
        for name, value in vars(own).items():
            if name not in ("n_features_in_", "_effective_probability"):
                np.testing.assert_array_equal(getattr(model, name), value)
        rows = kernel[::3].copy()
        responses = lean_responses(model, rows)
        assert len(responses) == 1 + is_classifier(own)
        for name, found in responses.items():
            np.testing.assert_array_equal(found, getattr(own, name)(rows))
        again = pickle.loads(pickle.dumps(fits)).fit(type(given)(**model.get_params()), kernel)
        np.testing.assert_array_equal(again["dual_coef_"], own.dual_coef_)
    assert fits._lean is (None if target is None else True)


def test_where_the_parts_do_something_else_fits_are_own(monkeypatch):
    counted, own = [], SVC.fit
    monkeypatch.setattr(SVC, "fit", lambda *some, **more: counted.append(1) or own(*some, **more))
    quick = lean_fits.fit_machine

    def another(model, *some):
        quick(model, *some)
        model.dual_coef_ = model.dual_coef_ * (1 + 1e-15)

    monkeypatch.setattr(lean_fits, "fit_machine", another)
    fits = LeanFits(Y, {})
    for C in (0.1, 1.0, 10.0):
        fits.fit(SVC(C=C), K)
    assert len(counted) == 4 and fits._lean is False  # one of a few steps


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_probabilities_and_bad_values():
    fits = LeanFits(Y == 1, {})
    found = fits.fit(SVC(probability=True, random_state=0), K)
    assert found["_probA"].size == 1 and fits._lean is None
    fits = LeanFits(Y, {})
    fits.fit(NuSVC(nu=0.1), K)
    with pytest.raises(ValueError, match="infeasible"):
        LeanFits(np.r_[np.zeros(10), np.ones(140)], {}).fit(NuSVC(nu=0.9), K)
    with pytest.warns(UserWarning, match="Solver terminated early"):
        fits.fit(NuSVC(nu=0.1, max_iter=1), K)
