"""Kernel ridge regression as a bi-level problem: everything in closed form.

For start s and fold k, with training weights w of the rows, ``R = diag(sqrt(w))`` and the kernel
K of all rows, shared by the folds::

    f_sk = 1/2 y' (R K R + alpha I) y - y' R t,      predictions z = K R y
    F_s  = 1/K sum_k phi_k(sum_i V_ik l_up(z_i, t_i))

f is the dual objective: its Hessian is much better conditioned than that of the squared errors in
the same coefficients, and its minimiser gives scikit-learn's dual coefficients ``R y`` (see
``_solve_cholesky_kernel`` there). y is zero on rows that a fold does not train on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions, Problem
from skbamm.criteria import Criterion
from skbamm.kernels.block import KernelBlock
from skbamm.kernels.metric import KernelMetric


class KernelRidgeProblem(Problem):
    """Kernel ridge regression over S starts and K folds, in float64.

    Its metric is the Hessian itself. F depends on gamma directly, too: predictions are made with
    the kernel.

    Parameters
    ----------
    blocks : list of KernelBlock
        One with all folds, or one for each.
    of_x : callable
        Maps x of shape (N, h) to alpha and gamma, each (N,), by torch operations. Gamma is not
        NaN if the kernel has none.
    starts : int
        S.
    criterion : Criterion, optional
        Not needed to solve the lower level only.
    bounds : tuple of Tensor, optional
        Lower and upper bounds of x, each of shape (h,).
    """

    second_order = has_units = True
    upper_floor = 1e-5  # of the loss of the best constant prediction

    def __init__(
        self,
        blocks: list[KernelBlock],
        of_x: Callable[[Tensor], tuple[Tensor, Tensor]],
        starts: int,
        *,
        criterion: Criterion | None = None,
        bounds: tuple[Tensor, Tensor] | None = None,
    ):
        self.blocks, self.of_x = blocks, of_x
        self.criterion = criterion
        self.bounds = None if bounds is None else (bounds[0].cpu(), bounds[1].cpu())
        K = sum(block.shape[0] for block in blocks)
        m = blocks[0].target[0].numel()
        self.shape = (starts, K)
        self.y_shape = (starts, K, m, max(block.shape[1] for block in blocks))

    @property
    def lower_floor(self) -> Tensor:
        """See ``Problem``: f is zero without coefficients, and negative elsewhere."""
        return torch.zeros((), dtype=torch.float64)

    @property
    def upper_null(self) -> Tensor:
        """See ``Problem``."""
        assert self.criterion is not None
        return self.criterion.null_average

    def numbers(self, x: Tensor) -> tuple[list[float], list[float]]:
        """Return alpha and gamma of each start."""
        with torch.no_grad():
            alpha, gamma = self.of_x(x)
        return alpha.tolist(), gamma.nan_to_num().tolist()

    def start(self, x: Tensor) -> Tensor:
        """Return zeros."""
        return torch.zeros(self.y_shape, dtype=torch.float64, device=self.blocks[0].base.device)

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Return the derivatives from products with the kernels; averaging is not supported."""
        if mu:
            raise ValueError("f is strongly convex: kernel models take no averaging.")
        assert self.criterion is not None
        alphas = torch.tensor(self.numbers(x)[0], dtype=torch.float64, device=y.device)
        alpha = alphas[:, None, None, None]
        grad_y, residual_v, pulls = alpha * y, alpha * v, torch.zeros_like(y)
        average = torch.zeros(self.shape, dtype=torch.float64, device=y.device)
        for s, block, folds, matrix in self._parts(x):
            root, here = block.root[:, None], (s, folds, slice(None), slice(block.shape[1]))
            z, along = torch.stack([root * y[here], root * v[here]]) @ matrix
            average[s, folds], pull = self._judge(block, folds, z)
            pulls[here] = pull
            grad_y[here] += root * (z - _outputs(block))
            residual_v[here] += root * (along - pull @ matrix)
        shares = self.criterion.shares(average)
        slopes = self.criterion.slopes(shares)
        return Directions(
            upper=shares,
            lower=self._value(y, grad_y),
            grad_y=grad_y,
            residual_v=residual_v,
            upper_lag=slopes * (v * grad_y).sum((2, 3)),
            grad_x=self._shares_of_x(x, y, v, pulls, slopes),
        )

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor:
        """Return the hypergradient's shares; products with a kernel cost next to nothing.

        Compared with its factorisation.
        """
        assert self.criterion is not None
        pulls = torch.zeros_like(y)
        for s, block, folds, matrix in self._parts(x):
            here = (s, folds, slice(None), slice(block.shape[1]))
            _, pulls[here] = self._judge(block, folds, (block.root[:, None] * y[here]) @ matrix)
        return self._shares_of_x(x, y, v, pulls, self.criterion.slopes(upper))

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and its gradient."""
        alphas = torch.tensor(self.numbers(x)[0], dtype=torch.float64, device=y.device)
        gradient = alphas[:, None, None, None] * y
        for s, block, folds, matrix in self._parts(x):
            root, here = block.root[:, None], (s, folds, slice(None), slice(block.shape[1]))
            gradient[here] += root * ((root * y[here]) @ matrix - _outputs(block))
        return self._value(y, gradient), gradient

    def curvature(self, x: Tensor, y: Tensor, mu: float) -> KernelMetric:
        """Return the Hessian itself, factored."""
        return KernelMetric(self.blocks, self.numbers, x)

    def project(self, x: Tensor) -> Tensor:
        """Clip x to its bounds."""
        if self.bounds is None:
            return x
        low, high = (b.to(x.dtype) for b in self.bounds)
        return torch.minimum(torch.maximum(x, low), high)

    def select(self, starts: list[int]) -> KernelRidgeProblem:
        """Return the problem of fewer starts."""
        return KernelRidgeProblem(
            self.blocks, self.of_x, len(starts), criterion=self.criterion, bounds=self.bounds
        )

    def dual_coefficients(self, y: Tensor) -> Tensor:
        """Return the factors of the kernel in predictions, of the shape of y."""
        out = torch.zeros_like(y)
        for block, folds in self._folds():
            n = block.shape[1]
            out[:, folds, :, :n] = block.root[:, None] * y[:, folds, :, :n]
        return out

    def _folds(self) -> Iterator[tuple[KernelBlock, slice]]:
        """Each block, and the numbers of its folds."""
        first = 0
        for block in self.blocks:
            after = first + block.shape[0]
            yield block, slice(first, after)
            first = after

    def _parts(
        self, x: Tensor, slopes: bool = False
    ) -> Iterator[tuple[int, KernelBlock, slice, Tensor]]:
        """Each start and block: their numbers, and the kernel or its slope in gamma."""
        gammas = self.numbers(x)[1]
        for block, folds in self._folds():
            for s, matrix in enumerate((block.slopes if slopes else block.matrices)(gammas)):
                yield s, block, folds, matrix

    def _judge(self, block: KernelBlock, folds: slice, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted upper loss (K,) of predictions (K, m, n), and its gradient."""
        assert self.criterion is not None
        loss, scale = self.criterion.loss_of(folds), self.criterion.output_scale
        predictors, target = z.permute(2, 1, 0), loss.targets(block.target)
        root = None if scale is None else scale[folds].T.sqrt()  # (m, K)
        if root is not None:  # only squared errors are scaled, by scaling predictors and targets
            predictors, target = predictors * root, target * root
        value, gradient, _ = loss.evaluate(predictors, target)
        if root is not None:
            gradient = gradient * root
        average = (block.validation * value.T).sum(1)
        return average, block.validation[:, None] * gradient.permute(2, 1, 0)

    def _value(self, y: Tensor, gradient: Tensor) -> Tensor:
        """Return f, (S, K), which is ``y' (gradient - R t) / 2``."""
        value = (y * gradient).sum((2, 3))
        for block, folds in self._folds():
            some = y[:, folds, :, : block.shape[1]]
            value[:, folds] -= (some * block.root[:, None] * _outputs(block)).sum((2, 3))
        return 0.5 * value

    def _shares_of_x(self, x, y, v, pulls, slopes) -> Tensor:
        """Return the hypergradient's shares (S, K, h) from those in alpha and gamma."""
        S, K = self.shape
        of_alpha, of_gamma = -(v * y).sum((2, 3)), torch.zeros_like(slopes)
        at = x.double().repeat_interleave(K, 0).requires_grad_()
        with torch.enable_grad():
            alpha, gamma = self.of_x(at)
        if gamma.requires_grad:
            for s, block, folds, slope in self._parts(x, slopes=True):
                root, here = block.root[:, None], (s, folds, slice(None), slice(block.shape[1]))
                changed = (root * y[here]) @ slope
                of_gamma[s, folds] = ((pulls[here] - root * v[here]) * changed).sum((1, 2))
        grad = torch.zeros_like(at)
        for value, share in ((alpha, of_alpha), (gamma, of_gamma)):
            if value.requires_grad:
                # As a sum: at the first factors of outputs torch imports symbolic algebra, .5 s.
                pulled = ((slopes * share).flatten() * value).sum()
                grad = grad + torch.autograd.grad(pulled, at, retain_graph=True)[0]
        return grad.view(S, K, -1)


def _outputs(block: KernelBlock) -> Tensor:
    """Return the target as (m, n)."""
    return block.target.reshape(len(block.target), -1).T
