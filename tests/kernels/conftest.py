"""Kernel ridge regressions over their folds, as a search sets them up."""

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from skbamm.criteria import make_criterion
from skbamm.folds import FoldWeights
from skbamm.kernels import KernelBlock, KernelRidgeProblem
from skbamm.models import find_twin

X, Y = load_diabetes(return_X_y=True)
X, Y = StandardScaler().fit_transform(X[::4]), Y[::4]
Y_TWO = np.column_stack([Y, X[:, 0] - 3 * X[:, 3] ** 2])
FOLDS = list(KFold(3).split(X))
RNG = np.random.default_rng(0)
WEIGHT = RNG.integers(0, 4, len(Y)).astype(float)
BOOTSTRAP = [
    (train, np.setdiff1d(np.arange(len(Y)), train))
    for train in RNG.integers(0, len(Y), (3, len(Y)))
]
KERNELS = {
    "rbf": KernelRidge(kernel="rbf"),
    "laplacian": KernelRidge(kernel="laplacian"),
    "poly": KernelRidge(kernel="poly", degree=2, coef0=0.5),
    "linear": KernelRidge(kernel="linear"),
    "cosine": KernelRidge(kernel="cosine"),
}
ALPHA, GAMMA = 0.3, 0.04


def log_values(*values):
    """Return x of one start: logarithms of alpha and perhaps gamma."""
    return torch.log(torch.tensor([values], dtype=torch.float64))


def model_problem(
    estimator, y=Y, splits=FOLDS, *, weight=None, criterion=None, starts=1, single=True
):
    """Return the problem of an estimator's kernel, and its weights.

    Without gamma in x it is ``GAMMA``; ``single`` has all folds share one kernel.
    """
    twin, reason = find_twin(estimator)
    assert twin is not None, reason
    task, kernel = twin.task(estimator, y, weight, False), twin.kernel(estimator)
    weights = FoldWeights(len(y), splits, fit_weight=weight, score_weight=weight)
    parts = [weights] if single else [weights.fold(k) for k in range(len(splits))]
    blocks = [KernelBlock.of_rows(kernel, X, task.target, part) for part in parts]

    def of_x(x):
        gamma = x[:, 1].exp() if x.shape[1] > 1 else torch.full_like(x[:, 0], GAMMA)
        return x[:, 0].exp(), gamma

    if criterion is not None:
        target = torch.as_tensor(task.target)
        criterion = make_criterion(criterion, task.loss, target, weights)
    return KernelRidgeProblem(blocks, of_x, starts, criterion=criterion)


def own_model(estimator, rows, y, weight=None, alpha=ALPHA, gamma=GAMMA):
    """Return scikit-learn's own model of some rows."""
    model = clone(estimator).set_params(alpha=alpha)
    if model.kernel != "linear":
        model.set_params(gamma=gamma)
    return model.fit(X[rows], y[rows], sample_weight=None if weight is None else weight[rows])
