"""Compares a twin's solutions, hypergradients and exported models with the estimator's own fits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter

from skbamm.models import LinearTwin, find_twin
from skbamm.testing.case import Case, make_data, require
from skbamm.testing.explain import explain

_TIGHT = {"tol": 1e-10, "max_iter": 100_000}  # of own fits, where they have such parameters
_NO_LIMIT = -1  # as ``max_iter`` of libsvm
_STEP = 1e-5  # of finite differences of the loss
_SLOPE_STEP, _SLOPE_RTOL, _SLOPE_ATOL = 1e-4, 1e-3, 1e-6  # of finite differences of the criterion
# Steps where F has rounding errors: larger ones may cross a kink, smaller ones amplify the errors.
_ROUNDED_STEPS = (1e-3, 3e-3, 1e-2)
_JUMPS = 0.05  # share of rows at which the second derivative of a loss may jump
_FLIPS = 0.02  # share of labels that may differ: rows next to the decision boundary


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

    The twin may belong to any registered family: linear models, kernel ridge regression, support
    vector machines, or a family of your own. The checks run in this order and stop at the first
    failure:

    1. The gradient and the Hessian of a linear model's loss are the derivatives of its value.
    2. The solutions of all folds, and the exported models, predict what the estimator's own fits
       predict. If ``fit`` takes sample weights, this is repeated with weights.
    3. Hypergradients equal finite differences of the criterion.
    4. A weight of two is equivalent to a repeated row, if it is for the estimator's own fits.
    5. Sparse rows have the same solutions as dense rows, if ``fit`` takes sparse data.

    Parameters
    ----------
    estimator : estimator
        An instance of a class with a twin; not a pipeline.
    param_grid : dict
        Intervals of hyperparameters, as for :class:`skbamm.BAMMSearchCV`: a tuple of two numbers,
        or :class:`skbamm.Interval`. Two points inside the intervals are checked.
    X : array-like of shape (n_samples, n_features), optional
        Dense rows. By default, 60 rows of 5 features are drawn.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
        The target. By default, two classes or real numbers are drawn.
    rtol : float, default=1e-4
        Largest difference of predictors, relative to their spread.
    own_params : dict, optional
        Parameters that make the estimator's own fits exact. By default ``tol=1e-10`` and
        ``max_iter=100_000``, if the estimator has these parameters.

    Raises
    ------
    AssertionError
        If a check fails. The message states what differs and, if another scale of the penalty or
        another intercept would make them equal, which one.
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
    require(twin is not None, f"{reason}; register one by skbamm.register_model")
    X, y = make_data(estimator, X, y)
    own = clone(estimator).set_params(**_exact_params(estimator, own_params))
    case = Case(own, param_grid, X, y, rtol, linear=isinstance(twin, LinearTwin))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if case.linear:
            _check_loss(case)
        _check_solutions(case, None)
        if has_fit_parameter(estimator, "sample_weight"):
            weight = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
            _check_solutions(case, weight)
            _check_hypergradients(case)
            _check_repeated_rows(case, weight)
        else:
            _check_hypergradients(case)
        _check_sparse(case)


def _exact_params(estimator: Any, given: dict[str, Any] | None) -> dict[str, Any]:
    """Return the parameters of own fits; a missing limit of iterations stays missing."""
    known = estimator.get_params(deep=False)
    if given is not None:
        return {name: value for name, value in given.items() if name in known}
    return {
        name: value for name, value in _TIGHT.items() if name in known and known[name] != _NO_LIMIT
    }


def _check_loss(case: Case) -> None:
    """Compare the derivatives of the loss with finite differences at drawn predictors."""
    task = case.solve().solver.task
    loss: Any = task.loss
    if loss.has_scale:
        return  # the scale is fitted to the errors, so the value depends on more than predictors
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
        require(
            float(wrong.double().mean()) <= _JUMPS,
            f"the {what} of {name} is not the {of}: they differ by up to "
            f"{float((got - expected).abs().max()):.3g}, and the largest value is {scale:.3g}",
        )


def _check_solutions(case: Case, weight: np.ndarray | None) -> None:
    """Compare fold solutions, and the exported models, with the estimator's own fits."""
    found = case.solve(weight)
    fits = [[case.own_fit(point, k, weight) for k in range(case.n_folds)] for point in case.points]
    ours, own = found.predictors(), case.own_predictors(fits, found.solver.twin)
    with_weights = "" if weight is None else " with sample weights"
    for s, point in enumerate(case.points):
        apart = case.differ(ours[s], own[s])
        if apart > 1:
            raise AssertionError(
                f"the solutions{with_weights} at {case.at(point)} are not those of {case.name}'s "
                f"own fits: predictors differ by {apart * case.rtol:.2g} of their spread; "
                f"{explain(case, found.solver, own, weight, apart)}"
            )
        for k, solution in enumerate(found.solutions[s]):
            _check_export(case, solution, point, fits[s][k])


