"""The tolerances of all solves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerances:
    """Bounds on decrements, and the iterations that may take.

    A decrement is the norm of the gradient in the metric: an error of a model whose square is in
    the units of its objective.

    Attributes
    ----------
    begin : float
        Models of some rows that are starting points for others.
    single : float
        Models in single precision that are finished in double.
    single_products : float
        The same where steps are products with the Hessian: more is gained there, a pass is cheaper.
    final : float
        Models that are scored: their scores are right to eight digits
        (tests/search/test_best_score.py).
    products : float
        Models that are scored, with steps by products with the Hessian.
    kernel : float
        Kernel models that are scored; a direct solve meets it at once.
    nearly : float
        Models limited by rounding errors, relative to the root of the objective.
    slope : float
        Models whose hypergradient is computed.
    refit : float
        Models from which a refit starts.
    pooled : float
        The same from pooled second moments, where a step reads no rows.
    single_iter, mixed_iter, final_iter : int
        Iterations in single precision, with single-precision metrics, and in double precision.
    """

    begin: float = 1e-2
    single: float = 3e-3
    single_products: float = 1e-4
    final: float = 1e-8
    products: float = 3e-8
    kernel: float = 1e-6
    nearly: float = 1e-5
    slope: float = 1e-6
    refit: float = 1e-5
    pooled: float = 1e-6
    single_iter: int = 10
    mixed_iter: int = 20
    final_iter: int = 100


TOL = Tolerances()
