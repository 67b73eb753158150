"""Least squares in the space of second moments: X is read once, iterations never see it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions
from skbamm.criteria import Criterion
from skbamm.folds import Moments, Rows, fold_moments
from skbamm.glm.coordinate_descent import CoordinateDescent
from skbamm.glm.curvature import GramMetric
from skbamm.glm.penalised import MeanLoss, PenalisedProblem
from skbamm.glm.penalties import Penalty

# Rounding error relative to the square of a target that a constant fits exactly, and of gradients
# relative to the target's products with features.
_ROUNDING = 16 * torch.finfo(torch.float64).eps
_ON_FACE = 1e-4  # decrement of a model from which a step on its face leads to the minimum


class LeastSquaresProblem(PenalisedProblem):
    """The problem of ``GLMProblem`` for half the squared loss, above and below, in float64.

    Its metric is the Hessian itself, so that y and v follow x in one iteration.

    Parameters
    ----------
    rows : Rows
    penalty, starts, criterion, bounds, mean_loss, limit
        As for ``GLMProblem``.
    """

    has_closed_form = True

    def __init__(
        self,
        rows: Rows,
        penalty: Penalty,
        starts: int,
        *,
        criterion: Criterion | None = None,
        bounds: tuple[Tensor, Tensor] | None = None,
        moments: tuple[Moments, Moments, Tensor, Tensor] | None = None,
        mean_loss: MeanLoss = False,
        limit: Callable[[Tensor], Tensor] | None = None,
    ):
        self.moments = fold_moments(rows) if moments is None else moments
        self.train, self.validation, self._centre, self._target_centre = self.moments
        K, m, p = self.train.cross.shape
        super().__init__(penalty, rows, bounds, mean_loss, limit)
        self.rows, self.criterion = rows, criterion
        self._descent: CoordinateDescent | None = None
        own = self.train.without_last if rows.fit_intercept else self.train
        rounding = _ROUNDING * (self.train.square + self._target_centre**2)
        floor = 0.5 * (own.square.clamp_min(0) + rounding).sum(-1)
        self._floor = floor.cpu() + torch.finfo(torch.float64).tiny
        self._rounding = _ROUNDING * self.train.cross.abs().amax((1, 2)).cpu()
        self.shape, self.y_shape = (starts, K), (starts, K, m, p)

    @property
    def lower_floor(self) -> Tensor:
        """See ``Problem``."""
        return self._floor

    @property
    def gradient_rounding(self) -> Tensor:
        """See ``Problem``."""
        return self._rounding

    def start(self, x: Tensor) -> Tensor:
        """Return zero coefficients."""
        return torch.zeros(self.y_shape, dtype=torch.float64, device=self.train.gram.device)

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Return everything from products with p x p matrices."""
        train, upper, scale = self.train, self.validation, self._scale
        both = torch.cat([y, v])
        fit, fit_v = _times(both, train.gram).split(len(y))
        check = check_v = _times(both if mu else y, upper.gram)
        if mu:
            check, check_v = check.split(len(y))
        grad_upper = scale * (check - upper.cross)
        average = self._average(y, check)
        lower = 0.5 * _quadratic(y, fit, train).sum((2, 3))
        grad_lower, hessian_v = fit - train.cross, fit_v
        if mu:
            grad_lower = (1 - mu) * grad_lower + mu * grad_upper
            hessian_v = (1 - mu) * hessian_v + mu * scale * check_v
        return self.with_penalty_of(
            x, y, v, mu, average, lower, grad_lower, hessian_v, pull=grad_upper
        )

    def upper(self, y: Tensor) -> Tensor:
        """Return the folds' shares of F, (S, K)."""
        return self.criterion.shares(self._average(y, _times(y, self.validation.gram)))

    @property
    def _scale(self) -> Tensor | float:
        """The weight of each output's squared errors in F, in a shape that broadcasts to y."""
        scale = self.criterion.output_scale
        return 1.0 if scale is None else scale[None, :, :, None]

    def _average(self, y: Tensor, product: Tensor) -> Tensor:
        """Return half the squared errors above, (S, K)."""
        return 0.5 * (self._scale * _quadratic(y, product, self.validation)).sum((2, 3))

    def descend(self, x: Tensor, y: Tensor, tol: float) -> Tensor:
        """Return a point near the minimum over y: where that is soon found, else y itself."""
        kinked = self.penalty.kinked
        if kinked is None or not kinked.separable or y.device.type != "cpu":
            return y
        penalty, d = self.penalty_at(x), y.shape[-1] - int(self.rows.fit_intercept)
        squares, absolutes = (
            part.expand(*y.shape[:2], *part.shape[2:])[..., :d].flatten(2)
            for part in (penalty.curvature, penalty.kink)
        )
        alike = (absolutes == absolutes[..., :1]) & (squares == squares[..., :1])
        least = squares + absolutes if kinked.non_negative else absolutes
        if not bool((alike & (least > 0)).all()):
            return y  # a separate penalty for each feature, or no penalty
        if self._descent is None:
            self._descent = CoordinateDescent(
                self.train, self.rows.fit_intercept, kinked.non_negative
            )
        return self._descent(y, squares[..., 0], absolutes[..., 0], tol)

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and its gradient."""
        fit = _times(y, self.train.gram)
        penalty = self.penalty_at(x)
        value = 0.5 * _quadratic(y, fit, self.train).sum((2, 3)) + penalty.value(y)
        return value, fit - self.train.cross + penalty.curvature * y

    def curvature(self, x: Tensor, y: Tensor, mu: float) -> GramMetric:
        """Return the Hessian itself, factored, one a start and fold."""
        gram = self.train.gram[:, None]
        if mu:
            gram = (1 - mu) * gram
            scale = self.criterion.output_scale
            scale = 1.0 if scale is None else scale[:, :, None, None]
            gram = gram + mu * scale * self.validation.gram[:, None]
        m = max(gram.shape[1], self.penalty_at(x).curvature.shape[2])  # penalties by output
        return GramMetric(self, gram.expand(len(x), len(gram), m, *gram.shape[2:]), x, mu)

    def closed_form(
        self, x: Tensor, y: Tensor, curvature, mu: float
    ) -> tuple[Tensor, Tensor] | None:
        """Return the solution and its multiplier, which the Hessian gives at once, if it does.

        With kinks that is the Hessian of the face that coordinate descent from y ends on.
        """
        if mu:
            return None
        if not self.kinks:
            (y,) = curvature.solve(self.train.cross.expand(1, len(x), *self.train.cross.shape))
            (v,) = curvature.solve(self._pull(y)[None])
            return y, v
        near = self.descend(x, y, _ON_FACE)
        if near is y:
            return None
        y = near - curvature.within(self._face_at(x, near)).step(near)
        face = self._face_at(x, y)
        (v,) = curvature.within(face).solve((self._pull(y) * face.free)[None])
        return y, face.support(y, v)

    def _pull(self, y: Tensor) -> Tensor:
        """Return the gradient of F."""
        return self._scale * (_times(y, self.validation.gram) - self.validation.cross)

    def _face_at(self, x: Tensor, y: Tensor):
        return self.face(x, y, self.lower(x, y)[1])

    def select(self, starts: list[int]) -> LeastSquaresProblem:
        """Return the problem of fewer starts."""
        chosen = LeastSquaresProblem(
            self.rows, self.penalty, len(starts),
            criterion=self.criterion, bounds=self.bounds, moments=self.moments,
            mean_loss=self.mean_loss, limit=self.limit,
        )  # fmt: skip
        chosen._descent = self._descent
        return chosen

    def coefficients(self, y: Tensor) -> Tensor:
        """Return y in the coordinates of X and the target: undo the centring."""
        return self._shifted(y, 1)

    def of_coefficients(self, coef: Tensor) -> Tensor:
        """Return the y of such coefficients: centre them."""
        return self._shifted(coef, -1)

    def _shifted(self, y: Tensor, sign: int) -> Tensor:
        if not self.rows.fit_intercept:
            return y
        slopes = y[..., :-1]
        shift = self._target_centre - (slopes * self._centre[:, None]).sum(-1)
        return torch.cat([slopes, (y[..., -1] + sign * shift)[..., None]], -1)


def _times(y: Tensor, gram: Tensor) -> Tensor:
    """Return y (S, K, m, p) times each fold's matrix: all starts' rows in one product a fold."""
    S, _, m, _ = y.shape
    return (y.transpose(0, 1).flatten(1, 2) @ gram).unflatten(1, (S, m)).transpose(0, 1)


def _quadratic(y: Tensor, product: Tensor, moments: Moments) -> Tensor:
    """Weighted squared error of each output, (S, K, m, 1)."""
    value = (y * (product - 2 * moments.cross)).sum(-1, keepdim=True)
    return (value + moments.square[..., None]).clamp_min(0)
