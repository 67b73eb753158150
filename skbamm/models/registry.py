"""Which estimators have a twin."""

from __future__ import annotations

from typing import Any

from skbamm.models.base import Twin
from skbamm.models.elastic_net import ElasticNetTwin, LassoTwin
from skbamm.models.kernel_ridge import KernelRidgeTwin
from skbamm.models.linear_svm import LinearSVCTwin, LinearSVRTwin
from skbamm.models.logistic_regression import LogisticRegressionTwin
from skbamm.models.ridge import RidgeClassifierTwin, RidgeTwin
from skbamm.models.tweedie import GammaTwin, PoissonTwin, TweedieTwin

_TWINS: dict[type, Twin] = {
    twin.estimator_type: twin
    for twin in (
        RidgeTwin(),
        RidgeClassifierTwin(),
        LassoTwin(),
        ElasticNetTwin(),
        LogisticRegressionTwin(),
        PoissonTwin(),
        GammaTwin(),
        TweedieTwin(),
        LinearSVCTwin(),
        LinearSVRTwin(),
        KernelRidgeTwin(),
    )
}


def find_twin(estimator: Any) -> tuple[Twin | None, str]:
    """Return the twin of an estimator, or None and the reason why there is none.

    The class must match exactly: a subclass may do anything.
    """
    twin = _TWINS.get(type(estimator))
    if twin is None:
        return None, f"{type(estimator).__name__} has no differentiable twin"
    reason = twin.mismatch(estimator)
    return (None, f"{type(estimator).__name__}: {reason}") if reason else (twin, "")


def supported() -> str:
    """Name every supported estimator and the parameters that are tuned, for error messages."""
    named = []
    for kind, twin in _TWINS.items():
        names = ", ".join(one.name for one in twin.hyperparameters)
        named.append(f"{kind.__name__} ({names})")
    return ", ".join(named)
