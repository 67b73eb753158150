"""Rivals of sl-BAMM: bi-level methods with two loops, written from their mathematics.

All minimise ``F(x, y)`` over x, subject to ``y in argmin f(x, .)``, by gradient steps of x. They
differ in how the inner loop finds y, and in how they get the hypergradient dF/dx from it.

Every method takes ``upper`` and ``lower``, which map flat tensors x and y to the scalar tensors F
and f, the starts ``x0`` and ``y0``, and by keyword

inner_steps : int
    Gradient steps of y in an outer iteration, T.
inner_lr : float
    Their length.
outer_lr : float
    Length of the steps of x.
steps : int
    Outer iterations.
warm_start : bool, default=True
    Whether the inner loop begins at the y of the iteration before, or else always at y0. Nothing
    is differentiated through where it begins.
callback : callable, optional
    Called as ``callback(k, x, y)`` after each outer iteration; a true return value ends the run.

It returns x and y, the y being the one at which the last step of x was taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

Function = Callable[[Tensor, Tensor], Tensor]


def reverse_mode(
    upper: Function, lower: Function, x0: Tensor, y0: Tensor, **options: Any
) -> tuple[Tensor, Tensor]:
    """Differentiate through all T inner steps (RHG).

    Franceschi, Donini, Frasconi, Pontil, "Forward and Reverse Gradient-Based Hyperparameter
    Optimization", ICML 2017, arXiv 1703.01785.

    Parameters
    ----------
    upper, lower, x0, y0, **options
        See the top of this file.
    """
    return _descend(_unrolled, upper, lower, x0, y0, **options)


def truncated_reverse_mode(
    upper: Function, lower: Function, x0: Tensor, y0: Tensor, *, last: int, **options: Any
) -> tuple[Tensor, Tensor]:
    """Differentiate through the last inner steps only (T-RHG).

    Shaban, Cheng, Hatch, Boots, "Truncated Back-propagation for Bilevel Optimization", AISTATS
    2019, arXiv 1810.10667.

    Parameters
    ----------
    upper, lower, x0, y0, **options
        See the top of this file.
    last : int
        How many of the T steps are differentiated through.
    """
    return _descend(partial(_unrolled, last=last), upper, lower, x0, y0, **options)


def bda(
    upper: Function, lower: Function, x0: Tensor, y0: Tensor, *, mix: float = 0.5, **options: Any
) -> tuple[Tensor, Tensor]:
    """Let the inner steps descend F as well, and differentiate through all T of them (BDA).

    Step t goes along ``a_t grad_y F + (1 - a_t) grad_y f`` with ``a_t = mix / (t + 1)``, t = 0 to
    T - 1. Of many solutions y is then drawn to the one that F likes; where there is one only, the
    hypergradient is off by O(1 / T).

    Liu, Mu, Yuan, Zeng, Zhang, "A Generic First-Order Algorithmic Framework for Bi-Level
    Programming Beyond Lower-Level Singleton", ICML 2020, arXiv 2006.04045.

    Parameters
    ----------
    upper, lower, x0, y0, **options
        See the top of this file.
    mix : float, default=0.5
        Weight of F in the first inner step.
    """
    return _descend(partial(_unrolled, mix=mix), upper, lower, x0, y0, **options)


def implicit_cg(
    upper: Function,
    lower: Function,
    x0: Tensor,
    y0: Tensor,
    *,
    linear_steps: int,
    damping: float = 1e-8,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Solve ``(f_yy + damping I) v = grad_y F`` by conjugate gradients.

    Implicit differentiation: Pedregosa, "Hyperparameter optimization with approximate gradient",
    ICML 2016, arXiv 1602.02355; with damping Rajeswaran, Finn, Kakade, Levine, "Meta-Learning with
    Implicit Gradients", NeurIPS 2019, arXiv 1909.04630.

    Parameters
    ----------
    upper, lower, x0, y0, **options
        See the top of this file.
    linear_steps : int
        Most steps of conjugate gradients, from v = 0.
    damping : float, default=1e-8
        Without it conjugate gradients break down where f_yy is singular.
    """

    def solve(product, b):
        return _conjugate_gradients(lambda p: product(p) + damping * p, b, linear_steps)

    return _descend(partial(_implicit, solve=solve), upper, lower, x0, y0, **options)


