"""Pickles of estimators say which release made them."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

VERSION = "0.1.0"
_KEY = "_skbamm_version"


class OtherReleaseWarning(InconsistentVersionWarning):
    """A pickle was made by another release of skbamm.

    Parameters
    ----------
    estimator_name : str
    current_version, original_version : str
        Releases of skbamm.
    added : list of str
        Parameters that the pickle does not have: they have their defaults.
    """

    def __init__(
        self, *, estimator_name: str, current_version: str, original_version: str, added: list[str]
    ):
        self.estimator_name = estimator_name
        self.current_version, self.original_version = current_version, original_version
        # As in scikit-learn's own class.
        self.current_sklearn_version = self.original_sklearn_version = None
        self.added = added

    def __str__(self):
        more = f" Parameters it did not have are at their defaults: {', '.join(self.added)}."
        return (
            f"This pickle of {self.estimator_name} was made by skbamm {self.original_version}, and "
            f"is read by {self.current_version}. Predictions stay as they were as long as "
            "scikit-learn reads the model in it; fit again to be sure of all else."
            + (more if self.added else "")
        )


class Versioned:
    """Base of estimators whose pickles store the release."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, _KEY: VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        made_by = state.pop(_KEY, "before 0.1.0")
        parameters = inspect.signature(type(self).__init__).parameters
        added = [
            name for name, one in parameters.items()
            if name not in state and one.default is not inspect.Parameter.empty
        ]  # fmt: skip
        state |= {name: parameters[name].default for name in added}
        if made_by != VERSION:
            warnings.warn(
                OtherReleaseWarning(
                    estimator_name=type(self).__name__, current_version=VERSION,
                    original_version=made_by, added=added,
                ),
                stacklevel=2,
            )  # fmt: skip
        super().__setstate__(state)  # type: ignore[misc]
