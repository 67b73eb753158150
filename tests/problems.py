"""Problems with known answers, and models set up over their folds as a search does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import brentq, minimize_scalar
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_classification
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, huber_loss

from skbamm.bilevel import AutogradProblem, solve_lower
from skbamm.criteria import make_criterion
from skbamm.folds import DenseRows, FoldWeights, SparseRows
from skbamm.glm import LeastSquaresProblem, glm_problem
from skbamm.glm.penalties import Squares, Total
from skbamm.models import find_twin

X_REG, Y_REG = load_diabetes(return_X_y=True)
X_REG = X_REG / X_REG.std(0)
X_BINARY, Y_BINARY = load_breast_cancer(return_X_y=True)
X_BINARY = StandardScaler().fit_transform(X_BINARY)
X_MULTI, Y_MULTI = load_wine(return_X_y=True)
X_MULTI = StandardScaler().fit_transform(X_MULTI)
# Rows enough that folds look alike.
X_MANY, Y_MANY = make_classification(
    2000, 12, n_informative=6, n_redundant=3, flip_y=0.1, class_sep=0.5, random_state=0
)
Y_TWO = np.column_stack([Y_REG, X_REG[:, 0] - 30 * X_REG[:, 3] + 0.1 * Y_REG[::-1]])


# Losses as torch has them: of predictors (n, m, C) and targets (n,) or (n, m)


def torch_logistic(z, target):
    """Return the log loss of a binary target, (n, C)."""
    expanded = target[:, None].expand(-1, z.shape[2])
    return binary_cross_entropy_with_logits(z[:, 0], expanded, reduction="none")


def torch_multinomial(z, target):
    """Return the log loss of several classes, (n, C)."""
    expanded = target.long()[:, None].expand(-1, z.shape[2])
    return cross_entropy(z, expanded, reduction="none")


def torch_squared(z, target):
    """Return half the squared error, summed over the outputs, (n, C)."""
    return ((z - target.reshape(len(target), -1)[:, :, None]) ** 2 / 2).sum(1)


def torch_squared_hinge(z, target):
    """Return the squared hinges of class labels, one output a class or one of two, (n, C)."""
    return (torch.relu(1 - _signs(z, target) * z) ** 2).sum(1)


def torch_one_vs_rest(z, target):
    """Return the log losses of class labels, one output a class or one of two, (n, C)."""
    return binary_cross_entropy_with_logits(
        z, (_signs(z, target) > 0).to(z.dtype).expand_as(z), reduction="none"
    ).sum(1)


def torch_modified_huber(z, target):
    """Return the modified Huber losses of class labels, as above, (n, C)."""
    margin = _signs(z, target) * z
    return torch.where(margin >= -1, torch.relu(1 - margin) ** 2, -4 * margin).sum(1)


def torch_huber(epsilon):
    """Return Huber's loss, a function to (n, C)."""
    return lambda z, target: huber_loss(
        z[:, 0], target[:, None].expand(-1, z.shape[2]).to(z.dtype), delta=epsilon, reduction="none"
    )


def _signs(z, target):
    """Return 1 for the outputs of the rows' classes, else -1, (n, m, 1)."""
    classes = torch.arange(1, 2) if z.shape[1] == 1 else torch.arange(z.shape[1])
    return torch.where(target[:, None] == classes, 1.0, -1.0)[:, :, None].to(z.dtype)


def torch_squared_epsilon_insensitive(epsilon):
    """Return the squared error beyond epsilon, a function to (n, C)."""
    return lambda z, target: torch.relu((z[:, 0] - target[:, None]).abs() - epsilon) ** 2


# Bi-level problems whose solution is known


@dataclass
class Known:
    """A problem, where to begin, and its solution."""

    problem: AutogradProblem
    x0: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor

    def error(self, x: torch.Tensor) -> float:
        """Relative distance of x from the solution."""
        return float((x - self.x).norm() / self.x.norm())

    def excess(self, x: torch.Tensor) -> float:
        """How much larger F is at x than at the solution, relative, at exactly solved y."""
        values = []
        for point in (x, self.x):
            y = solve_lower(self.problem, point[None], tol=1e-12, max_iter=1000).y
            values.append(float(self.problem.directions(point[None], y, 0 * y, 0.0).upper))
        return values[0] / values[1] - 1


