"""Any two torch functions as a bi-level problem."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Cholesky, ConjugateGradient, Identity
from skbamm.bilevel.problem import Directions


class AutogradProblem:
    """``min F(x, y)`` subject to ``y in argmin f(x, .)``, differentiated by torch.

    One start and one fold: ``x`` has shape (1, h) and ``y`` shape (1, 1, p).

    Parameters
    ----------
    upper, lower : callable
        F and f: map ``x`` of shape (h,) and ``y`` of shape (p,) to a scalar tensor.
    y0 : Tensor of shape (p,)
        Start of the lower-level variable.
    projection : callable, optional
        Projects x of shape (h,) onto its admissible set.
    metric : {"identity", "cg", "newton"}, default="identity"
        Metric of the y- and v-steps: none; ``cg_steps`` conjugate gradient steps; or the
        Cholesky factor of the Hessian itself, for a small p.
    cg_steps : int, default=2

    Examples
    --------
    >>> import torch
    >>> from skbamm.bilevel import AutogradProblem, solve
    >>> problem = AutogradProblem(
    ...     upper=lambda x, y: ((y - 1) ** 2).sum() / 2 + (x**2).sum() / 2,
    ...     lower=lambda x, y: ((y - x) ** 2).sum() / 2,
    ...     y0=torch.zeros(1, dtype=torch.float64),
    ...     metric="newton",
    ... )
    >>> result = solve(problem, torch.zeros(1, 1, dtype=torch.float64), tol=1e-8)
    >>> result.success, round(float(result.x), 6)
    (True, 0.5)
    """

    shape = (1, 1)
    upper_floor = 1.0

    def __init__(
        self,
        upper: Callable[[Tensor, Tensor], Tensor],
        lower: Callable[[Tensor, Tensor], Tensor],
        y0: Tensor,
        *,
        projection: Callable[[Tensor], Tensor] | None = None,
        metric: str = "identity",
        cg_steps: int = 2,
    ):
        if metric not in ("identity", "cg", "newton"):
            raise ValueError(f"metric must be 'identity', 'cg' or 'newton', got {metric!r}.")
        self._upper, self._lower, self._y0 = upper, lower, y0
        self._projection, self._metric, self._cg_steps = projection, metric, cg_steps
        self.second_order = metric != "identity"

    def start(self, x: Tensor) -> Tensor:
        """Return ``y0``."""
        return self._y0.detach().clone()[None, None]

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Differentiate F once and phi twice; no graph outlives the call."""
        xd, yd = x[0].detach().requires_grad_(), y[0, 0].detach().requires_grad_()
        upper, lower = self._scalar("upper", xd, yd), self._scalar("lower", xd, yd)
        upper_x, upper_y = _grad(upper, [xd, yd], retain=True)
        phi = mu * upper + (1 - mu) * lower
        (grad_y,) = _grad(phi, [yd], create=True)
        cross_v, hessian_v = _grad((grad_y * v[0, 0]).sum(), [xd, yd])
        return Directions(
            upper=upper.detach()[None, None],
            lower=lower.detach()[None, None],
            grad_y=grad_y.detach()[None, None],
            residual_v=(hessian_v - upper_y)[None, None],
            upper_lag=(grad_y.detach() * v[0, 0]).sum()[None, None],
            grad_x=(upper_x - cross_v)[None, None],
        )

    def grad_x(self, x, y, v, mu, upper):
        """Return None: it would need another evaluation of both functions."""
        return None

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and its gradient in y."""
        yd = y[0, 0].detach().requires_grad_()
        value = self._scalar("lower", x[0].detach(), yd)
        return value.detach()[None, None], _grad(value, [yd])[0][None, None]

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """Return the metric that was asked for."""
        if self._metric == "identity":
            return Identity()
        xd, yd = x[0].detach(), y[0, 0].detach().requires_grad_()

        def phi(at):
            return mu * self._upper(xd, at) + (1 - mu) * self._lower(xd, at)

        if self._metric == "newton":
            return Cholesky(torch.autograd.functional.hessian(phi, yd)[None, None])
        (gradient,) = _grad(phi(yd), [yd], create=True)
        return ConjugateGradient(_HessianProduct(gradient, yd), Identity(), self._cg_steps)

    def project(self, x: Tensor) -> Tensor:
        """Apply the projection, if there is one."""
        return x if self._projection is None else self._projection(x[0])[None]

    def select(self, starts: list[int]) -> AutogradProblem:
        """Return itself: there is one start."""
        return self

    def _scalar(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        value = getattr(self, f"_{name}")(x, y)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{name}(x, y) must return a scalar tensor, got {got}.")
        return value.reshape(())


class _HessianProduct:
    """The Hessian at one point, through the graph of the gradient."""

    def __init__(self, gradient: Tensor, y: Tensor):
        self._gradient, self._y = gradient, y

    def __call__(self, directions: Tensor) -> Tensor:
        rows = [
            _grad((self._gradient * p[0, 0]).sum(), [self._y], retain=True)[0] for p in directions
        ]
        return torch.stack(rows)[:, None, None]

    def select(self, starts):
        """Return itself: there is one start."""
        return self

    def at(self, x, y):
        """Return itself: the Hessian is that of the point where it was taken."""
        return self


def _grad(output: Tensor, inputs: list[Tensor], *, retain=False, create=False) -> list[Tensor]:
    """Gradients, zero where the output does not depend on an input."""
    if not output.requires_grad:
        return [torch.zeros_like(i) for i in inputs]
    grads = torch.autograd.grad(
        output, inputs, retain_graph=retain or create, create_graph=create, allow_unused=True
    )
    return [torch.zeros_like(i) if g is None else g for g, i in zip(grads, inputs, strict=True)]
