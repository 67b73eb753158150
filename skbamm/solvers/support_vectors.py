"""Searches intervals of support vector machines, by fits of libsvm on kernels that folds share.

The models are libsvm's own, so that scores are those of own fits. Each point costs one fit a
fold, and its hypergradient follows from the support vectors.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status
from skbamm.data.folded import FoldedData
from skbamm.folds import draw_rows
from skbamm.models import NotApplicable
from skbamm.models.support_vectors import SupportVectorTwin
from skbamm.solvers.base import FoldSolver, Quest
from skbamm.solvers.fold_kernels import FoldKernels
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.solvers.support_vector_search import (
    EFFORT,
    FoldFit,
    PointSearch,
    TooDear,
    Visit,
)
from skbamm.space import Axis, SearchAxis
from skbamm.starts.subsample import Beginning
from skbamm.support_vectors import (
    FAR_ROWS,
    MOST_ROUNDING,
    Bounds,
    Machine,
    hypergradient,
    machines_of,
    own_gamma,
    pair_log_loss,
    svm_kernel,
    with_edges,
)
from skbamm.support_vectors.hyperparameters import NU
from skbamm.support_vectors.lean_fits import LeanFits, lean_responses

_ROUNDING = 1e-9  # libsvm compares sums of rows


@dataclass
class FittedFolds(FoldSolutions):
    """Fits of some values in all folds.

    Attributes
    ----------
    fits : list of list of FoldFit
    """

    fits: list[list[FoldFit]] = field(default_factory=list)


class SupportVectorSolver(FoldSolver):
    """One combination's support vector machine over all folds.

    Parameters
    ----------
    twin : SupportVectorTwin
    estimator : estimator
        As the user set it.
    data : FoldedData
    dtype : str
        Not used: libsvm works in double precision.
    """

    twin: SupportVectorTwin
    pairwise = True
    keeps_visits = True
    # libsvm keeps kernels as float32, and a fit amplifies their rounding errors.
    upper_rounding = 2 * float(np.finfo(np.float32).eps)

    def __init__(self, twin: Any, estimator: Any, data: FoldedData, dtype: str):
        super().__init__(twin, data)
        if data.row_weights is not None:
            raise NotApplicable("learned weights need a linear model")
        if data.fit_weight is not None and not np.all(np.asarray(data.fit_weight) > 0):
            raise NotApplicable("some rows have no weight")
        self.estimator, self.device = estimator, torch.device("cpu")
        kernel = svm_kernel(estimator)
        assert kernel is not None  # else there is no twin
        self.kernel = kernel
        n = len(self.task.target)
        some = draw_rows(n, EFFORT.some_rows) if n > EFFORT.most_rows else None
        self._kernels = FoldKernels(kernel, data, some)
        # Probabilities cost five more fits, and no decision depends on them.
        probable = getattr(estimator, "probability", None) is True
        self._template = clone(estimator).set_params(kernel="precomputed", verbose=False)
        if probable:
            self._template.probability = type(estimator)().probability
        self._names = set(estimator.get_params(deep=False))
        self.own_scores = some is not None or probable or estimator.max_iter >= 0
        self._class: Any = self.task.row_class  # of classifiers
        self._class_names: Any = self.task.classes
        self._lean: dict[int, LeanFits] = {}
        self._visits: dict[tuple[float, ...], Visit] = {}

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Leave lists to own fits, which share kernels."""
        raise NotApplicable("lists have own fits, which share kernels")

    def begin(self, quest: Quest) -> Beginning:
        """Start at kernels that are neither flat nor narrow, and at a moderate C."""
        narrowest = {axis.parameter: axis.high for axis in quest.axes}
        for k in range(len(self.used)):
            rows = self._kernels.training_rows(k)
            if self.kernel.rounding(rows, self._numbers(k, narrowest)) > MOST_ROUNDING:
                raise NotApplicable(FAR_ROWS)
        points = self._starting_points(quest.axes)
        x0 = torch.tensor(points if quest.begin is None else [quest.begin], dtype=torch.float64)
        return Beginning(x0, None, None, x0)

    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Try the starting points, and continue from the best."""
        n = max(len(self._kernels.rows(k)) for k in range(len(self.used)))
        null = quest.criterion.null if self.task.classes is not None else 1.0
        search = PointSearch(
            partial(self._searched, quest), quest, n, null, self.is_scanned(quest.axes)
        )
        try:
            status = search.run(first.x.tolist())
        except KeyboardInterrupt:
            if not search.found:
                raise
            status = Status.INTERRUPTED
        return search.result(status, first.x)

    def _searched(self, quest: Quest, x: list[float], most: int | None) -> Visit:
        return self.visit(quest.axes, x, quest, most)

    def polish(
        self,
        axes: tuple[Any, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FittedFolds:
        """Fit these x in all folds, unless that is done."""
        of_kernel = [i for i, axis in enumerate(axes) if axis.parameter in self.kernel.parameters]
        points = sorted(
            (point for point in x if tuple(point) not in self._visits),
            key=lambda point: [point[i] for i in of_kernel],
        )
        found: list[list[FoldFit]] = [[] for _ in points]
        each: Iterable[tuple[int, int]] = product(range(len(points)), range(len(self.used)))
        if not self._kernels.are_shared:  # one kernel after the other: the last one is kept
            each = sorted(each, key=lambda one: one[1])
        for i, k in each:
            found[i].append(self._fit(k, _numbers_at(axes, points[i]), None)[-1])
        for point, fits in zip(points, found, strict=True):
            self._visits[tuple(point)] = Visit(point, 0.0, np.zeros(len(axes)), fits)
        all_fits = [self._visits[tuple(point)].fits for point in x]
        nothing = np.zeros((len(x), len(self.used), 1, 1))
        return FittedFolds(nothing, nothing[..., 0, 0], fits=all_fits)

    def is_scanned(self, axes: tuple[SearchAxis, ...]) -> bool:
        """See ``FoldSolver.is_scanned``."""
        return len(axes) == 1 and len(self.task.target) <= EFFORT.few_rows

    @property
    def is_rugged(self) -> bool:
        """See ``FoldSolver.is_rugged``: an indefinite kernel."""
        return self.estimator.kernel == "sigmoid"

    def highest(self, axes: tuple[SearchAxis, ...]) -> list[float]:
        """See ``FoldSolver.highest``: ``nu`` of a classifier is limited by its rarer classes."""
        highs = super().highest(axes)
        if self.task.classes is None:
            return highs
        limit = min(
            2 * min(one, other) / (one + other)
            for k in range(len(self.used))
            for one, other in combinations(self._class_masses(k), 2)
        )
        for i, axis in enumerate(axes):
            if axis.parameter == NU.name:
                assert isinstance(axis, Axis)  # a single number
                at = float(axis.place(torch.tensor((1 - _ROUNDING) * limit, dtype=torch.float64)))
                highs[i] = min(max(at, axis.bounds()[0]), highs[i])
        return highs

    def _class_masses(self, k: int) -> list[float]:
        """Return the weights of the classes in a fold's training rows."""
        masses = np.bincount(self._class[self._kernels.rows(k)], self._sample_weight(k))
        return masses[masses > 0].tolist()

    def visited(self, axes: tuple[SearchAxis, ...]) -> list[list[float]]:
        """See ``FoldSolver.visited``; only the best few if each has to be refitted."""
        found = sorted(self._visits.values(), key=lambda visit: visit.value)
        return [visit.x for visit in found[: EFFORT.own if self.own_scores else None]]

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold as the bank keeps it."""
        assert isinstance(solutions, FittedFolds)
        fit, fold = solutions.fits[s][k], self.data.fold(k)
        rows = self._kernels.training_rows(k)
        if fold is not None:
            features = fold.features
        elif self.twin.takes_kernels(self.estimator):
            features = {**features, "n_features_in_": rows.shape[1]}
        return Solution(
            self.twin,
            self.task.without_rows(self.used[k]),
            (fit.fitted["_dual_coef_"], fit.fitted, rows, fit.gamma),
            features,
            not self.own_scores,
            None if fold is None else fold.transformers,
            responses=fit.responses,
        )

    def exact_hypergradient(self, axes, x, choice):
        """See ``FoldSolver.exact_hypergradient``; fits are as exact as the estimator's ``tol``."""
        quest = Quest(axes, choice, None, self.criterion(choice), 1, 0.0, None)
        found = self.visit(axes, x, quest, None)
        return found.value, found.gradient

    def visit(
        self, axes: tuple[Axis, ...], x: list[float], quest: Quest, most: int | None
    ) -> Visit:
        """Fit a point in all folds, and keep it with its F and hypergradient.

        Parameters
        ----------
        axes : tuple of Axis
        x : list of float
        quest : Quest
        most : int or None
            Iterations that a fit may take.

        Raises
        ------
        TooDear
            If one takes more.
        """
        numbers = _numbers_at(axes, x)
        value, gradient, fits = 0.0, np.zeros(len(axes)), []
        for k in range(len(self.used)):
            model, given, kernels, fit = self._fit(k, numbers, most)
            fits.append(fit)
            share, slope = self._fold(k, model, given, kernels, axes, quest)
            value, gradient = value + share, gradient + slope
        for i, axis in enumerate(axes):
            at = torch.tensor(x[i], dtype=torch.float64, requires_grad=True)
            gradient[i] *= float(torch.autograd.grad(axis.value(at), at)[0])
        found = Visit(x, value, gradient, fits)
        self._visits[tuple(x)] = found
        return found

    def _fit(self, k: int, numbers: dict[str, float], most: int | None):
        """Return a fold's model, its kernel's parameters, its kernels, and what is kept of them."""
        given = self._numbers(k, numbers)
        training, held_out = self._kernels.at(k, given)
        model = copy.copy(self._template)
        vars(model).update({name: v for name, v in numbers.items() if name in self._names})
        limited = most is not None and model.max_iter < 0
        if limited:
            model.max_iter = most
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            vars(model).update(self._fits(k).fit(model, training))
        if limited and model.fit_status_:
            raise TooDear
        fitted = {name: v for name, v in vars(model).items() if name not in self._names}
        n_iter, responses = float(np.mean(model.n_iter_)), {}
        if not self.own_scores:
            responses = lean_responses(model, held_out)
        fit = FoldFit(fitted, given.get("gamma", 0.0), n_iter, responses)
        return model, given, (training, held_out), fit

    def _fits(self, k: int) -> LeanFits:
        """Return what fits a fold's models on its kernels."""
        if k not in self._lean:
            rows, weight = self._kernels.rows(k), self._sample_weight(k)
            target = self.task.target[rows]
            if self.task.classes is not None:
                target = self._class_names[self._class[rows]]
            self._lean[k] = LeanFits(target, {} if weight is None else {"sample_weight": weight})
        return self._lean[k]

    def _fold(self, k, model, given, kernels, axes, quest) -> tuple[float, np.ndarray]:
        """Return a fold's share of F, and its derivatives in the parameters of the axes."""
        training, held_out = kernels
        rows, weight = self._kernels.held_out(k), self._kernels.score_weight(k)
        machines = machines_of(model, self._bounds(k, model))
        decisions = [held_out[:, m.rows] @ m.beta + m.intercept for m in machines]
        if self.task.classes is None:
            value, slopes = self._of_numbers(k, decisions[0], rows, weight, quest.criterion)
            parts = [slice(None)]
            gradients = [slopes]
        else:
            value, parts, gradients = self._of_classes(
                decisions, machines, rows, weight, quest.criterion.name
            )
        names = [axis.parameter for axis in axes]
        total = np.zeros(len(axes))
        for machine, part, gradient in zip(machines, parts, gradients, strict=True):
            if not len(machine.rows) or not gradient.any():
                continue
            machine, edges = self._with_edges(k, machine, training, model)
            sv, some = machine.rows, np.arange(len(rows))[part]
            inner = training[np.ix_(sv, sv)]
            outer = held_out[np.ix_(some, sv)]

            def slopes_of(name, sv=sv, some=some, inner=inner, outer=outer):
                one, other = self._kernels.bases(k, sv, some)
                return (
                    self.kernel.slope(one, inner, given, name),
                    self.kernel.slope(other, outer, given, name),
                )

            total += hypergradient(
                machine, getattr(model, "nu", 0.0), self.twin.unknown, inner, outer, gradient,
                names, slopes_of, edges,
            )  # fmt: skip
        return value / len(self.used), total / len(self.used)

    def _with_edges(self, k, machine, training, model) -> tuple[Machine, Any]:
        rows, places = self._kernels.rows(k), np.arange(len(training))
        if self.task.classes is None:
            return with_edges(machine, training, places, self.task.target[rows], model.epsilon)
        index = self._class[rows]
        places = places[np.isin(index, machine.classes)]
        target = np.where(index[places] == machine.classes[0], 1.0, -1.0)
        return with_edges(machine, training, places, target, None)

    def _of_numbers(self, k, decisions, rows, weight, criterion) -> tuple[float, np.ndarray]:
        """Return a regression fold's loss and its gradient in the predictions."""
        plain = criterion.by_fold()
        loss = plain.loss_of(slice(k, k + 1))
        z = torch.as_tensor(decisions, dtype=torch.float64)[:, None, None]
        target = torch.as_tensor(self.task.target[rows], dtype=torch.float64)[:, None]
        value, gradient, _ = loss.evaluate(z, loss.targets(target), None)
        share = torch.as_tensor(weight / weight.sum())
        average = (value[:, 0].cpu() * share).sum()
        shares = plain.shares(average.expand(1, len(self.used)))
        slope = plain.slopes(shares)[0, k]
        # Shares are those of the mean over the folds already.
        times = len(self.used)
        found = (gradient[:, 0, 0] * share * slope * times).numpy()
        return float(shares[0, k]) * times, found

    def _of_classes(self, decisions, machines, rows, weight, name):
        """Return a fold's loss of pairs, the rows of each, and gradients in their decisions."""
        index = self._class[rows]
        if name.startswith("balanced"):
            count = np.bincount(index, weight, minlength=len(self._class_names))
            weight = weight / np.where(count > 0, count, 1.0)[index]
        parts, margins, weights, signs = [], [], [], []
        for f, machine in zip(decisions, machines, strict=True):
            part = np.flatnonzero(np.isin(index, machine.classes))
            sign = np.where(index[part] == machine.classes[0], 1.0, -1.0)
            parts.append(part)
            signs.append(sign)
            margins.append(sign * f[part])
            weights.append(weight[part])
        value, slopes = pair_log_loss(margins, weights)
        return value, parts, [s * g for s, g in zip(signs, slopes, strict=True)]

    def _numbers(self, k: int, numbers: dict[str, float]) -> dict[str, float]:
        """Return the parameters of a fold's kernel: those that are searched, and its own."""
        given = {}
        for name in self.kernel.parameters:
            if name in numbers:
                given[name] = numbers[name]
            elif name == "gamma":
                given[name] = own_gamma(self.estimator, self._kernels.training_rows(k))
            else:
                given[name] = float(getattr(self.estimator, name))
        return given

    def _bounds(self, k: int, model: Any) -> Bounds:
        rows = self._kernels.rows(k)
        weight = self._sample_weight(k)
        found = np.ones(len(rows)) if weight is None else weight.copy()
        index = self.task.row_class
        if index is not None:
            index = index[rows]
            if self.task.class_weight is not None:
                found = found * self.task.class_weight(rows)[index]
        C = None if self.twin.unknown == "C" else float(model.C)
        return Bounds(found, C, getattr(model, "nu", None), index)

    def _sample_weight(self, k: int) -> np.ndarray | None:
        weight = self.data.fit_weight
        return None if weight is None else np.asarray(weight)[self._kernels.rows(k)]

    def _starting_points(self, axes: Sequence[Axis]) -> list[list[float]]:
        """Return points about where models tend to be good, inside the intervals."""
        target = self.task.target
        spread = float(target.std()) or 1.0 if self.task.classes is None else 1.0
        around = {"C": (1.5 * spread, 15 * spread, 0.15 * spread), "gamma": (1.0, 1.0, 1.0)}
        if self.kernel.parameters:
            plain = clone(self.estimator).set_params(gamma="scale")
            scale = own_gamma(plain, self._kernels.training_rows(0))
            around["gamma"] = (scale, scale / 3, scale / 10)
        points = []
        for which in range(3):  # the last where there is little to learn
            point = []
            for axis in axes:
                low, high = axis.bounds()
                at = (low + high) / 2
                if axis.parameter == "nu":  # where classes differ in size, only small ones exist
                    at = low + (high - low) * (0.5, 0.2, 0.05)[which]
                if axis.parameter in around:
                    value = min(max(around[axis.parameter][which], axis.low), axis.high)
                    at = float(axis.place(torch.tensor(value, dtype=torch.float64)))
                point.append(min(max(at, low), high))
            if point not in points:
                points.append(point)
        return points


def _numbers_at(axes: tuple[Axis, ...], x: list[float]) -> dict[str, float]:
    return {axis.parameter: axis.number(at) for axis, at in zip(axes, x, strict=True)}
