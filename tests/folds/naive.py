"""What folds and passes are, by whole dense matrices."""

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight

from skbamm.folds import Chunk

N = 41


class NaiveWeights:
    """The weights of FoldWeights as two matrices (n, K)."""

    def __init__(
        self, n, splits, *, fit_weight=None, score_weight=None, row_class=None, class_weight=None
    ):
        self.train, self.validation = np.zeros((2, n, len(splits)))
        for k, (train, test) in enumerate(splits):
            rows = np.arange(n)[train]
            for i in rows:
                self.train[i, k] += 1 if fit_weight is None else fit_weight[i]
            for i in np.arange(n)[test]:
                self.validation[i, k] += 1 if score_weight is None else score_weight[i]
            if class_weight is not None:
                self.train[:, k] *= class_weight(rows)[row_class]

    @staticmethod
    def balanced_options(row_class):
        """Keywords for the class weights that scikit-learn calls balanced."""
        classes = np.unique(row_class)

        def class_weight(rows):
            return compute_class_weight("balanced", classes=classes, y=row_class[rows])

        return {"row_class": row_class, "class_weight": class_weight}

    def normalised(self):
        """Both matrices with columns that sum to one, unless they are zero."""
        return [m / np.where(m.sum(0) > 0, m.sum(0), 1) for m in (self.train, self.validation)]


def dense(X, fit_intercept):
    """Return X in float64, with a column of ones last if there is an intercept."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    return np.column_stack([X, np.ones(len(X))]) if fit_intercept else X


def row_function(z, chunk):
    """A row function that uses all that a pass offers it."""
    target = chunk.target.reshape(len(chunk.target), -1)[:, :1]
    train, validation = chunk.train[:, None], chunk.validation[:, None]
    products = [train * torch.tanh(z[0]) + validation * target[:, None], validation * z[-1]]
    return products, [chunk.train * z[0].sum(1), chunk.validation * z[-1].square().sum(1) * target]


def weight_function(z, chunk):
    """A row function that gives positive weights, for Gram matrices."""
    return [(chunk.train + chunk.validation)[:, None] * torch.sigmoid(z[0])], []


def columns_function(z, chunk):
    """A row function that gives the columns of symmetric matrices that mix the outputs."""
    weight = (chunk.train + 2 * chunk.validation)[:, None]
    a = torch.sigmoid(z[0])
    columns = []
    for output in range(a.shape[1]):
        column = -a * a[:, output : output + 1]
        column[:, output] += 2 + a[:, output]
        columns.append(weight * column)
    return columns, []


def sweep(X, target, weights, coefficients, function):
    """Return what ``Rows.sweep`` should."""
    back, sums = _apply(X, target, weights, coefficients, function)
    _, S, K, _, p = coefficients.shape
    products = [torch.einsum("np,nmc->mcp", X, part) for part in back]
    products = [part.view(-1, S, K, p).permute(1, 2, 0, 3) for part in products]
    return torch.stack(products), [part.sum(0).view(S, K) for part in sums]


def gram(X, target, weights, coefficients, function, share=False):
    """Return what ``Rows.gram`` should of all rows."""
    _, S, K, m, _ = coefficients.shape
    w = _apply(X, target, weights, coefficients, function)[0][0].view(-1, m, S, K)
    if share:
        w = w.mean(3, keepdim=True)
    return torch.einsum("np,nmsk,nq->skmpq", X, w, X)


def joint_gram(X, target, weights, coefficients, function):
    """Return the whole matrix of which ``Rows.joint_gram`` gives a part."""
    _, S, K, m, p = coefficients.shape
    columns = torch.stack(_apply(X, target, weights, coefficients, function)[0])
    columns = columns.view(m, -1, m, S, K)
    return torch.einsum("np,cndsk,nq->skdpcq", X, columns, X).reshape(S, K, m * p, m * p)


def _apply(X, target, weights, coefficients, function):
    """Call the function with the predictors of all rows at once."""
    r, S, K, m, _ = coefficients.shape
    z = torch.einsum("np,rskmp->rnmsk", X, coefficients).reshape(r, len(X), m, S * K)
    train, validation = (torch.as_tensor(w).repeat(1, S) for w in weights.normalised())
    return function(list(z), Chunk(torch.as_tensor(target), train, validation))
