"""An exception of the user's is the user's to see: no joint solve that failed."""

import functools
import signal

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skbamm import BAMMSearchCV, PerFeature
from skbamm.faults import is_users
from skbamm.glm import GLMProblem, LeastSquaresProblem


class TooLong(Exception):
    """A user's own."""


def time_out(kind, number, frame):
    raise kind("time is up")


class Handler:
    def __call__(self, number, frame):
        raise ValueError("time is up")

    def method(self, number, frame):
        raise RuntimeError("time is up")


HANDLERS = {
    "function": (lambda number, frame: time_out(TimeoutError, number, frame), TimeoutError),
    "partial": (functools.partial(time_out, TooLong), TooLong),
    "object": (Handler(), ValueError),
    "method": (Handler().method, RuntimeError),
}


@pytest.fixture(params=HANDLERS.values(), ids=HANDLERS)
def handler(request):
    own, kind = request.param
    before = signal.signal(signal.SIGALRM, own)
    yield kind
    signal.signal(signal.SIGALRM, before)


def let_signal_come(monkeypatch, cls, name, n):
    """Let a signal come in the n-th call of a method."""
    code = f"""
def method(self, *args, **kwargs):
    calls.append(1)
    if len(calls) == {n}:
        signal.raise_signal(signal.SIGALRM)
    return own(self, *args, **kwargs)
"""
    names = {"own": getattr(cls, name), "calls": [], "signal": signal, "__name__": "skbamm.own"}
    exec(code, names)  # no frame is the user's but the handler's
    monkeypatch.setattr(cls, name, names["method"])


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("values", [(1e-3, 1e3), [0.1, 1.0]], ids=["interval", "list"])
def test_a_signal(handler, values, n, monkeypatch, binary):
    name = "lower" if isinstance(values, list) else "directions"
    let_signal_come(monkeypatch, GLMProblem, name, n)
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, scoring="neg_log_loss")
    with pytest.raises(handler, match="time is up"):
        search.fit(*binary)
    assert not hasattr(search, "best_params_")


def test_a_signal_in_a_vector(handler, monkeypatch, regression):
    let_signal_come(monkeypatch, LeastSquaresProblem, "directions", 12)
    with pytest.raises(handler, match="time is up"):
        BAMMSearchCV(Ridge(), {"alpha": PerFeature(1e-3, 1e3)}).fit(*regression)


def test_a_signal_in_a_transformer(handler, regression):
    came = []

    def slow(X):
        if len(came) < 1:
            came.append(1)
            signal.raise_signal(signal.SIGALRM)
        return X

    model = make_pipeline(FunctionTransformer(slow), Ridge())
    with pytest.raises(handler, match="time is up"):
        BAMMSearchCV(model, {"ridge__alpha": (1e-3, 1e3)}).fit(*regression)


def test_what_is_the_users():
    def raised(code, name):
        try:
            exec(code, {"__name__": name, "np": np, "TooLong": TooLong})
        except Exception as error:
            return error

    assert is_users(raised("raise TooLong", "skbamm.x"))
    assert is_users(raised("raise TimeoutError", "skbamm.x"))
    assert is_users(raised("1 / 0", "my_losses"))
    assert is_users(raised("1 / 0", "__main__"))
    assert not is_users(raised("1 / 0", "skbamm.x"))
    assert not is_users(raised("np.linalg.inv(np.zeros((2, 2)))", "skbamm.x"))
