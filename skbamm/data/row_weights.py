"""Learned weights as the fits of a search receive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RowWeights:
    """Factors of the user's sample weights.

    Attributes
    ----------
    name : str
        The fit parameter that they go by: "sample_weight" or "step__sample_weight".
    rows : ndarray of shape (n,)
        For the final model.
    folds : ndarray of shape (n, K)
        For the model of each split, learned without its test rows.
    upper_loss : UpperLoss or None
        What the penalty is chosen by: the log loss of labels with the noise that was found.
    begin : list of float or None
        Where the penalty's optimum was with weights close to these.
    """

    name: str
    rows: np.ndarray
    folds: np.ndarray
    upper_loss: Any = None
    begin: list[float] | None = None

    def give(self, fit_params: dict[str, Any], place: np.ndarray, fold: int | None):
        """Return the parameters of a fit on the rows at ``place`` with their weights.

        ``fold`` is None for the final model.
        """
        weight = self.rows[place] if fold is None else self.folds[place, fold]
        own = fit_params.get(self.name)
        return {**fit_params, self.name: weight if own is None else np.asarray(own) * weight}
