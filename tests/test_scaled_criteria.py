"""Log losses of free scale: their minimum over the scale, and its gradient."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold

from skbamm.criteria import make_criterion
from skbamm.folds import DenseRows, FoldWeights, SparseRows
from skbamm.losses import LogisticLoss, MultinomialLoss

N, P = 90, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P))
SPLITS = list(KFold(3).split(X))
NAMES = [
    ("scaled_log_loss", 2),
    ("scaled_log_loss", 3),
    ("balanced_scaled_log_loss", 3),
    ("scaled_pairwise_logistic", 2),
    ("pairwise_logistic", 2),
]


def problem(name, classes, noise, kind=DenseRows):
    """Return the criterion, rows, labels and models (2, 3, m, p) that tell the classes apart."""
    signal = X[:, 0] + noise * RNG.normal(size=N)
    label = np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes))
    loss = LogisticLoss() if classes == 2 else MultinomialLoss(classes)
    target, weights = torch.as_tensor(label.astype(float)), FoldWeights(N, SPLITS)
    matrix = torch.as_tensor(X) if kind is DenseRows else sp.csr_array(X)
    rows = kind(matrix, target, weights, True, torch.float64)
    y = 0.1 * torch.as_tensor(RNG.normal(size=(2, 3, loss.n_outputs, P + 1)))
    y[..., 0] += torch.linspace(-2, 2, loss.n_outputs) if classes > 2 else 2.0
    return make_criterion(name, loss, target, weights), rows, label, y


def value(criterion, rows, y):
    """Return the gradient and the folds' averages."""
    judge = criterion.evaluator(rows, y)

    def function(z, chunk):
        loss, slope, _ = judge(z[0], chunk, None)
        return [chunk.validation[:, None] * slope], [chunk.validation * loss]

    products, (average,) = rows.sweep(y[None], function)
    return products[0], average


@pytest.mark.parametrize(("name", "classes"), NAMES)
@pytest.mark.parametrize("noise", [0.0, 1.0], ids=["told apart", "noisy"])
def test_the_gradient_is_that_of_differences(name, classes, noise):
    criterion, rows, _, y = problem(name, classes, noise)
    gradient, _ = value(criterion, rows, y)
    direction = torch.as_tensor(RNG.normal(size=y.shape))
    step = 1e-5
    ahead, behind = (value(criterion, rows, y + s * step * direction)[1] for s in (1, -1))
    expected = (ahead - behind) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum((2, 3)), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("name", "classes"), NAMES[:4])
def test_scale_says_nothing(name, classes):
    criterion, rows, _, y = problem(name, classes, 1.0)
    _, first = value(criterion, rows, y)
    _, other = value(criterion, rows, 1e-3 * y)
    torch.testing.assert_close(other, first, rtol=1e-5, atol=0.0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [DenseRows, SparseRows])
def test_it_is_the_least_log_loss_over_the_scale(classes, kind):
    criterion, rows, label, y = problem("scaled_log_loss", classes, 1.0, kind)
    _, average = value(criterion, rows, y)
    for k, (_, test) in enumerate(SPLITS):
        z = X[test] @ y[0, k, :, :-1].numpy().T + y[0, k, :, -1].numpy()
        logits = np.column_stack([np.zeros(len(test)), z]) if classes == 2 else z

        def at(log_s, logits=logits, test=test):
            p = torch.softmax(torch.as_tensor(np.exp(log_s) * logits), 1).numpy()
            return log_loss(label[test], p, labels=range(classes))

        least = minimize_scalar(at, bounds=(-6, 6), method="bounded").fun
        assert float(average[0, k]) == pytest.approx(least, rel=1e-3)
