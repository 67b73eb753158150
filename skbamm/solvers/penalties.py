"""The penalty as a function of x, the searched hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from skbamm.folds import Rows
from skbamm.glm import PenalisedProblem, penalty_divisor
from skbamm.glm.penalties import Penalty, Squares, Strength, Total, intercept_shares
from skbamm.models import Factors, LinearTwin, NotApplicable, Task
from skbamm.space import Axis, SearchAxis, VectorAxis
from skbamm.starts.points import EmptyLimit, empty_slopes


class Penalties:
    """The penalty of a twin, as a function of x.

    Parameters
    ----------
    twin : LinearTwin
    estimator : estimator
        As the user set it.
    task : Task
    device : torch.device

    Attributes
    ----------
    values : dict
        Values of the hyperparameters that are not searched, in the twin's order.
    factor : ndarray of shape (d,) or None
        Factors of the features' penalties in a ``FeaturePenalty``.
    """

    def __init__(self, twin: LinearTwin, estimator: Any, task: Task, device: torch.device):
        self.twin, self.task, self.device = twin, task, device
        self.values: dict[str, Any] = {}
        self.factor: np.ndarray | None = None
        self.norm = "l2"
        self.set_values(estimator)

    def set_values(self, estimator: Any) -> None:
        """Take the values that an estimator has."""
        model = self.twin.model(estimator)
        self.values = {one.name: getattr(model, one.name) for one in self.twin.tunes(estimator)}
        around = self.twin.feature_penalty(estimator)
        if around is not None:
            self.norm = around.norm_of(model)
            given = around.penalty_factor
            self.factor = None if given is None else np.asarray(given, dtype=float)

    @classmethod
    def are_alike(cls, twin: LinearTwin, estimator: Any) -> bool:
        """Whether an estimator's own penalty is of squares, and the same for all features."""
        if twin.feature_penalty(estimator) is not None or twin.kinks.unscaled:
            return False
        own = {one.name: getattr(twin.model(estimator), one.name) for one in twin.tunes(estimator)}
        return twin.penalty({n: float(v) for n, v in own.items()}).absolutes is None

    def bounds(self, axes: Sequence[SearchAxis]):
        """Return the ends of x, each of shape (h,), on the CPU."""
        if not axes:
            return None
        ends: tuple[list[float], list[float]] = [], []
        for axis in axes:
            for many, end in zip(ends, axis.bounds(), strict=True):
                many += [end] * axis.size
        return tuple([torch.tensor(many, dtype=torch.float64) for many in ends])

    @property
    def has_kinks(self) -> bool:
        """Whether the penalty at the estimator's own values has kinks."""
        return self._kinks(()) is not None

    def penalty(self, axes: Sequence[SearchAxis], rows: Rows, factor: float = 1.0) -> Penalty:
        """Return the penalty of x, times a factor, for the coefficients of ``rows``."""
        factors = self._factors(axes)
        squares = Squares.of_rows(self._strength(Squares, factors, 0, rows, factor), rows)
        kinks = self._kinks(axes)
        if kinks is None:
            return squares
        strength = self._strength(kinks, factors, 1, rows, factor)
        return Total(squares, kinks.of_rows(strength, rows))

    def _kinks(self, axes: Sequence[SearchAxis]) -> type[Penalty] | None:
        """Return what has kinks in the penalty, or None."""
        kinks = self.twin.kinks
        there = kinks.unscaled or self._parts(self._place(axes)).absolutes is not None
        return kinks if there else None

    def _factors(self, axes: Sequence[SearchAxis]):
        """Return the map of x to the factors of both parts, and each feature's share of them.

        Both parts need them at the same x, one after the other.
        """
        last: list[Any] = [None, None]

        def of_x(x):
            if last[0] is not x:
                searched, ratio = self._values(axes, x)
                last[:] = x, (self._parts(searched), ratio)
            return last[1]

        return of_x

    def _shares(self, kind: type[Penalty], rows: Rows) -> torch.Tensor:
        """Return the ratio of the strengths (p,) of the coefficients to those of the slopes."""
        scale = self.task.intercept_penalty**kind.intercept_power
        return intercept_shares(rows, scale, self.device)

    def _strength(
        self, kind: type[Penalty], factors, part: int, rows: Rows, factor: float
    ) -> Strength:
        """Return the map of x to the strengths of one part of the penalty."""
        squared = kind is Squares and self.norm == "l1"  # see FeaturePenalty
        mask = factor * self._shares(kind, rows)
        fixed = torch.ones(1, dtype=torch.float64, device=self.device)
        if self.factor is not None:
            if self.factor.shape != (rows.n_features,):
                raise NotApplicable("penalty_factor has not one entry for each feature")
            fixed = self._pad(torch.as_tensor(self.factor, device=self.device), rows)
        if squared:
            fixed = fixed**2

        def of_x(x):
            parts, ratio = factors(x)
            value = 0.0 if parts[part] is None else parts[part]
            value = torch.as_tensor(value, dtype=torch.float64, device=self.device)
            if value.ndim < x.ndim + 1:  # it does not depend on x
                value = value.expand(*x.shape[:-1], *(value.shape or (1, 1)))
            if ratio is not None:
                ratio = self._pad(ratio, rows)[..., None, :]
                value = value * (ratio**2 if squared else ratio)
            return value * (mask * fixed)

        return of_x

    def _parts(self, searched: dict[str, torch.Tensor]) -> Factors:
        """Return the penalty of what is searched, and of the estimator's own values."""
        own = {name: value for name, value in self.values.items() if name not in searched}
        return self.twin.penalty({**{n: float(v) for n, v in own.items()}, **searched})

    def _values(self, axes: Sequence[SearchAxis], x: torch.Tensor):
        """Return what x (..., h) stands for, (..., 1 or m, 1), and each feature's share of it.

        With one value for each feature or group, the model itself has their geometric mean, and
        the features have shares of it, (..., d). Without such values the shares are None.
        """
        searched, ratio, begin = {}, None, 0
        for axis in axes:
            part = x[..., begin : begin + axis.size]
            begin += axis.size
            if isinstance(axis, VectorAxis) and not axis.by_output:
                mean = part.mean(-1, keepdim=True)
                sign = -1.0 if self.twin.inverse else 1.0
                ratio = torch.exp(sign * (axis.of_features(part) - mean.expand_as(part[..., :1])))
                part = mean
            searched[axis.parameter] = axis.value(part)[..., None]
        return searched, ratio

    def _pad(self, values: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Return values of features with those of the intercept, 1, behind."""
        if not rows.fit_intercept or values.shape[-1] == 1:
            return values
        return torch.nn.functional.pad(values, (0, 1), value=1.0)

    def _place(self, axes: Sequence[SearchAxis]) -> dict[str, torch.Tensor]:
        """Return some values of the hyperparameters that are searched."""
        one = torch.ones(1, dtype=torch.float64)
        return {axis.parameter: one for axis in axes}

    def limit(
        self, axes: Sequence[Axis], rows: Rows, problem: Callable[[], PenalisedProblem]
    ) -> EmptyLimit | None:
        """Return the projection that keeps x where not all models are empty; None if none are.

        ``problem`` makes the problem of the rows at the estimator's own values.
        """
        scales = bool(axes) and axes[0].parameter == next(iter(self.values))
        if not scales or self._parts(self._place(axes)).absolutes is None:
            return None
        kinked = self.penalty(axes, rows).kinked
        assert kinked is not None
        per_fold = penalty_divisor(rows, self.twin.mean_loss)[:, None, None]
        slopes = empty_slopes(problem(), kinked, self._shares(type(kinked), rows))
        return EmptyLimit(axes[0], self.twin.inverse, kinked.strength, per_fold, slopes)
