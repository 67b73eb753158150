"""The record: the best trusted point is kept, of a published run the latest."""

import pytest
import torch

from skbamm.bilevel.guards.accuracy import Judgement
from skbamm.bilevel.point import Point
from skbamm.bilevel.record import LatestRecord, Record


def noted(record, *values, trusted=None):
    """Note iterations with these F; return whether the last one has converged."""
    for i, value in enumerate(values):
        x = torch.full((1, 1), float(i), dtype=torch.float64)
        upper, zero = torch.tensor([value], dtype=torch.float64), torch.zeros(1)
        counts = torch.tensor([True if trusted is None else trusted[i]])
        yes, none = torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.bool)
        kkt = torch.full((1, 3), 1e-9, dtype=torch.float64)
        now = Judgement(upper, zero, x, x, zero, yes, counts, zero, kkt, none)
        done = record.note(Point([0], x, x, x[None], x[None], None, none), now, 0.0, True)
    return done


@pytest.mark.parametrize(("kind", "kept"), [(Record, 2.0), (LatestRecord, 3.0)])
def test_which_point_is_kept(kind, kept):
    record = kind(1e-4, 0, True)
    converged = noted(record, 5.0, 2.0, 3.0)
    assert record.best.upper == kept and record.history["upper"] == [5.0, 2.0, 3.0]
    assert converged == (kept == 3.0)  # a point that is worse than one seen is not the solution


def test_points_that_are_not_trusted_do_not_count():
    record = Record(1e-4, 0, True)
    noted(record, 1.0, 4.0, 3.0, trusted=[False, True, True])
    assert record.best.upper == 3.0 and record.leading()[1] == 3.0


def test_after_another_weight_any_point_may_be_the_best():
    record = Record(1e-4, 0, True)
    noted(record, 2.0)
    record.reopen()
    noted(record, 3.0)
    assert record.best.upper == 3.0 and record.since_best == 0
