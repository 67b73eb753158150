"""Twins: differentiable stand-ins for scikit-learn estimators.

A twin states which estimators it stands for, which losses and penalties they minimise, and how a
solution becomes a fitted estimator.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator

from skbamm._sklearn_compat import (
    check_feature_names,
    check_n_features,
    class_weights,
    make_constraint,
)
from skbamm.feature_penalty import FeaturePenalty
from skbamm.glm import MeanLoss
from skbamm.glm.penalties import AbsoluteValues, Penalty
from skbamm.hyperparameter import Hyperparameter
from skbamm.kernels.kernel import Kernel, Precomputed
from skbamm.losses import Inverse, PointwiseLoss

# Width of kinks while a penalty is searched, relative to the target's mean absolute deviation.
_WIDTH = 0.1
_SPAN = 1 << 16  # range of whole numbers up to which classes are looked up in a table


class NotApplicable(Exception):
    """The data do not meet a twin's preconditions; scikit-learn's own fits, or errors, follow."""


class SeenTarget(Protocol):
    """A target in the user's units, and as the models of each split see it."""

    @property
    def y(self) -> np.ndarray:
        """The user's, (n,)."""
        ...

    @property
    def transformers(self) -> tuple[Any, ...]:
        """Fitted on each split's training rows."""
        ...

    @property
    def shared(self) -> bool:
        """Whether all splits share the transformed target."""
        ...

    def of_split(self, k: int) -> np.ndarray:
        """Return the target of a split's models, (n,)."""
        ...

    def inverses(self, splits: list[int]) -> list[Inverse]:
        """Return the maps to the user's units: one, or one for each of these splits."""
        ...

    def for_export(self, k: int) -> SeenTarget:
        """Return the extra data for the export of a split's model."""
        ...


@dataclass(frozen=True)
class Task:
    """A twin's reading of an estimator and its target: the loss to minimise, on which numbers.

    Attributes
    ----------
    target : ndarray of shape (n,) or (n, m)
        Numbers that ``loss`` understands.
    loss : PointwiseLoss
    fit_intercept : bool
    classes : ndarray or None
        Sorted labels of a classifier.
    row_class : ndarray of int of shape (n,) or None
        Index into ``classes`` of each row.
    class_weight : callable or None
        Maps the training rows of a fold, with repeats, to a weight for each class.
    sides : callable or None
        Maps the same to factors (2, m) of each output's rows against it, and for it.
    indicator : array or CSR matrix of shape (1, m), or None
        One row of a target that has several labels a row, in the form that the user gave it.
    both_sides : bool
        Whether a fold must have rows for each of these labels, and against it.
    intercept_penalty : float
        Factor of ``b^2 / 2`` relative to that of ``||w||^2 / 2``; 0 leaves the intercept free. Its
        root is the factor of ``|b|`` relative to that of the sum of ``|w|``.
    solver : str
        The solver that the estimator's own fit would name.
    criterion : str
        The upper-level loss that "auto" means where the scorer has no better one.
    criteria : tuple of str
        Those that go with the loss.
    transformed : TransformedTarget or None
        Where the user's target is another than the model's: how each fold's models see it.
    """

    target: np.ndarray
    loss: PointwiseLoss
    fit_intercept: bool
    criterion: str
    criteria: tuple[str, ...]
    classes: np.ndarray | None = None
    row_class: np.ndarray | None = None
    class_weight: Callable[[np.ndarray], np.ndarray] | None = None
    sides: Callable[[np.ndarray], np.ndarray] | None = None
    indicator: Any = None
    both_sides: bool = False
    intercept_penalty: float = 0.0
    solver: str = ""
    transformed: SeenTarget | None = None

    def target_of(self, split: int) -> np.ndarray:
        """Return the target of a split's models."""
        return self.target if self.transformed is None else self.transformed.of_split(split)

    def without_rows(self, split: int = 0) -> Task:
        """Return what the export of a split's model needs, which travels with it."""
        seen = None if self.transformed is None else self.transformed.for_export(split)
        return replace(
            self, target=self.target[:1], row_class=None, class_weight=None, sides=None,
            transformed=seen,
        )  # fmt: skip

    def in_folds(self, training_rows: list[np.ndarray]) -> Task:
        """Return the task with the loss of these folds, if that depends on their rows."""
        if self.sides is None:
            return self
        loss: Any = self.loss
        sides = np.stack([self.sides(rows) for rows in training_rows], -1)
        return replace(self, loss=loss.weighted(torch.as_tensor(sides)))


