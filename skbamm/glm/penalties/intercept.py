"""What the penalty of the intercept is to that of the slopes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def intercept_shares(rows: Any, scale: float, device: torch.device | None = None) -> Tensor:
    """Return what the strengths (p,) of the coefficients are to those of the slopes.

    liblinear takes the intercept for the coefficient of a feature that is the same in all rows,
    so that squares, or absolute values, of it have a strength that is a power of that feature's
    scale. Elsewhere the intercept is free.

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
