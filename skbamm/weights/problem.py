"""Row weights and the penalty as upper-level variables of one bi-level problem.

With x = (u, t), weights w(t) in [0, 1], shares m of the rows that sum to one, and
s = w / sum(m w), fold k's model minimises::

    f_k = (1 / N_k) [ sum_{i in train_k} s_i W_ik l(z_i, t_i) + 1/2 sum_j lambda_j(u) b_j^2 ]

so that what a penalty means does not depend on how many rows are doubted: the weights and the
penalty do not fight. The upper level is the criterion on each fold's validation rows and a prior
that all rows be kept::

    F = criterion + (prior / null) (1 - sum(m w))
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions
from skbamm.glm import GLMProblem
from skbamm.weights.weightings import Weighting


class WeightedGLMProblem(GLMProblem):
    """A generalised linear model over K folds whose training rows have weights to be learned.

    Parameters
    ----------
    rows, loss, strength, mean_loss
        As for ``GLMProblem``; ``strength`` is a function of the first entry of x.
    weighting : Weighting
        Of the other entries.
    criterion : Criterion
        A mean over rows, without a root.
    bounds : tuple of Tensor
        Of the first entry, each of shape (1,).
    prior : float
        What each row that is kept is worth, in the criterion's units, times the number of rows:
        with the expected error, how many errors leaving it out must save.
    share : Tensor of shape (n,)
        The rows' shares m: even, or in proportion to the user's weights.
    """

    def __init__(self, rows, loss, strength, weighting: Weighting, *, criterion, bounds, prior,
                 share, mean_loss=False):  # fmt: skip
        low, high = (torch.cat(pair) for pair in zip(bounds, weighting.bounds, strict=True))
        super().__init__(
            rows, loss, lambda x: strength(x[..., :1]), 1,
            criterion=criterion, bounds=(low, high), mean_loss=mean_loss,
        )  # fmt: skip
        self.plain, self.weighting, self.share = rows, weighting, share
        self.prior = prior / criterion.null
        self._x: Tensor | None = None

    def weights(self, x: Tensor) -> Tensor:
        """Return the weights (n,) in [0, 1] for x of shape (1, h)."""
        return self.weighting.weights(x[0, 1:].double())

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """See ``GLMProblem.directions``; F is with the prior."""
        w = self._at(x)
        d = super().directions(x, y, v, mu)
        return replace(d, upper=d.upper + self.prior * (1 - self.share @ w) / d.upper.shape[1])

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor:
        """Return the hypergradient's shares; those of the weights take half a pass."""
        w, t = self._at(x), x[0, 1:].double()
        mean = self.share @ w
        s = w / mean
        q = (1 - mu) * self._row_shares(y, v, s)
        # s is w over its mean: a row that gains weight takes some from all others.
        gradient = (q - torch.outer(q @ s, self.share)) / mean - self.prior * self.share / len(q)
        shares = super().grad_x(x, y, v, mu, upper)
        shares[0, :, 1:] += self.weighting.pull(t, gradient)
        return shares

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See ``GLMProblem.lower``."""
        self._at(x)
        return super().lower(x, y)

    def hessian_product(self, x, y, p, mu, kept=None):
        """See ``GLMProblem.hessian_product``."""
        self._at(x)
        return super().hessian_product(x, y, p, mu, kept)

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """See ``GLMProblem.curvature``."""
        self._at(x)
        return super().curvature(x, y, mu)

    def select(self, starts: list[int]) -> WeightedGLMProblem:
        """There is one start only."""
        return self

    def _at(self, x: Tensor) -> Tensor:
        """Weigh the rows as x says, and return the weights."""
        w = self.weights(x)
        if self._x is None or not torch.equal(self._x, x):
            self.rows = self.metric_rows = self.plain.reweighted(w / (self.share @ w))
            self._x = x.clone()
        return w

    def _row_shares(self, y: Tensor, v: Tensor, s: Tensor) -> Tensor:
        """Return each fold's derivatives of F in s, (K, n)."""
        loss, factor = self.loss, self.criterion.factor
        out = torch.zeros(len(factor), len(s), dtype=torch.float64, device=s.device)

        def keep(z, chunk):
            _, gradient, _ = loss.evaluate(z[0], loss.targets(chunk.target))
            product = chunk.train * (gradient * z[1]).sum(1)
            out[chunk.folds, chunk.rows] -= product.T.double()

        self.rows.visit(torch.stack([y, v]), keep)
        return out * factor[:, None] / s
