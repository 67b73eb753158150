"""Scores of solved models, made where the rows are.

A scorer of scikit-learn's would take each fold's test rows from the device for every candidate, to
predict them on the CPU. Here one pass on the device predicts the test rows of all candidates. Of a
metric with a tensor twin the score is made there, too; for any other the predictors come home,
which are a few numbers a row, and the scorer is called with a model that they are the features of.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from skbamm._sklearn_compat import (
    BaseScorer,
    KnownScorer,
    PassthroughScorer,
    routing_enabled,
    safe_indexing,
)
from skbamm.data.far_rows import with_rows_at_home
from skbamm.metrics import TWINS, NoTwin, Predicted
from skbamm.metrics.predicted import linked
from skbamm.models import last_step
from skbamm.search.bank import export
from skbamm.search.factory import SolverFactory
from skbamm.search.metric import Metric
from skbamm.solvers.base import FoldSolver
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import Combination

_NUMBERS = 1 << 27  # predictors of test rows that are made at a time
_LOOKED_AT, _OUTPUTS = 6, 4  # rows, and outputs whose extremes, determine how predictions are made
_LINKS = {"predict": ("identity", "exp"), "predict_proba": ("expit", "softmax", "normalised")}


def looking_up(scorers: Any) -> Any:
    """Return scorers, as a search takes them, that look whether a score is known."""
    several = getattr(scorers, "_scorers", None)
    found = {
        key: KnownScorer(one, key) if isinstance(one, BaseScorer) else _of_users_rows(one)
        for key, one in (several or {"score": scorers}).items()
    }
    return found if several else found["score"]


def _of_users_rows(scorer: Any) -> Any:
    return scorer if isinstance(scorer, PassthroughScorer) else with_rows_at_home(scorer)


class DeviceScores:
    """Scores the models of all folds where they were solved.

    Parameters
    ----------
    factory : SolverFactory
    scorers : callable, or of several scikit-learn's holder of them
    """

    def __init__(self, factory: SolverFactory, scorers: Any):
        self.factory = factory
        self.scorers = getattr(scorers, "_scorers", {"score": scorers})
        self._labels: dict[Any, Any] = {}  # of folds, on the device

    def of(
        self, joint: Any, solutions: FoldSolutions, combinations: list[Combination],
        exported: list[list[Solution]],
    ) -> None:  # fmt: skip
        """Note the scores of solved models in their solutions, for each value and fold."""
        if not self._serves(joint, combinations):
            return
        metrics = [
            Metric.of(name, scorer, last_step(combinations[0].target.estimator))
            for name, scorer in self.scorers.items()
        ]
        known = [metric for metric in metrics if metric is not None]
        tests = [np.asarray(test) for _, test in joint.data.splits]
        for values, k, z in predictors(joint, solutions.coef, tests):
            fold = _TestRows(self, joint, k, tests[k])
            for s, one in zip(values, z, strict=True):
                solution = exported[s][k]
                if solution.adopt:
                    model = _of_predictors(solution, combinations[s], one.shape[1])
                    solution.scores = fold.scores(known, model, one, solution)

    def _serves(self, joint: FoldSolver, combinations: list[Combination]) -> bool:
        """Whether predictors are all that a score depends on, and are on a device."""
        if joint.device.type == "cpu" or not isinstance(joint, LinearSolver):
            return False
        ours = type(joint.twin).__module__.partition(".")[0] == "skbamm"
        plain = joint.task.transformed is None and joint.task.indicator is None
        last = last_step(combinations[0].target.estimator)
        alone = joint.twin.feature_penalty(last) is None and combinations[0].holder is None
        given = {name for name, value in self.factory.score_params.items() if value is not None}
        return ours and plain and alone and (not given or self.weighted(given))

    def weighted(self, given: set[str]) -> bool:
        """Whether weights of rows are all that the scorers are given."""
        return given == {"sample_weight"} and not routing_enabled()


class _TestRows:
    """The test rows of one fold, as metrics see them."""

    def __init__(self, scores: DeviceScores, joint: LinearSolver, k: int, test: np.ndarray):
        self.task, self.device, self.test = joint.task, joint.device, test
        self._user_y, weight = scores.factory.y, joint.data.score_weight
        self.weight = None if weight is None else weight[test]
        self._links: dict[str, str] = {}
        self._y: Tensor | None = None

    def scores(
        self, metrics: list[Metric], model: Any, z: Tensor, solution: Solution
    ) -> dict[str, float]:
        """Return the scores of a model with these predictors (n, m) that are known."""
        z, found, here = z.to(_precision(solution)), {}, None
        for metric in metrics:
            score: float | None
            try:
                score = self._twin(metric, model, z)
            except NoTwin:
                here = z.cpu().numpy() if here is None else here
                score = metric.on_host(model, here, self.user_y, self.weight)
            if score is not None:
                found[metric.key] = score
        return found

    def _twin(self, metric: Metric, model: Any, z: Tensor) -> float:
        twin = TWINS.get(metric.function)
        if twin is None:
            raise NoTwin("the metric has none")
        method = metric.method(model)
        if method not in self._links:
            self._links[method] = _link(model, method, z, self.task.classes)
        given = Predicted(
            z, self.y, self._device_weight, self.task.classes, self._links[method], method
        )
        try:
            return metric.sign * float(twin(given, **metric.options))
        except TypeError:
            raise NoTwin("an option is not known") from None

    @cached_property
    def user_y(self) -> Any:
        """The user's target."""
        return safe_indexing(self._user_y, self.test)

    @cached_property
    def _device_weight(self) -> Tensor | None:
        if self.weight is None:
            return None
        return torch.as_tensor(self.weight, dtype=torch.float64, device=self.device)

    @property
    def y(self) -> Tensor:
        """The target on the device, or NoTwin if a class has no row."""
        if self._y is None:
            task = self.task
            numbers = task.target if task.classes is None else task.row_class
            assert numbers is not None
            y = np.ascontiguousarray(numbers[self.test])
            if task.classes is not None and len(np.unique(y)) < len(task.classes):
                raise NoTwin("a class has no test row")
            self._y = torch.as_tensor(y, device=self.device)
        return self._y


