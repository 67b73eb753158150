"""The seconds of an estimator's own fit with a given number of iterations, by its solver.

The unit is that of effort.py: seconds of one core, the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import scipy.sparse as sp

from skbamm.models.base import PROXIMAL_NEWTON


@dataclass(frozen=True)
class Seconds:
    """The cost of an own fit in seconds of one core, measured by benchmarks/everyday/effort.py.

    Attributes
    ----------
    fit : float
        A fit, whatever it does.
    copy : float
        An entry that is copied, checked and centred before it.
    call : float
        An iteration, whatever the data.
    dense : float
        A multiplication of a dense product with few columns.
    dense_many : float
        The same with ``many_columns`` or more.
    sparse : float
        A multiplication of a sparse product.
    predictor : float
        Loss and slope of a predictor.
    memory : float
        Work of L-BFGS on a coefficient.
    row_by_row : float
        An entry that liblinear reads in an iteration.
    stochastic : float
        An entry that a stochastic gradient reads.
    coefficient : float
        An entry that coordinate descent reads.
    pivot : float
        A step of linear programming.
    newton : float
        A multiplication of a Hessian or a factor.
    kernel_factor : float
        A multiplication of a kernel's factor.
    kernel_entry : float
        An entry of a kernel.
    ridge_call : float
        An iteration of conjugate gradients.
    ridge_steps : int
        How many of them there are.
    svd : int
        Times a Cholesky factor, that a singular value decomposition takes.
    many_columns : int
        Columns from which dense products are faster.
    looks : int
        Evaluations in addition to one for each iteration.
    least_steps : int
        Iterations that hardly any fit does without.
    most_of_all_rows : int
        Iterations of dual coordinate descent over all rows; later most rows rest.
    many_fits : int
        Fits from which two more are a small part.
    """

    fit: float = 1e-3
    copy: float = 4e-9
    call: float = 1.3e-4
    dense: float = 4.5e-10
    dense_many: float = 2e-10
    sparse: float = 1.5e-9
    predictor: float = 8e-9
    memory: float = 4e-8
    row_by_row: float = 1.8e-9
    stochastic: float = 8e-9
    coefficient: float = 8e-10
    pivot: float = 4e-5
    newton: float = 5e-11
    kernel_factor: float = 2e-11
    kernel_entry: float = 1.5e-8
    ridge_call: float = 3e-5
    ridge_steps: int = 25
    svd: int = 10
    many_columns: int = 8
    looks: int = 2
    least_steps: int = 5
    most_of_all_rows: int = 60
    many_fits: int = 30


SECONDS = Seconds()


class Size(NamedTuple):
    """How large a matrix is.

    Attributes
    ----------
    shape : tuple of int
    entries : float
        That are stored.
    sparse : bool
    """

    shape: tuple[int, int]
    entries: float
    sparse: bool

    @classmethod
    def of(cls, matrix: Any) -> Size:
        """Return that of an ndarray or a CSR matrix."""
        sparse = sp.issparse(matrix)
        return cls(matrix.shape, matrix.nnz if sparse else matrix.size, sparse)


def own_fit_seconds(model: Any, size: Size, outputs: int, n_iter: float) -> float | None:
    """Return the cost of an own fit with so many iterations; None if unknown.

    Parameters
    ----------
    model : estimator
    size : Size
        The size of the rows.
    outputs : int
        Predictors a row.
    n_iter : float
    """
    (n, d), entries, sparse = size
    kind, solver = type(model).__name__, getattr(model, "solver", None)
    each = (
        SECONDS.sparse
        if sparse
        else SECONDS.dense
        if outputs < SECONDS.many_columns
        else SECONDS.dense_many
    )
    passes = outputs * (2 * entries * each + n * SECONDS.predictor + d * SECONDS.memory)
    fit = SECONDS.fit + entries * SECONDS.copy
    if getattr(model, "loss", "") in ("hinge", "epsilon_insensitive"):
        n_iter = min(n_iter, SECONDS.most_of_all_rows)  # beyond, most rows rest
    if kind.startswith("LinearSV") or solver == "liblinear":
        return fit + n_iter * entries * outputs * SECONDS.row_by_row
    if kind.startswith("SGD") or solver in ("sag", "saga"):
        dense = n * d if solver in ("sag", "saga") and not sparse else entries
        return fit + n_iter * (
            dense * outputs * SECONDS.stochastic + n * outputs * SECONDS.predictor
        )
    if kind in ("Lasso", "ElasticNet", "MultiTaskLasso", "MultiTaskElasticNet"):
        return fit + n_iter * entries * outputs * SECONDS.coefficient
    if kind in ("Ridge", "RidgeClassifier") and (sparse or solver in ("sparse_cg", "lsqr")):
        return fit + outputs * SECONDS.ridge_steps * (SECONDS.ridge_call + 2 * entries * each)
    if kind in ("Ridge", "RidgeClassifier"):
        small, large = sorted((n, d))
        factor = (large * small**2 + small**3 / 3) * SECONDS.newton
        return fit + factor * (SECONDS.svd if solver == "svd" else 1)
    if kind == "LassoLars":
        return fit + n_iter * (SECONDS.call + entries * outputs * SECONDS.dense)
    if kind == "KernelRidge":
        return fit + n**2 * (n * SECONDS.kernel_factor + SECONDS.kernel_entry)
    if kind == "QuantileRegressor":
        return fit + n_iter * (SECONDS.pivot + 2 * entries * SECONDS.sparse)
    if solver == "lbfgs" or kind == "HuberRegressor":
        return fit + n_iter * SECONDS.call + (n_iter + SECONDS.looks) * passes
    if solver in ("newton-cg", "newton-cholesky", *PROXIMAL_NEWTON):
        whole = solver in ("newton-cholesky", "newton-cd-gram")
        hessian = n * d**2 * SECONDS.newton if whole else 10 * passes
        return fit + n_iter * (SECONDS.call + passes + outputs * hessian)
    return None