class Factors(NamedTuple):
    """The strengths of a penalty: factors of ``||w||^2 / 2`` and of the twin's ``kinks``.

    The kinks are the sum of ``|w|`` unless the twin states another penalty. Their factor is None
    where it is zero for all hyperparameters.
    """

    squares: Any
    absolutes: Any = None


TrainingRows = Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]

ALPHA, C = Hyperparameter("alpha"), Hyperparameter("C", positive=True)
L1_RATIO = Hyperparameter("l1_ratio", high=1.0)
# Solvers of generalised linear models that take absolute values in the penalty, from scikit-learn
# 1.10 on; the first is for two classes only.
PROXIMAL_NEWTON = ("newton-cd", "newton-cd-gram")


class Twin(ABC):
    """A model whose hyperparameters can be searched.

    Attributes
    ----------
    estimator_type : type
        The exact class it stands for; subclasses may do anything and are not matched.
    family : str
        The search's solver for it: "linear", "kernel", or what ``register_family``
        added.
    hyperparameters : tuple of Hyperparameter
        What can be tuned.
    warm_starts : bool
        Whether the estimator's own fit can begin at a solution, by ``warm_start``, and ends at
        once where no entry of the gradient is larger than ``tol``.
    finds_minima : bool
        Whether the estimator's own fit ends at the minimum, to rounding. A minimum that follows
        from second moments then replaces that fit.
    path_parameters : tuple of str
        Parameters on which the estimator's own fit depends and its minimum does not. Where a list
        compares their values, scores are those of own fits.
    judges_labels : bool
        Whether its predictors give the likelihood of a label: log-odds, or a target with even
        noise.
    inside : str
        Prefix of its parameters' names in the estimator: "" unless that is a meta-estimator around
        the model.
    own_lists_below, own_scores_below : int
        Rows below which the estimator's own fits solve a loss with kinks faster than
        exact joint ones: a list's values, and what an interval's search has found.
    transforms_target : bool
        Whether the model's target is not the user's; then ``transformed`` returns it.
    loss_parameter : Hyperparameter or None
        A parameter of the loss that an interval can be searched for; the task's loss is a
        ``ParametricLoss`` then. Lists of its values are enumerated.
    solves_lists : bool
        Whether lists of what it tunes are solved jointly; otherwise they are enumerated.
    """

    estimator_type: type
    family: str
    hyperparameters: tuple[Hyperparameter, ...]
    warm_starts: bool = False
    finds_minima: bool = False
    path_parameters: tuple[str, ...] = ()
    judges_labels: bool = False
    inside: str = ""
    own_lists_below: int = 0
    own_scores_below: int = 0
    transforms_target: bool = False
    loss_parameter: Hyperparameter | None = None
    solves_lists: bool = True

    @abstractmethod
    def mismatch(self, estimator: Any) -> str:
        """Return why this twin does not stand for an estimator of its type; "" if it does."""

    def for_estimator(self, estimator: Any) -> Twin:
        """Return the twin of an estimator with its parameters, for which ``mismatch`` is empty.

        It is this twin itself, unless parameters that are not tuned shape the penalty.
        """
        return self

    def model(self, estimator: Any) -> Any:
        """Return the owner of the tuned parameters: the estimator, or the model inside."""
        return estimator

    def fitted(self, estimator: Any) -> Any:
        """Return the owner of the fitted coefficients: the estimator, or the model inside."""
        return estimator

    def wrapped(self, estimator: Any) -> Any:
        """Return what a meta-estimator fits, if that may be a pipeline around the model."""
        return None

    def transformed(self, estimator: Any, y: Any, splits: list) -> SeenTarget:
        """Return the TransformedTarget of each split, which ``task`` gets in place of y."""
        raise NotImplementedError

    @abstractmethod
    def task(self, estimator: Any, y: Any, weight: np.ndarray | None, sparse: bool) -> Task:
        """Return the loss to minimise, or raise NotApplicable.

        ``weight`` holds the sample weights; ``sparse`` says whether X is sparse.
        """

    def tunes(self, estimator: Any) -> tuple[Hyperparameter, ...]:
        """Return the parameters of an estimator that can be tuned with its other settings."""
        return self.hyperparameters

    def takes_kernels(self, estimator: Any) -> bool:
        """Whether the rows that an estimator is given are those of a kernel."""
        return False

    def enables(self, name: str) -> str:
        """Return the setting that allows tuning a parameter that ``tunes`` leaves out."""
        return ""

    @abstractmethod
    def export(self, estimator: Any, task: Task, *solution: Any) -> None:
        """Give ``estimator`` the attributes that its own fit would have given it.

        The family defines what a solution is.
        """

    def remember(self, estimator: Any, features: dict[str, Any], transformers: Any) -> None:
        """Give an exported estimator the attributes in which a fit remembers its features.

        ``transformers`` is a pipeline of the fitted ones before the model, or None. A pipeline
        around the estimator has them already.
        """
        vars(estimator).update(features)


