"""The history of a run, and the best point, which is never lost."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.guards.accuracy import Judgement
from skbamm.bilevel.point import Point


@dataclass
class Best:
    """The best point so far.

    Attributes
    ----------
    x, y, v : Tensor
    start : int
        Number of the starting point that it grew from.
    upper, worst : float
        F, and F with all of its doubt.
    kkt : tuple of three floats
    counts : bool
        Whether F there is to be believed.
    """

    x: Tensor
    y: Tensor
    v: Tensor
    start: int
    upper: float
    worst: float
    kkt: tuple[float, float, float]
    counts: bool


class Record:
    """Keeps the history and the best trusted point of a run.

    Parameters
    ----------
    tol : float
    finish : int
        Iterations that may follow once ``tol`` is met.
    keep_path : bool
        Whether the history has every x.

    Attributes
    ----------
    nearer : float
        Fall of the residuals that counts as an improvement.
    gain : float
        Share of ``tol`` by which F must fall to count as one.
    """

    nearer, gain = 0.5, 0.01

    def __init__(self, tol: float, finish: int, keep_path: bool):
        self.tol, self.finish = tol, finish
        self.history: dict[str, list] = {"seconds": [], "upper": [], "kkt_residual": [], "mu": []}
        if keep_path:
            self.history["x"] = []
        self.best: Best | None = None
        self.since_best = 0
        self.lead = 0
        self.x: Tensor  # of the leading start
        self._extra = 0
        self._residual = torch.inf  # the least at points that count
        self._began = time.perf_counter()

    def leading(self) -> tuple[Tensor, float]:
        """Return x and F of the leading start."""
        return self.x, self.history["upper"][-1]

    def note(self, here: Point, now: Judgement, mu: float, final: bool) -> bool:
        """Note the iteration; return whether the leading start has converged.

        Parameters
        ----------
        here : Point
        now : Judgement
        mu : float
            Averaging weight.
        final : bool
            Whether that is small enough to converge with.
        """
        columns = [now.upper, now.doubt, now.trusted.double(), now.noise, *now.kkt.unbind(1)]
        rows = torch.stack(columns, 1).tolist()
        candidates = [s for s, row in enumerate(rows) if row[2]] or range(len(rows))
        self.lead = min(
            candidates, key=lambda s: rows[s][0] if rows[s][0] == rows[s][0] else torch.inf
        )
        value, doubtful, ok, error, *triple = rows[self.lead]
        self.x = here.x[self.lead]
        self.history["seconds"].append(time.perf_counter() - self._began)
        self.history["upper"].append(value)
        self.history["kkt_residual"].append(max(triple))
        self.history["mu"].append(mu)
        if "x" in self.history:
            self.history["x"].append(self.x.clone())
        counts = bool(ok)
        converged = final and counts and max(*triple, error, doubtful) <= self.tol
        if converged and now.clear[self.lead]:
            self._extra += 1
            converged = self._extra > self.finish
        if counts or self.best is None:
            self._compare(here, value, doubtful, triple, counts, converged)
        # If a better point was seen, this one is a maximum or another minimum.
        alone = converged and len(here.starts) == 1
        return alone and self.best is not None and self.best.upper == value

    def _compare(self, here: Point, value, doubtful, triple, counts, converged) -> None:
        s, best = self.lead, self.best
        residual, worst = max(triple), value + doubtful
        nearer = counts and residual < self.nearer * self._residual
        if nearer:
            self._residual = residual
        # A point that has converged beats one that is better by no more than tol.
        close = self.tol * abs(value) if converged else 0.0
        first = best is None or self._replaces(best)
        if best is None or first or (counts and worst <= best.worst + close):
            gained = best is None or first or best.worst - worst > self.tol * abs(value) * self.gain
            self.since_best = 0 if gained or nearer else self.since_best + 1
            kkt = triple[0], triple[1], triple[2]
            start = here.starts[s]
            self.best = Best(here.x[s], here.y[s], here.v[s], start, value, worst, kkt, counts)
        elif counts:
            self.since_best = 0 if nearer else self.since_best + 1

    def _replaces(self, best: Best) -> bool:
        """Whether the point at hand replaces the best one whatever F is."""
        return not best.counts

    def reopen(self) -> None:
        """Let any point that counts replace the best so far: it was best for another mu."""
        self.since_best, self._residual = 0, torch.inf
        if self.best is not None:
            self.best.counts = False


class LatestRecord(Record):
    """Keeps the latest finite point: F may be lower where y lags behind x."""

    def _replaces(self, best: Best) -> bool:
        return True
