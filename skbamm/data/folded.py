"""The data of all folds, as a model's solver sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from skbamm.data.centring import centre_folds, shifted
from skbamm.data.device_matrix import DeviceMatrix
from skbamm.data.matrices import FoldData, as_indices, choose_device, make_rows, pad_features
from skbamm.data.row_space import RowSpace, are_wide
from skbamm.data.shared_columns import STACKED, columns_and_folds
from skbamm.folds import AffineRows, FoldWeights, FoldwiseRows, Rows, StackedRows
from skbamm.folds.pairs import PairCosts
from skbamm.losses import UpperLoss
from skbamm.models import NotApplicable, Task

_SPARSE, _LOOK = 0.15, 512  # share of entries up to which rows are sparse; rows that show it
_LOOK_FOR_CLASSES = 4096  # rows of a fold among which all classes are looked for first


@dataclass(frozen=True)
class RowWeights:
    """Learned weights, as factors of the user's sample weights.

    Attributes
    ----------
    name : str
        The fit parameter that carries them: "sample_weight" or "step__sample_weight".
    rows : ndarray of shape (n,)
        For the final model.
    folds : ndarray of shape (n, K)
        For the model of each split, learned without its test rows.
    upper_loss : UpperLoss or None
        The loss that chooses the penalty: the log loss of labels with the estimated noise.
    begin : list of float or None
        The optimal penalty for weights close to these.
    """

    name: str
    rows: np.ndarray
    folds: np.ndarray
    upper_loss: UpperLoss | None = None
    begin: list[float] | None = None

    def give(
        self, fit_params: dict[str, Any], place: np.ndarray, fold: int | None
    ) -> dict[str, Any]:
        """Return the parameters of a fit on the rows at ``place`` with their weights.

        ``fold`` is None for the final model.
        """
        weight = self.rows[place] if fold is None else self.folds[place, fold]
        own = fit_params.get(self.name)
        return {**fit_params, self.name: weight if own is None else np.asarray(own) * weight}


class FoldedData:
    """Rows, targets, weights and splits of one combination's models.

    Parameters
    ----------
    task : Task
    shared : DeviceMatrix or None
        X, if all folds share it.
    folds : list of FoldData, or None
        The transformed rows of each fold otherwise.
    splits : list of (train, test)
        All splits of the search, as indices.
    fit_weight, score_weight : ndarray of shape (n,), optional
        The user's sample weights, in training and in scores.
    row_weights : RowWeights, optional
        Learned factors of ``fit_weight``.
    device : str, default="auto"
    pairwise : bool, default=False
        Whether models are made of n x n matrices. Their features keep their offsets.
    alike : bool, default=False
        Whether models are linear, with a penalty of squares that is the same for all features.
        Wide rows are then solved as coordinates in the space that they span.

    Attributes
    ----------
    used : list of int
        The splits that have the rows and classes that the model needs; ``splits`` has only these.
    task : Task
        With the loss of the used folds.
    folds : list of FoldData, or None
        Less offsets that are far from zero; ``given_folds`` are those that were given.
    columns : SharedColumns or None
        The shared columns, if each fold only scales and shifts them.
    matrix : ndarray, CSR array or None
        X, if all folds share it.
    weights : FoldWeights
        The weights of the used splits.

    Raises
    ------
    NotApplicable
        If no split has the rows and classes that the model needs.
    """

    def __init__(
        self,
        task: Task,
        shared: DeviceMatrix | None,
        folds: list[FoldData] | None,
        splits: list,
        *,
        fit_weight: np.ndarray | None = None,
        score_weight: np.ndarray | None = None,
        row_weights: RowWeights | None = None,
        device: str = "auto",
        pairwise: bool = False,
        alike: bool = False,
    ):
        self.task, self.row_weights = task, row_weights
        self.fit_weight, self.score_weight = fit_weight, score_weight
        self._centres: list[np.ndarray | None] = [None] * max(len(splits), 1)
        self.columns, self.folds = columns_and_folds(task, folds)
        self.given_folds = self.folds
        alike = alike and self._are_wide(shared)
        if alike and self.columns is not None and self.folds is not None:
            self.columns, self.folds = None, [fold.alone() for fold in self.folds]
        if task.fit_intercept and not task.intercept_penalty and not pairwise:
            shared = self._centre(shared)
        self.matrix: Any = None if shared is None else shared.matrix
        self._spaces: list[RowSpace | None] = [None] * len(self._centres)
        self._placed = shared or DeviceMatrix(None, torch.device("cpu"))
        n, sample = len(task.target), self.sample
        entries = 0 if sp.issparse(sample) else sample.size
        self.device = choose_device(device, n * n if pairwise else entries)
        if shared is None:
            self._placed = DeviceMatrix(None, self.device)
        if alike and self.device.type == "cpu":
            self._to_coordinates()
        self.used, self.splits = list(range(len(splits))), splits
        weights = self._fold_weights(by_class=False) if splits else None
        self.used = [] if weights is None else _usable_folds(task, splits, weights, fit_weight)
        if weights is None or not self.used:
            raise NotApplicable("no fold has the classes or rows that the model needs")
        self.splits = [splits[k] for k in self.used]
        # A fold without a class needs no weight for it.
        same = task.class_weight is None and len(self.used) == len(splits)
        self.weights = weights if same else self._fold_weights()
        self.task = task.in_folds([train for train, _ in self.splits])
        if row_weights is not None:
            self.weights = self.weights.reweighted(self._factor(row_weights.folds[:, self.used]))
        self._rows: dict[torch.dtype, Rows] = {}

    @property
    def sample(self) -> Any:
        """A matrix like that of any fold."""
        if self.columns is not None:
            return self.columns.placed.matrix
        return self._placed.matrix if self.folds is None else self._matrix_of(0)

    @property
    def n_features(self) -> int:
        """Features of the first used fold."""
        return (self.matrix if self.folds is None else self.folds[self.used[0]]).shape[1]

    def fold(self, k: int) -> FoldData | None:
        """Return the k-th used fold's own data; None if all folds share X."""
        return None if self.folds is None else self.folds[self.used[k]]

    def rows(self, dtype: torch.dtype) -> Rows:
        """Return the rows of all used folds in a working precision."""
        if dtype not in self._rows:
            self._rows[dtype] = self._make_rows(dtype)
        return self._rows[dtype]

    def rows_with(self, weights: FoldWeights, dtype: torch.dtype) -> Rows:
        """Return the rows of X, which all folds share, with other weights."""
        return make_rows(self._placed, self.task.target, weights, self.task.fit_intercept, dtype)

    def weights_of_all_rows(self) -> FoldWeights:
        """Return the weights of a single fold that trains on all rows."""
        n = len(self.task.target)
        weights = self._fold_weights([(np.arange(n), np.arange(0))])
        learned = self.row_weights
        return weights if learned is None else weights.reweighted(self._factor(learned.rows))

    def weights_of_fold(self, fold: int) -> FoldWeights:
        """Return the weights of a split's own rows: those trained on, then those tested on."""
        assert self.folds is not None
        data, place, task = self.folds[fold], self._place(fold), self.task
        n_train, class_weight = len(data.train), task.class_weight

        def pick(values):
            return None if values is None else np.asarray(values)[place]

        weights = FoldWeights(
            len(place),
            [(np.arange(n_train), np.arange(n_train, len(place)))],
            fit_weight=pick(self.fit_weight),
            score_weight=pick(self.score_weight),
            row_class=pick(task.row_class),
            class_weight=None if class_weight is None else lambda rows: class_weight(place[rows]),
            device=self.device,
        )
        if self.row_weights is None:
            return weights
        return weights.reweighted(self._factor(self.row_weights.folds[place, fold]))

    def target_of(self, fold: int) -> np.ndarray:
        """Return the target of a split's own rows: those trained on, then those tested on."""
        return self.task.target_of(fold)[self._place(fold)]

    def predictions(self, k: int, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return predictions of a linear model for the k-th used fold's training rows.

        Parameters
        ----------
        k : int
        coef : ndarray of shape (m, p)
            With the intercept last, if there is one.

        Returns
        -------
        predicted : ndarray of shape (n_train, m)
        target : ndarray of shape (n_train,) or (n_train, m)
        weight : ndarray of shape (n_train,)
        """
        task, fold, rows = self.task, self.used[k], slice(None)
        if self.folds is None:
            X, own = self.matrix, slice(self.matrix.shape[1])
            rows = place = np.arange(len(task.target))[self.splits[k][0]]
        else:
            data = self.folds[fold]
            X, place, own = data.matrix, data.train, data.columns
            rows = slice(len(place))
        weight = np.ones(len(place)) if self.fit_weight is None else self.fit_weight[place]
        if self.row_weights is not None:
            weight = weight * self.row_weights.folds[place, fold]
        intercept = coef[:, -1] if task.fit_intercept else 0.0
        # The product with all rows needs no copy of some of them.
        predicted = (X @ coef[:, own].T)[rows] + intercept
        return predicted, task.target_of(fold)[place], weight

    def inside(self, coef: np.ndarray) -> np.ndarray:
        """Return coefficients (m, p) of X as those that are solved."""
        centre, space = self._centres[0], self._spaces[0]
        coef = coef if centre is None else shifted(coef, centre, 1.0)
        return coef if space is None else space.inside(coef, self.task.fit_intercept)

    def outside(self, coef: np.ndarray, fold: int = 0) -> np.ndarray:
        """Return coefficients that are solved as those of a split's features, (m, p)."""
        return self.uncentred(self.of_features(coef, fold), fold)

    def of_features(self, coef: np.ndarray, fold: int) -> np.ndarray:
        """Return coefficients that are solved as those of a split's centred features, (m, p)."""
        space = self._spaces[fold]
        return coef if space is None else space.outside(coef, self.task.fit_intercept)

    def uncentred(self, coef: np.ndarray, fold: int) -> np.ndarray:
        """Return coefficients (m, p) of a split's centred features as those of its features."""
        centre = self._centres[fold]
        return coef if centre is None else shifted(coef, centre, -1.0)

    @property
    def in_coordinates(self) -> bool:
        """Whether wide rows are solved as coordinates in the space that they span."""
        return self._spaces[0] is not None

    def _are_wide(self, shared: DeviceMatrix | None) -> bool:
        if self.folds is None:
            matrices = [] if shared is None else [shared.matrix]
            dense = all(isinstance(one, np.ndarray) for one in matrices)
        else:
            matrices = self.folds
            dense = not any(sp.issparse(fold.sample) for fold in self.folds)
        return (
            dense
            and bool(matrices)
            and are_wide([one.shape for one in matrices], self.task.loss.couples_outputs)
        )

    def _to_coordinates(self) -> None:
        if self.folds is not None:
            self._spaces = [fold.row_space for fold in self.folds]
        else:
            space = self._placed.row_space
            self._spaces = [space] * len(self._spaces)
            self._placed = DeviceMatrix(space.coordinates, self.device)

    def _matrix_of(self, fold: int) -> Any:
        """Return a split's own rows as they are solved."""
        assert self.folds is not None
        space = self._spaces[fold]
        return self.folds[fold].matrix if space is None else space.coordinates

    def _centre(self, shared: DeviceMatrix | None) -> DeviceMatrix | None:
        """Take far offsets off the features; the intercept makes up for them."""
        if self.columns is not None:
            self.columns, self._centres = self.columns.centred()
        elif self.folds is not None:
            self.folds, self._centres = centre_folds(self.folds)
        elif shared is not None:
            shared, centre = shared.centred()
            self._centres = [centre] * len(self._centres)
        return shared

    def _fold_weights(self, splits: list | None = None, by_class: bool = True) -> FoldWeights:
        task = self.task
        return FoldWeights(
            len(task.target),
            self.splits if splits is None else splits,
            fit_weight=self.fit_weight,
            score_weight=self.score_weight,
            row_class=task.row_class,
            class_weight=task.class_weight if by_class else None,
            device=self.device,
        )

    def _make_rows(self, dtype: torch.dtype) -> Rows:
        if self.columns is not None:
            task = self.task
            base = make_rows(
                self.columns.placed, task.target, self.weights, task.fit_intercept, dtype
            )
            return AffineRows(base, self.columns.maps(self.used, self.device))
        if self.folds is None:
            return self.rows_with(self.weights, dtype)
        width = max(self._matrix_of(k).shape[1] for k in self.used)
        if self._can_be_stacked(width):
            return self._stacked(width, dtype)
        return FoldwiseRows(
            [self._rows_of_fold(k, width, dtype) for k in self.used],
            [torch.as_tensor(self._place(k), device=self.device) for k in self.used],
        )

    def _place(self, fold: int) -> np.ndarray:
        """Return where a split's own rows stand in the user's data."""
        assert self.folds is not None
        return np.concatenate([self.folds[fold].train, self.folds[fold].test])

    def _can_be_stacked(self, width: int) -> bool:
        task, folds = self.task, self.folds
        assert folds is not None
        if len(self.used) * len(task.target) * width > STACKED or task.transformed is not None:
            return False

        def once(k: int) -> bool:
            # A row that is trained on and tested on may have been transformed in two ways.
            place = self._place(k)
            return len(np.unique(place)) == len(place)

        dense = all(isinstance(folds[k].matrix, np.ndarray) for k in self.used)
        return dense and all(once(k) for k in self.used)

    def _stacked(self, width: int, dtype: torch.dtype) -> StackedRows:
        task, folds = self.task, self.folds
        assert folds is not None
        X = np.zeros((len(self.used), len(task.target), width))
        for part, k in zip(X, self.used, strict=True):
            matrix = self._matrix_of(k)
            part[self._place(k), : matrix.shape[1]] = matrix
        return StackedRows(
            torch.from_numpy(X).to(self.device),
            torch.as_tensor(np.ascontiguousarray(task.target), device=self.device),
            self.weights, task.fit_intercept, dtype,
        )  # fmt: skip

    def _rows_of_fold(self, fold: int, width: int, dtype: torch.dtype) -> Rows:
        """Return the rows of one split, in its own order."""
        assert self.folds is not None
        matrix = pad_features(_stored(self._matrix_of(fold), self.device), width)
        return make_rows(
            DeviceMatrix(matrix, self.device), self.target_of(fold), self.weights_of_fold(fold),
            self.task.fit_intercept, dtype,
        )  # fmt: skip

    def _factor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=self.device)


