"""Which families of estimators can share fits; others may be added."""

from __future__ import annotations

from typing import Any

from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import SharedFits
from skbamm.shared_fits.boosting import SharedHistograms, SharedStages
from skbamm.shared_fits.density import SharedDensityTree
from skbamm.shared_fits.discriminant import SharedAxes, SharedCovariances
from skbamm.shared_fits.kernel_ridge import SharedRidgeKernels
from skbamm.shared_fits.naive_bayes import SharedComplementCounts, SharedCounts, SharedMoments
from skbamm.shared_fits.neighbors import SharedNeighbours, SharedVotes
from skbamm.shared_fits.support_vectors import (
    SharedKernels,
    SharedNuKernels,
    SharedNuRegressionKernels,
    SharedOneClassKernels,
    SharedRegressionKernels,
)
from skbamm.shared_fits.trees import SharedClassifierForest, SharedForest, SharedTree

_FAMILIES: dict[type, SharedFits] = {
    kind: family
    for family in (
        SharedNeighbours(),
        SharedVotes(),
        SharedCounts(),
        SharedComplementCounts(),
        SharedMoments(),
        SharedStages(),
        SharedHistograms(),
        SharedCovariances(),
        SharedAxes(),
        SharedDensityTree(),
        SharedTree(),
        SharedForest(),
        SharedClassifierForest(),
        SharedKernels(),
        SharedNuKernels(),
        SharedRegressionKernels(),
        SharedNuRegressionKernels(),
        SharedOneClassKernels(),
        SharedRidgeKernels(),
    )
    for kind in family.estimator_types
}


def find_shared_fits(estimator: Any) -> tuple[SharedFits | None, str]:
    """Return the family of an estimator, or None and why its candidates cannot share fits.

    The class must match exactly: a subclass may do anything.
    """
    family = _FAMILIES.get(type(estimator))
    if family is None:
        return None, ""
    reason = family.mismatch(estimator)
    return (None, f"{type(estimator).__name__}: {reason}") if reason else (family, "")


def find_judged(estimator: Any) -> tuple[tuple[Hyperparameter, ...], str]:
    """Return the intervals that the scorer may judge of an estimator, and why not others."""
    family = _FAMILIES.get(type(estimator))
    return ((), "") if family is None else family.judges(estimator)


def register_shared_fits(family: SharedFits) -> None:
    """Let lists of some classes of estimators be served by fewer fits.

    The interface is experimental.

    Parameters
    ----------
    family : SharedFits
        Takes the place of the family that its classes had.

    Raises
    ------
    TypeError
        If it is not a family, or its classes have not all of its parameters.
    """
    if not isinstance(family, SharedFits):
        raise TypeError(f"family must be an instance of SharedFits, got {family!r}.")
    for kind in family.estimator_types:
        missing = [one for one in family.parameters if one not in kind().get_params(deep=False)]
        if missing:
            raise TypeError(f"family.parameters: {kind.__name__} has no {missing}.")
    _FAMILIES.update(dict.fromkeys(family.estimator_types, family))


def shared_fits() -> dict[type, SharedFits]:
    """Return every class whose candidates may share fits, with its family."""
    return dict(_FAMILIES)
