"""Matrices that all outputs share, plus the curvature of norms of groups."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.metrics import cholesky_factor
from skbamm.glm.submatrix import UNSEEN

# Times the diagonal, the most that a norm is curved. An infinite curvature is wrong by a
# millionth then, and what rounding leaves of that of the whole is right to 1e-10.
_MOST = 1e6


class NormedMatrix:
    """``G`` for each output, plus ``c_j (I - s_j s_j^T)`` for each group j of all outputs.

    That is ``G + diag(c)`` for each output less a matrix of rank p, so that its inverse takes
    two p x p matrices instead of one of m p rows (Woodbury).

    Parameters
    ----------
    gram : Tensor of shape (S, K, p, p)
    curved : Tensor of shape (S, K, p)
        c; may be infinite.
    side : Tensor of shape (S, K, m, p)
        s, of norm one, or zero where c is.
    """

    def __init__(self, gram: Tensor, curved: Tensor, side: Tensor):
        # To a unit diagonal, so that features of different scales do no harm.
        tiny = torch.finfo(torch.float64).tiny
        self.diagonal = torch.diagonal(gram, dim1=-2, dim2=-1).clone()
        self._scale = self.diagonal.clamp_min(tiny).rsqrt()
        self._gram = gram * self._scale[..., :, None] * self._scale[..., None, :]
        self._side = side
        self._curved = (curved * self._scale**2).clamp_max(_MOST)
        if side.shape[2] == 1:  # a number's absolute value is not curved
            self._curved = torch.zeros_like(self._curved)
        sides, c = side.mT @ side, self._curved
        self._inverse = _inverse(self._gram + torch.diag_embed(c + UNSEEN))
        core = torch.diag_embed(torch.where(c > 0, c, 1.0))
        core -= c[..., :, None] * c[..., None, :] * self._inverse * sides
        size = core.diagonal(dim1=-2, dim2=-1).clamp_min(tiny).rsqrt()
        self._core_scale = size
        self._core = cholesky_factor(core * size[..., :, None] * size[..., None, :])

    def solve(self, right: Tensor) -> Tensor:
        """Solve for right-hand sides (S, K, m, p)."""
        scale = self._scale[..., None, :]
        first = (right * scale) @ self._inverse
        along = self._core_scale * self._curved * (self._side * first).sum(2)
        along = torch.cholesky_solve(along[..., None], self._core)[..., 0]
        along = self._core_scale * self._curved * along
        return (first + (self._side * along[..., None, :]) @ self._inverse) * scale

    def times(self, direction: Tensor) -> Tensor:
        """Return the matrix times a direction (S, K, m, p)."""
        scale, curved = self._scale[..., None, :], self._curved[..., None, :]
        scaled = direction / scale
        across = scaled - self._side * (self._side * scaled).sum(2, keepdim=True)
        return (scaled @ self._gram + curved * across) / scale


def _inverse(matrices: Tensor) -> Tensor:
    return torch.cholesky_inverse(cholesky_factor(matrices))
