"""The hinge of class labels, smoothed at its kink."""

from __future__ import annotations

from skbamm.losses.one_vs_rest import OneVsRest
from skbamm.losses.smoothed import Smoothed, envelope, hinge_gap


class HingeLoss(Smoothed, OneVsRest):
    """``max(0, 1 - t z)`` for t in {-1, 1}, summed over the outputs; see ``OneVsRest``.

    Over the last ``width`` before the margin it is a parabola; see ``Smoothed``.

    Parameters
    ----------
    n_outputs, positive_factor
        As for ``OneVsRest``.
    width : float
        In units of the predictor.
    """

    def __init__(self, n_outputs: int = 1, positive_factor=None, width: float = 0.2):
        super().__init__(n_outputs, positive_factor)
        self.width = width

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        factor = self._factor(target, z)
        value, slope, curvature = envelope(1 - target * z, self.width)
        product = None if u is None else factor * curvature * u
        return (factor * value).sum(1), -factor * target * slope, product

    def curvature(self, z, target):
        """Return ``1 / width``, times the factor, where the loss is a parabola, else 0."""
        signs = self.targets(target)
        return self._factor(signs, z) * envelope(1 - signs * z, self.width)[2]

    def majorant(self, z, target):
        """See ``Smoothed``."""
        return self._factor(target, z) / (2 * (1 - target * z).abs().clamp_min(self.width))

    def gap(self, z, target):
        """See ``Smoothed``."""
        return (self._factor(target, z) * hinge_gap(1 - target * z, self.width)).sum(1)