def _check_export(case: Case, solution: Any, point: list[float], fit: Any) -> None:
    """Compare the predictions of an exported model with those of the own fit."""
    model, twin = case.export(solution, point), type(solution.twin).__name__
    for method in ("decision_function", "predict_proba", "predict"):
        if not hasattr(fit, method):
            continue
        own = np.asarray(getattr(fit, method)(case.X))
        try:
            ours = np.asarray(getattr(model, method)(case.X))
        except AttributeError as error:
            raise AssertionError(f"a model that {twin} exports has no {method}: {error}") from error
        same = ours.shape == own.shape
        if same and method == "predict" and is_classifier(fit):
            same = np.mean(ours != own) <= _FLIPS
        elif same:
            same = case.differ(ours, own) <= 1
        require(
            same,
            f"models that {twin} exports have another {method} than {case.name}'s own fits at "
            f"{case.at(point)}, though the solutions agree: check export",
        )


def _check_hypergradients(case: Case) -> None:
    """Compare hypergradients with finite differences of the criterion."""
    solver, axes = case.solve().solver, case.combination.axes
    choice = solver.task.criterion
    noise = solver.upper_rounding
    steps = _ROUNDED_STEPS if noise else (_SLOPE_STEP,)

    def upper_at(point: list[float], i: int, step: float) -> float:
        moved = [x + step * (j == i) for j, x in enumerate(point)]
        return solver.exact_hypergradient(axes, moved, choice)[0]

    for point in case.points:
        upper, found = solver.exact_hypergradient(axes, point, choice)
        for i, axis in enumerate(axes):
            for step in steps:
                expected = (upper_at(point, i, step) - upper_at(point, i, -step)) / (2 * step)
                atol = (_SLOPE_ATOL + noise / step) * (1 + abs(upper))
                same = abs(found[i] - expected) <= _SLOPE_RTOL * abs(expected) + atol
                if same:
                    break
            require(
                same,
                f"the hypergradient of {choice} in {axis.name} at {case.at(point)} is "
                f"{found[i]:.6g}, but finite differences are {expected:.6g}",
            )


def _check_repeated_rows(case: Case, weight: np.ndarray) -> None:
    """Compare whole weights with rows that are repeated as often.

    The estimator itself may distinguish them: ``gamma="scale"`` of support vector machines depends
    on the rows but not on their weights. The check is skipped for such estimators.
    """

    def repeat(rows: np.ndarray) -> np.ndarray:
        return np.repeat(rows, weight.astype(int)[rows])

    twin = case.solve(weight).solver.twin
    for point in case.points:
        fits = [[case.own_fit(point, 0, weight)], [case.own_fit(point, 0, None, repeat)]]
        weighted, repeated = case.own_predictors(fits, twin)
        if case.differ(weighted, repeated) > 1:
            return
    weighted, repeated = case.solve(weight).predictors(), case.solve(rows=repeat).predictors()
    for ours, own, point in zip(weighted, repeated, case.points, strict=True):
        apart = case.differ(ours, own)
        require(
            apart <= 1,
            f"sample weights are not equivalent to repeated rows at {case.at(point)}: predictors "
            f"differ by {apart * case.rtol:.2g} of their spread; check that the task's target and "
            "class weights depend on sample_weight as the estimator's do",
        )


def _check_sparse(case: Case) -> None:
    """Compare sparse rows with dense rows, if the estimator's own fit takes both."""
    rows = sp.csr_array(case.X)
    try:
        clone(case.estimator).fit(rows, case.y)
    except (TypeError, ValueError):
        return
    dense, sparse = case.solve().predictors(), case.solve(X=rows).predictors()
    for ours, own, point in zip(sparse, dense, case.points, strict=True):
        apart = case.differ(ours, own)
        require(
            apart <= 1,
            f"sparse rows have other solutions than dense rows at {case.at(point)}: predictors "
            f"differ by {apart * case.rtol:.2g} of their spread",
        )
