"""Row weights and the penalty as upper-level variables of one bi-level problem.

With x = (u, t), weights w(t) in [0, 1], shares m of the rows that sum to one, and s the weights
scaled so that those of each class c have a given mass, s_i = w_i mass_c / sum_{j in c} m_j w_j,
fold k's model minimises::

    f_k = (1 / N_k) [ sum_{i in train_k} s_i W_ik l(z_i, t_i) + 1/2 sum_j lambda_j(u) b_j^2 ]

so that the meaning of a penalty does not depend on how many rows are doubted, and the weights do
not work against it. The upper level is the criterion on each fold's validation rows and a prior
that all rows be kept::

    F = criterion + (prior / null) (1 - sum(m w))
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions
from skbamm.folds import Rows
from skbamm.glm import GLMProblem
from skbamm.weights.weightings import Weighting

_NONE = 1e-12  # mass of a class that has no rows here


class RowWeightedProblem(GLMProblem):
    """A generalised linear model of one start whose training rows have weights that x decides.

    Subclasses give the factors of the rows' training weights, and extend ``grad_x``.
    """

    plain: Rows  # the rows as they are
    _x: Tensor | None = None

    def factors(self, x: Tensor) -> Tensor:
        """Return the factors of the rows' weights, (n,), for x of shape (1, h)."""
        raise NotImplementedError

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """See ``GLMProblem.directions``."""
        self.weigh(x)
        return super().directions(x, y, v, mu)

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See ``GLMProblem.lower``."""
        self.weigh(x)
        return super().lower(x, y)

    def hessian_product(self, x, y, p, mu, kept=None):
        """See ``GLMProblem.hessian_product``."""
        self.weigh(x)
        return super().hessian_product(x, y, p, mu, kept)

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """See ``GLMProblem.curvature``."""
        self.weigh(x)
        return super().curvature(x, y, mu)

    def select(self, starts: list[int]) -> RowWeightedProblem:
        """Return itself: there is one start."""
        return self

    def weigh(self, x: Tensor) -> None:
        """Give the rows the weights that belong to x."""
        if self._x is None or not torch.equal(self._x, x):
            self.rows = self.metric_rows = self.plain.reweighted(self.factors(x))
            self._x = x.clone()

    def row_shares(self, y: Tensor, v: Tensor, s: Tensor) -> Tensor:
        """Return each fold's derivatives of F in the factors s, (K, n)."""
        loss, factor = self.loss, self.criterion.factor
        out = torch.zeros(len(factor), len(s), dtype=torch.float64, device=s.device)

        def keep(z, chunk):
            _, gradient, _ = loss.evaluate(z[0], loss.targets(chunk.target))
            product = chunk.train * (gradient * z[1]).sum(1)
            out[chunk.folds, chunk.rows] -= product.T.double()

        self.rows.visit(torch.stack([y, v]), keep)
        return out * factor[:, None] / s


@dataclass(frozen=True)
class ClassMasses:
    """What the weights of the rows of each class add up to, whichever of them are doubted.

    A class that loses weight would be predicted less, its rows be doubted more, and it would
    lose more.

    Attributes
    ----------
    share : Tensor of shape (n,)
        The rows' shares m: even, or in proportion to the user's weights. They sum to one.
    label : Tensor of int of shape (n,)
        The given class; one class for all rows of a regression.
    mass : Tensor of shape (n_classes,)
        They sum to one.
    """

    share: Tensor
    label: Tensor
    mass: Tensor

    def factors(self, w: Tensor) -> Tensor:
        """Return the weights scaled to the masses, (n,); their mean over the shares is one."""
        return w * self._scale(w)[self.label]

    def pull(self, w: Tensor, q: Tensor) -> Tensor:
        """Return gradients in the weights (K, n) for those in the factors."""
        # A row that gains weight takes some from all the others of its class.
        scale, s = self._scale(w), self.factors(w)
        lost = self._sums(q * s) / self.mass.clamp_min(_NONE)
        return scale[self.label] * (q - lost[..., self.label] * self.share)

    def _scale(self, w: Tensor) -> Tensor:
        return self.mass / self._sums(self.share * w).clamp_min(_NONE)

    def _sums(self, values: Tensor) -> Tensor:
        out = values.new_zeros(*values.shape[:-1], len(self.mass))
        return out.index_add_(-1, self.label, values)


