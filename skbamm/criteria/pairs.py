"""Criteria of pairs of rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skbamm.losses import pairwise_logistic


class PairwiseLoss:
    """The log loss of pairs of a positive and a negative row of the same fold.

    It is no sum over rows. One pass collects the scores of the validation rows; from them follows
    what each row adds, and how that changes with its score.
    """

    n_outputs = 1

    def evaluator(self, rows: Any, y: Tensor):
        """Return value and gradient of chunks of rows at y; see ``Criterion.evaluator``."""
        S, K = y.shape[:2]
        seen: dict[tuple[int, int], tuple] = {}

        def keep(z, chunk):
            first = int(torch.as_tensor(_rows(chunk)[0]))
            width = chunk.folds.stop - chunk.folds.start
            scores = z[0][:, 0].double().unflatten(1, (S, width))
            weight = chunk.validation[:, :width].double()  # the same for every start
            seen[chunk.folds.start, first] = (
                _rows(chunk), chunk.folds, scores, weight, chunk.target.flatten() > 0.5,
            )  # fmt: skip

        rows.visit(y[None], keep)
        parts = [seen[key] for key in sorted(seen)]
        n = 1 + max(int(part[0].max()) for part in parts)
        value = torch.zeros(n, S, K, dtype=torch.float64, device=y.device)
        gradient = torch.zeros_like(value)
        for k in range(K):
            mine = [part for part in parts if part[1].start <= k < part[1].stop]
            column = [k - part[1].start for part in mine]
            weight = torch.cat([p[3][:, c] for p, c in zip(mine, column, strict=True)])
            used = weight > 0
            scores = torch.cat([p[2][..., c] for p, c in zip(mine, column, strict=True)])[used]
            index = torch.cat([part[0] for part in mine])[used]
            positive = torch.cat([part[4] for part in mine])[used]
            weight = weight[used]
            for s in range(S):
                loss, slope = pairwise_logistic(scores[:, s], positive, weight)
                # The average over the rows, by their weights, is to be the value of the fold.
                value[index, s, k] = loss
                gradient[index, s, k] = slope / weight

        def evaluate(z, chunk, u):
            if u is not None:
                raise NotImplementedError("a loss of pairs is no lower loss")
            at = (chunk.rows, slice(None), chunk.folds)
            return (
                value[at].flatten(1).to(z.dtype),
                gradient[at].flatten(1)[:, None].to(z.dtype),
                None,
            )

        return evaluate


def _rows(chunk) -> Tensor:
    """Return which rows a chunk has, (n,)."""
    if isinstance(chunk.rows, slice):
        return torch.arange(chunk.rows.start, chunk.rows.stop, device=chunk.target.device)
    return chunk.rows
