"""Solve the lower level alone, at fixed x and mu = 0: grids, and the models that are scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.columns import dots, mask_columns
from skbamm.bilevel.faces import Face
from skbamm.bilevel.guards.accuracy import on_host
from skbamm.bilevel.problem import Curvature, Problem
from skbamm.bilevel.steps.kink_search import KinkSearch
from skbamm.bilevel.steps.secant import ColumnStep, SecantStep
from skbamm.effort import METER, spend, step_seconds


@dataclass(frozen=True)
class Limits:
    """When a metric is renewed and when a solve gives up. Solutions do not depend on them.

    Attributes
    ----------
    slow : float
        Fall of the decrement an iteration above which a new metric is worth its price.
    foreseen : float
        Fall from which the next decrement can be foreseen: a last look costs as much as a step.
    patience : int
        Iterations without a better decrement in any unfinished column: rounding is reached.
    stage, ahead : int and float
        Iterations in which the decrement of some column must fall to this share.
    """

    slow: float = 0.2
    foreseen: float = 0.1
    patience: int = 5
    stage: int = 20
    ahead: float = 0.5


LIMITS = Limits()


@dataclass
class LowerResult:
    """Solutions of the lower level.

    Attributes
    ----------
    y : Tensor of shape (S, K, ...)
    decrement : Tensor of shape (S, K)
        Newton decrement in the metric used; half its square estimates f - min f. After a last step
        that was not evaluated, it is an estimate. It and the next two are on the CPU.
    gradient_norm : Tensor of shape (S, K)
        Largest absolute entry of the gradient of f, where it was last evaluated.
    converged : Tensor of bool of shape (S, K)
    nit : int
    curvature : Curvature or None
        The last metric, of the starts that finished last.
    """

    y: Tensor
    decrement: Tensor
    gradient_norm: Tensor
    converged: Tensor
    nit: int
    curvature: Curvature | None = None


def solve_lower(
    problem: Problem,
    x: Tensor,
    y: Tensor | None = None,
    *,
    tol: float = 1e-9,
    gradient_tol: float = torch.inf,
    max_iter: int = 100,
    curvature: Curvature | None = None,
) -> LowerResult:
    """Minimise f(x, .) in every column until its decrement is below ``tol``.

    Parameters
    ----------
    problem : Problem
        The lower level and its derivatives, for all starts and folds.
    x : Tensor of shape (S, h)
        The point whose models are solved.
    y : Tensor of shape (S, K, ...), optional
        Where to begin; ``problem.start(x)`` if not given.
    tol : float
        Bound on the decrement, relative to ``sqrt(c + |f|)`` with the problem's ``lower_floor`` c.
    gradient_tol : float
        Bound on the largest entry of the gradient.
    max_iter : int
        Most steps.
    curvature : Curvature, optional
        Initial metric, suitable near ``(x, y)``.

    Returns
    -------
    LowerResult
        The best iterate of each column, converged or not.
    """
    y = problem.descend(x, problem.start(x) if y is None else y, tol)
    return _Solve(problem, x, y, tol, gradient_tol, curvature).run(max_iter)


@dataclass
class _Look:
    """Values at the current point, for all starts that are not finished.

    Attributes
    ----------
    gradient, direction : Tensor of the shape of y
        The gradient, on the face if there is one, and the metric applied to it.
    face : Face or None
    slopes : list of Tensor of shape (S, K)
        Slopes along the direction and along the last one, on the CPU like all that follows.
    decrement, norm : Tensor of shape (S, K)
    risen, better : Tensor of bool of shape (S, K)
        Columns where f rose, and columns whose iterate is the best so far.
    enough : Tensor of shape (S, K)
        The decrement that ``tol`` allows.
    done : Tensor of bool of shape (S, K)
    """

    gradient: Tensor
    direction: Tensor
    face: Face | None
    slopes: list[Tensor]
    decrement: Tensor
    norm: Tensor
    risen: Tensor
    better: Tensor
    enough: Tensor
    done: Tensor


class _Solve:
    """One call of ``solve_lower``: the current point and the best iterate of each column.

    A start leaves once all its columns have converged; ``alive`` lists those that remain. The
    best iterates are kept for all starts. Decisions are made on the CPU.
    """

    def __init__(
        self,
        problem: Problem,
        x: Tensor,
        y: Tensor,
        tol: float,
        gradient_tol: float,
        curvature: Curvature | None,
    ):
        self.problem, self.x, self.y, self.curvature = problem, x, y, curvature
        self.tol, self.gradient_tol = tol, gradient_tol
        self.rounding = torch.finfo(y.dtype).eps ** 0.5
        self.floor, self.gradient_rounding = problem.lower_floor, problem.gradient_rounding
        self.alive = list(range(problem.shape[0]))
        self.control: ColumnStep = KinkSearch() if problem.hessian_jumps else SecantStep()
        self.best = y.clone()
        self.best_decrement = torch.full(problem.shape, torch.inf, dtype=torch.float64)
        self.best_norm, self.lowest = self.best_decrement.clone(), self.best_decrement.clone()
        self.converged = torch.zeros(problem.shape, dtype=torch.bool)
        self.previous: Tensor | None = None  # the decrement one iteration ago
        self.idle = 0  # iterations without a better iterate
        self.stage = self.lowest.clone(), self.best_decrement.clone()  # at the stage's beginning

    def run(self, max_iter: int) -> LowerResult:
        """Iterate until all columns have converged or no more progress is possible."""
        nit = 0
        for _ in range(max_iter):
            nit += 1
            if METER.get() is not None:
                spend(step_seconds(self.problem.kinks))
            look = self._look()
            self._keep_best(look)
            finished = self.converged[self.alive].all(1)
            if bool(finished.all()):
                break
            ratio = _fall(look.decrement, self.previous, look.done)
            if self._exhausted(nit, look):
                break
            moved = torch.zeros(len(self.alive), dtype=torch.bool)
            after = self.control.step(
                self.y, look.gradient, look.direction, moved, look.risen, look.slopes
            )
            if self._accept_unseen(look, ratio, after):
                break
            self._go_on(look, after, finished, slow=ratio > LIMITS.slow)
        return LowerResult(
            self.best, self.best_decrement, self.best_norm, self.converged, nit, self.curvature
        )

    def _look(self) -> _Look:
        """Evaluate f, its gradient and the step at the current point."""
        value, gradient = self._evaluate()
        gradient, direction, face, near = self._direction(value, gradient)
        slopes = dots(gradient, direction, self.control.last)
        norm = gradient.flatten(2).abs().amax(-1)
        value, norm, *slopes = on_host([value, norm, *slopes])
        norm = torch.where(norm <= self.gradient_rounding, 0.0, norm)
        lowest = self.lowest[self.alive]
        change = (value - lowest) / (self.floor + lowest.abs())
        change = change.nan_to_num(nan=-torch.inf)  # the first point
        risen, fallen = change > self.rounding, change < -self.rounding
        # Far from the minimum the curvature may vanish: a small decrement there means nothing.
        good = torch.isfinite(slopes[0]) & ~risen
        decrement = torch.where(good, slopes[0].abs(), torch.inf).sqrt()
        enough = self.tol * (self.floor + value.abs()).sqrt()
        done = (decrement <= enough) & (norm <= self.gradient_tol)
        if near is not None:
            done &= near.cpu()
        self.lowest[self.alive] = torch.fmin(lowest, value)
        better = fallen | (decrement < self.best_decrement[self.alive])
        return _Look(
            gradient, direction, face, slopes, decrement, norm, risen, better, enough, done
        )

    def _evaluate(self) -> tuple[Tensor, Tensor]:
        """Return f and its gradient; first shorten a step that crossed a jump of the Hessian."""
        problem = self.problem
        value, gradient = problem.lower(self.x, self.y)
        if problem.hessian_jumps:
            nearer = self.control.nearer(problem, self.x, self.y, gradient)
            if nearer is not None:
                self.y = nearer
                value, gradient = problem.lower(self.x, self.y)
        return value, gradient

    def _direction(
        self, value: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Face | None, Tensor | None]:
        """Return the gradient, the direction, and the face with its columns of a small gap."""
        problem, y = self.problem, self.y
        if self.curvature is None:
            self.curvature = problem.curvature(self.x, y, 0.0)
            self.control.reset()
        face = problem.face(self.x, y, gradient) if problem.kinks else None
        if face is None:
            direction = self.curvature.solve(gradient[None])[0]
            return gradient, torch.where(direction == 0, gradient, direction), None, None
        least = 1e4 * self.rounding**2  # a gap that rounding errors do not hide
        scale = self.floor.to(y.device) + value.abs()
        near = face.gap(y) <= max(self.tol**2, least) * scale
        # With gaps this small no decrement is needed; computing its direction may cost most.
        solved = self.tol**2 >= least and bool((near & (face.violation() <= self.tol)).all())
        direction = torch.zeros_like(y) if solved else self.curvature.within(face).step(y)
        return face.slope, direction, face, near

    def _keep_best(self, look: _Look) -> None:
        """Store the iterates that are the best of their columns, and which converged."""
        alive, better = self.alive, look.better
        self.best[alive] = torch.where(mask_columns(better, self.y), self.y, self.best[alive])
        self.best_norm[alive] = torch.where(better, look.norm, self.best_norm[alive])
        self.best_decrement[alive] = torch.where(better, look.decrement, self.best_decrement[alive])
        self.converged[alive] |= look.done

    def _exhausted(self, nit: int, look: _Look) -> bool:
        """Whether no unfinished column makes progress: rounding, or a stage without a fall."""
        progress = bool(((look.better | look.risen) & ~look.done).any())
        self.idle = 0 if progress else self.idle + 1
        if self.idle >= LIMITS.patience:
            return True
        if nit % LIMITS.stage:
            return False
        lowest, decrement = self.stage
        fell = (lowest - self.lowest) > self.rounding * (self.floor + self.lowest.abs())
        ahead = fell | (self.best_decrement < LIMITS.ahead * decrement)
        self.stage = self.lowest.clone(), self.best_decrement.clone()
        return not bool((ahead & ~self.converged).any())

    def _accept_unseen(self, look: _Look, ratio: float, after: Tensor) -> bool:
        """Accept the next point without evaluating it if the decrement there is predictable."""
        smooth = look.face is None and not self.problem.hessian_jumps
        if not (smooth and 0 < ratio <= LIMITS.foreseen):
            return False
        left = ratio * look.decrement
        near = (left <= look.enough) & (look.norm <= self.gradient_tol) & ~look.risen
        if not bool((near | look.done).all()):
            return False
        alive, done = self.alive, look.done
        self.best[alive] = torch.where(mask_columns(done, self.y), self.best[alive], after)
        self.best_decrement[alive] = torch.where(done, self.best_decrement[alive], left)
        self.converged[alive] = True
        return True

    def _go_on(self, look: _Look, after: Tensor, finished: Tensor, slow: bool) -> None:
        """Move to the next point, drop finished starts and keep or drop the metric."""
        face, previous = look.face, look.decrement
        if face is not None:
            after = face.settle(self.y, after, look.direction, self.control.going)
        self.y = after
        keep = torch.nonzero(~finished).flatten().tolist()
        curvature = self.curvature
        assert curvature is not None
        if len(keep) < len(self.alive):
            self.alive = [self.alive[i] for i in keep]
            self.x, self.y, previous = self.x[keep], self.y[keep], previous[keep]
            self.problem, curvature = self.problem.select(keep), curvature.select(keep)
            self.control.select(keep)
        self.previous = previous
        self.curvature = None if curvature.outworn(slow) else curvature.at(self.x, self.y)


def _fall(decrement: Tensor, previous: Tensor | None, done: Tensor) -> float:
    """Return the worst ratio of successive decrements over unfinished columns, or 0."""
    if previous is None:
        return 0.0
    ratio = decrement / previous.clamp_min(torch.finfo(decrement.dtype).tiny)
    return float(torch.where(done, 0.0, ratio.nan_to_num(nan=1.0, posinf=1.0)).max())