class WeightedGLMProblem(RowWeightedProblem):
    """A generalised linear model over K folds whose training rows have weights to be learned.

    Parameters
    ----------
    rows, loss, penalty, mean_loss
        As for ``GLMProblem``; ``penalty`` is a function of the first entry of x.
    weighting : Weighting
        Of the other entries.
    criterion : Criterion
        A mean over rows, without a root.
    bounds : tuple of Tensor
        Of the first entry, each of shape (1,).
    prior : float
        Value of keeping a row, in the criterion's units, times the number of rows: with the
        expected error as criterion, the number of errors that leaving out a row must save.
    classes : ClassMasses
        What the weights of each class add up to.
    """

    def __init__(self, rows, loss, penalty, weighting: Weighting, *, criterion, bounds, prior,
                 classes: ClassMasses, mean_loss=False):  # fmt: skip
        low, high = (torch.cat(pair) for pair in zip(bounds, weighting.bounds, strict=True))
        super().__init__(
            rows, loss, penalty.of(lambda x: x[..., :1]), 1,
            criterion=criterion, bounds=(low, high), mean_loss=mean_loss,
        )  # fmt: skip
        self.plain, self.weighting, self.classes = rows, weighting, classes
        self.prior = prior / criterion.null

    def weights(self, x: Tensor) -> Tensor:
        """Return the weights (n,) in [0, 1] for x of shape (1, h)."""
        return self.weighting.weights(x[0, 1:].double())

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """See ``GLMProblem.directions``; F is with the prior."""
        w = self.weights(x)
        d = super().directions(x, y, v, mu)
        return replace(
            d, upper=d.upper + self.prior * (1 - self.classes.share @ w) / d.upper.shape[1]
        )

    def grad_of_slopes(self, x: Tensor, y: Tensor, v: Tensor, mu: float, slopes: Tensor) -> Tensor:
        """Return the hypergradient's shares; those of the weights take half a pass."""
        self.weigh(x)
        w, t = self.weights(x), x[0, 1:].double()
        q = (1 - mu) * self.row_shares(y, v, self.classes.factors(w))
        gradient = self.classes.pull(w, q) - self.prior * self.classes.share / len(q)
        shares = super().grad_of_slopes(x, y, v, mu, slopes)
        shares[0, :, 1:] += self.weighting.pull(t, gradient)
        return shares

    def factors(self, x: Tensor) -> Tensor:
        """See ``RowWeightedProblem.factors``."""
        return self.classes.factors(self.weights(x))


class ClassWeightedProblem(RowWeightedProblem):
    """A linear classifier over K folds whose classes have weights to be learned.

    As in scikit-learn they multiply the rows' weights, and nothing else: doubling all of them
    halves the penalty relative to the losses.

    Parameters
    ----------
    rows, loss, penalty, criterion, bounds, mean_loss
        As for ``GLMProblem``; x has the logarithm of each class's weight and nothing else.
    row_class : Tensor of int of shape (n,)
    """

    def __init__(self, rows, loss, penalty, row_class: Tensor, **options):
        super().__init__(rows, loss, penalty, 1, **options)
        self.plain, self.row_class = rows, row_class

    def factors(self, x: Tensor) -> Tensor:
        """See ``RowWeightedProblem.factors``."""
        return torch.exp(x[0].double())[self.row_class]

    def grad_of_slopes(self, x: Tensor, y: Tensor, v: Tensor, mu: float, slopes: Tensor) -> Tensor:
        """Return the hypergradient's shares, (1, K, classes)."""
        self.weigh(x)
        s = self.factors(x)
        pulled = (1 - mu) * self.row_shares(y, v, s) * s
        out = pulled.new_zeros(len(pulled), x.shape[1])
        return out.index_add_(1, self.row_class, pulled)[None]