def predictors(
    joint: LinearSolver, coef: np.ndarray, tests: list[np.ndarray]
) -> Iterator[tuple[range, int, Tensor]]:
    """Yield some values, a fold, and the predictors (values, n_test, m) of its test rows.

    Parameters
    ----------
    joint : LinearSolver
    coef : ndarray of shape (S, K, m, p)
    tests : list of ndarray
        Rows of each fold, which may overlap.
    """
    rows = joint.rows(torch.float64)
    S, K, m, _ = coef.shape
    n = 1 + max(int(test.max(initial=0)) for test in tests)
    n = max(n, rows.n_rows)
    once = np.bincount(np.concatenate(tests), minlength=n).max(initial=0) <= 1
    owner: Any = None  # the fold that a row is tested in, if there is one at most
    if once:
        fold_of = np.zeros(n, dtype=np.int64)
        for k, test in enumerate(tests):
            fold_of[test] = k
        owner = torch.as_tensor(fold_of, device=joint.device)
    places = [torch.as_tensor(test, device=joint.device) for test in tests]
    wide = 1 if once else K
    size = max(1, _NUMBERS // (n * m * wide))
    for first in range(0, S, size):
        values = range(first, min(first + size, S))
        some = torch.as_tensor(coef[first : values.stop], device=joint.device)
        kept = torch.zeros(n, m, len(values), wide, dtype=torch.float64, device=joint.device)
        rows.visit(some[None], _keeper(kept, owner, len(values)))
        for k, place in enumerate(places):
            found = kept[place, ..., 0 if once else k]
            yield values, k, found.permute(2, 0, 1)


def _keeper(kept: Tensor, owner: Tensor | None, S: int) -> Any:
    """Return what keeps predictors (n, m, S, K) of a pass: of each row's own fold, or all."""

    def keep(z, chunk):
        (all_folds,) = z
        all_folds = all_folds.unflatten(2, (S, -1))  # (n, m, S, folds of the chunk)
        if owner is None:
            kept[chunk.rows, :, :, chunk.folds] = all_folds
            return
        own = owner[chunk.rows] - chunk.folds.start
        folds = all_folds.shape[3]
        index = own.clamp(0, folds - 1).view(-1, 1, 1, 1).expand(*all_folds.shape[:3], 1)
        found = all_folds.gather(3, index)
        if folds < chunk.folds.stop or chunk.folds.start:  # other folds' rows are left to them
            mine = ((own >= 0) & (own < folds)).view(-1, 1, 1, 1)
            found = torch.where(mine, found, kept[chunk.rows])
        kept[chunk.rows] = found

    return keep


def _of_predictors(solution: Solution, combination: Combination, m: int) -> Any:
    """Return a fitted model whose features are the predictors of another."""
    model = clone(last_step(combination.target.estimator))
    coef, intercept = solution.parameters[:2]
    parameters = np.eye(m, dtype=coef.dtype), np.zeros_like(intercept)
    same = replace(
        solution, parameters=(*parameters, *solution.parameters[2:]),
        features={"n_features_in_": m}, transformers=None,
    )  # fmt: skip
    export(model, same)
    return model


def _precision(solution: Solution) -> torch.dtype:
    """Return the precision of a model's own predictions."""
    single = solution.parameters[0].dtype == np.float32
    return torch.float32 if single else torch.float64


def _link(model: Any, method: str, z: Tensor, classes: Any) -> str:
    """Return how a model's predictions follow from its predictors, "" if none of ours is it.

    Some rows decide: evenly spaced ones, and those with the largest and smallest predictors.
    """
    n, m = z.shape
    even = torch.linspace(0, n - 1, min(n, _LOOKED_AT), device=z.device).long()
    ends = [z[:, j].argmax() for j in range(min(m, _OUTPUTS))]
    ends += [z[:, j].argmin() for j in range(min(m, _OUTPUTS))]
    some = z[torch.cat([even, torch.stack(ends)])].cpu()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = getattr(model, method)(some.numpy())
    if method == "decision_function":
        return "identity" if np.array_equal(own.reshape(some.shape), some.numpy()) else _none()
    if method == "predict" and classes is not None:
        index = Predicted(some, some, classes=classes).labels.numpy()
        return "labels" if np.array_equal(own, classes[index]) else _none()
    near = 1e-5 if z.dtype == torch.float32 else 1e-12
    for link in _LINKS.get(method, ()):
        if (link == "expit") != (m == 1) and method == "predict_proba":
            continue
        ours = linked(some, link).numpy()
        if np.size(own) == ours.size and np.allclose(
            own.reshape(ours.shape), ours, rtol=near, atol=near
        ):
            return link
    return _none()


def _none() -> str:
    raise NoTwin("the estimator computes predictions from predictors in its own way")
