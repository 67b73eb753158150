"""The loop: known answers, honest statuses, and nothing that was found gets lost."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from skbamm.bilevel import (
    Schedule,
    Status,
    adaptive,
    solve,
    solve_lower,
    strongly_convex,
)
from skbamm.bilevel.steps.secant import SecantStep
from skbamm.bilevel.steps.x_steps import ScalarStep, ScheduledStep
from tests.bilevel.conftest import Interrupted, NotANumber, Rescaled, Uphill, Wrapped
from tests.glm.conftest import three_folds
from tests.problems import (
    ESTIMATORS,
    biased_by_averaging,
    log_values,
    model_problem,
    scalar,
    strongly_convex_quadratic,
)

STARTS = (1e-3, 1e-2, 1.0, 30.0, 1e3)
CRITERIA = {"ridge": "r2", "logistic": "log_loss", "multinomial": "log_loss"}


def model(name, *, starts=5, low=1e-4, high=1e4, **options):
    estimator, X, y = ESTIMATORS[name]
    bounds = (np.log(low), np.log(high))
    splits = three_folds(len(y))
    options = {"criterion": CRITERIA[name], **options}
    return model_problem(estimator, X, y, splits, starts=starts, bounds=bounds, **options)


def exact_upper(problem, x):
    """Return F of exactly solved models at x of shape (S, 1)."""
    y = solve_lower(problem, x, tol=1e-11, max_iter=1000).y
    return problem.directions(x, y, torch.zeros_like(y), 0.0).upper.sum(1)


def exact_minimum(name, low=1e-4, high=1e4):
    """Return x and F of the best of all local minima, by SciPy on exact solves."""
    problem = model(name, starts=1, moments=name == "ridge")
    grid = torch.linspace(np.log(low), np.log(high), 25, dtype=torch.float64)

    def upper(x):
        return float(exact_upper(problem, torch.tensor([[x]], dtype=torch.float64)))

    values = [upper(float(x)) for x in grid]
    best = int(np.argmin(values))
    around = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, 24)])
    found = minimize_scalar(upper, bounds=around, method="bounded", options={"xatol": 1e-7})
    return (found.x, found.fun) if found.fun < values[best] else (float(grid[best]), values[best])


# Problems with a known answer


def averaged(mu, iterations=300, x_length=0.3):
    """Run the problem that averaging biases, in phi's own metric; return the final x."""
    known = biased_by_averaging(metric="newton")
    schedule = Schedule(
        mu=mu,
        y_step=SecantStep(),
        v_step=SecantStep(),
        x_step=ScheduledStep(lambda k: x_length),
        waits=False,
    )
    # The metric of the Hessian where mu has changed little: refreshed with x.
    problem = FreshMetric(known.problem)
    result = solve(problem, known.x0, schedule=schedule, max_iter=iterations, tol=0.0)
    return float(result.x), float(known.x)


class FreshMetric(Wrapped):
    """The metric is that of phi at the present mu, in every iteration."""

    def directions(self, x, y, v, mu):
        self.at = x, y, mu
        return super().directions(x, y, v, mu)

    def curvature(self, x, y, mu):
        return FreshSolve(self)


class FreshSolve:
    def __init__(self, owner):
        self.owner = owner

    def solve(self, residuals):
        return self.owner.problem.curvature(*self.owner.at).solve(residuals)

    def select(self, starts):
        return self

    def at(self, *where):
        return self

    def outworn(self, slow):
        return slow


@pytest.mark.parametrize("mu", [0.2, 0.5])
def test_a_frozen_weight_goes_to_the_biased_value(mu):
    a, c = 1.0, 0.5
    found, unbiased = averaged(lambda k: mu)
    biased = (1 - mu) ** 2 * a / (c + (1 - mu) ** 2)
    assert found == pytest.approx(biased, abs=1e-6)
    assert abs(found - unbiased) > 0.05


def test_a_vanishing_weight_goes_to_the_unbiased_value():
    found, unbiased = averaged(lambda k: 0.9 / (k + 1), 1000)
    assert found == pytest.approx(unbiased, rel=1e-3)


