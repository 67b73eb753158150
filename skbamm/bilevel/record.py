"""What a run has seen: its history, and the best point, which is never lost."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_NEARER = 0.5  # fall of the residuals that counts as an improvement


@dataclass(frozen=True)
class State:
    """One iteration, as it is judged; a figure a start.

    Attributes
    ----------
    x, y, v : Tensor
    upper : Tensor of shape (S,)
        F.
    doubt : Tensor of shape (S,)
        How much of F may still be the lag's doing.
    trusted : Tensor of bool of shape (S,)
        Whether y and v follow x, and the hypergradient means something.
    noise : Tensor of shape (S,)
        Error of the hypergradient.
    kkt : Tensor of shape (S, 3)
        Relative residuals of the equations of y, v and x.
    clear : Tensor of bool of shape (S,)
        Whether x may go on although its residual is below ``tol``.
    mu : float
        Averaging weight.
    """

    x: Tensor
    y: Tensor
    v: Tensor
    upper: Tensor
    doubt: Tensor
    trusted: Tensor
    noise: Tensor
    kkt: Tensor
    clear: Tensor
    mu: float


class Record:
    """Keeps the history and the best point of a run.

    Parameters
    ----------
    tol : float
    finish : int
        Iterations that may follow once ``tol`` is met.
    waits : bool
        Whether only trusted points count.
    keep_path : bool
        Whether the history has every x.
    """

    def __init__(self, tol: float, finish: int, waits: bool, keep_path: bool):
        self.tol, self.finish, self.waits = tol, finish, waits
        self.history: dict[str, list] = {"seconds": [], "upper": [], "kkt_residual": [], "mu": []}
        if keep_path:
            self.history["x"] = []
        self.best: dict[str, Any] | None = None
        self.since_best = 0
        self.lead = 0
        self.x: Tensor  # of the leading start
        self._extra = 0
        self._residual = torch.inf  # the least at points that count
        self._began = time.perf_counter()

    def leading(self) -> tuple[Tensor, float]:
        """Return x and F of the leading start."""
        return self.x, self.history["upper"][-1]

    def note(self, now: State, starts: list[int], final: bool) -> bool:
        """Note the iteration; return whether the leading start has converged.

        Parameters
        ----------
        now : State
        starts : list of int
            Numbers of the starting points still followed.
        final : bool
            Whether the averaging weight is small enough to converge with.
        """
        columns = [now.upper, now.doubt, now.trusted.double(), now.noise, *now.kkt.unbind(1)]
        rows = torch.stack(columns, 1).tolist()
        candidates = [s for s, row in enumerate(rows) if row[2]] or range(len(rows))
        self.lead = min(
            candidates, key=lambda s: rows[s][0] if rows[s][0] == rows[s][0] else torch.inf
        )
        value, doubtful, ok, error, *triple = rows[self.lead]
        self.x = now.x[self.lead]
        self.history["seconds"].append(time.perf_counter() - self._began)
        self.history["upper"].append(value)
        self.history["kkt_residual"].append(max(triple))
        self.history["mu"].append(now.mu)
        if "x" in self.history:
            self.history["x"].append(self.x.clone())
        counts = bool(ok) or (not self.waits and math.isfinite(value))
        converged = final and counts and max(*triple, error, doubtful) <= self.tol
        if converged and self.waits and now.clear[self.lead]:
            self._extra += 1
            converged = self._extra > self.finish
        if counts or self.best is None:
            self._compare(now, value, doubtful, triple, counts, converged, starts)
        # Where a better point was seen, this one is a maximum, or another minimum: not ours.
        return converged and len(starts) == 1 and self.best is not None and (
            self.best["upper"] == value
        )  # fmt: skip

    def _compare(self, now, value, doubtful, triple, counts, converged, starts) -> None:
        s, best = self.lead, self.best
        first = best is None or not best["counts"]
        residual = max(triple)
        nearer = counts and residual < _NEARER * self._residual
        if nearer:
            self._residual = residual
        # A published schedule converges to its point; F may be lower where y lags.
        first |= not self.waits
        worst = value + doubtful
        # A point that has converged beats one that is better by no more than tol.
        close = self.tol * abs(value) if converged else 0.0
        if first or (counts and best is not None and worst <= best["worst"] + close):
            gained = first or best is None or best["worst"] - worst > self.tol * abs(value) * 0.01
            self.since_best = 0 if gained or nearer else self.since_best + 1
            self.best = {
                "upper": value, "worst": worst, "counts": counts, "kkt": triple,
                "start": starts[s], "x": now.x[s], "y": now.y[s], "v": now.v[s],
            }  # fmt: skip
        elif counts:
            self.since_best = 0 if nearer else self.since_best + 1

    def reopen(self) -> None:
        """Let any point that counts replace the best so far: it was best for another mu."""
        self.since_best, self._residual = 0, torch.inf
        if self.best is not None:
            self.best["counts"] = False