def strongly_convex_quadratic(n: int = 100, *, identity: bool = True, **options) -> Known:
    """``F = y'Ay/2 + (x-h)'D(x-h)/2``, ``f = y'Ay/2 - x'By``: x* solves a linear system."""
    eye = torch.eye(n, dtype=torch.float64)
    A = B = D = eye
    if not identity:
        A, D = _positive_definite(n, 0), _positive_definite(n, 1)
        B = eye + 0.2 * torch.as_tensor(np.random.default_rng(2).normal(size=(n, n)) / n**0.5)
    h = torch.ones(n, dtype=torch.float64)
    x = torch.linalg.solve(B @ torch.linalg.inv(A) @ B.T + D, D @ h)
    problem = AutogradProblem(
        upper=lambda x, y: y @ A @ y / 2 + (x - h) @ D @ (x - h) / 2,
        lower=lambda x, y: y @ A @ y / 2 - x @ B @ y,
        y0=torch.full((n,), 2.0, dtype=torch.float64),
        **options,
    )
    x0 = torch.full((1, n), 2.0, dtype=torch.float64)
    return Known(problem, x0, x, torch.linalg.solve(A, B.T @ x))


def merely_convex_counter_example(n: int = 100, **options) -> Known:
    """``F = |x-y2|^2/2 + |y1-1|^2/2``, ``f = |y1|^2/2 - x'y1``, which does not see y2."""
    problem = AutogradProblem(
        upper=lambda x, y: ((x - y[n:]) ** 2).sum() / 2 + ((y[:n] - 1) ** 2).sum() / 2,
        lower=lambda x, y: (y[:n] ** 2).sum() / 2 - x @ y[:n],
        y0=torch.full((2 * n,), 0.01, dtype=torch.float64),
        **options,
    )
    one = torch.ones(n, dtype=torch.float64)
    return Known(problem, 0.01 * one[None], one, torch.ones(2 * n, dtype=torch.float64))


def biased_by_averaging(a: float = 1.0, c: float = 0.5, **options) -> Known:
    """``F = (y1-a)^2/2 + c x^2/2 + (y2-x)^2/2``, ``f = (y1-x)^2/2``: mu must vanish, slowly.

    A frozen mu leads to ``(1-mu)^2 a / (c + (1-mu)^2)``, and none at all never moves y2.
    """
    problem = AutogradProblem(
        upper=lambda x, y: ((y[0] - a) ** 2 + c * x[0] ** 2 + (y[1] - x[0]) ** 2) / 2,
        lower=lambda x, y: (y[0] - x[0]) ** 2 / 2,
        y0=torch.tensor([2.0, 2.0], dtype=torch.float64),
        **options,
    )
    x = torch.tensor([a / (1 + c)], dtype=torch.float64)
    return Known(problem, torch.full((1, 1), 2.0, dtype=torch.float64), x, x.repeat(2))


def simplex_constrained(n: int = 8, **options) -> Known:
    """``F = |y-t|^2/2``, ``f = |y-bx|^2/2``, x on the unit simplex: x* by its one multiplier."""
    rng = np.random.default_rng(0)
    b, t = (torch.as_tensor(v) for v in (rng.uniform(0.5, 2, n), rng.normal(size=n)))

    def at(multiplier):
        return ((b * t - multiplier) / b**2).clamp_min(0)

    x = at(brentq(lambda multiplier: float(at(multiplier).sum()) - 1, -100, 100, xtol=1e-14))
    problem = AutogradProblem(
        upper=lambda x, y: ((y - t) ** 2).sum() / 2,
        lower=lambda x, y: ((y - b * x) ** 2).sum() / 2,
        y0=torch.zeros(n, dtype=torch.float64),
        projection=onto_simplex,
        **options,
    )
    return Known(problem, torch.full((1, n), 1 / n, dtype=torch.float64), x, b * x)


def onto_simplex(x: torch.Tensor) -> torch.Tensor:
    """Return the nearest point with non-negative entries that sum to one."""
    falling = x.sort(descending=True).values
    excess = (falling.cumsum(0) - 1) / torch.arange(1, len(x) + 1).to(x)
    return (x - excess[int((falling > excess).sum()) - 1]).clamp_min(0)


