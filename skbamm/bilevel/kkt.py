"""Relative residuals of the equations of y, v and x: a run has converged where they are small."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.problem import Problem

_TINY = torch.finfo(torch.float64).tiny


class Residuals:
    """Residuals relative to the first ones, or by what they cost relative to f and F.

    The first is hard to meet where a run begins near the solution, the second where f is flat:
    the smaller one counts. A problem without units has the first only.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self.has_units = problem.has_units
        self.first: list[Tensor] | None = None  # norms of the first residuals of y and v

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        if self.first is not None:
            self.first = [size[starts] for size in self.first]

    def measure(
        self,
        problem: Problem,
        x: Tensor,
        grad: Tensor,
        sizes: tuple[Tensor, Tensor],
        nearness: Tensor,
    ) -> Tensor:
        """Return the residuals of y, v and x, (S, 3), in float64.

        Parameters
        ----------
        problem : Problem
        x, grad : Tensor of shape (S, h)
            x and the hypergradient, relative to F.
        sizes : tuple of Tensor of shape (S, K)
            Norms of the residuals of y and v.
        nearness : Tensor of shape (2, S, K)
            Their squared decrements, relative to the scales of f and F.
        """
        if self.first is None:
            self.first = list(sizes)
        found = []
        for size, first, near in zip(sizes, self.first, nearness, strict=True):
            if self.has_units:
                found.append(torch.fmin(size / first.clamp_min(_TINY), near.sqrt()).amax(1))
            else:
                found.append((size / (1 + first)).amax(1))
        x = x.double()
        return torch.stack([*found, (x - problem.project(x - grad)).norm(dim=1)], 1)
