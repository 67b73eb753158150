"""Wrappers that make a problem misbehave, and exact answers to compare with."""

from dataclasses import replace

import pytest
import torch


class Wrapped:
    """A problem that behaves as another one, but for what a subclass changes."""

    def __init__(self, problem):
        self.problem = problem
        self.calls = 0

    def __getattr__(self, name):
        return getattr(self.problem, name)

    def directions(self, x, y, v, mu):
        self.calls += 1
        return self.change(self.problem.directions(x, y, v, mu))

    def select(self, starts):
        chosen = type(self).__new__(type(self))
        chosen.__dict__.update(self.__dict__, problem=self.problem.select(starts))
        return chosen

    def change(self, directions):
        return directions


class Interrupted(Wrapped):
    """Ctrl-C comes at the call of this number."""

    def __init__(self, problem, at):
        super().__init__(problem)
        self.at = at

    def change(self, directions):
        if self.calls == self.at:
            raise KeyboardInterrupt
        return directions


class NotANumber(Wrapped):
    """F and all gradients are NaN from the call of this number on."""

    def __init__(self, problem, after=0):
        super().__init__(problem)
        self.after = after

    def change(self, directions):
        if self.calls <= self.after:
            return directions
        names = ("upper", "lower", "grad_y", "residual_v", "grad_x")
        parts = {name: torch.full_like(getattr(directions, name), torch.nan) for name in names}
        return replace(directions, **parts)

    def grad_x(self, x, y, v, mu, upper):
        found = self.problem.grad_x(x, y, v, mu, upper)
        return found if found is None or self.calls <= self.after else found * torch.nan


class Uphill(Wrapped):
    """The hypergradient points the wrong way."""

    def change(self, directions):
        return replace(directions, grad_x=-directions.grad_x)

    def grad_x(self, x, y, v, mu, upper):
        found = self.problem.grad_x(x, y, v, mu, upper)
        return None if found is None else -found


class Rescaled(Wrapped):
    """The metric is this factor times what it should be."""

    def __init__(self, problem, factor):
        super().__init__(problem)
        self.factor = factor

    def curvature(self, x, y, mu):
        return ScaledMetric(self.problem.curvature(x, y, mu), self.factor)


class ScaledMetric:
    def __init__(self, inner, factor):
        self.inner, self.factor = inner, factor

    def solve(self, residuals):
        return self.factor * self.inner.solve(residuals)

    def select(self, starts):
        return ScaledMetric(self.inner.select(starts), self.factor)

    def at(self, *where):
        return ScaledMetric(self.inner.at(*where), self.factor)

    def outworn(self, slow):
        return self.inner.outworn(slow)


@pytest.fixture(params=[0, 1])
def generator(request):
    """Seeded random numbers."""
    return torch.Generator().manual_seed(request.param)