def logistic_penalty(**options) -> Known:
    """The log penalty of a logistic regression by its loss on other rows, all in torch.

    The solution is SciPy's, on exact solves.
    """
    X, t = (torch.as_tensor(v, dtype=torch.float64) for v in (X_MANY, Y_MANY))
    train, test = slice(0, 60), slice(60, 400)

    def loss(y, rows):
        return binary_cross_entropy_with_logits(X[rows] @ y, t[rows])

    problem = AutogradProblem(
        upper=lambda x, y: loss(y, test),
        lower=lambda x, y: loss(y, train) + torch.exp(x[0]) * (y**2).sum() / 2,
        y0=torch.zeros(X.shape[1], dtype=torch.float64),
        **options,
    )
    exact = AutogradProblem(problem._upper, problem._lower, problem._y0, metric="newton")

    def solved(x):
        x = torch.tensor([[float(x)]], dtype=torch.float64)
        return solve_lower(exact, x, tol=1e-14).y[0, 0]

    found = minimize_scalar(
        lambda x: float(loss(solved(x), test)), (-4, -2), tol=1e-10
    ).x  # fmt: skip
    x = torch.tensor([found], dtype=torch.float64)
    return Known(problem, torch.full((1, 1), -6.0, dtype=torch.float64), x, solved(found))


def scalar(function, x0: float, low: float | None = None, high: float | None = None):
    """Return the problem of minimising a function of one variable, with ``y = x`` below."""
    projection = None if low is None and high is None else lambda x: x.clamp(low, high)
    problem = AutogradProblem(
        upper=lambda x, y: function(y[0]),
        lower=lambda x, y: ((y - x) ** 2).sum() / 2,
        y0=torch.zeros(1, dtype=torch.float64),
        projection=projection,
        metric="newton",
    )
    return problem, torch.tensor([[x0]], dtype=torch.float64)


def _positive_definite(n: int, seed: int) -> torch.Tensor:
    """A random matrix with eigenvalues from 0.7 to 1.3."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return torch.as_tensor(q * np.linspace(0.7, 1.3, n) @ q.T)


# Models over folds


def rows_of(X, target, weights, fit_intercept=True, dtype=torch.float64):
    """Return X as rows: sparse if it is."""
    target = torch.as_tensor(np.asarray(target, dtype=np.float64))
    if sp.issparse(X):
        return SparseRows(sp.csr_array(X), target, weights, fit_intercept, dtype)
    return DenseRows(torch.as_tensor(X), target, weights, fit_intercept, dtype)


def model_problem(
    estimator,
    X,
    y,
    splits,
    *,
    sample_weight=None,
    criterion=None,
    starts=1,
    moments=False,
    bounds=None,
    dtype=torch.float64,
):
    """Return the lower level that stands for ``estimator``, in the log of what scales its penalty.

    Other hyperparameters are further entries of x, as they are; without them, the estimator's.
    ``moments`` asks for LeastSquaresProblem in the place of ``glm_problem``. ``sample_weight`` goes
    to training and to validation.
    """
    twin, reason = find_twin(estimator)
    assert twin is not None, reason
    task = twin.task(estimator, y, sample_weight, sp.issparse(X))
    task = task.in_folds([np.arange(len(y))[train] for train, _ in splits])
    weights = FoldWeights(
        len(y),
        splits,
        fit_weight=sample_weight,
        score_weight=sample_weight,
        row_class=task.row_class,
        class_weight=task.class_weight,
    )
    rows = rows_of(X, task.target, weights, task.fit_intercept, dtype)
    penalty = penalty_of(twin, estimator, rows, task.intercept_penalty)
    if criterion is not None:
        criterion = make_criterion(criterion, task.loss, torch.as_tensor(task.target), weights)
    if bounds is not None:
        bounds = tuple(torch.tensor([end], dtype=torch.float64) for end in bounds)
    options = {"criterion": criterion, "bounds": bounds, "mean_loss": twin.mean_loss}
    if moments:
        return LeastSquaresProblem(rows, penalty, starts, **options)
    return glm_problem(rows, task.loss, penalty, starts, **options)


def penalty_of(twin, estimator, rows, intercept_penalty):
    """Return the penalty, as a function of x."""
    first, *rest = [one.name for one in twin.tunes(estimator)]
    shares = torch.ones(rows.n_coefficients, dtype=torch.float64)
    if rows.fit_intercept:
        shares[-1] = intercept_penalty

    def factors(x):
        values = {first: torch.exp(x[..., 0])}
        for i, name in enumerate(rest, 1):
            values[name] = x[..., i] if x.shape[-1] > 1 else float(getattr(estimator, name))
        return twin.penalty(values)

    def part(name):
        mask = shares if name == "squares" else shares.sqrt()
        return lambda x: getattr(factors(x), name)[..., None, None] * mask

    squares = Squares(part("squares"))
    kinks = factors(torch.zeros(1, 1, dtype=torch.float64)).absolutes is not None
    if not (kinks or twin.kinks.unscaled):
        return squares
    strength = part("absolutes") if kinks else lambda x: 0.0 * part("squares")(x)
    return Total(squares, twin.kinks.of_rows(strength, rows))


def own_solutions(estimator, X, y, splits, sample_weight=None):
    """Return what scikit-learn's own fits find: slopes (K, m, d) and intercepts (K, m)."""
    slopes, intercepts = [], []
    for train, _ in splits:
        weight = {} if sample_weight is None else {"sample_weight": sample_weight[train]}
        model = estimator.fit(X[train], y[train], **weight)
        coef = np.atleast_2d(model.coef_)
        slopes.append(coef)
        intercepts.append(np.broadcast_to(model.intercept_, len(coef)))
    return np.stack(slopes), np.stack(intercepts)


