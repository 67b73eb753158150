"""Bounded losses for the upper level: a label that is wrong can cost only so much.

Both are functions of the margin or residual that level off. They are not convex, so they are for
validation rows only, where no Hessian is asked for.
"""

from __future__ import annotations

import torch


class ExpectedErrorLoss:
    """``1 - p(t)``: the error rate of a classifier that draws its answer from its probabilities.

    With labels that are flipped evenly its mean is, up to a factor and a constant, what it would
    be with the true ones (Ghosh, Kumar & Sastry, "Robust loss functions under label noise for
    deep neural networks", 2017), which no unbounded loss can say of itself.

    Parameters
    ----------
    n_outputs : int
        1 for the log-odds of two classes, else the number of classes.
    class_factor : Tensor of shape (n_classes,), optional
        Factor of the loss of each class's rows.
    """

    couples_outputs = True

    def __init__(self, n_outputs: int, class_factor: torch.Tensor | None = None):
        self.n_outputs, self.class_factor = n_outputs, class_factor

    def targets(self, target):
        """Return the class numbers (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError("the expected error is not convex: it is no lower loss")
        label = target[:, 0, 0].long()
        if self.n_outputs == 1:
            sign = 2 * target - 1
            p = torch.sigmoid(sign * z)
            value, gradient = 1 - p[:, 0], -sign * p * (1 - p)
        else:
            probabilities = torch.softmax(z, 1)
            index = label[:, None, None].expand(-1, 1, z.shape[2])
            p = probabilities.gather(1, index)
            value, gradient = 1 - p[:, 0], p * probabilities
            gradient.scatter_add_(1, index, -p)
        if self.class_factor is not None:
            factor = self.class_factor.to(z.dtype)[label][:, None]
            value, gradient = value * factor, gradient * factor[:, None]
        return value, gradient, None


class BoundedSquaredLoss:
    """``r^2 / (1 + r^2) / 2`` with ``r = (z - t) / scale``: half the squared error that levels off.

    The form is that of Geman & McClure, "Statistical methods for tomographic image
    reconstruction", 1987.

    Parameters
    ----------
    scale : float
        Size of a residual, in the target's units, at which the loss is half of the most it can be.
    """

    n_outputs, couples_outputs = 1, False

    def __init__(self, scale: float):
        self.scale = scale

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError("the bounded loss is not convex: it is no lower loss")
        r = (z - target) / self.scale
        square = r * r
        return (0.5 * square / (1 + square))[:, 0], r / (1 + square) ** 2 / self.scale, None
