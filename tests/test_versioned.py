"""Pickles of this release and of others, and of searches that ran on a GPU."""

import io
import pickle
import pickletools
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression, Ridge

import skbamm.versioned
from skbamm import BAMMSearchCV, ClassPenalty, FeaturePenalty, PerFeature
from tests.pretend_gpu import pretended_gpu
from tests.shrinkage.vectors import quick

X, Y = load_diabetes(return_X_y=True)
LABELS = np.digitize(Y, [100, 200])
FITTED = [
    BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e3)}, cv=3).fit(X, Y),
    FeaturePenalty(Ridge(), penalty_factor=np.arange(1.0, 11.0)).fit(X, Y),
    ClassPenalty(LogisticRegression(), [1.0, 2.0, 3.0]).fit(X, LABELS),
]


@pytest.fixture(params=FITTED, ids=lambda one: type(one).__name__)
def fitted(request):
    return request.param


def test_its_own_release_loads_without_a_word(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert vars(again).keys() == vars(fitted).keys()  # no version among the attributes
    assert clone(again).get_params().keys() == fitted.get_params().keys()


def test_another_release_is_named(fitted, monkeypatch):
    monkeypatch.setattr(skbamm.versioned, "VERSION", "0.0.9")
    written = pickle.dumps(fitted)
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning) as told:
        again = pickle.loads(written)
    (message,) = [str(w.message) for w in told]
    now = skbamm.__version__
    assert f"{type(fitted).__name__} was made by skbamm 0.0.9, and is read by {now}." in message
    assert "defaults" not in message
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_parameters_that_are_new_have_their_defaults():
    search = FITTED[0]
    state = search.__getstate__()
    for name in ("_skbamm_version", "return_oof", "return_estimator", "_seen"):
        del state[name]
    old = BAMMSearchCV.__new__(BAMMSearchCV)
    with pytest.warns(InconsistentVersionWarning) as told:
        old.__setstate__(state)
    (message,) = [str(w.message) for w in told]
    assert "before 0.1.0" in message
    assert message.endswith("at their defaults: return_estimator, return_oof.")
    assert old.get_params()["return_oof"] is False and repr(old) == repr(search)
    np.testing.assert_array_equal(old.predict(X), search.predict(X))
    assert clone(old).fit(X, Y).best_params_ == search.best_params_
    assert old.resume(X, Y).best_score_ == pytest.approx(search.best_score_, abs=1e-6)


class WithoutTorch(pickle.Unpickler):
    """Reads a pickle as where there is no torch."""

    def find_class(self, module, name):
        assert module.partition(".")[0] in ("skbamm", "sklearn", "numpy", "builtins", "copyreg")
        return super().find_class(module, name)


@pytest.mark.parametrize("values", [(1e-2, 1e2), [0.1, 1.0], PerFeature(1e-2, 1e2)])
@pytest.mark.parametrize("model", [Ridge(), LogisticRegression()], ids=["ridge", "logistic"])
def test_a_search_on_a_gpu_holds_no_tensors(model, values):
    name, y = ("alpha", Y) if isinstance(model, Ridge) else ("C", Y > 140)
    with pretended_gpu() as gpu, quick(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ends of intervals, and what a GPU leaves to the CPU
        search = BAMMSearchCV(
            model, {name: values}, device=gpu, cv=3, return_estimator=True, return_oof=True
        ).fit(X[::4, :5], y[::4])
    assert search.device_ == gpu
    written = pickle.dumps(search)
    assert not any(
        isinstance(text, str) and text.partition(".")[0] == "torch"
        for _, text, _ in pickletools.genops(written)
    )
    again = WithoutTorch(io.BytesIO(written)).load()
    np.testing.assert_array_equal(again.predict(X[:, :5]), search.predict(X[:, :5]))