def log_values(*values: float) -> torch.Tensor:
    """Return the logs of hyperparameter values as x of shape (S, 1)."""
    return torch.log(torch.tensor(values, dtype=torch.float64))[:, None]


def hessian(problem, x, y, mu=0.0) -> torch.Tensor:
    """Return the Hessian of phi of each column as a matrix, (S, K, m p, m p)."""
    size = y[0, 0].numel()
    basis = torch.eye(size, dtype=y.dtype).reshape(size, 1, 1, *y.shape[2:])
    columns = problem.hessian_product(x, y, basis.expand(size, *y.shape), mu)
    return columns.flatten(3).permute(1, 2, 3, 0)


def exact_multiplier(problem, x, y) -> torch.Tensor:
    """Return the v at which the multiplier's residual vanishes, in float64."""
    pull = -problem.directions(x, y, torch.zeros_like(y), 0.0).residual_v
    matrix = hessian(problem, x, y)
    # A softmax does not see a shift of all its outputs, so the matrix may be singular.
    return (torch.linalg.pinv(matrix, hermitian=True) @ pull.flatten(2)[..., None]).view_as(y)


ESTIMATORS = {
    "ridge": (Ridge(solver="cholesky"), X_REG, Y_REG),
    "two outputs": (Ridge(solver="cholesky"), X_REG, Y_TWO),
    "ridge classifier, 2 classes": (RidgeClassifier(solver="cholesky"), X_BINARY, Y_BINARY),
    "ridge classifier, 3 classes": (RidgeClassifier(solver="cholesky"), X_MULTI, Y_MULTI),
    "logistic": (
        LogisticRegression(solver="newton-cholesky", tol=1e-11, max_iter=200),
        X_BINARY,
        Y_BINARY,
    ),
    "multinomial": (
        LogisticRegression(solver="newton-cholesky", tol=1e-11, max_iter=200),
        X_MULTI,
        Y_MULTI,
    ),
    "svc, 2 classes": (LinearSVC(dual=False, tol=1e-10, max_iter=10**6), X_BINARY, Y_BINARY),
    "svc, 3 classes": (LinearSVC(dual=False, tol=1e-10, max_iter=10**6), X_MULTI, Y_MULTI),
    "svr": (
        LinearSVR(
            epsilon=20, loss="squared_epsilon_insensitive", dual=False, tol=1e-10, max_iter=10**6
        ),
        X_REG,
        Y_REG,
    ),
}
