"""Makes the solver of all folds for a combination of the grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import process_routing

from skbamm._sklearn_compat import num_samples, routing_enabled
from skbamm.data.device_matrix import DeviceMatrix
from skbamm.data.fold_maps import FoldMaps
from skbamm.data.folded import FoldedData
from skbamm.data.matrices import (
    FoldData,
    choose_device,
    feature_memory,
    fold_parts,
    join_parts,
    place,
    split_fold,
)
from skbamm.data.shared_columns import share_columns
from skbamm.data.transformer_fits import TransformerFits
from skbamm.models import NotApplicable, TransformedTarget, last_step, solver_of
from skbamm.search.keys import candidate_key
from skbamm.shrinkage.solver import VectorSolver
from skbamm.solvers.nested import NestedSolver
from skbamm.solvers.nested_parameters import FeatureLine, LossLine
from skbamm.solvers.penalties import Penalties
from skbamm.space import Axis, SearchAxis, Target


class UserRows:
    """The user's rows, and what solvers of any splits share of them.

    Parameters
    ----------
    X, y : array-like
    room : int, default=0
        Numbers of transformed rows that are kept for other splits.

    Attributes
    ----------
    fits : TransformerFits
    """

    def __init__(self, X: Any, y: Any, room: int = 0):
        self.X, self.y, self.fits = X, y, TransformerFits(X, y, room)
        self._placed: tuple[str, DeviceMatrix] | None = None  # X, and the requested device

    def placed(self, device: str) -> DeviceMatrix:
        """Return X on a device, where it goes once for all solvers."""
        if self._placed is None or self._placed[0] != device:
            self._placed = None  # so that there are never two at a time
            self._placed = device, place(self.X, device)
        return self._placed[1]

    def with_target(self, y: Any) -> UserRows:
        """Return the same rows of another target."""
        if y is self.y:
            return self
        rows = UserRows(self.X, y)
        rows._placed = self._placed
        return rows


class SolverFactory:
    """Makes solvers, and keeps what several of them share.

    Parameters
    ----------
    settings : Settings
    X, y
        The user's.
    splits : list of (train, test)
        Indices.
    fit_params, score_params : dict
        As scikit-learn routed them.
    row_weights : RowWeights or None
    rows : UserRows, optional
        X and y, and what is known of them already.
    score_weight : array-like of shape (n_samples,), optional
        Weights of the score that selects.
    """

    def __init__(
        self, settings, X, y, splits, fit_params, score_params, row_weights, rows=None,
        score_weight=None,
    ):  # fmt: skip
        self.settings, self.X, self.y, self.splits = settings, X, y, splits
        self.fit_params, self.score_params = fit_params, score_params
        self.row_weights, self.score_weight = row_weights, score_weight
        self.rows = rows or UserRows(X, y)
        self._folds: dict[str, list] = {}  # transformed data by the transformers' setting

    def for_splits(self, splits: list) -> SolverFactory:
        """Return a factory for other splits of the same rows."""
        if splits is self.splits:
            return self
        return SolverFactory(
            self.settings, self.X, self.y, splits, self.fit_params, self.score_params,
            self.row_weights, self.rows, self.score_weight,
        )  # fmt: skip

    def make(
        self, target: Any, params: dict[str, Any], folds: list[FoldData] | None = None,
        share: bool = True, alike: bool = False,
    ) -> Any:  # fmt: skip
        """Return the joint solver of a combination, or raise NotApplicable.

        ``folds`` replaces the transformed rows; folds may ``share`` their columns. ``alike`` tells
        that no penalty but the estimator's own, of squares, is to be solved.
        """
        twin = target.twin
        if twin is None:
            raise NotApplicable(target.reason)
        if self.y is None:
            raise NotApplicable("there is no target")
        last = last_step(target.estimator)
        for one in (last, twin.model(last)):
            _check_parameters(one)
        y = twin.transformed(last, self.y, self.splits) if twin.transforms_target else self.y
        given = twin.takes_kernels(last)
        # scikit-learn takes the columns of a kernel's training rows as well only if it is told.
        pairwise = get_tags(target.estimator).input_tags.pairwise if given else False
        if given and pairwise != (target.pipeline is None):
            raise NotApplicable("a precomputed kernel reaches the model by rows only")
        weight = self._sample_weight(target)
        score_weight = self.score_weight
        shared: Any = None
        if folds is None:
            shared, folds = self._data(target, params, y, share)
        sample = shared.matrix if folds is None else folds[0].sample
        task = twin.task(last, y, weight, sp.issparse(sample))
        kind = solver_of(twin.family)
        data = FoldedData(
            task, shared, folds, self.splits,
            fit_weight=weight,
            score_weight=None if score_weight is None else np.asarray(score_weight, dtype=float),
            row_weights=self.row_weights, device=self.settings.device, pairwise=kind.pairwise,
            alike=alike and twin.family == "linear" and Penalties.are_alike(twin, last),
        )  # fmt: skip
        return kind(twin, last, data, self.settings.dtype)

    def make_line(
        self, target: Any, params: dict[str, Any], axis: Axis, searches: bool
    ) -> NestedSolver:
        """Return the solver of a combination with a parameter of its feature map or its loss.

        ``searches`` says whether a penalty is searched for each value.
        """
        if axis.name == target.loss_name:
            return NestedSolver(axis, LossLine(self.make(target, params)), searches)
        last = last_step(target.estimator)
        _check_parameters(target.pipeline.steps[-2][1])
        if self.y is None:
            raise NotApplicable("there is no target")
        seen = [self.y] * len(self.splits)
        if target.twin.transforms_target and target.pipeline is not target.estimator:
            y = target.twin.transformed(last, self.y, self.splits)
            seen = [y.of_split(k) for k in range(len(self.splits))]
        maps = FoldMaps(target, self.X, seen, self.splits)
        line = FeatureLine(maps, lambda folds: self.make(target, params, folds))
        return NestedSolver(axis, line, searches)

    def make_vector(
        self, target: Target, params: dict[str, Any], axes: tuple[SearchAxis, ...]
    ) -> VectorSolver:
        """Return the solver of a combination with a vector of penalties among its axes."""

        def make(splits, **more):
            held = target
            if more:
                held = replace(target, estimator=clone(target.estimator).set_params(**more))
            return self.for_splits(splits).make(held, {**params, **more}, share=False)

        return VectorSolver(make, axes, self.X, self.splits, self.settings.clock)

    def _data(self, target, params, y, share):
        """Return the shared matrix, or each fold's rows, as its transformers make them."""
        own_targets = isinstance(y, TransformedTarget) and not y.shared
        if target.pipeline is None:
            # Kernels of the rows are made on the CPU, and folds' own rows go where each is used.
            here = own_targets or solver_of(target.twin.family).pairwise
            shared = self.rows.placed("cpu" if here else self.settings.device)
            if not own_targets:
                return shared, None
            memory = feature_memory(self.X)
            return None, [
                split_fold(shared.matrix, train, test, memory) for train, test in self.splits
            ]
        own = isinstance(y, TransformedTarget) and target.pipeline is not target.estimator
        share = share and target.twin.family == "linear" and not own_targets
        setting = candidate_key(
            {name: v for name, v in params.items() if not name.startswith(target.prefix)}
        )
        setting += "" if share else " alone"
        if setting not in self._folds:
            steps = target.pipeline[:-1]
            folds = self._shared_columns(steps, setting) if share and not own else None
            self._folds[setting] = folds or [
                self._fold(steps, setting, split, y.of_split(k) if own else None)
                for k, split in enumerate(self.splits)
            ]
        return None, self._folds[setting]

    def _fold(self, steps, setting, split, target) -> FoldData:
        """Return a split's rows; ``target`` is what its transformers see in place of y."""
        train, test = split

        def fit(transformers, X, y, train):
            return self.rows.fits.fit(setting, transformers, train)

        if target is None:
            parts = fold_parts(steps, self.X, self.y, train, test, fit)
        else:
            parts = fold_parts(steps, self.X, target, train, test)
        return join_parts(parts, train, test)

    def _shared_columns(self, steps, setting) -> list | None:
        """Return folds that share their columns, if that is possible."""

        def device(matrix):
            entries = 0 if sp.issparse(matrix) else matrix.size
            return choose_device(self.settings.device, entries)

        return share_columns(steps, self.rows.fits, setting, self.splits, device)

    def _sample_weight(self, target) -> np.ndarray | None:
        """Return the sample weights that reach the model, or raise NotApplicable."""
        given = {name: value for name, value in self.fit_params.items() if value is not None}
        if not given:
            return None
        prefix = target.fit_prefix
        name = f"{prefix}sample_weight"
        if routing_enabled() and target.twin.inside:
            raise NotApplicable("metadata is routed through a meta-estimator")
        if routing_enabled() and prefix:
            try:
                routed = process_routing(target.estimator, "fit", **given)
            except UnsetMetadataPassedError:  # which own fits raise, too
                raise NotApplicable("a step does not say whether it takes metadata") from None
            steps = [step for step, _ in target.estimator.steps]
            if any(p for step in steps[:-1] for p in routed[step].values()):
                raise NotApplicable("a transformer takes fit parameters")
            given = {prefix + key: value for key, value in routed[steps[-1]].fit.items()}
        if set(given) != {name}:
            raise NotApplicable(f"fit parameters {sorted(given)} are for scikit-learn's own fits")
        weight = np.asarray(given[name])
        if weight.ndim != 1 or weight.dtype.kind not in "iufb" or not np.isfinite(weight).all():
            raise NotApplicable("sample_weight is not a finite vector")
        if len(weight) != num_samples(self.X):
            raise NotApplicable("sample_weight does not have one entry for each row")
        if (weight < 0).any():
            raise NotApplicable("sample_weight has negative entries")
        return weight.astype(float)


def _check_parameters(estimator: Any) -> None:
    """Raise NotApplicable if the estimator's own fit would refuse its parameters."""
    try:
        if hasattr(estimator, "_parameter_constraints"):  # scikit-learn's own have them
            estimator._validate_params()
    except ValueError as error:
        raise NotApplicable(str(error)) from None
