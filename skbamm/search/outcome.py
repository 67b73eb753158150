"""The settings of a search, and its results besides the candidates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbamm.clock import Clock
from skbamm.search.vectors_found import history_column


@dataclass(frozen=True)
class Settings:
    """The user's settings that the joint solver needs."""

    criterion: str
    max_iter: int
    tol: float
    max_time: float | None
    device: str
    dtype: str
    verbose: int
    clock: Clock = field(default_factory=Clock)


@dataclass
class Outcome:
    """Results of a search besides the candidates.

    Attributes
    ----------
    history : dict of list
        ``seconds``, ``criterion``, ``kkt_residual`` and one entry a searched parameter.
    n_iter : int
        Iterations of the longest run.
    converged : bool
    device : str
    shrinkage : dict of str -> dict
        For each candidate with a vector, the content of ``shrinkage_``.
    notes : list of str
        Warnings for the user once all is done.
    left_to_own_fits : dict of str -> str
        Intervals that could not be searched jointly, with the reason.
    refit_adopted : str
        Why the final model is the search's solution and not the estimator's own fit; "" if it is.
    solved_there : bool
        Whether the final model was solved on a device.
    loose : str
        That the estimator's own fits stop far from the models that were scored; "" if not.
    """

    history: dict[str, list] = field(default_factory=dict)
    n_iter: int = 1
    converged: bool = True
    device: str = "cpu"
    shrinkage: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_to_own_fits: dict[str, str] = field(default_factory=dict)
    refit_adopted: str = ""
    solved_there: bool = False
    loose: str = ""

    def columns(self) -> dict[str, np.ndarray]:
        """Return the history as ``history_`` has it."""
        return {name: history_column(values) for name, values in self.history.items()}

    def tell(self) -> None:
        """Warn of intervals that were not searched jointly."""
        for names, reason in self.left_to_own_fits.items():
            warnings.warn(
                f"{names} was not searched jointly, and scikit-learn's own fits of values from end "
                f"to end of the interval are used: {reason}.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.loose:
            warnings.warn(
                f"{self.loose}: best_score_ is of the solved models, and cross_val_score of "
                "best_estimator_ may differ. A smaller tol, or a larger max_iter, would mend it.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.refit_adopted:
            warnings.warn(
                f"{self.refit_adopted[0].upper()}{self.refit_adopted[1:]}; best_estimator_ has "
                "the minimum, which is what was scored. Scaled features, or another tol, max_iter "
                "or learning rate, would let the estimator's own fit find it.",
                ConvergenceWarning,
                stacklevel=3,
            )