def test_without_averaging_what_the_lower_level_does_not_see_stays():
    a, c, start = 1.0, 0.5, 2.0
    found, unbiased = averaged(lambda k: 0.0)
    assert found == pytest.approx((a + start) / (2 + c), abs=1e-6)
    assert abs(found - unbiased) > 0.05


# Cross-validated models


@pytest.mark.parametrize("name", CRITERIA)
def test_the_minimum_of_the_exactly_solved_loss_is_found(name):
    x, fun = exact_minimum(name)
    result = solve(model(name), log_values(*STARTS))
    assert result.success
    assert result.fun == pytest.approx(fun, rel=1e-4)
    exact = float(exact_upper(model(name, starts=1), result.x[None]))
    assert exact <= fun * (1 + 1e-5)
    if name != "ridge":  # which is flat between two minima
        assert float(result.x) == pytest.approx(x, abs=0.15)


@pytest.mark.parametrize("criterion", ["squared_error", "r2", "root_mean_squared_error"])
@pytest.mark.parametrize("moments", [True, False])
def test_every_criterion_of_ridge(criterion, moments):
    problem = model("ridge", criterion=criterion, moments=moments)
    alone = model("ridge", criterion=criterion, moments=True, starts=1)
    grid = torch.linspace(2.5, 4.5, 41, dtype=torch.float64)[:, None]
    lowest = min(float(exact_upper(alone, x[None])) for x in grid)
    result = solve(problem, log_values(*STARTS))
    assert result.success
    assert float(exact_upper(alone, result.x[None])) <= lowest * (1 + 1e-5)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("start", STARTS)
def test_one_start_descends_from_anywhere(name, start):
    problem, x0 = model(name, starts=1), log_values(start)
    result = solve(problem, x0)
    assert float(exact_upper(problem, result.x[None])) <= float(exact_upper(problem, x0))
    if result.success:
        assert max(result.kkt_residual) <= 1e-4


@pytest.mark.parametrize("end", ["low", "high"])
def test_a_minimum_outside_the_interval_is_found_on_its_end(end):
    """Binary log loss of these data is least near C = 0.46."""
    low, high = (1.0, 1e4) if end == "low" else (1e-4, 0.1)
    x0 = torch.linspace(np.log(low), np.log(high), 5, dtype=torch.float64)[1:-1, None]
    result = solve(model("logistic", starts=3, low=low, high=high), x0)
    assert result.success  # the projected gradient vanishes there
    expected = np.log(low if end == "low" else high)
    assert float(result.x) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("tol", [1e-3, 1e-4, 1e-6])
def test_no_worse_than_the_best_start_and_not_converged_unless_so(name, tol):
    problem, x0 = model(name), log_values(*STARTS)
    result = solve(problem, x0, tol=tol)
    assert result.success == (result.status is Status.CONVERGED)
    assert not result.success or max(result.kkt_residual) <= tol
    starts = exact_upper(problem, x0)
    best = float(exact_upper(model(name, starts=1), result.x[None]))
    assert best <= float(starts.min()) * (1 + 0.1 * tol)
    # What is reported is F of followed, not of half-fitted, models.
    assert result.fun == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_wrong_hypergradient_loses_nothing(name):
    problem, x0 = Uphill(model(name)), log_values(*STARTS)
    result = solve(problem, x0)
    best = float(exact_upper(model(name, starts=1), result.x[None]))
    assert best <= float(exact_upper(model(name), x0).min()) * (1 + 1e-4)


@pytest.mark.parametrize("factor", [2.0, 0.8])
def test_a_metric_of_the_wrong_scale_is_recovered_from(factor):
    _, fun = exact_minimum("logistic")
    result = solve(Rescaled(model("logistic"), factor), log_values(*STARTS), max_iter=300)
    exact = float(exact_upper(model("logistic", starts=1), result.x[None]))
    assert exact <= fun * (1 + 1e-3)


