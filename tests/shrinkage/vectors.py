"""Small problems for vectors of penalties, and what they mean in terms of scikit-learn's fits."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler

from skbamm import FeaturePenalty
from skbamm.bilevel import solve_lower
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.shrinkage import path as shrinkage_path
from skbamm.shrinkage.entries import known_axis
from skbamm.space import read_grid

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
POINTS = ((0.1, 0.0), (0.1, 1.0))


@contextmanager
def quick(points=POINTS, outer=2):
    """Let searches follow fewer points, with fewer splits left out: what is tested is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinkage_path, "PATH", points)
        patch.setattr(shrinkage_path, "_OUTER", outer)
        yield


def _data():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X[:90, :6]), y[:90]
    wine, kinds = load_wine(return_X_y=True)
    wine, kinds = StandardScaler().fit_transform(wine[::2, :5]), kinds[::2]
    return (X, (y - y.mean()) / y.std()), (wine, kinds)


REGRESSION, THREE = _data()
X_REG, Y_REG = REGRESSION
TWO = THREE[0], (THREE[1] == 1).astype(int)
COUNT = X_REG, np.exp(Y_REG).round()


def name_of(model):
    """Return what scales a model's penalty, and whether larger values mean less of it."""
    return ("C", True) if hasattr(model, "C") else ("alpha", False)


def with_values(model, values, columns=None):
    """Return the model whose penalty has a value for each feature, or for each group of columns."""
    name, inverse = name_of(model)
    mean = float(np.exp(np.log(values).mean()))
    values = values if columns is None else values[columns]
    factor = mean / values if inverse else values / mean
    return FeaturePenalty(clone(model).set_params(**{name: mean}), factor)


def joint_of(model, vector, X, y, splits, name=None, fit_params=None):
    """Return the joint solver of a model over its folds, and the vector's axis."""
    name = name or name_of(model)[0]
    (combination,) = read_grid(model, {name: vector}).combinations
    settings = Settings("auto", 100, 1e-4, None, "cpu", "float64", 0)
    maker = SolverFactory(settings, X, y, splits, fit_params or {}, {}, None)
    joint = maker.make(combination.target, combination.params)
    return joint, known_axis(combination.axes[0], X, None, [], joint.task)


def solved(problem, x):
    """Return exact models at x, and the exact multiplier in what may move of them."""
    y = solve_lower(problem, x, tol=1e-14, max_iter=500).y
    v = torch.zeros_like(y)
    for _ in range(4):
        d = problem.directions(x, y, v, 0.0)
        face = problem.face(x, y, d.grad_y)
        metric = problem.curvature(x, y, 0.0)
        metric = metric if face is None else metric.within(face)
        v = v - metric.solve(d.residual_v[None])[0]
    return y, v


def differences(function, x, step=1e-4):
    """Return central differences of a function of x, (h,)."""
    found = []
    for i in range(len(x)):
        ahead, back = x.copy(), x.copy()
        ahead[i] += step
        back[i] -= step
        found.append((function(ahead) - function(back)) / (2 * step))
    return np.array(found)
