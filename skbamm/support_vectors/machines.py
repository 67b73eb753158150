"""The machines that a fit of libsvm consists of: one, or one for each pair of classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

_AT_BOUND = 1e-7  # what a coefficient may lack of its bound, relative


@dataclass(frozen=True)
class Bounds:
    """What bounds the coefficients of a fit.

    Attributes
    ----------
    weight : ndarray of shape (n,)
        Factor of each training row's bound.
    C : float or None
        The bound of a row of weight one; None where nu decides, of NuSVC.
    nu : float or None
        Share of the sum of all bounds that the coefficients have, of NuSVC and NuSVR.
    row_class : ndarray of int of shape (n,), or None
        Each training row's class, of classifiers.
    """

    weight: np.ndarray
    C: float | None
    nu: float | None = None
    row_class: np.ndarray | None = None


@dataclass(frozen=True)
class Machine:
    """A function ``f(x) = sum_i beta_i k(x_i, x) + b`` of one fit.

    Attributes
    ----------
    rows : ndarray of int of shape (s,)
        Its support vectors, among the training rows.
    beta : ndarray of shape (s,)
        Their coefficients.
    intercept : float
        b.
    C : float
        The bound of a coefficient whose row has a weight of one.
    bounded : ndarray of bool of shape (s,)
        Which coefficients are at their bounds.
    total : float
        Sum of the weights of its training rows.
    classes : tuple of two int, or None
        The class where f is above zero, and the other one.
    """

    rows: np.ndarray
    beta: np.ndarray
    intercept: float
    C: float
    bounded: np.ndarray
    total: float
    classes: tuple[int, int] | None = None


@dataclass(frozen=True)
class Edges:
    """The two rows between which libsvm puts b where no coefficient is free.

    Attributes
    ----------
    places : ndarray of int of shape (2,)
        Among the machine's rows, to which they were added with coefficients of zero.
    signs : ndarray of shape (2,)
        1 for a row whose target is above f by epsilon, -1 for one below.
    """

    places: np.ndarray
    signs: np.ndarray


def with_edges(
    machine: Machine,
    kernel: np.ndarray,
    rows: np.ndarray,
    target: np.ndarray,
    epsilon: float | None,
) -> tuple[Machine, Edges | None]:
    """Return a machine and its edges; None where some coefficient is free.

    Parameters
    ----------
    machine : Machine
    kernel : ndarray of shape (n, n)
        Of all training rows.
    rows : ndarray of int of shape (r,)
        The training rows of the machine's classes.
    target : ndarray of shape (r,)
        Their targets, or 1 and -1.
    epsilon : float or None
        None of classifiers.
    """
    if not machine.bounded.all():
        return machine, None
    beta = np.zeros(len(kernel))
    np.add.at(beta, machine.rows, machine.beta)
    beta, b = beta[rows], target - kernel[np.ix_(rows, machine.rows)] @ machine.beta
    if epsilon is None:
        least = np.where((target > 0) == (beta == 0), b, -np.inf)
        most = np.where((target > 0) != (beta == 0), b, np.inf)
        ends, signs = (least.argmax(), most.argmin()), np.zeros(2)
    else:
        low = np.where(beta > 0, -np.inf, b + np.where(beta < 0, epsilon, -epsilon))
        high = np.where(beta < 0, np.inf, b + np.where(beta > 0, -epsilon, epsilon))
        ends = low.argmax(), high.argmin()
        signs = np.array([-1.0 if beta[ends[0]] < 0 else 1.0, 1.0 if beta[ends[1]] > 0 else -1.0])
    n, added = len(machine.rows), rows[list(ends)]
    wider = replace(
        machine,
        rows=np.concatenate([machine.rows, added]),
        beta=np.concatenate([machine.beta, np.zeros(2)]),
        bounded=np.concatenate([machine.bounded, [True, True]]),
    )
    return wider, Edges(np.array([n, n + 1]), signs)


def machines_of(model: Any, bounds: Bounds) -> list[Machine]:
    """Return the machines of a model of ``sklearn.svm`` that was fitted on dense rows."""
    rows, coef = model.support_, model.dual_coef_
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) == 2:
        pair = None if classes is None else (1, 0)
        return [_machine(rows, coef[0], model.intercept_[0], bounds, pair)]
    ends = np.concatenate([[0], np.cumsum(model.n_support_)])
    found = []
    for at, (i, j) in enumerate(combinations(range(len(classes)), 2)):
        of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        mine = np.concatenate([rows[of_i], rows[of_j]])
        beta = np.concatenate([coef[j - 1, of_i], coef[i, of_j]])
        found.append(_machine(mine, beta, model.intercept_[at], bounds, (i, j)))
    return found


def _machine(rows, beta, intercept, bounds: Bounds, pair) -> Machine:
    used = beta != 0
    rows, beta = rows[used], beta[used]
    weight = bounds.weight
    if pair is not None and bounds.row_class is not None:
        weight = weight[np.isin(bounds.row_class, pair)]
    total, size = float(weight.sum()), np.abs(beta)
    C = bounds.C
    if C is None:  # of the form in which free rows have decisions of 1 and -1
        assert bounds.nu is not None
        C = float(size.sum()) / (bounds.nu * total)
    bounded = size >= (1 - _AT_BOUND) * C * bounds.weight[rows]
    return Machine(rows, beta, float(intercept), C, bounded, total, pair)
