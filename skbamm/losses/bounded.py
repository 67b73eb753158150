"""Losses for the upper level that tolerate wrong labels, since one label can cost only so much.

Most level off; the loss of outliers only flattens. They are not convex, so they suit validation
rows only, whose Hessian is not needed.
"""

from __future__ import annotations

import math

import torch

from skbamm.losses.base import UpperLoss
from skbamm.losses.multinomial import one_hot, softmax


class ExpectedErrorLoss(UpperLoss):
    """``1 - p(t)``: the error rate of a classifier that draws its answer from its probabilities.

    If labels are flipped evenly its mean is that with the true labels, up to a factor and a
    constant (Ghosh, Kumar & Sastry, "Robust loss functions under label noise for deep neural
    networks", 2017). No unbounded loss has this property.

    Parameters
    ----------
    n_outputs : int
        1 for the log-odds of two classes, else the number of classes.
    class_factor : Tensor of shape (n_classes,), optional
        Factor of the loss of each class's rows.
    """

    def __init__(self, n_outputs: int, class_factor: torch.Tensor | None = None):
        self.n_outputs, self.class_factor = n_outputs, class_factor

    def targets(self, target):
        """Return the class numbers (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the expected error is not convex and cannot be a lower-level loss"
            )
        if self.n_outputs == 1:
            sign = 2 * target - 1
            p = torch.sigmoid(sign * z)
            value, gradient = 1 - p[:, 0], -sign * p * (1 - p)
        else:
            hot, probabilities = one_hot(target, self.n_outputs), softmax(z)[0]
            p = (probabilities * hot).sum(1, keepdim=True)
            value, gradient = 1 - p[:, 0], (probabilities - hot).mul_(p)
        if self.class_factor is not None:
            factor = self.class_factor.to(z.dtype)[target[:, 0, 0].long()][:, None]
            value, gradient = value * factor, gradient * factor[:, None]
        return value, gradient, None


class BoundedSquaredLoss(UpperLoss):
    """``r^2 / (1 + r^2) / 2`` with ``r = (z - t) / scale``: half the squared error that levels off.

    The form is that of Geman & McClure, "Statistical methods for tomographic image
    reconstruction", 1987.

    Parameters
    ----------
    scale : float
        Size of a residual, in the target's units, at which the loss is half of the most it can be.
    """

    n_outputs = 1

    def __init__(self, scale: float):
        self.scale = scale

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the bounded loss is not convex and cannot be a lower-level loss"
            )
        r = (z - target) / self.scale
        square = r * r
        return (0.5 * square / (1 + square))[:, 0], r / (1 + square) ** 2 / self.scale, None


class NoisyLabelLoss(UpperLoss):
    """``-log sum_k T_kt p_k``: log loss of labels that were recorded with errors.

    Its minimiser is that of the log loss with the true labels, and it is at most ``-log min T``:
    the forward correction of Patrini et al., "Making deep neural networks robust
    to label noise: a loss correction approach", 2017.

    Parameters
    ----------
    n_outputs : int
        1 for the log-odds of two classes, else the number of classes.
    noise : Tensor of shape (n_classes, n_classes)
        T, the probability that class k is recorded as j; rows sum to one.
    """

    def __init__(self, n_outputs: int, noise: torch.Tensor):
        self.n_outputs, self.noise = n_outputs, noise

    def targets(self, target):
        """Return the class numbers (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the loss of noisy labels is not convex and cannot be a lower-level loss"
            )
        likely = self.noise.to(z.dtype)[:, target[:, 0, 0].long()].log().T[:, :, None]
        both = torch.cat([-0.5 * z, 0.5 * z], 1) if self.n_outputs == 1 else z
        true, normaliser = softmax(both)
        given_label, joint = softmax(both + likely)
        value, gradient = (normaliser - joint)[:, 0], true - given_label
        return value, gradient[:, 1:] if self.n_outputs == 1 else gradient, None


class OutlierLoss(UpperLoss):
    """``-log((1 - e) exp(-r^2 / 2 s^2) + e (s / S) exp(-r^2 / 2 S^2))`` for ``r = z - t``.

    The log loss, up to a constant, of a normal target with a share e of outliers.

    Parameters
    ----------
    narrow, wide : float
        The spreads s and S.
    rate : float
        e.
    """

    n_outputs = 1

    def __init__(self, narrow: float, wide: float, rate: float):
        self.narrow, self.wide, self.rate = narrow, wide, rate

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the loss of outliers is not convex and cannot be a lower-level loss"
            )
        r = z - target
        good = math.log1p(-self.rate) - 0.5 * (r / self.narrow) ** 2
        bad = math.log(self.rate * self.narrow / self.wide) - 0.5 * (r / self.wide) ** 2
        share = torch.sigmoid(good - bad)
        slope = share / self.narrow**2 + (1 - share) / self.wide**2
        return -torch.logaddexp(good, bad)[:, 0], r * slope, None
