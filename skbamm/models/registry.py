"""Which estimators have a twin; others may be added."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.calibration import CalibratedClassifierCV

from skbamm.models.base import Hyperparameter, LinearTwin, Twin
from skbamm.models.class_penalty import ClassPenaltyTwin
from skbamm.models.elastic_net import ElasticNetTwin, LassoLarsTwin, LassoTwin
from skbamm.models.families import families
from skbamm.models.feature_maps import FEATURE_MAPS
from skbamm.models.feature_penalty import FeaturePenaltyTwin
from skbamm.models.huber import HuberTwin
from skbamm.models.kernel_ridge import KernelRidgeTwin
from skbamm.models.linear_svm import LinearSVCTwin, LinearSVRTwin
from skbamm.models.logistic_regression import LogisticRegressionTwin
from skbamm.models.multi_output import MultiOutputTwin
from skbamm.models.multi_task import MultiTaskElasticNetTwin, MultiTaskLassoTwin
from skbamm.models.one_vs_rest import OneVsRestTwin
from skbamm.models.quantile import QuantileTwin
from skbamm.models.ridge import RidgeClassifierTwin, RidgeTwin
from skbamm.models.sgd import SGDClassifierTwin, SGDRegressorTwin
from skbamm.models.support_vectors import NuSVCTwin, NuSVRTwin, SVCTwin, SVRTwin
from skbamm.models.transformed_target import TransformedTargetTwin
from skbamm.models.tweedie import GammaTwin, PoissonTwin, TweedieTwin

_TWINS: dict[type, Twin] = {
    twin.estimator_type: twin
    for twin in (
        RidgeTwin(),
        RidgeClassifierTwin(),
        LassoTwin(),
        LassoLarsTwin(),
        ElasticNetTwin(),
        MultiTaskLassoTwin(),
        MultiTaskElasticNetTwin(),
        LogisticRegressionTwin(),
        PoissonTwin(),
        GammaTwin(),
        TweedieTwin(),
        HuberTwin(),
        QuantileTwin(),
        LinearSVCTwin(),
        LinearSVRTwin(),
        SGDClassifierTwin(),
        SGDRegressorTwin(),
        KernelRidgeTwin(),
        SVCTwin(),
        NuSVCTwin(),
        SVRTwin(),
        NuSVRTwin(),
    )
}


_OF_THE_PACKAGE = tuple(_TWINS.values())


def find_twin(estimator: Any) -> tuple[Twin | None, str]:
    """Return the twin of an estimator, or None and the reason.

    The class must match exactly: a subclass may do anything.
    """
    kind = type(estimator)
    twin = _TWINS.get(kind) or _META.get(kind)
    if twin is None:
        return None, _WHY_NOT.get(kind, f"{kind.__name__} has no differentiable twin")
    reason = twin.mismatch(estimator)
    if reason:
        return None, f"{type(estimator).__name__}: {reason}"
    return twin.for_estimator(estimator), ""


_META: dict[type, Twin] = {
    twin.estimator_type: twin
    for twin in (
        ClassPenaltyTwin(find_twin),
        FeaturePenaltyTwin(find_twin),
        MultiOutputTwin(find_twin),
        OneVsRestTwin(find_twin),
        TransformedTargetTwin(find_twin),
    )
}

# Frequent requests that are not supported.
_WHY_NOT: dict[type, str] = {
    CalibratedClassifierCV: (
        "CalibratedClassifierCV fits calibrators to predictions for rows that its models left "
        "out, which has no derivative here; search the model alone and calibrate the best one"
    ),
}


def registered() -> dict[type, Twin]:
    """Return every class that has a twin, meta-estimators aside."""
    return dict(_TWINS)


def supported() -> str:
    """Name every supported estimator and the parameters that are tuned, for error messages."""
    named = []
    for kind, twin in _TWINS.items():
        names = ", ".join(one.name for one in _searched(twin))
        named.append(f"{kind.__name__} ({names})")
    around = ", ".join(kind.__name__ for kind in _META)
    maps = " and ".join(kind.__name__ for kind in FEATURE_MAPS)
    return (
        f"{', '.join(named)}, one of {around} around such a model, and gamma of {maps} before a "
        "linear one"
    )


def _searched(twin: Twin) -> tuple[Hyperparameter, ...]:
    """Return the parameters that support intervals."""
    own = twin.loss_parameter
    return tuple(twin.hyperparameters) if own is None else (*twin.hyperparameters, own)


def register_model(twin: Twin, *, replace: bool = False) -> None:
    """Let searches solve a class of estimators jointly.

    From then on ``BAMMSearchCV`` searches intervals of the twin's parameters, and solves lists of
    them for all folds at once. The registry at the time of ``fit`` applies.

    Parameters
    ----------
    twin : Twin
        An instance of a subclass of :class:`skbamm.models.LinearTwin`, of ``KernelTwin`` for
        another kernel ridge regression, or of the twin of any other family that has a solver. It
        stands for estimators whose class is its ``estimator_type``; subclasses of that are not
        matched.
    replace : bool, default=False
        Whether it takes the place of a twin that was registered for the same class, if there is
        one. Twins of the package are always replaced: code that registers a twin keeps
        working when a later version includes one.

    Raises
    ------
    TypeError
        If ``twin`` is not a twin, or a part of it is not of the type it must be.
    ValueError
        If it tunes nothing, or what the estimator has no parameter for; if it says that the
        estimator's fit can begin at a solution and there is no ``warm_start`` or ``tol``; or if a
        twin was registered for its class and ``replace`` is False. A twin that does not minimise
        what its estimator does is refused by the first search: one own fit is compared.

    Examples
    --------
    Without an intercept, a ridge regression is to be left to scikit-learn's own fits:

    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, register_model
    >>> from skbamm.models import find_twin
    >>> given, _ = find_twin(Ridge())
    >>> class OtherTwin(type(given)):
    ...     def mismatch(self, estimator):
    ...         if not estimator.fit_intercept:
    ...             return "fit_intercept=False is left to its own fit"
    ...         return super().mismatch(estimator)
    >>> register_model(OtherTwin(), replace=True)
    >>> X, y = [[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 2.0, 3.0]
    >>> search = BAMMSearchCV(Ridge(fit_intercept=False), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    >>> search.search_plan_[0]["reason"]
    'Ridge: fit_intercept=False is left to its own fit'
    >>> register_model(given, replace=True)  # as it was

    :doc:`/your_own_model` has an estimator, a loss and a twin from scratch.
    """
    _check(twin)
    kind = twin.estimator_type
    registered = kind in _TWINS and _TWINS[kind] not in _OF_THE_PACKAGE
    if registered and not replace:
        raise ValueError(
            f"{kind.__name__} already has a twin: {_TWINS[kind]!r}. "
            "Pass replace=True to replace it."
        )
    _TWINS[kind] = twin


def _check(twin: object) -> None:
    """Raise what ``register_model`` says."""
    if not isinstance(twin, Twin):
        hint = "; give an instance of it" if _is_twin_class(twin) else ""
        raise TypeError(
            "twin must be an instance of a twin's class, such as skbamm.models.LinearTwin or "
            f"KernelTwin, got {twin!r}{hint}."
        )
    if twin.family not in families():
        raise ValueError(f"twin.family must be one of {families()}, got {twin.family!r}.")
    kind = getattr(twin, "estimator_type", None)
    if not isinstance(kind, type) or not callable(getattr(kind, "fit", None)):
        raise TypeError(f"twin.estimator_type must be a class with a fit method, got {kind!r}.")
    tuned = twin.hyperparameters
    if not isinstance(tuned, tuple | list) or any(not isinstance(h, Hyperparameter) for h in tuned):
        raise TypeError(
            f"twin.hyperparameters must be a tuple of skbamm.models.Hyperparameter, got {tuned!r}."
        )
    if not tuned:
        raise ValueError("twin.hyperparameters must not be empty.")
    own_loss = twin.loss_parameter
    if own_loss is not None and not isinstance(own_loss, Hyperparameter):
        raise TypeError(
            f"twin.loss_parameter must be a skbamm.models.Hyperparameter or None, got {own_loss!r}."
        )
    _check_parameters(twin, kind)
    if isinstance(twin, LinearTwin) and twin.mean_loss not in (True, False, "rows"):
        raise ValueError(f"twin.mean_loss must be True, False or 'rows', got {twin.mean_loss!r}.")


def _check_parameters(twin: Twin, kind: type) -> None:
    """Raise ValueError if a twin relies on parameters that its estimator does not have."""
    names, own = [one.name for one in _searched(twin)], _constructor_parameters(kind)
    for i, name in enumerate(names):
        if name not in own:
            tuned = i < len(twin.hyperparameters)
            where = "hyperparameters has" if tuned else "loss_parameter is"
            raise ValueError(
                f"twin.{where} {name!r}, which is not a parameter of {kind.__name__}; "
                f"its parameters are {own}."
            )
    if len(set(names)) < len(names):
        raise ValueError(f"twin.hyperparameters has a duplicate name: {names}.")
    if twin.warm_starts and not {"warm_start", "tol"} <= set(own):
        raise ValueError(
            f"twin.warm_starts is True, but {kind.__name__} lacks 'warm_start' or 'tol'; "
            f"its parameters are {own}."
        )


def _is_twin_class(twin: object) -> bool:
    return isinstance(twin, type) and issubclass(twin, Twin)


def _constructor_parameters(kind: type) -> list[str]:
    """Return the names that ``set_params`` takes, in order, as scikit-learn finds them."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(kind).parameters.values()
    return sorted(one.name for one in parameters if one.kind in named)
