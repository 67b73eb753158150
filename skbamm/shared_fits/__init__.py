"""Families of estimators in which several candidates of a list share one fit, exactly."""

from skbamm.shared_fits.base import NotShared, SharedFits, fitted, take_fitted
from skbamm.shared_fits.registry import (
    find_judged,
    find_shared_fits,
    register_shared_fits,
    shared_fits,
)

__all__ = [
    "NotShared",
    "SharedFits",
    "find_judged",
    "find_shared_fits",
    "fitted",
    "register_shared_fits",
    "shared_fits",
    "take_fitted",
]