def implicit_neumann(
    upper: Function,
    lower: Function,
    x0: Tensor,
    y0: Tensor,
    *,
    linear_steps: int,
    inner_lr: float,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Approximate ``v = f_yy^-1 grad_y F`` by a truncated Neumann series.

    ``v = inner_lr sum_j (I - inner_lr f_yy)^j grad_y F``, with j = 0 to linear_steps - 1.

    Implicit differentiation: Lorraine, Vicol, Duvenaud, "Optimizing Millions of Hyperparameters by
    Implicit Differentiation", AISTATS 2020, arXiv 1911.02590.

    Parameters
    ----------
    upper, lower, x0, y0, inner_lr, **options
        See the top of this file.
    linear_steps : int
        Terms of the series.
    """

    def solve(product, b):
        v = term = inner_lr * b
        for _ in range(linear_steps - 1):
            term = term - inner_lr * product(term)
            v = v + term
        return v

    method = partial(_implicit, solve=solve)
    return _descend(method, upper, lower, x0, y0, inner_lr=inner_lr, **options)


def _descend(
    method: Callable[..., tuple[Tensor, Tensor]],
    upper: Function,
    lower: Function,
    x0: Tensor,
    y0: Tensor,
    *,
    inner_steps: int,
    inner_lr: float,
    outer_lr: float,
    steps: int,
    warm_start: bool = True,
    callback: Callable[[int, Tensor, Tensor], object] | None = None,
) -> tuple[Tensor, Tensor]:
    """Take the steps of x; ``method`` gives the hypergradient and the y it was taken at."""
    x, y = x0.detach().clone(), y0.detach().clone()
    for k in range(steps):
        begin = y if warm_start else y0.detach()
        gradient, y = method(upper, lower, x, begin, inner_steps, inner_lr)
        x = x - outer_lr * gradient
        if callback is not None and callback(k, x, y):
            break
    return x, y


def _unrolled(upper, lower, x, y, inner_steps, inner_lr, last=None, mix=0.0):
    """Hypergradient through the last inner steps, by default through all."""
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    untaped = 0 if last is None else inner_steps - last
    for t in range(inner_steps):
        weight = mix / (t + 1)
        objective = lower(x, y)
        if weight:
            objective = weight * upper(x, y) + (1 - weight) * objective
        (gradient,) = torch.autograd.grad(objective, y, create_graph=t >= untaped)
        y = y - inner_lr * gradient
        if t < untaped:
            y = y.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(upper(x, y), x)
    return gradient, y.detach()


def _implicit(upper, lower, x, y, inner_steps, inner_lr, solve):
    """Hypergradient ``grad_x F - f_xy v``; ``solve(product, b)`` gives v with ``f_yy v = b``."""
    for _ in range(inner_steps):
        y = y.detach().requires_grad_()
        y = y - inner_lr * torch.autograd.grad(lower(x, y), y)[0]
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    upper_x, upper_y = torch.autograd.grad(upper(x, y), [x, y], materialize_grads=True)
    (lower_y,) = torch.autograd.grad(lower(x, y), y, create_graph=True)

    def product(p):
        return torch.autograd.grad(lower_y, y, p, retain_graph=True)[0]

    (cross_v,) = torch.autograd.grad(lower_y, x, solve(product, upper_y))
    return upper_x - cross_v, y.detach()


def _conjugate_gradients(product, b, linear_steps):
    """Solve ``H v = b`` as far as ``linear_steps`` steps or the digits go."""
    v, residual, p = torch.zeros_like(b), b, b
    square = residual @ residual
    enough = torch.finfo(b.dtype).eps ** 2 * square
    for _ in range(linear_steps):
        if square <= enough:
            break
        hp = product(p)
        length = square / (p @ hp)
        v, residual = v + length * p, residual - length * hp
        square, before = residual @ residual, square
        p = residual + square / before * p
    return v