def test_a_minimum_between_plateaus_is_not_left_for_one():
    """Far from the well all gradients vanish, but F is higher there than at the start."""
    problem, x0 = scalar(lambda y: 1 - torch.exp(-(y**2) / 0.02), 0.1)
    start = 1 - np.exp(-0.5)
    result = solve(problem, x0)
    assert result.fun <= start + 1e-9
    assert result.fun == pytest.approx(1 - np.exp(-(float(result.x) ** 2) / 0.02), abs=1e-3)


@pytest.mark.parametrize("x0", [-3.0, 0.2, 2.0])
def test_a_scalar_problem_is_solved(x0):
    problem, start = scalar(lambda y: torch.exp(y) + torch.exp(-2 * y), x0)
    result = solve(problem, start, max_iter=300)
    assert result.success
    assert float(result.x) == pytest.approx(np.log(2) / 3, abs=1e-3)
    assert result.fun == pytest.approx(2 ** (1 / 3) + 2 ** (-2 / 3), rel=1e-6)


def test_where_it_begins_may_be_given():
    problem = model("logistic", starts=1)
    first = solve(problem, log_values(0.1))
    again = solve(problem, first.x[None], y0=first.y[None], v0=first.v[None])
    assert again.success and again.nit <= first.nit
    torch.testing.assert_close(again.x, first.x, rtol=0, atol=0.05)


def test_start_points_outside_the_bounds_are_projected():
    problem = model("logistic", starts=1, low=0.1, high=10.0)
    result = solve(problem, log_values(1e-9))
    assert float(result.history["x"][0]) == pytest.approx(np.log(0.1))


def test_the_same_input_gives_the_same_bits():
    runs = [solve(model("multinomial"), log_values(*STARTS)) for _ in range(2)]
    assert torch.equal(runs[0].x, runs[1].x) and torch.equal(runs[0].y, runs[1].y)
    assert runs[0].history["upper"] == runs[1].history["upper"]


@pytest.mark.parametrize("starts", [STARTS, STARTS[:1]])
@pytest.mark.parametrize("jumps", [False, True])
def test_a_schedule_serves_several_runs(starts, jumps):
    problem, rule = model("logistic", starts=len(starts)), ScalarStep()
    problem.hessian_jumps = jumps
    schedule = adaptive(1, x_step=rule)
    runs = [solve(problem, log_values(*starts), schedule=schedule) for _ in range(2)]
    assert runs[0].history["upper"] == runs[1].history["upper"]
    assert not rule.seen and not rule.kinks and runs[0].x_step.kinks == jumps


# Why it stopped


def test_too_few_iterations():
    result = solve(model("logistic"), log_values(*STARTS), max_iter=3)
    assert result.status is Status.MAX_ITER and not result.success
    assert result.nit == 3 and len(result.history["upper"]) == 3


def test_too_little_time():
    result = solve(model("logistic"), log_values(*STARTS), max_time=0.0)
    assert result.status is Status.MAX_TIME and not result.success
    assert result.nit == 1
    assert bool(torch.isfinite(result.x).all())


def test_a_callback_ends_the_run():
    seen = []

    def callback(k, x, upper):
        seen.append((k, x.clone(), upper))
        return k == 4

    result = solve(model("logistic"), log_values(*STARTS), callback=callback)
    assert result.status is Status.INTERRUPTED and not result.success
    assert [k for k, _, _ in seen] == [0, 1, 2, 3, 4]
    assert result.history["upper"] == [upper for _, _, upper in seen]


def test_a_callback_that_returns_nothing_only_looks_on():
    plain = solve(model("logistic"), log_values(*STARTS))
    watched = solve(model("logistic"), log_values(*STARTS), callback=lambda *args: None)
    assert watched.status is plain.status and torch.equal(watched.x, plain.x)


@pytest.mark.parametrize("at", [2, 6, 9])
def test_ctrl_c_keeps_the_best_so_far(at):
    result = solve(Interrupted(model("logistic"), at), log_values(*STARTS))
    assert result.status is Status.INTERRUPTED and not result.success
    assert result.nit == at and len(result.history["upper"]) == at - 1
    assert bool(torch.isfinite(result.x).all()) and np.isfinite(result.fun)


