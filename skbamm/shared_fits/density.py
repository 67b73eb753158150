"""KernelDensity: the tree of the rows is built once."""

from __future__ import annotations

from numbers import Real

from sklearn.neighbors import KernelDensity

from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import SharedFits, take_fitted


class SharedDensityTree(SharedFits):
    """All bandwidths, kernels and tolerances share one tree of the rows."""

    estimator_types = (KernelDensity,)
    parameters = ("bandwidth", "kernel", "atol", "rtol", "breadth_first")
    intervals = (Hyperparameter("bandwidth", positive=True, words=("scott", "silverman")),)

    def mismatch(self, estimator):
        """Return why its bandwidth is not a number."""
        rule = not isinstance(estimator.bandwidth, Real)
        return f"bandwidth={estimator.bandwidth!r} is a rule" if rule else ""

    def serve(self, state, model):
        """Give a model the tree."""
        take_fitted(model, state)
        model.bandwidth_ = model.bandwidth
