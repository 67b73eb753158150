"""The one loop that runs sl-BAMM on every problem.

Liu, Liu, Yao, Zeng, Zhang, "Averaged Method of Multipliers for Bi-Level Optimization without
Lower-Level Strong Convexity", ICML 2023, arXiv 2302.03407. An iteration takes one step of each of
y, v and x. ``published.py`` has the published iteration, ``adaptive.py`` the one used by searches.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.adaptive import Refining, Screening
from skbamm.bilevel.guards.accuracy import Accuracy
from skbamm.bilevel.iteration import Iteration
from skbamm.bilevel.point import Point
from skbamm.bilevel.problem import Curvature, Problem
from skbamm.bilevel.published import PublishedIteration
from skbamm.bilevel.record import LatestRecord, Record
from skbamm.bilevel.result import BilevelResult, Status
from skbamm.bilevel.steps.schedules import Schedule, adaptive
from skbamm.effort import METER, spend
from skbamm.progress import PROGRESS


def solve(
    problem: Problem,
    x0: Tensor,
    *,
    y0: Tensor | None = None,
    v0: Tensor | None = None,
    curvature: Curvature | None = None,
    schedule: Schedule | None = None,
    form: str = "jacobi",
    max_iter: int = 100,
    tol: float = 1e-4,
    max_time: float | None = None,
    finish: int = 3,
    keep_path: bool = True,
    callback: Callable[[int, Tensor, float], object] | None = None,
) -> BilevelResult:
    """Minimise F(x, y) over x and y, subject to y in argmin f(x, .), by sl-BAMM.

    All S starts advance together until their hypergradients can be trusted; then the best start is
    refined. The best trusted point is always returned, also after Ctrl-C.

    Parameters
    ----------
    problem : Problem
        F, f and their derivatives, for all starts and folds.
    x0 : Tensor of shape (S, h)
        Starting points.
    y0, v0 : Tensor of shape (S, K, ...), optional
        Defaults: ``problem.start(x0)`` and zero.
    curvature : Curvature, optional
        Initial metric, suitable near ``(x0, y0)``.
    schedule : Schedule, optional
        ``adaptive(h, problem.second_order)`` by default.
    form : {"jacobi", "gauss-seidel"}, default="jacobi"
        Whether all steps start from the same point, or v uses the new y and x uses both; the latter
        costs two more evaluations of the problem.
    max_iter : int
        Most iterations.
    tol : float
        Bound on the relative KKT residuals.
    max_time : float, optional
        Time limit in seconds; the best point so far is then returned.
    finish : int
        Additional moves of x after ``tol`` is met; if F is flat, ``tol`` says little about x.
    keep_path : bool, default=True
        Whether the history stores x of every iteration.
    callback : callable, optional
        Called as ``callback(k, x, upper)`` each iteration with the leading start; a true return
        value ends the run.

    Returns
    -------
    BilevelResult
        The point that the best start ended at, and the path to it.
    """
    if schedule is None:
        schedule = adaptive(x0.shape[1], problem.second_order)
    here = Point.begin(problem, x0, y0, v0, curvature)
    kind = Record if schedule.waits else LatestRecord
    run = _first_stage(problem, here, schedule, form, kind(tol, finish, keep_path))
    deadline = torch.inf if max_time is None else time.perf_counter() + max_time
    status, nit = Status.MAX_ITER, 0
    try:
        for k in range(max_iter):
            nit = k + 1
            if METER.get() is not None:
                spend(run.seconds)
            stop = run.step(k)
            run = run.following or run
            progress = PROGRESS.get()
            if progress is not None:
                _, loss = run.record.leading()
                progress.step("search", nit, max_iter, f"relative loss {loss:.6g}")
            if callback is not None:
                x, upper = run.record.leading()
                if callback(k, x.to(x0.device), upper) and stop is None:
                    stop = Status.INTERRUPTED
            if stop is None and time.perf_counter() > deadline:
                stop = Status.MAX_TIME
            if stop is not None:
                status = stop
                break
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    return run.result(status, nit)


def _first_stage(
    problem: Problem, here: Point, schedule: Schedule, form: str, record: Record
) -> Iteration:
    """Return the first iteration or stage."""
    steps = schedule.begin(problem.hessian_jumps)
    if not schedule.waits:
        return PublishedIteration(problem, here, steps, form, record)
    accuracy = Accuracy(problem, steps.x_step, record.tol, here.at.device)
    stage = Screening if len(here.starts) > 1 else Refining
    return stage(problem, here, steps, form, record, accuracy)
