"""The line search ends at the least value of a function, inside of its interval or at an end."""

import numpy as np
import pytest

from skbamm.starts.line_search import Point, next_place, scan_places

FUNCTIONS = {
    "parabola": (lambda t: 1 + 0.1 * (t - 0.7) ** 2, lambda t: 0.2 * (t - 0.7)),
    "skewed": (lambda t: np.exp(t) - 2.5 * t + 5, lambda t: np.exp(t) - 2.5),
    "wall": (lambda t: 1 + 0.01 * t**2 + np.exp(4 * t), lambda t: 0.02 * t + 4 * np.exp(4 * t)),
    "falling": (lambda t: 3 - 0.1 * t, lambda t: -0.1),
    "rising": (lambda t: np.exp(0.3 * t), lambda t: 0.3 * np.exp(0.3 * t)),
}  # fmt: skip


def search(function, slope, low, high):
    points = [Point(t, function(t)) for t in scan_places(low, high, 5)]
    for _ in range(12):
        best = min(points, key=lambda p: p.value)
        best.slope = slope(best.place)
        place = next_place(points, low, high)
        if place is None:
            return best, len(points)
        assert low <= place <= high
        points.append(Point(place, function(place)))
    raise AssertionError("it does not end")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("low", "high"), [(-4.0, 3.0), (-9.0, 2.3)])
def test_least_values(name, low, high):
    function, slope = FUNCTIONS[name]
    best, count = search(function, slope, low, high)
    least = min(function(t) for t in np.linspace(low, high, 2001))
    assert best.value <= least * (1 + 3e-4)
    assert count <= 11


def test_the_middle_is_first():
    assert scan_places(0.0, 6.0, 5)[0] == 3.0


def test_points_that_were_no_good_are_kept_away_from():
    points = [Point(0.0, 1.0, -0.5), Point(-1.0, 2.0), Point(1.0, np.inf)]
    assert next_place(points, -3.0, 3.0) == 0.5
    assert next_place([Point(0.0, 1.0, 0.0), *points[1:]], -3.0, 3.0) is None
