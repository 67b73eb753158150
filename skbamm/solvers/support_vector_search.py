"""Which points a search of a support vector machine tries.

Each point costs one fit of libsvm a fold, and gives F and its hypergradient. A trust region over
few points is what that allows, and a bound of libsvm's iterations keeps it off points that cost
more than they can gain: as C grows, a fit may take a thousand times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.models import NotApplicable
from skbamm.solvers.base import Quest


@dataclass(frozen=True)
class Effort:
    """Numbers of points and limits of their cost; see benchmarks/everyday/svm.py.

    Attributes
    ----------
    points : int
        Points of a search at most.
    few_points : int
        The same where the scorer judges points from end to end as well.
    few_rows : int
        Rows up to which it does, of one parameter.
    first : float
        Length of the first step in x.
    most_rows : int
        Rows up to which kernels of all of them are kept.
    some_rows : int
        Rows that are used if there are more.
    own : int
        Points that are refitted if the scored models are own fits.
    dear : float
        Times the iterations of the best point so far that a fit may take.
    least : int
        Iterations for each training row that it may take anyway.
    close : float
        Steps in x that are too short to matter: 15 % of a value.
    flat : float
        Share of F by which the last two points must be better for more to follow.
    """

    points: int = 12
    few_points: int = 4
    few_rows: int = 1000
    first: float = 1.2
    most_rows: int = 5000
    some_rows: int = 2000
    own: int = 4
    dear: float = 4.0
    least: int = 10
    close: float = 0.15
    flat: float = 1e-3


EFFORT = Effort()


class TooDear(Exception):
    """Raised where a fit takes more iterations than it may."""


@dataclass(frozen=True)
class FoldFit:
    """One fold's fit.

    Attributes
    ----------
    fitted : dict of str -> object
        The fitted attributes.
    gamma : float
    n_iter : float
        In the mean of its machines.
    responses : dict of str -> ndarray
        Of the model's methods to the rows that the fold is judged by, if these are all of its test
        rows.
    """

    fitted: dict[str, Any]
    gamma: float
    n_iter: float
    responses: dict[str, np.ndarray]


@dataclass
class Visit:
    """A point that was tried.

    Attributes
    ----------
    x : list of float
    value : float
        F there.
    gradient : ndarray of shape (h,)
    fits : list of FoldFit
    """

    x: list[float]
    value: float
    gradient: np.ndarray
    fits: list[FoldFit]

    @property
    def iterations(self) -> float:
        """Iterations of libsvm, in the mean of all folds."""
        return float(np.mean([fit.n_iter for fit in self.fits]))


class PointSearch:
    """Points that are tried one after the other.

    Parameters
    ----------
    visit : callable
        Maps x and the iterations that a fit may take, or None, to a ``Visit``.
    quest : Quest
    n_rows : int
        The most rows that a fold trains on.
    null : float
        F of constant predictions.
    scanned : bool
        Whether the scorer judges points from end to end as well.
    """

    def __init__(
        self, visit: Callable[[list[float], int | None], Visit], quest: Quest, n_rows: int,
        null: float, scanned: bool,
    ):  # fmt: skip
        self.visit, self.quest, self.axes = visit, quest, quest.axes
        self.n_rows, self.null = n_rows, null
        self.found: list[Visit] = []
        low, high = zip(*(axis.bounds() for axis in quest.axes), strict=True)
        self.low, self.high = (torch.tensor(end, dtype=torch.float64) for end in (low, high))
        self._seconds: list[float] = []
        self._points = EFFORT.few_points if scanned else EFFORT.points
        self._most = min(self._points, quest.max_iter)

    @property
    def best(self) -> Visit:
        """The point so far where F is least."""
        return min(self.found, key=lambda visit: visit.value)

    def run(self, starts: list[list[float]]) -> Status:
        """Try the starting points, then follow the best; return why no more."""
        for start in starts:
            self._try(start, first=True)
            if self.found and self.quest.left == 0.0:
                return Status.MAX_TIME
        if not self.found:
            raise NotApplicable("own fits fail at all starting points")
        status = self._follow()
        for step in self._along_valley():
            before, known = self.best.value, len(self.found)
            x = self._project(torch.tensor(self.best.x, dtype=torch.float64) + step)
            if known >= self._most or self.quest.left == 0.0 or self._is_known(x):
                continue
            self._try(x.tolist())
            if self.best.value < before - EFFORT.flat * abs(before):
                status = self._follow()
        return Status.MAX_TIME if self.quest.left == 0.0 else status

    def _follow(self) -> Status:
        """Go on from the best point, within a trust region; return why no more."""
        rule = TrustRegionStep(first=EFFORT.first, longest=2.5, project=self._project)
        here, last, begun = self.best, self.best.value, len(self.found)
        while len(self.found) < self._most:
            x = self._next(rule, here)
            if self._is_known(x, EFFORT.close):
                return Status.CONVERGED
            tried = self._try(x.tolist())
            if tried is None:  # too expensive: half as far
                tried = self._try(
                    ((x + torch.tensor(self.best.x, dtype=torch.float64)) / 2).tolist()
                )
            if tried is None:
                return Status.PLATEAU
            here = tried
            if self.quest.left == 0.0:
                return Status.MAX_TIME
            if (len(self.found) - begun) % 3 == 0:
                if self.best.value > last - EFFORT.flat * abs(last):
                    return Status.CONVERGED
                last = self.best.value
        return Status.MAX_ITER if self._most < self._points else Status.PLATEAU

    def _along_valley(self) -> list[Tensor]:
        """Return steps along which C times gamma, and so a wide kernel's model, is constant."""
        names = [axis.parameter for axis in self.axes]
        if not {"C", "gamma"} <= {*names} or any(axis.scale != "log" for axis in self.axes):
            return []
        way = torch.tensor([{"C": 1.0, "gamma": -1.0}.get(name, 0.0) for name in names])
        return [EFFORT.first * way.double(), -EFFORT.first * way.double()]

    def _is_known(self, x: Tensor, close: float = 0.5) -> bool:
        """Whether a point that was tried is so close."""
        tried = torch.tensor([visit.x for visit in self.found], dtype=torch.float64)
        return bool(((x - tried).abs().amax(1) < close).any())

    def result(self, status: Status, starts: Tensor) -> BilevelResult:
        """Return the best point."""
        best = self.best
        at = torch.tensor(best.x, dtype=torch.float64)
        nothing = torch.zeros(len(best.fits), 1, 1, dtype=torch.float64)
        slope = float(np.abs(best.gradient).max()) if len(best.gradient) else 0.0
        history: dict[str, list] = {
            "seconds": self._seconds,
            "upper": [visit.value / self.null for visit in self.found],
            "kkt_residual": [float(np.abs(visit.gradient).max()) for visit in self.found],
            "x": [torch.tensor(visit.x, dtype=torch.float64) for visit in self.found],
        }
        start = int((starts - at).abs().sum(1).argmin())
        return BilevelResult(
            at, nothing, nothing, best.value / self.null, start, (0.0, 0.0, slope), status,
            len(self.found), history,
        )  # fmt: skip

    def _try(self, x: list[float], first: bool = False) -> Visit | None:
        """Return a point's visit; None if its fits take too many iterations."""
        most = EFFORT.least * self.n_rows
        if self.found:
            most = max(most, int(EFFORT.dear * self.best.iterations))
        try:
            visit = self.visit(x, None if first else most)
        except (TooDear, ValueError):  # such as of a nu that no model can have
            return None
        self.found.append(visit)
        self._seconds.append(self.quest.spent)
        return visit

    def _next(self, rule: TrustRegionStep, here: Visit) -> Tensor:
        x = torch.tensor([here.x], dtype=torch.float64)
        value = torch.tensor([here.value], dtype=torch.float64)
        slope = torch.tensor(here.gradient[None], dtype=torch.float64)
        step = rule.step(x, value, slope, torch.tensor([True]))
        return self._project(step)[0]

    def _project(self, x: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x.double(), self.low), self.high)
