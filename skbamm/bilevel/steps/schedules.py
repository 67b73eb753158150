"""Averaging weights and step lengths of the publication, and our own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from skbamm.bilevel.steps.averaging import Averaging, averaging
from skbamm.bilevel.steps.kink_search import KinkSearch
from skbamm.bilevel.steps.secant import ColumnStep, ConstantStep, FollowingStep, SecantStep
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep, ScheduledStep, UpperStep


@dataclass(frozen=True)
class Schedule:
    """The step rules of a run. A run uses a copy, so that schedules can be reused.

    Attributes
    ----------
    mu : callable of k
        Averaging weight; a ``VanishingAverage`` observes how the run goes.
    y_step, v_step : ColumnStep
    x_step : UpperStep
    waits : bool
        Whether x waits until y and v follow. The published schedules do not: their step
        lengths are small enough instead.
    """

    mu: Callable[[int], float]
    y_step: ColumnStep
    v_step: ColumnStep
    x_step: UpperStep
    waits: bool = True

    def begin(self, hessian_jumps: bool) -> Steps:
        """Return the steps of one run of a problem; ``hessian_jumps`` as there.

        If the Hessian of f jumps, so do the slopes of F, and an x that waits lets y and v take
        full steps, with a search along those of y that cross kinks.
        """
        mu, jumps = averaging(self.mu).begin(), self.waits and hessian_jumps
        # Together: v may follow the lengths of y.
        y_step, v_step = copy.deepcopy((self.y_step, self.v_step))
        if jumps:
            y_step, v_step = KinkSearch(), ConstantStep(1.0)
        return Steps(mu, y_step, v_step, self.x_step.begin(jumps))


@dataclass(frozen=True)
class Steps:
    """The step rules of one run, with their state.

    Attributes
    ----------
    mu : Averaging
    y_step, v_step : ColumnStep
    x_step : UpperStep
    """

    mu: Averaging
    y_step: ColumnStep
    v_step: ColumnStep
    x_step: UpperStep

    def select(self, s: int) -> None:
        """Continue with the s-th start only."""
        self.y_step.select([s])
        self.v_step.select([s])
        self.x_step.lead(s)


def strongly_convex(beta=0.2, eta=0.025, alpha=0.002, tau=1e-3) -> Schedule:
    """Return the published schedule for a strongly convex lower level: no averaging.

    ``eta_k = eta (k+1)^(-tau/2)`` and ``alpha_k = alpha (k+1)^(-tau)``, arXiv 2302.03407.

    Parameters
    ----------
    beta : float, default=0.2
        Length of the y-steps.
    eta : float, default=0.025
        Length of the first v-step.
    alpha : float, default=0.002
        Length of the first x-step.
    tau : float, default=1e-3
        Rate at which the v- and x-steps shorten.

    Returns
    -------
    Schedule
        For :func:`skbamm.bilevel.minimize` or :func:`skbamm.bilevel.solve`.
    """
    return Schedule(
        mu=averaging(0.0),
        y_step=ConstantStep(beta),
        v_step=_Decaying(eta, tau / 2),
        x_step=ScheduledStep(lambda k: alpha * (k + 1) ** -tau),
        waits=False,
    )


def merely_convex(mu0=0.9, p=10.0, beta=0.1, tau=1 / 40) -> Schedule:
    """Return the published schedule for a merely convex lower level.

    ``mu_k = mu0 (k+1)^(-1/p)``, ``eta_k = beta (k+1)^(-tau/2)`` and
    ``alpha_k = beta (k+1)^(-3 tau/2) mu_k^3``, arXiv 2302.03407. Unlike in the authors' code,
    mu_k reaches the averaged objective and not only alpha.

    Parameters
    ----------
    mu0 : float, default=0.9
        Weight of F in the averaged objective at first.
    p : float, default=10.0
        Rate at which that weight decreases.
    beta : float, default=0.1
        Length of the y-steps, and of the first v-step.
    tau : float, default=1/40
        Rate at which the v- and x-steps shorten.

    Returns
    -------
    Schedule
        For :func:`skbamm.bilevel.minimize` or :func:`skbamm.bilevel.solve`.
    """

    def mu(k):
        return mu0 * (k + 1) ** (-1 / p)

    return Schedule(
        mu=mu,
        y_step=ConstantStep(beta),
        v_step=_Decaying(beta, tau / 2),
        x_step=ScheduledStep(lambda k: beta * (k + 1) ** (-1.5 * tau) * mu(k) ** 3),
        waits=False,
    )


def adaptive(
    h: int,
    second_order: bool = True,
    mu: Callable[[int], float] | float | None = None,
    x_step: UpperStep | None = None,
    first: float = 1.0,
) -> Schedule:
    """Return our own schedule: secant steps for y and v, and an x that waits for them.

    Parameters
    ----------
    h : int
        Number of hyperparameters.
    second_order : bool, default=True
        Whether the problem's metric is near the inverse of the Hessian.
    mu : callable of k, or float, optional
        Averaging weight; none by default, which is right where f is strongly convex and keeps
        the upper level's rows out of the models.
    x_step : UpperStep, optional
        Bracketing for a single hyperparameter, else quasi-Newton steps in a trust region.
    first : float, default=1
        First length of the steps of y and v.
    """
    longest = 1.0 if second_order else float("inf")
    y_step = SecantStep(first, longest)
    return Schedule(
        mu=averaging(mu),
        y_step=y_step,
        v_step=FollowingStep(y_step) if second_order else SecantStep(first, longest),
        x_step=x_step or (ScalarStep() if h == 1 else TrustRegionStep()),
    )


class _Decaying(ConstantStep):
    """``length (k+1)^(-power)``."""

    def __init__(self, length, power):
        super().__init__(length)
        self.first, self.power, self.k = length, power, 0

    def step(self, point, gradient, direction, moved, risen=None, slopes=None):
        self.length = self.first * (self.k + 1) ** -self.power
        self.k += 1
        return super().step(point, gradient, direction, moved)