def _stored(matrix: Any, device: torch.device) -> Any:
    """Return a fold's matrix in the layout whose products are the fastest.

    One-hot columns that a transformer returned as a dense matrix are mostly zeros.
    """
    if device.type != "cpu" or not isinstance(matrix, np.ndarray):
        return matrix
    some = matrix[:: max(1, len(matrix) // _LOOK)]
    if np.count_nonzero(some) > _SPARSE * some.size:
        return matrix
    sparse = sp.csr_array(matrix)
    costs = PairCosts.of(sparse, fit_intercept=True)
    return sparse if costs.pays and sparse.nnz <= _SPARSE * matrix.size else matrix


def _usable_folds(
    task: Task, splits: list, weights: FoldWeights, fit_weight: np.ndarray | None
) -> list[int]:
    """Return the folds with training weight, and with some of it in every class."""
    used = [k for k in range(len(splits)) if weights.train_total[k] > 0]
    trains = [as_indices(train) for train, _ in splits]
    if task.both_sides:
        each = [task.target[trains[k]] for k in used]
        return [k for k, rows in zip(used, each, strict=True) if (rows.min(0) < rows.max(0)).all()]
    if task.classes is None or task.indicator is not None:
        return used
    row_class, count = task.row_class, len(task.classes)
    assert row_class is not None
    weight = None if fit_weight is None else np.asarray(fit_weight, float)

    def every_class(train: np.ndarray) -> bool:
        heavy = None if weight is None else weight[train]
        return bool((np.bincount(row_class[train], heavy, minlength=count) > 0).all())

    def found(train: np.ndarray) -> bool:
        # A few of many rows usually have all classes; otherwise all rows are searched.
        return every_class(train[:: len(train) // _LOOK_FOR_CLASSES + 1]) or every_class(train)

    return [k for k in used if found(trains[k])]
