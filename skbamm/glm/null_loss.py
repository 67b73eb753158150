"""The loss of models without slopes: the scale of f, whatever the units of target and loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_F64 = torch.finfo(torch.float64)
# Rounding error relative to the loss at zero, where a constant fits a target far from zero exactly.
_ROUNDING = 4 * _F64.eps


def null_loss(problem: Any) -> Tensor:
    """Return the training loss of about the best constant in each fold, (K,), float64.

    It is the variance, or what stands for it, and above zero unless all targets are zero.

    Parameters
    ----------
    problem : GLMProblem
    """
    rows, loss = problem.rows, problem.loss
    level = torch.zeros(loss.n_outputs, rows.n_folds, dtype=torch.float64, device=rows.device)
    if rows.fit_intercept and loss.squared:
        means = [
            rows.totals(lambda chunk, j=j: chunk.train * loss.targets(chunk.target)[:, j])
            for j in range(loss.n_outputs)
        ]
        level = torch.stack(means)
    elif rows.fit_intercept:
        level += loss.start(rows.target_mean)
    best = loss_of_constants(problem, level)
    return best + _ROUNDING * loss_of_constants(problem, 0 * level) + _F64.tiny


def loss_of_constants(problem: Any, level: Tensor) -> Tensor:
    """Return the training loss of predictors that are constant, (K,); ``level`` is (m, K)."""
    scale = None
    if problem.loss.has_scale:  # any scale of the errors' size will do
        scale = problem.rows.totals(_of_rows(level, lambda z, t, chunk: (z - t).abs()[:, 0]))
        scale = scale.clamp_min(_F64.tiny)

    def losses(z, target, chunk):
        loss = problem.loss.of_folds(chunk.folds)
        loss = loss if scale is None else loss.at(scale[chunk.folds])
        return loss.evaluate(z, target)[0]

    return problem.rows.totals(_of_rows(level, losses, problem.loss.targets))


def _of_rows(level, function, targets=lambda target: target.reshape(-1, 1, 1)):
    """Return a function of chunks that weights the results of a function of predictors."""

    def of_chunk(chunk):
        z = level[:, chunk.folds].to(chunk.train).expand(len(chunk.target), -1, -1)
        return chunk.train * function(z, targets(chunk.target), chunk)

    return of_chunk