class LinearTwin(Twin):
    """A linear model with a penalty of squares, and perhaps one with kinks.

    The first of its hyperparameters scales the whole penalty.

    Attributes
    ----------
    inverse : bool
        Whether a larger value of the first means a weaker penalty.
    mean_loss : bool or "rows"
        Whether the penalty is added to the weighted mean of the losses instead of their sum; with
        "rows", to their weighted sum divided by the number of rows, whatever the weights.
    kinks : type
        The penalty that the second of the factors multiplies: ``GroupNorms`` for norms of all
        outputs' coefficients of a feature, ``NonNegative`` where no coefficient may be negative.
    """

    family = "linear"
    hyperparameters: tuple[Hyperparameter, ...] = (ALPHA,)
    inverse: bool = False
    mean_loss: MeanLoss = False
    kinks: type[Penalty] = AbsoluteValues

    @abstractmethod
    def penalty(self, values: dict[str, Any]) -> Factors:
        """Return the penalty, by operations that torch can differentiate.

        ``values`` has a number, or a tensor where it is tuned, for each hyperparameter.
        """

    def reaches(self, coef: np.ndarray) -> bool:
        """Whether the estimator's own fit comes to this solution (m, p), as it is set."""
        return True

    def feature_penalty(self, estimator: Any) -> FeaturePenalty | None:
        """Return the ``FeaturePenalty`` that is around the model, or None."""
        return None

    def read(self, estimator: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients (m, d) and intercepts (m,) of a fitted estimator."""
        fitted = self.fitted(estimator)
        each = getattr(fitted, "estimators_", [fitted])
        coefs, intercepts = zip(*((one.coef_, one.intercept_) for one in each), strict=True)
        return (
            np.concatenate([np.atleast_2d(coef) for coef in coefs]),
            np.concatenate([np.atleast_1d(intercept) for intercept in intercepts]),
        )

    def statistics(self, task: Task, training_rows: TrainingRows) -> tuple[Any, ...]:
        """Return what else the export takes, of a fold's training rows as its model sees them.

        ``training_rows`` returns predictions (n, m), targets and weights, in the fold's order.
        """
        return ()

    @abstractmethod
    def export(
        self,
        estimator: Any,
        task: Task,
        coef: np.ndarray,
        intercept: np.ndarray | float,
        *statistics: Any,
    ) -> None:
        """See ``Twin.export``; ``coef`` has shape (m, d), ``intercept`` shape (m,) or is 0.0."""


class KernelTwin(Twin):
    """A model of the kernel's values between rows."""

    family = "kernel"

    @abstractmethod
    def kernel(self, estimator: Any) -> Kernel:
        """Return the estimator's kernel."""

    def takes_kernels(self, estimator):
        """See ``Twin.takes_kernels``."""
        return isinstance(self.kernel(estimator), Precomputed)

    @abstractmethod
    def export(self, estimator: Any, task: Task, dual_coef: np.ndarray, rows: Any) -> None:
        """See ``Twin.export``.

        ``dual_coef`` has shape (m, n) and ``rows`` are the n training rows, (n, d).
        """


def has_solver(estimator: BaseEstimator, solver: Any) -> bool:
    """Whether the version of scikit-learn that is installed has this solver for an estimator."""
    known = estimator._parameter_constraints.get("solver", [])
    return any(make_constraint(one).is_satisfied_by(solver) for one in known)


def remember_features(estimator: BaseEstimator, X: Any) -> None:
    """Set ``n_features_in_`` and ``feature_names_in_`` as a fit on ``X`` does."""
    check_n_features(estimator, X, reset=True)
    check_feature_names(estimator, X, reset=True)


def balanced_or_given(
    class_weight: Any, classes: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of training rows that computes class weights as scikit-learn does."""

    def of_rows(rows):
        own = None if weight is None else weight[rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return class_weights(class_weight, classes, y[rows], own)
            except ValueError as error:
                raise NotApplicable(str(error)) from None

    return of_rows


def own_side(
    class_weight: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Return factors of the rows that are of an output's own class; the others count as one."""

    def of_rows(rows):
        own = class_weight(rows)
        return np.stack([np.ones_like(own), own])

    return of_rows


def class_indices(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of a one-dimensional target and each row's index, or NotApplicable."""
    from sklearn.utils.multiclass import type_of_target

    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]  # the estimator's own fit, at the latest the refit, warns of it
    # The distinct values of whole numbers suffice.
    whole = y.ndim == 1 and y.dtype.kind in "iub"
    classes, index = _whole_classes(y) if whole else (None, None)
    try:
        kind = type_of_target(classes if whole else y)
    except (TypeError, ValueError) as error:
        raise NotApplicable(f"the target is not a vector of class labels: {error}") from None
    if y.ndim != 1 or kind not in ("binary", "multiclass"):
        raise NotApplicable("the target is not a vector of class labels")
    if classes is None:
        classes = np.unique(y)
    if len(classes) < 2:
        raise NotApplicable("the target has fewer than two classes")
    # Sooner than sorting all rows.
    return classes, np.searchsorted(classes, y) if index is None else index


def _whole_classes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the classes, and where they are few and close each row's index, by a table."""
    if not y.size or int(y.max()) - int(y.min()) > _SPAN:
        return np.unique(y), None
    low, place = int(y.min()), y.astype(np.int64)
    if low:
        place -= low
    seen = np.bincount(place) > 0
    classes = (np.flatnonzero(seen) + low).astype(y.dtype)
    return classes, place if seen.all() else (np.cumsum(seen) - 1)[place]


def label_indicators(y: Any) -> tuple[np.ndarray, Any] | None:
    """Return which labels each row has, (n, m), and one row in the form that was given.

    None is returned of a target that is not an indicator of several labels.
    """
    from sklearn.utils.multiclass import type_of_target

    given: Any = y if sp.issparse(y) else np.asarray(y)
    if given.ndim != 2 or given.shape[1] < 2 or type_of_target(given) != "multilabel-indicator":
        return None
    matrix = given.tocsr() if sp.issparse(given) else given
    dense = matrix.toarray() if sp.issparse(matrix) else matrix
    return dense != 0, matrix[:1]


def numeric_target(y: Any, *, vector: bool = False, text: bool = True) -> np.ndarray:
    """Return a target of one or two dimensions as float64, or NotApplicable.

    Objects are converted as estimators do, decimals and the text of numbers among them; ``vector``
    makes a vector of one column. ``text`` says whether the estimator takes arrays of strings.
    """
    target = np.asarray(y)
    if vector and target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]  # the estimator's own fit, at the latest the refit, warns of it
    if vector and target.ndim != 1:
        raise NotApplicable("the target is not a vector")
    kinds = "iufbOUS" if text else "iufbO"
    if target.ndim not in (1, 2) or target.dtype.kind not in kinds or not target.size:
        raise NotApplicable("the target is not numeric")
    try:
        target = target.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise NotApplicable(f"the target is not numeric: {error}") from None
    if not np.isfinite(target).all():
        raise NotApplicable("the target is not finite")
    return target


def kink_width(target: np.ndarray) -> float:
    """Return the width of the kinks of errors while hyperparameters are searched."""
    return _WIDTH * (float(np.abs(target - np.median(target)).mean()) or 1.0)
