"""How decisions of a support vector machine change with its hyperparameters.

Where C, nu, epsilon or the kernel changes a little, coefficients at a bound stay there, those that
are zero stay zero, and the others, the free ones F, keep their rows on the margin::

    K_FF beta_F + K_FB beta_B + b = z_F - epsilon s_F,     sum(beta) = 0

with z the targets, or 1 and -1, s the signs of beta and B the rows at their bounds. So beta_F and
b follow from a linear system, and one more solve of it, for the gradient of a loss of decisions,
gives the derivative in every hyperparameter (Chapelle, Vapnik, Bousquet & Mukherjee, "Choosing
multiple parameters for support vector machines", 2002; Keerthi, Sindhwani & Chapelle, "An
efficient method for gradient-based adaptation of hyperparameters in SVM models", 2006).

nu adds an equation, that the sizes of all coefficients sum to a given number, and an unknown: C of
NuSVC, in whose scaled form decisions of free rows are 1 and -1, and epsilon of NuSVR.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg

from skbamm.support_vectors.machines import Edges, Machine

_RIDGE = 1e-12  # of the kernel's diagonal: equal rows make it singular


def hypergradient(
    machine: Machine,
    nu: float,
    unknown: str,
    kernel: np.ndarray,
    held_out: np.ndarray,
    gradient: np.ndarray,
    names: Sequence[str],
    slopes: Callable[[str], tuple[np.ndarray, np.ndarray]],
    edges: Edges | None = None,
) -> list[float]:
    """Return the derivatives of a loss of held-out decisions in hyperparameters.

    Parameters
    ----------
    machine : Machine
        With s support vectors.
    nu : float
        Anything where there is none.
    unknown : str
        What nu makes an unknown: "C", "epsilon", or "" where there is no nu.
    kernel : ndarray of shape (s, s)
        Of the support vectors.
    held_out : ndarray of shape (v, s)
        Of held-out rows to them.
    gradient : ndarray of shape (v,)
        Of the loss in their decisions.
    names : sequence of str
        "C", "epsilon", "nu", or parameters of the kernel.
    slopes : callable
        Maps such a parameter to the derivatives of the two kernels.
    edges : Edges or None
        Of a machine without free coefficients.
    """
    beta = machine.beta
    per_C = np.where(machine.bounded, beta / machine.C, 0.0)
    total = float(gradient.sum())
    through = held_out.T @ gradient  # of each coefficient
    signs, last = np.sign(beta), np.zeros(2)
    if edges is None:
        on_free, last = _adjoint(machine, nu, unknown, kernel, per_C, through, total)
    else:
        on_free = np.zeros_like(beta)
        np.add.at(on_free, edges.places, total / 2)
    found = []
    for name in names:
        if name == "C" and unknown != "C":
            slope = through @ per_C - on_free @ (kernel @ per_C) - last[0] * per_C.sum()
            if unknown == "epsilon":
                slope += last[1] * (nu * machine.total - np.abs(per_C).sum())
        elif name == "epsilon":
            on_margin = signs if edges is None else edges.signs
            slope = -(on_free if edges is None else total / 2) * on_margin
            slope = slope.sum()
        elif name == "nu":
            slope = last[1] * machine.total * machine.C
        else:
            inside, outside = slopes(name)
            slope = gradient @ (outside @ beta) - on_free @ (inside @ beta)
        found.append(float(slope))
    return found


def _adjoint(machine, nu, unknown, kernel, per_C, through, total) -> tuple[np.ndarray, np.ndarray]:
    """Return the solution of the transposed system: for each row, and for the sums."""
    free = np.flatnonzero(~machine.bounded)
    m, sums = len(free), 2 if unknown else 1
    signs = np.sign(machine.beta)
    system = np.zeros((m + sums, m + sums))
    system[:m, :m] = kernel[np.ix_(free, free)]
    system[range(m), range(m)] += _RIDGE * max(float(np.abs(np.diag(kernel)).max()), 1e-300)
    system[:m, m] = system[m, :m] = 1
    right = np.concatenate([through[free], [total], np.zeros(sums - 1)])
    if unknown:
        system[m + 1, :m] = signs[free]
        if unknown == "C":
            system[:m, m + 1] = (kernel @ per_C)[free]
            system[m, m + 1] = per_C.sum()
            system[m + 1, m + 1] = np.abs(per_C).sum() - nu * machine.total
            right[m + 1] = through @ per_C
        else:
            system[:m, m + 1] = signs[free]
    try:
        with warnings.catch_warnings():  # of its condition: a direction need not be exact
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            solved = scipy.linalg.solve(
                system.T, right, assume_a="gen" if unknown else "sym", check_finite=False
            )
    except scipy.linalg.LinAlgError:
        solved = np.linalg.lstsq(system.T, right, rcond=None)[0]
    on_free = np.zeros(len(machine.beta))
    on_free[free] = solved[:m]
    return on_free, np.concatenate([solved[m:], np.zeros(2 - sums)])
