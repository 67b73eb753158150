"""The model, the data and the folds of a check, and their solutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import KFold

from skbamm.models import NotApplicable
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.space import named_values, read_grid

_ROWS, _FEATURES, _FOLDS = 60, 5, 3  # of the drawn data
_PLACES = (0.3, 0.7)  # positions of the checked values in each interval

RowMap = Callable[[np.ndarray], np.ndarray]


class Case:
    """The model, the data and the folds, and how they are solved.

    Predictors of linear models are computed from the coefficients; those of other families by the
    exported models' ``decision_function`` or ``predict``.

    Parameters
    ----------
    estimator : estimator
        With parameters that make its own fits exact.
    grid : dict
        Intervals only.
    X : ndarray of shape (n, d)
    y : ndarray
    rtol : float
        Largest difference of predictors, relative to their spread.
    linear : bool
        Whether the twin is a ``LinearTwin``.
    """

    def __init__(self, estimator: Any, grid: Any, X: np.ndarray, y: Any, rtol: float, linear: bool):
        self.estimator, self.X, self.y, self.rtol = estimator, X, y, rtol
        self.linear, self.n_folds = linear, _FOLDS
        self.splits = list(KFold(_FOLDS, shuffle=True, random_state=0).split(X))
        combinations = read_grid(estimator, grid).combinations
        if len(combinations) != 1 or not combinations[0].axes:
            raise ValueError(f"param_grid must have intervals and nothing else, got {grid!r}.")
        self.combination = combinations[0]
        ends = [axis.bounds() for axis in self.combination.axes]
        self.points = [[low + t * (high - low) for low, high in ends] for t in _PLACES]
        self.name = type(estimator).__name__

    def values(self, point: list[float]) -> dict[str, float]:
        """Return the hyperparameters at a point of the solver's variable."""
        return named_values(self.combination.axes, point)

    def at(self, point: list[float]) -> str:
        """Return the hyperparameters at a point as text."""
        return ", ".join(f"{name}={value:.4g}" for name, value in self.values(point).items())

    def model_at(self, point: list[float]) -> Any:
        """Return the unfitted estimator with the hyperparameters of a point."""
        return clone(self.estimator).set_params(**self.values(point))

    def solve(
        self,
        weight: np.ndarray | None = None,
        X: Any = None,
        twin: Any = None,
        rows: RowMap | None = None,
    ) -> Solved:
        """Solve all folds at all points; ``rows`` maps row numbers to those of other rows.

        Raises
        ------
        AssertionError
            If the twin rejects the data.
        """
        X, y, splits = self.X if X is None else X, self.y, self.splits
        if rows is not None:
            y = y[rows(np.arange(len(y)))]
            X, splits = X[rows(np.arange(len(X)))], _repeated(splits, rows, len(X))
        fit_params = {} if weight is None else {"sample_weight": weight}
        settings = Settings("auto", 100, 1e-8, None, "cpu", "float64", 0)
        target = self.combination.target
        target = target if twin is None else replace(target, twin=twin)
        try:
            factory = SolverFactory(settings, X, y, splits, fit_params, {}, None)
            solver = factory.make(target, self.combination.params)
            require(
                len(solver.used) == _FOLDS,
                f"some folds lack what {self.name} needs; pass other data",
            )
            found = solver.polish(self.combination.axes, self.points, None)
        except NotApplicable as error:
            raise AssertionError(
                f"the twin of {self.name} rejects the data: {error}; pass X and y that it accepts"
            ) from error
        features = {"n_features_in_": self.X.shape[1]}
        solutions = [
            [solver.solution(found, s, k, features) for k in range(_FOLDS)]
            for s in range(len(self.points))
        ]
        return Solved(self, solver, solutions)

    def own_fit(
        self, point: list[float], k: int, weight: np.ndarray | None, rows: RowMap | None = None
    ) -> Any:
        """Return the estimator's own fit of a fold; ``rows`` maps its training rows to others."""
        train, _ = self.splits[k]
        train = train if rows is None else rows(train)
        options = {} if weight is None else {"sample_weight": weight[train]}
        return self.model_at(point).fit(self.X[train], self.y[train], **options)

    def own_predictors(self, fits: list[list[Any]], twin: Any) -> np.ndarray:
        """Return the predictors of fitted estimators for all rows, (S, K, n, m)."""
        if self.linear:
            return np.array([[linear(self.X, *twin.read(fit)) for fit in fold] for fold in fits])
        return np.array([[response(fit, self.X) for fit in fold] for fold in fits])

    def export(self, solution: Any, point: list[float]) -> Any:
        """Return the fitted estimator that the twin makes of a solution."""
        model = self.model_at(point)
        solution.twin.export(model, solution.task, *solution.parameters)
        solution.twin.remember(model, {"n_features_in_": self.X.shape[1]}, None)
        return model

    def differ(self, ours: np.ndarray, own: np.ndarray) -> float:
        """Return the difference of predictors relative to the tolerance."""
        spread = np.abs(own - own.mean(0)).max() + 1e-8 * np.abs(own).max()
        return float(np.abs(ours - own).max() / (self.rtol * max(spread, 1e-300)))


@dataclass
class Solved:
    """Solutions of all points (S) and folds (K), in the user's units."""

    case: Case
    solver: Any
    solutions: list[list[Any]]

    def predictors(self) -> np.ndarray:
        """Return the models' predictors for all rows, (S, K, n, m)."""
        of_point = zip(self.solutions, self.case.points, strict=True)
        return np.array([[self._of(one, point) for one in folds] for folds, point in of_point])

    def _of(self, solution: Any, point: list[float]) -> np.ndarray:
        if not self.case.linear:
            return response(self.case.export(solution, point), self.case.X)
        coef, intercept = solution.parameters[:2]
        return linear(self.case.X, coef, intercept if solution.task.fit_intercept else 0.0)


def linear(X: np.ndarray, coef: np.ndarray, intercept: Any) -> np.ndarray:
    """Return the predictors (n, m) of coefficients (m, d)."""
    return X @ coef.T + np.broadcast_to(intercept, len(coef))


def response(model: Any, X: np.ndarray) -> np.ndarray:
    """Return decisions, or predictions where there are none, as (n, m)."""
    method = model.decision_function if is_classifier(model) else model.predict
    found = np.asarray(method(X))
    return found.reshape(len(found), -1)


def require(holds: Any, message: str) -> None:
    """Raise AssertionError unless ``holds``, also under ``python -O``."""
    if not holds:
        raise AssertionError(message)


def make_data(estimator: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the data; what is not given is drawn. Drawn features are not centred."""
    rng = np.random.default_rng(0)
    if X is None:
        X = rng.normal(size=(_ROWS if y is None else len(y), _FEATURES)) + np.arange(_FEATURES)
    X = np.asarray(X, dtype=float)
    if y is None:
        z = X @ rng.normal(size=X.shape[1])
        z = (z - z.mean()) / z.std() + rng.normal(size=len(X))
        y = (z > np.median(z)).astype(int) if is_classifier(estimator) else z + 2.0
    return X, np.asarray(y)


def _repeated(splits: list, rows: RowMap, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the splits of rows that occur several times."""
    origin = rows(np.arange(n))
    both = [[np.flatnonzero(np.isin(origin, part)) for part in split] for split in splits]
    return [(train, test) for train, test in both]