def test_ctrl_c_before_anything_was_found():
    result = solve(Interrupted(model("logistic"), 1), log_values(*STARTS))
    assert result.status is Status.INTERRUPTED
    assert bool(torch.isfinite(result.x).all()) and bool(torch.isfinite(result.y).all())
    assert np.isnan(result.fun)


def test_other_errors_are_not_swallowed():
    class Broken(Wrapped):
        def change(self, directions):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        solve(Broken(model("logistic")), log_values(*STARTS))


def test_not_a_number_from_the_beginning_is_divergence():
    result = solve(NotANumber(model("logistic")), log_values(*STARTS))
    assert result.status is Status.DIVERGED and not result.success
    assert bool(torch.isfinite(result.x).all())


@pytest.mark.parametrize("after", [6, 10, 14])
def test_not_a_number_later_keeps_the_best_so_far(after):
    clean = solve(model("logistic"), log_values(*STARTS), max_iter=after)
    result = solve(NotANumber(model("logistic"), after), log_values(*STARTS))
    assert not result.success
    assert torch.equal(result.x, clean.x) and result.fun == clean.fun
    for part in (result.x, result.y, result.v):
        assert bool(torch.isfinite(part).all())


def test_steps_that_are_too_long_diverge_and_say_so():
    known = strongly_convex_quadratic(3)
    wild = strongly_convex(beta=50.0, eta=50.0, alpha=50.0)
    result = solve(known.problem, known.x0, schedule=wild, max_iter=400, tol=1e-8)
    assert result.status is Status.DIVERGED and not result.success


# What is returned


def test_a_history_entry_an_iteration():
    result = solve(model("logistic"), log_values(*STARTS))
    assert {len(entries) for entries in result.history.values()} == {result.nit}
    assert result.history["seconds"] == sorted(result.history["seconds"])
    assert result.history["kkt_residual"][-1] == max(result.kkt_residual)


def test_shapes_and_no_graph():
    result = solve(model("multinomial"), log_values(*STARTS))
    d = ESTIMATORS["multinomial"][1].shape[1]
    assert result.x.shape == (1,)
    assert result.y.shape == result.v.shape == (3, 3, d + 1)
    assert 0 <= result.start < len(STARTS)
    assert isinstance(result.fun, float)
    parts = [result.x, result.y, result.v, *result.history["x"], *(x for x, *_ in result.screened)]
    assert not any(part.requires_grad for part in parts)


def test_starts_are_not_changed():
    x0 = log_values(*STARTS)
    before = x0.clone()
    solve(model("logistic"), x0)
    assert torch.equal(x0, before)


def test_screened_starts_carry_their_true_values():
    problem = model("logistic")
    result = solve(problem, log_values(*STARTS))
    assert result.screened
    for x, upper, _ in result.screened:
        exact = float(exact_upper(model("logistic", starts=1), x[None]))
        assert upper == pytest.approx(exact, rel=5e-3)


def test_a_single_x_takes_y_and_v_along(monkeypatch):
    """What they did the last time saves iterations, and changes nothing of what is found."""
    names = ["ridge", "logistic", "multinomial"]

    def all_found():
        return [solve(model(name), log_values(*STARTS), tol=1e-6) for name in names]

    found = all_found()
    monkeypatch.setattr(ScalarStep, "steady", False)
    plain = all_found()
    for ours, other in zip(found, plain, strict=True):
        assert ours.success and other.success
        assert float(ours.x[0]) == pytest.approx(float(other.x[0]), abs=1e-4)
        assert ours.nit <= other.nit
    assert sum(one.nit for one in found) < sum(one.nit for one in plain)


def test_several_hyperparameters():
    known = strongly_convex_quadratic(6, identity=False, metric="newton")
    result = solve(known.problem, known.x0, max_iter=400, schedule=adaptive(6))
    assert known.excess(result.x) < 0.01 < known.excess(known.x0[0])
