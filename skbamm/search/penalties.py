"""What hyperparameters mean to the solvers: the maps of x to the penalty."""

from __future__ import annotations

from typing import Any

import torch

from skbamm.glm import penalty_divisor
from skbamm.models import LinearTwin, Task
from skbamm.search.starts import EmptyLimit, empty_slopes


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
        Of the hyperparameters that are not searched, in the order of the twin's.
    """

    def __init__(self, twin: LinearTwin, estimator: Any, task: Task, device: torch.device):
        self.twin, self.task, self.device = twin, task, device
        self.values: dict[str, Any] = {}
        self.set_values(estimator)

    def set_values(self, estimator: Any) -> None:
        """Take the values that an estimator has."""
        model = self.twin.model(estimator)
        self.values = {one.name: getattr(model, one.name) for one in self.twin.tunes(estimator)}

    def bounds(self, axes):
        """Return the ends of x, each of shape (h,)."""
        ends = zip(*(axis.bounds() for axis in axes), strict=True)
        low_high = [torch.tensor(e, dtype=torch.float64, device=self.device) for e in ends]
        return tuple(low_high) or None

    def strength(self, axes, rows, factor=1.0):
        """Return the map of x to the factors (N, 1, p) of the squares."""
        return self._part(axes, factor * self._shares(rows, 1.0), "squares")

    def absolute(self, axes, rows, factor=1.0):
        """Return the same for the absolute values, or None if the penalty has none."""
        given = self._factors(axes, torch.zeros(1, len(axes), dtype=torch.float64))
        if given.absolutes is None:
            return None
        return self._part(axes, factor * self._shares(rows, 0.5), "absolutes")

    def _shares(self, rows, power):
        """Return what the factors (p,) of the coefficients are to those of the slopes."""
        shares = torch.ones(rows.n_coefficients, dtype=torch.float64, device=self.device)
        if rows.fit_intercept:
            shares[-1] = self.task.intercept_penalty**power
        return shares

    def _part(self, axes, mask, part):
        def of_x(x):
            value = torch.as_tensor(getattr(self._factors(axes, x), part), dtype=torch.float64)
            return value.to(self.device).expand(len(x))[:, None, None] * mask

        return of_x

    def _factors(self, axes, x):
        """Return the penalty of x, (N, h), and of the estimator's own values."""
        searched = {axis.parameter: axis.value(x[:, i]) for i, axis in enumerate(axes)}
        own = {name: value for name, value in self.values.items() if name not in searched}
        return self.twin.penalty({**{n: float(v) for n, v in own.items()}, **searched})

    def limit(self, axes, rows, problem):
        """Return the projection that keeps x where not all models are empty; None if none are.

        ``problem`` makes the problem of the rows at the estimator's own values.
        """
        scales = bool(axes) and axes[0].parameter == next(iter(self.values))
        absolute = self.absolute(axes, rows)
        if absolute is None or not scales:
            return None
        per_fold = penalty_divisor(rows, self.twin.mean_loss)[:, None, None]
        slopes = empty_slopes(problem(), self._shares(rows, 0.5))
        return EmptyLimit(axes[0], self.twin.inverse, absolute, per_fold, slopes)
