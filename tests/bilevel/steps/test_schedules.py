"""Schedules: those published have the published exponents."""

import pytest
import torch

from skbamm.bilevel import adaptive, merely_convex, strongly_convex
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep

STILL = torch.zeros(1, dtype=torch.bool)
ONE = torch.ones(1, 1, 1, dtype=torch.float64)


def lengths(schedule, iterations):
    """Return mu and the lengths of the y-, v- and x-steps of the first iterations."""
    rows = []
    for k in range(iterations):
        y = schedule.y_step.step(0 * ONE, ONE, ONE, STILL)
        v = schedule.v_step.step(0 * ONE, ONE, ONE, STILL)
        x = schedule.x_step.step(0 * ONE[0], ONE[0, 0], ONE[0], ~STILL)
        rows.append((schedule.mu(k), -float(y), -float(v), -float(x)))
    return rows


def test_strongly_convex():
    for k, row in enumerate(lengths(strongly_convex(), 4)):
        expected = (0.0, 0.2, 0.025 * (k + 1) ** -5e-4, 0.002 * (k + 1) ** -1e-3)
        assert row == pytest.approx(expected)


def test_merely_convex_averages_with_the_weight_that_shortens_x():
    for k, row in enumerate(lengths(merely_convex(), 4)):
        mu = 0.9 * (k + 1) ** -0.1
        expected = (mu, 0.1, 0.1 * (k + 1) ** -0.0125, 0.1 * (k + 1) ** -0.0375 * mu**3)
        assert row == pytest.approx(expected)


def test_ours_does_not_average_unless_told_to():
    assert {adaptive(1).mu(k) for k in range(5)} == {0.0}
    assert adaptive(1, mu=lambda k: 1 / (k + 2)).mu(0) == 0.5


def test_the_second_order_step_is_that_of_the_number_of_hyperparameters():
    assert isinstance(adaptive(1).x_step, ScalarStep)
    assert isinstance(adaptive(2).x_step, TrustRegionStep)


def test_only_ours_waits():
    assert adaptive(1).waits
    assert not strongly_convex().waits and not merely_convex().waits
