"""Check a registered model, as ``sklearn.utils.estimator_checks`` checks an estimator."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils.validation import has_fit_parameter
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.models import Factors, LinearTwin, NotApplicable, find_twin
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers.criterion import task_criterion
from skbamm.space import read_grid

__all__ = ["check_model"]

_ROWS, _FEATURES, _FOLDS = 60, 5, 3  # of the data that is drawn
_PLACES = (0.3, 0.7)  # of the values, from end to end of each interval
_TIGHT = {"tol": 1e-10, "max_iter": 100_000}  # of own fits, where they have such parameters
_STEP = 1e-5  # of finite differences of the loss
_SLOPE_STEP, _SLOPE_RTOL, _SLOPE_ATOL = 1e-4, 1e-3, 1e-6  # of those of the criterion
_JUMPS = 0.05  # share of rows at which the second derivative of a loss may jump


def check_model(
    estimator: Any,
    param_grid: dict[str, Any],
    X: Any = None,
    y: Any = None,
    *,
    rtol: float = 1e-4,
    own_params: dict[str, Any] | None = None,
) -> None:
    """Check that the registered twin of an estimator describes what its ``fit`` minimises.

    The checks run in this order, and the first that fails ends them:

    1. The gradient and the Hessian of the loss are derivatives of its value.
    2. The solutions of all folds, and the models that the twin exports, predict what the
       estimator's own fits do; so they do with sample weights, if ``fit`` takes them.
    3. Hypergradients are slopes of the criterion, by finite differences.
    4. A weight of two counts as a row that is there twice, unless the twin has
       ``mean_loss="rows"``.
    5. Sparse rows have the solutions of dense ones, if ``fit`` takes sparse data.

    Parameters
    ----------
    estimator : estimator
        An instance of a class with a twin; not a pipeline. The twin must be a ``LinearTwin``.
    param_grid : dict
        Intervals of hyperparameters, as for :class:`skbamm.BAMMSearchCV`: a tuple of two numbers,
        or :class:`skbamm.Interval`. Values inside of them are checked.
    X : array-like of shape (n_samples, n_features), optional
        Dense rows. By default 60 rows of 5 features are drawn.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
        The target, needed if the default (two classes, or real numbers) does not suit the model.
    rtol : float, default=1e-4
        How far predictors may differ, as a share of their spread.
    own_params : dict, optional
        Parameters that make the estimator's own fits exact. By default ``tol=1e-10`` and
        ``max_iter=100_000``, if the estimator has such parameters.

    Raises
    ------
    AssertionError
        If a check fails. The message says what differs and, where a change of the penalty's scale
        or of the intercept would mend it, which one.
    ValueError
        If ``param_grid`` has no interval, or more than one combination.

    See Also
    --------
    register_model : Let searches solve a class of estimators jointly.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm.testing import check_model
    >>> check_model(Ridge(), {"alpha": (1e-2, 1e2)})
    """
    twin, reason = find_twin(estimator)
    _require(twin is not None, f"{reason}; register one by skbamm.register_model")
    _require(isinstance(twin, LinearTwin), f"{type(twin).__name__} is not a LinearTwin")
    X, y = _data(estimator, X, y)
    tight = _TIGHT if own_params is None else own_params
    known = estimator.get_params(deep=False)
    own = clone(estimator).set_params(**{k: v for k, v in tight.items() if k in known})
    case = _Case(own, param_grid, X, y, KFold(_FOLDS, shuffle=True, random_state=0), rtol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _check_loss(case)
        _check_solutions(case, None)
        weighted = has_fit_parameter(estimator, "sample_weight")
        weight = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
        if weighted:
            _check_solutions(case, weight)
        _check_hypergradients(case)
        if weighted and case.solve().solver.twin.mean_loss != "rows":
            _check_repeated_rows(case, weight)
        _check_sparse(case)


class _Case:
    """The model, the data and the folds, and how they are solved."""

    def __init__(self, estimator: Any, grid: Any, X: np.ndarray, y: Any, cv: KFold, rtol: float):
        self.estimator, self.X, self.y, self.rtol = estimator, X, y, rtol
        self.splits = list(cv.split(X))
        combinations = read_grid(estimator, grid).combinations
        if len(combinations) != 1 or not combinations[0].axes:
            raise ValueError(f"param_grid must have intervals and nothing else, got {grid!r}.")
        self.combination = combinations[0]
        ends = [axis.bounds() for axis in self.combination.axes]
        self.points = [[low + t * (high - low) for low, high in ends] for t in _PLACES]
        self.name = type(estimator).__name__

    def values(self, point: list[float]) -> dict[str, float]:
        """Return the hyperparameters at a point of the solver's variable."""
        axes = self.combination.axes
        return {axis.name: axis.number(x) for axis, x in zip(axes, point, strict=True)}

    def solve(
        self,
        weight: np.ndarray | None = None,
        X: Any = None,
        twin: Any = None,
        rows: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> _Solved:
        """Solve all folds at all points; ``rows`` maps those of a fold to others of ``X``."""
        X, y, splits = self.X if X is None else X, self.y, self.splits
        if rows is not None:
            y = y[rows(np.arange(len(y)))]
            X, splits = X[rows(np.arange(len(X)))], _repeated(splits, rows, len(X))
        fit_params = {} if weight is None else {"sample_weight": weight}
        settings = Settings("auto", 100, 1e-8, None, "cpu", "float64", 0)
        target = self.combination.target
        target = target if twin is None else replace(target, twin=twin)
        try:
            maker = SolverFactory(settings, X, y, splits, fit_params, {}, None)
            solver = maker.make(target, self.combination.params)
        except NotApplicable as error:
            raise AssertionError(
                f"the twin of {self.name} does not take the data: {error}; give X and y that it "
                "takes"
            ) from error
        _require(
            len(solver.used) == _FOLDS, f"some folds lack what {self.name} needs; give other rows"
        )
        found = solver.polish(self.combination.axes, self.points, None)
        solutions = [
            [solver.solution(found, s, k, {}) for k in range(_FOLDS)]
            for s in range(len(self.points))
        ]
        return _Solved(solver, solutions, self.X)

    def own_fit(self, point: list[float], k: int, weight: np.ndarray | None) -> Any:
        """Return the estimator's own fit of a fold."""
        train, _ = self.splits[k]
        model = clone(self.estimator).set_params(**self.values(point))
        options = {} if weight is None else {"sample_weight": weight[train]}
        return model.fit(self.X[train], self.y[train], **options)

    def differ(self, ours: np.ndarray, own: np.ndarray) -> float:
        """Return how far predictors are apart, in units of what is allowed."""
        spread = np.abs(own - own.mean(0)).max() + 1e-8 * np.abs(own).max()
        return float(np.abs(ours - own).max() / (self.rtol * max(spread, 1e-300)))

    def at(self, point: list[float]) -> str:
        """Name the values of a point, for messages."""
        return ", ".join(f"{name}={value:.4g}" for name, value in self.values(point).items())


@dataclass
class _Solved:
    """Solutions of all points (S) and folds (K), in the user's units."""

    solver: Any
    solutions: list[list[Any]]
    X: np.ndarray

    def predictors(self) -> np.ndarray:
        """Return what the models predict for all rows, (S, K, n, m)."""
        return np.array([[self._of(one) for one in folds] for folds in self.solutions])

    def _of(self, solution: Any) -> np.ndarray:
        coef, intercept = solution.parameters[:2]
        return _linear(self.X, coef, intercept if solution.task.fit_intercept else 0.0)


def _linear(X: np.ndarray, coef: np.ndarray, intercept: Any) -> np.ndarray:
    return X @ coef.T + np.broadcast_to(intercept, len(coef))


def _require(holds: Any, message: str) -> None:
    """Raise AssertionError, also where Python runs without assertions."""
    if not holds:
        raise AssertionError(message)


def _data(estimator: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the data, drawn where they are not given; features are not centred."""
    rng = np.random.default_rng(0)
    if X is None:
        X = rng.normal(size=(_ROWS if y is None else len(y), _FEATURES)) + np.arange(_FEATURES)
    X = np.asarray(X, dtype=float)
    if y is None:
        z = X @ rng.normal(size=X.shape[1])
        z = (z - z.mean()) / z.std() + rng.normal(size=len(X))
        y = (z > np.median(z)).astype(int) if is_classifier(estimator) else z + 2.0
    return X, np.asarray(y)


def _repeated(
    splits: list, rows: Callable[[np.ndarray], np.ndarray], n: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the splits of rows that are there several times."""
    origin = rows(np.arange(n))
    both = [[np.flatnonzero(np.isin(origin, part)) for part in split] for split in splits]
    return [(train, test) for train, test in both]


def _check_loss(case: _Case) -> None:
    """Compare the loss's derivatives with differences, at predictors that are drawn."""
    task = case.solve().solver.task
    loss: Any = task.loss
    if loss.has_scale:
        return  # its scale is fitted to the errors, so that predictors alone do not tell the value
    name, target = type(loss).__name__, torch.as_tensor(np.asarray(task.target))
    rng = np.random.default_rng(2)
    shape = len(target), loss.n_outputs, 1
    z, u = (torch.as_tensor(rng.normal(size=shape)) for _ in range(2))
    seen = loss.targets(target)
    _, slope, product = loss.evaluate(z, seen, u)
    (ahead, slope_ahead, _), (behind, slope_behind, _) = (
        loss.evaluate(z + step * u, seen) for step in (_STEP, -_STEP)
    )
    first, second = (ahead - behind) / (2 * _STEP), (slope_ahead - slope_behind) / (2 * _STEP)
    pairs = (
        ("gradient", "slope of its value", (slope * u).sum(1), first),
        ("Hessian", "slope of its gradient", product, second),
        ("curvature", "Hessian", loss.hessian(loss.curvature(z, target), u), product),
    )
    for what, of, got, expected in pairs:
        scale = float(expected.abs().max()) or 1.0
        wrong = (got - expected).abs() > 1e-4 * scale
        _require(
            float(wrong.double().mean()) <= _JUMPS,
            f"the {what} of {name} is not the {of}: they differ by up to "
            f"{float((got - expected).abs().max()):.3g}, where the largest is {scale:.3g}",
        )


def _check_solutions(case: _Case, weight: np.ndarray | None) -> None:
    """Compare fold solutions, and the exported models, with the estimator's own fits."""
    found = case.solve(weight)
    ours, twin = found.predictors(), found.solver.twin
    fits = [[case.own_fit(point, k, weight) for k in range(_FOLDS)] for point in case.points]
    own = np.array([[_linear(case.X, *twin.read(fit)) for fit in folds] for folds in fits])
    with_weights = "" if weight is None else " with sample weights"
    for s, point in enumerate(case.points):
        apart = case.differ(ours[s], own[s])
        if apart > 1:
            raise AssertionError(
                f"the solutions{with_weights} at {case.at(point)} are not those of {case.name}'s "
                f"own fits: predictors differ by {apart * case.rtol:.2g} of their spread; "
                f"{_explain(case, found.solver, own, weight, apart)}"
            )
        for k, solution in enumerate(found.solutions[s]):
            _check_export(case, solution, point, fits[s][k])


def _explain(
    case: _Case, solver: Any, own: np.ndarray, weight: np.ndarray | None, apart: float
) -> str:
    """Say which change of the twin would give the own fits' predictors, if one is known."""
    close = min(10.0, apart / 10)
    for words, variant in _variants(solver.twin, solver.task, len(case.splits[0][0])):
        try:
            ours = case.solve(weight, twin=variant).predictors()
        except (AssertionError, ValueError):
            continue
        if all(case.differ(a, b) <= close for a, b in zip(ours, own, strict=True)):
            return words
    return (
        "no other scale of the penalty and no other intercept explains it: check the loss, and "
        "that own fits are exact (own_params)"
    )


def _variants(twin: Any, made: Any, n: int) -> Iterator[tuple[str, Any]]:
    """Yield twins that differ in the penalty's scale or the intercept, and what to say of them."""
    scales = {"1/2": 0.5, "2": 2.0, "n": n, "1/n": 1 / n, "n/2": n / 2, "2/n": 2 / n}
    for name, times in scales.items():
        variant = copy.copy(twin)

        def penalty(values: Any, times: float = times) -> Factors:
            factors = (None if one is None else times * one for one in twin.penalty(values))
            return Factors(*factors)

        variant.penalty = penalty
        yield f"the scale of the penalty is wrong: {name} times it is the estimator's", variant
    intercepts: dict[str, dict[str, Any]] = {
        "no intercept": {"fit_intercept": False},
        "an intercept that is free": {"fit_intercept": True, "intercept_penalty": 0.0},
        "an intercept that is penalised": {"fit_intercept": True, "intercept_penalty": 1.0},
    }
    for name, change in intercepts.items():
        if all(getattr(made, key) == value for key, value in change.items()):
            continue  # what the twin has already
        variant = copy.copy(twin)

        def task(*given: Any, change: dict = change) -> Any:
            return replace(twin.task(*given), **change)

        variant.task = task
        yield f"the intercept is wrong: the estimator has {name}", variant


def _check_export(case: _Case, solution: Any, point: list[float], fit: Any) -> None:
    """Compare an exported model's predictions with those of the own fit."""
    model = clone(case.estimator).set_params(**case.values(point))
    solution.twin.export(model, solution.task, *solution.parameters)
    solution.twin.remember(model, {"n_features_in_": case.X.shape[1]}, None)
    for method in ("decision_function", "predict_proba", "predict"):
        if not hasattr(fit, method):
            continue
        own = np.asarray(getattr(fit, method)(case.X))
        try:
            ours = np.asarray(getattr(model, method)(case.X))
        except AttributeError as error:
            raise AssertionError(
                f"a model that {type(solution.twin).__name__} exports has no {method}: {error}"
            ) from error
        same = ours.shape == own.shape
        if same and method == "predict" and is_classifier(fit):
            same = np.mean(ours != own) <= 0.02  # rows next to the boundary
        elif same:
            same = case.differ(ours, own) <= 1
        _require(
            same,
            f"models that {type(solution.twin).__name__} exports have another {method} than "
            f"{case.name}'s own fits at {case.at(point)}, though the solutions agree: check export",
        )


def _check_hypergradients(case: _Case) -> None:
    """Compare hypergradients with differences of the criterion."""
    solver, axes = case.solve().solver, case.combination.axes
    choice = solver.task.criterion
    criterion = task_criterion(choice, solver.task, solver.data.weights, solver.used)
    rows, bounds = solver.rows(torch.float64), solver.penalties.bounds(axes)
    problem = solver.glm(axes, rows, 1, criterion=criterion, bounds=bounds)

    def solved(point: Tensor) -> tuple[Tensor, Tensor]:
        y = solve_lower(problem, point, tol=1e-12).y
        return y, problem.directions(point, y, torch.zeros_like(y), 0.0).upper.sum()

    for place in case.points:
        x = torch.tensor([place], dtype=torch.float64)
        y, upper = solved(x)
        v = _multiplier(problem, x, y)
        found = problem.directions(x, y, v, 0.0).grad_x.sum((0, 1))
        for i, axis in enumerate(axes):
            step = torch.zeros_like(x)
            step[0, i] = _SLOPE_STEP
            (_, ahead), (_, behind) = solved(x + step), solved(x - step)
            expected = float(ahead - behind) / (2 * _SLOPE_STEP)
            allowed = _SLOPE_RTOL * abs(expected) + _SLOPE_ATOL * (1 + abs(float(upper)))
            _require(
                abs(float(found[i]) - expected) <= allowed,
                f"the hypergradient of {choice} in {axis.name} at {case.at(place)} is "
                f"{float(found[i]):.6g}, and finite differences are {expected:.6g}",
            )


def _multiplier(problem: Any, x: Tensor, y: Tensor) -> Tensor:
    """Return the exact multiplier, which vanishes where a penalty with kinks holds a zero."""
    pull = -problem.directions(x, y, torch.zeros_like(y), 0.0).residual_v
    size = y[0, 0].numel()
    basis = torch.eye(size, dtype=y.dtype).reshape(size, 1, 1, *y.shape[2:])
    columns = problem.hessian_product(x, y, basis.expand(size, *y.shape), 0.0)
    matrix = columns.flatten(3).permute(1, 2, 3, 0)
    used = (y != 0).flatten(2).to(y.dtype)
    matrix = matrix * used[..., None] * used[:, :, None]
    # A softmax does not see a shift of all its outputs, so the matrix may be singular.
    inverse = torch.linalg.pinv(matrix, hermitian=True)
    return (inverse @ (pull.flatten(2) * used)[..., None]).view_as(y)


def _check_repeated_rows(case: _Case, weight: np.ndarray) -> None:
    """Compare whole weights with rows that are there as many times."""
    weighted = case.solve(weight).predictors()
    repeated = case.solve(rows=lambda rows: np.repeat(rows, weight.astype(int)[rows])).predictors()
    for ours, own, point in zip(weighted, repeated, case.points, strict=True):
        apart = case.differ(ours, own)
        _require(
            apart <= 1,
            f"sample weights are not repeated rows at {case.at(point)}: predictors differ by "
            f"{apart * case.rtol:.2g} of their spread; check that the task's target and class "
            "weights do not depend on sample_weight in another way, or set mean_loss='rows'",
        )


def _check_sparse(case: _Case) -> None:
    """Compare sparse rows with dense ones, if the estimator's own fit takes both."""
    rows = sp.csr_array(case.X)
    try:
        clone(case.estimator).fit(rows, case.y)
    except (TypeError, ValueError):
        return
    dense, sparse = case.solve().predictors(), case.solve(X=rows).predictors()
    for ours, own, point in zip(sparse, dense, case.points, strict=True):
        apart = case.differ(ours, own)
        _require(
            apart <= 1,
            f"sparse rows have other solutions than dense ones at {case.at(point)}: predictors "
            f"differ by {apart * case.rtol:.2g} of their spread",
        )
