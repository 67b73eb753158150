"""The strength of the intercept's penalty relative to that of the slopes."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.folds import Rows


def intercept_shares(rows: Rows, scale: float, device: torch.device | None = None) -> Tensor:
    """Return the strengths (p,) of the coefficients relative to those of the slopes.

    liblinear treats the intercept as the coefficient of a constant feature, so the strength of its
    square, or absolute value, is a power of that feature's scale. Elsewhere the intercept is free.

    Parameters
    ----------
    rows : Rows
    scale : float
        The factor of the intercept, if there is one; 0 leaves it free.
    device : torch.device, optional
    """
    shares = torch.ones(rows.n_coefficients, dtype=torch.float64, device=device)
    if rows.fit_intercept:
        shares[-1] = scale
    return shares
