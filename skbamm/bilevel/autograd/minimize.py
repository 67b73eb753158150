"""sl-BAMM on any two torch functions, by one call."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.autograd.problem import AutogradProblem
from skbamm.bilevel.autograd.trees import flatten
from skbamm.bilevel.loop import solve
from skbamm.bilevel.problem import Problem
from skbamm.bilevel.result import BilevelResult
from skbamm.bilevel.steps.averaging import VanishingAverage, curvatures, is_flat
from skbamm.bilevel.steps.averaging import averaging as weight_of
from skbamm.bilevel.steps.schedules import Schedule, adaptive, merely_convex, strongly_convex
from skbamm.bilevel.steps.x_steps import SpectralStep

_DENSE = 300  # entries of y up to which "auto" takes the whole Hessian as its metric
_PUBLISHED = {"strongly_convex": strongly_convex, "merely_convex": merely_convex}
_FORMS = ("jacobi", "gauss-seidel")
_METRICS = ("identity", "cg", "newton")


def minimize(
    upper: Any,
    lower: Callable[..., Tensor] | None = None,
    x0: Any = None,
    y0: Any = None,
    *,
    v0: Any = None,
    projection: Callable[[Any], Any] | None = None,
    averaging: str | float | Callable[[int], float] = "auto",
    schedule: str | Schedule = "auto",
    preconditioner: str | Callable[[Any, Any, Any], Any] | None = None,
    form: str = "jacobi",
    batches: Iterable[Any] | None = None,
    max_iter: int = 1000,
    tol: float = 1e-6,
    callback: Callable[[int, Any, float], object] | None = None,
) -> BilevelResult:
    """Minimise ``F(x, y)`` over x and y, subject to ``y in argmin f(x, .)``, by sl-BAMM.

    One loop takes one step of y, of the multiplier v and of x in each iteration. Where the lower
    level has more than one solution, the one with the lowest F is sought.

    Parameters
    ----------
    upper, lower : callable
        F and f: map ``(x, y)``, or ``(x, y, batch)`` with ``batches``, to a scalar tensor; twice
        differentiable in torch. A ``Problem`` may replace ``upper``, with
        ``lower=None``; x0 then has shape (S, h), and y0 may be left out.
    x0, y0 : Tensor, or nested dict, list or tuple of Tensor
        Where to begin. One float dtype and device for each of them; both on the same device.
    v0 : like y0, optional
        Initial multiplier; zero by default.
    projection : callable, optional
        Maps x to the nearest admissible x, of the same structure.
    averaging : "auto", float or callable of k, default="auto"
        Weight mu of F in the averaged lower objective ``mu F + (1 - mu) f``. "auto" takes none
        where f curves in all directions; else a weight that falls to nothing as the iterates
        come to rest, so that F decides what f leaves open. A published schedule has its own.
    schedule : {"auto", "strongly_convex", "merely_convex"} or Schedule, default="auto"
        "auto": y and v take secant steps in the metric, x takes spectral steps, and waits until
        y and v follow. The published ones are described at
        :func:`~skbamm.bilevel.strongly_convex` and :func:`~skbamm.bilevel.merely_convex`, which
        take their constants.
    preconditioner : {"identity", "cg", "newton"} or callable, optional
        Metric of the y- and v-steps: none, conjugate gradients on the Hessian, or the Hessian
        itself. A callable maps ``(x, y, residual)`` to the preconditioned residual, which has
        the structure of y. By default "newton" for up to 300 entries of y and "cg" beyond, with
        ``schedule="auto"`` without batches; "identity" else.
    form : {"jacobi", "gauss-seidel"}, default="jacobi"
        Whether all steps start from the same point, or each from the result of the one before it,
        for two more evaluations an iteration.
    batches : iterable, optional
        One batch an evaluation, from the beginning again when it is exhausted. With batches
        "auto" is a published schedule, and no run reports success, which a batch cannot show.
    max_iter : int, default=1000
        Most iterations.
    tol : float, default=1e-6
        Bound on the relative residuals of the equations of y, v and x, and on an averaging
        weight of "auto"; in float32 1e-4 is within reach.
    callback : callable, optional
        Called as ``callback(k, x, upper)`` in each iteration; a true return value ends the run.

    Returns
    -------
    BilevelResult
        With ``x``, ``y`` and ``v`` structured as x0 and y0, ``fun``, ``kkt_residual``,
        ``status``, ``message``, ``success``, ``nit`` and ``history``.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or a function does not return a finite scalar
        that depends on y at the starting point.

    Notes
    -----
    Liu, Liu, Yao, Zeng, Zhang, "Averaged Method of Multipliers for Bi-Level Optimization without
    Lower-Level Strong Convexity", ICML 2023, arXiv 2302.03407. A weight that falls with the
    residuals, secant and spectral steps are ours; the publication fixes all lengths beforehand.

    Examples
    --------
    The lower level does not see ``y["free"]``, which is left to the upper one:

    >>> import torch
    >>> from skbamm.bilevel import minimize
    >>> def upper(x, y):
    ...     return ((x - y["free"]) ** 2).sum() / 2 + ((y["tied"] - 1) ** 2).sum() / 2
    >>> def lower(x, y):
    ...     return ((y["tied"] - x) ** 2).sum() / 2
    >>> zero = torch.zeros(2, dtype=torch.float64)
    >>> result = minimize(upper, lower, zero, {"tied": zero, "free": zero})
    >>> result.success, [round(float(v), 4) for v in result.x]
    (True, [1.0, 1.0])
    """
    _check(averaging, schedule, preconditioner, form, batches, max_iter, tol, callback)
    options: dict[str, Any] = {
        "form": form,
        "max_iter": max_iter,
        "tol": tol,
        "finish": 0,
        "keep_path": False,
    }
    if lower is None and isinstance(upper, Problem):
        unfit = {"projection": projection, "preconditioner": preconditioner, "batches": batches}
        for name, value in unfit.items():
            if value is not None:
                raise ValueError(f"{name} is not allowed with a Problem, which has its own.")
        return _of_problem(upper, x0, y0, v0, averaging, schedule, callback, options)
    for name, function in (("upper", upper), ("lower", lower)):
        if not callable(function):
            raise TypeError(f"{name} must be callable, got {type(function).__name__}.")
    x, rebuild_x = flatten(x0, "x0")
    y, rebuild_y = flatten(y0, "y0")
    v = None if v0 is None else flatten(v0, "v0")[0]
    if v is not None and v.shape != y.shape:
        raise ValueError(f"v0 must have the {len(y)} entries of y0, got {len(v)}.")
    if x.device != y.device:
        raise ValueError(f"x0 and y0 must be on one device, got {x.device} and {y.device}.")
    for name, values in (("x0", x), ("y0", y), ("v0", v)):
        if values is not None and not bool(torch.isfinite(values).all()):
            raise ValueError(f"{name} must be finite, got NaN or infinity.")
    auto = schedule == "auto" and batches is None
    metric: Any = preconditioner or (
        "identity" if not auto else "newton" if len(y) <= _DENSE else "cg"
    )
    if callable(preconditioner):
        metric = _flat_metric(preconditioner, rebuild_x, rebuild_y)
    problem = AutogradProblem(
        _flat(upper, rebuild_x, rebuild_y),
        _flat(lower, rebuild_x, rebuild_y),
        y,
        projection=_flat_projection(projection, rebuild_x, x),
        metric=metric,
        batches=batches,
    )
    problem.check(x)
    steps = _schedule(schedule, averaging, problem, metric, x[None], y[None, None], tol, auto)
    if callback is not None:
        options["callback"] = lambda k, at, value: callback(k, rebuild_x(at), value)
    if batches is not None:
        options["tol"] = -1.0  # which no residual meets, not even one that happens to be zero
    v = None if v is None else v[None, None]
    result = solve(problem, x[None], y0=y[None, None], v0=v, schedule=steps, **options)
    return replace(
        result,
        x=rebuild_x(result.x),
        y=rebuild_y(result.y[0]),
        v=rebuild_y(result.v[0]),
        curvature=None,
        x_step=None,
    )


def _of_problem(problem, x0, y0, v0, averaging, schedule, callback, options) -> BilevelResult:
    """Solve what is a ``Problem`` already."""
    if not isinstance(x0, Tensor) or x0.ndim != 2:
        got = tuple(x0.shape) if isinstance(x0, Tensor) else type(x0).__name__
        raise ValueError(f"x0 must be a tensor of shape (S, h) for a Problem, got {got}.")
    if averaging == "auto":
        averaging = 0.0
    x_step = SpectralStep()
    auto = adaptive(x0.shape[1], problem.second_order, x_step=x_step)
    steps = auto if schedule == "auto" else _named(schedule)
    if schedule == "auto" or averaging != 0.0:
        steps = replace(steps, mu=weight_of(averaging))
    return solve(problem, x0, y0=y0, v0=v0, schedule=steps, callback=callback, **options)


def _schedule(schedule, averaging, problem, metric, x, y, tol, auto) -> Schedule:
    """Return the schedule, with its averaging weight."""
    flat, longest = False, 0.0
    if schedule == "auto":
        least, longest = curvatures(problem.hessian(x, y, 0.0), y)
        flat = is_flat(least, longest, y.dtype)
    if not auto:
        name = "merely_convex" if flat else "strongly_convex"
        steps = _named(name if schedule == "auto" else schedule)
        return steps if averaging == "auto" else replace(steps, mu=weight_of(averaging))
    mu: Any = 0.0
    if averaging != "auto":
        mu = averaging
    elif flat:
        eps = torch.finfo(y.dtype).eps
        mu = VanishingAverage(last=min(1e-3, max(0.01 * tol, 10 * eps)))
    # Plain gradients start with short steps that are safe for any curvature.
    first = 1 / longest if metric == "identity" and longest > 0 else 1.0
    return adaptive(x.shape[1], problem.second_order, mu=mu, x_step=SpectralStep(), first=first)


def _named(schedule) -> Schedule:
    return _PUBLISHED[schedule]() if isinstance(schedule, str) else schedule


def _flat(function, rebuild_x, rebuild_y):
    return lambda x, y, *batch: function(rebuild_x(x), rebuild_y(y), *batch)


def _flat_projection(projection, rebuild_x, x):
    """Return the projection of vectors."""
    if projection is None:
        return None

    def project(vector):
        return flatten(projection(rebuild_x(vector)), "projection(x)")[0]

    if project(x).shape != x.shape:
        raise ValueError("projection(x) must have the structure of x0.")
    return project


def _flat_metric(preconditioner, rebuild_x, rebuild_y):
    def apply(x, y, residual):
        found = preconditioner(rebuild_x(x), rebuild_y(y), rebuild_y(residual))
        return flatten(found, "preconditioner(x, y, residual)")[0]

    return apply


def _check(averaging, schedule, preconditioner, form, batches, max_iter, tol, callback) -> None:
    """Raise an error for invalid options."""
    if isinstance(averaging, str) and averaging != "auto":
        raise ValueError(f"averaging must be 'auto', a float or a callable, got {averaging!r}.")
    if isinstance(averaging, int | float) and not 0 <= averaging < 1:
        raise ValueError(f"averaging must be in [0, 1), got {averaging!r}.")
    if not isinstance(averaging, str | int | float) and not callable(averaging):
        raise TypeError(
            f"averaging must be 'auto', a float or a callable, got {type(averaging).__name__}."
        )
    names = ("auto", *_PUBLISHED)
    if not isinstance(schedule, Schedule) and schedule not in names:
        raise ValueError(f"schedule must be a Schedule or one of {names}, got {schedule!r}.")
    if not (preconditioner is None or callable(preconditioner) or preconditioner in _METRICS):
        raise ValueError(
            f"preconditioner must be a callable or one of {_METRICS}, got {preconditioner!r}."
        )
    if form not in _FORMS:
        raise ValueError(f"form must be one of {_FORMS}, got {form!r}.")
    if batches is not None and not isinstance(batches, Iterable):
        raise TypeError(f"batches must be iterable, got {type(batches).__name__}.")
    if not isinstance(max_iter, numbers.Integral) or max_iter < 1:
        raise ValueError(f"max_iter must be a positive integer, got {max_iter!r}.")
    if not isinstance(tol, int | float) or not 0 <= tol < math.inf:
        raise ValueError(f"tol must be a non-negative number, got {tol!r}.")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}.")
