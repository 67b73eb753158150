"""Parameters without a derivative whose intervals may be given: the scorer judges values of them.

They are those of families that may share fits, wherever such a model is in the estimator: alone,
at the end of a pipeline, or inside of a meta-estimator.
"""

from __future__ import annotations

from typing import Any

from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits import find_judged, shared_fits


def judged_parameters(estimator: Any) -> dict[str, Hyperparameter]:
    """Return them by the names that they have in a grid."""
    found: dict[str, Hyperparameter] = {}
    for prefix, owner in _owners(estimator):
        found |= {prefix + one.name: one for one in find_judged(owner)[0]}
    return found


def why_not_judged(estimator: Any, name: str) -> str:
    """Say why a parameter's owner, if its intervals are judged, has none of this one; else ""."""
    for prefix, owner in _owners(estimator):
        if prefix == name[: len(name) - len(name.rpartition("__")[2])]:
            found, reason = find_judged(owner)
            if found or reason:
                own = " and ".join(repr(prefix + one.name) for one in found)
                told = f" ({reason})" if reason else ""
                which = f"only {own} can be" if own else "nothing can be"
                return f"of {type(owner).__name__} as it is set {which}{told}"
    return ""


def judged_families() -> str:
    """Name every class with such parameters, for error messages."""
    named = [
        f"{kind.__name__} ({', '.join(one.name for one in family.intervals)})"
        for kind, family in shared_fits().items()
        if family.intervals
    ]
    return f"{', '.join(named)} are judged by the scorer, also inside of other estimators"


def _owners(estimator: Any) -> list[tuple[str, Any]]:
    inside = [
        (f"{name}__", value)
        for name, value in estimator.get_params(deep=True).items()
        if hasattr(value, "get_params") and not isinstance(value, type)
    ]
    return [("", estimator), *inside]
