"""Any two torch functions as a bi-level problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Cholesky, ConjugateGradient, Identity, Metric
from skbamm.bilevel.problem import Directions, Problem


class AutogradProblem(Problem):
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
    metric : {"identity", "cg", "newton"} or callable, default="identity"
        Metric of the y- and v-steps: none; up to ``cg_steps`` conjugate gradient steps; the
        Cholesky factor of the Hessian itself, for a small p; or a function of x, y and a
        residual.
    cg_steps : int, default=30
        Most steps of conjugate gradients, where the metric takes them.
    batches : iterable, optional
        Third arguments of both functions, one for each evaluation of ``directions``.

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

    def __init__(
        self,
        upper: Callable[..., Tensor],
        lower: Callable[..., Tensor],
        y0: Tensor,
        *,
        projection: Callable[[Tensor], Tensor] | None = None,
        metric: str | Callable[[Tensor, Tensor, Tensor], Tensor] = "identity",
        cg_steps: int = 30,
        batches: Iterable[Any] | None = None,
    ):
        if not callable(metric) and metric not in ("identity", "cg", "newton"):
            raise ValueError(f"metric must be 'identity', 'cg' or 'newton', got {metric!r}.")
        self._upper, self._lower, self._y0 = upper, lower, y0
        self._projection, self._metric, self._cg_steps = projection, metric, cg_steps
        self.second_order = metric in ("cg", "newton")
        self._batches = None if batches is None else _endless(batches)
        self._batch: tuple = ()
        self._draw()

    def start(self, x: Tensor) -> Tensor:
        """Return ``y0``."""
        return self._y0.detach().clone()[None, None]

    def check(self, x: Tensor) -> None:
        """Raise unless both functions are finite scalars that depend on y, at x (h,) and y0."""
        for name in ("upper", "lower"):
            xd, yd = x.detach().requires_grad_(), self._y0.detach().requires_grad_()
            value = self._scalar(name, xd, yd)
            if not bool(torch.isfinite(value)):
                raise ValueError(f"{name}(x0, y0) must be finite, got {float(value.detach())}.")
            if not value.requires_grad:
                raise ValueError(
                    f"{name}(x, y) must return a tensor with a graph to y, got a detached one."
                )
            (grad,) = torch.autograd.grad(value, [yd], allow_unused=True)
            if grad is None:
                raise ValueError(f"{name}(x, y) must depend on y, got a function of x only.")
            if not bool(torch.isfinite(grad).all()):
                raise ValueError(f"The gradient in y of {name} must be finite at (x0, y0).")

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Differentiate F once and phi twice; no graph outlives the call."""
        self._draw()
        xd, yd = x[0].detach().requires_grad_(), y[0, 0].detach().requires_grad_()
        upper, lower = self._scalar("upper", xd, yd), self._scalar("lower", xd, yd)
        upper_x, upper_y = _grad(upper, [xd, yd], retain=mu > 0)
        phi = mu * upper + (1 - mu) * lower if mu else lower
        (grad_y,) = _grad(phi, [yd], create=True)
        cross_v, hessian_v = _grad(grad_y @ v[0, 0], [xd, yd])
        return Directions(
            upper=upper.detach()[None, None],
            lower=lower.detach()[None, None],
            grad_y=grad_y.detach()[None, None],
            residual_v=hessian_v.sub_(upper_y)[None, None],
            upper_lag=(grad_y.detach() @ v[0, 0])[None, None],
            grad_x=(upper_x - cross_v)[None, None],
        )

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and its gradient in y."""
        yd = y[0, 0].detach().requires_grad_()
        value = self._scalar("lower", x[0].detach(), yd)
        return value.detach()[None, None], _grad(value, [yd])[0][None, None]

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """Return the requested metric."""
        if callable(self._metric):
            return _Given(self._metric, x, y)
        if self._metric == "identity":
            return Identity()
        if self._metric == "cg":
            product = self.hessian(x, y, mu)
            return ConjugateGradient(product, Identity(), self._cg_steps, tol=0.01, loosest=0.3)
        xd, yd = x[0].detach(), y[0, 0].detach().requires_grad_()
        phi = self._phi(xd, mu)
        return Cholesky(torch.autograd.functional.hessian(phi, yd)[None, None])

    def hessian(self, x: Tensor, y: Tensor, mu: float) -> _HessianProduct:
        """Return the Hessian of phi in y as a map of directions (r, 1, 1, p)."""
        return _HessianProduct(self, x, y, mu)

    def project(self, x: Tensor) -> Tensor:
        """Apply the projection, if there is one, where the caller's tensors are."""
        if self._projection is None:
            return x
        return self._projection(x[0].to(self._y0.device))[None].to(x.device)

    def select(self, starts: list[int]) -> AutogradProblem:
        """Return itself: there is one start."""
        return self

    def _draw(self) -> None:
        """Take the next batch."""
        if self._batches is not None:
            self._batch = (next(self._batches),)

    def _phi(self, x: Tensor, mu: float) -> Callable[[Tensor], Tensor]:
        def phi(y):
            lower = self._scalar("lower", x, y)
            return mu * self._scalar("upper", x, y) + (1 - mu) * lower if mu else lower

        return phi

    def _scalar(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        function = self._upper if name == "upper" else self._lower
        value = function(x, y, *self._batch)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{name}(x, y) must return a scalar tensor, got {got}.")
        return value.reshape(())


class _HessianProduct:
    """The Hessian of phi in y at a point; no graph outlives a call."""

    def __init__(self, problem: AutogradProblem, x: Tensor, y: Tensor, mu: float):
        self.problem, self.x, self.y, self.mu = problem, x, y, mu

    def __call__(self, directions: Tensor) -> Tensor:
        y = self.y[0, 0].detach().requires_grad_()
        (gradient,) = _grad(self.problem._phi(self.x[0].detach(), self.mu)(y), [y], create=True)
        last = len(directions) - 1
        rows = [
            _grad(gradient @ p[0, 0], [y], retain=i < last)[0] for i, p in enumerate(directions)
        ]
        return torch.stack(rows)[:, None, None]

    def select(self, starts):
        """Return itself: there is one start."""
        return self

    def at(self, x, y):
        """Return the Hessian at another point."""
        return _HessianProduct(self.problem, x, y, self.mu)


class _Given(Metric):
    """The user's own metric."""

    def __init__(self, function, x: Tensor, y: Tensor):
        self.function, self.x, self.y = function, x, y

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the function to every residual."""
        rows = [self.function(self.x[0], self.y[0, 0], r[0, 0]) for r in residuals]
        return torch.stack(rows)[:, None, None]

    def select(self, starts):
        """Return itself: there is one start."""
        return self

    def at(self, x, y):
        """Return the metric at another point."""
        return _Given(self.function, x, y)

    def outworn(self, slow):
        """Return False: the metric does not depend on the point."""
        return False


def _endless(batches: Iterable[Any]) -> Iterator[Any]:
    """Go through the batches again and again."""
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("batches must be a non-empty iterable that can be iterated again.")


def _grad(output: Tensor, inputs: list[Tensor], *, retain=False, create=False) -> list[Tensor]:
    """Gradients, zero where the output does not depend on an input."""
    if not output.requires_grad:
        return [torch.zeros_like(i) for i in inputs]
    grads = torch.autograd.grad(
        output, inputs, retain_graph=retain or create, create_graph=create, allow_unused=True
    )
    return [torch.zeros_like(i) if g is None else g for g, i in zip(grads, inputs, strict=True)]
