"""How likely each given label is right, from predictions of models that did not see the row.

Raw probabilities of a penalised model that was trained on wrong labels say too little: they are
flat, and they imitate the noise. So their slope and the noise are fitted together, by maximum
likelihood, and Bayes' rule gives the probability that a label is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skbamm.folds import draw_rows
from skbamm.losses import NoisyLabelLoss, OutlierLoss, UpperLoss

_PRIOR = 20.0  # prior rows of each class with even noise
# Classes are assumed to be separable: nats a row that the likelihood may lose for a
# slope e times as steep. Without it little data with much noise looks like vague classes.
_SURE = 0.003
_MAX_ITER, _TOL = 100, 1e-7
_FLOOR = 1e-12
_ENOUGH, _MANY = 10_000, 16_000  # rows that slope and noise are fitted to, where there are more
_WIDE = 3.0  # least ratio of the spreads of wrong and right targets


@dataclass
class Quality:
    """What is known of the given labels.

    Attributes
    ----------
    right : Tensor of shape (n,), float64
        Probability that the given label is right.
    rate : float
        Estimated share of wrong labels.
    loss : UpperLoss
        Log loss of labels with this noise.
    slope : float
        Of the predictors.
    shares : Tensor of shape (n_classes,) or None
        Estimated shares of the true classes.
    noise : Tensor or None
        As fitted to rows with factors.
    z : Tensor of shape (n, n_classes) or None
        The predictors that it was made of.
    """

    right: Tensor
    rate: float
    loss: UpperLoss
    slope: float = 1.0
    shares: Tensor | None = None
    noise: Tensor | None = None
    z: Tensor | None = None


def label_quality(
    z: Tensor,
    label: Tensor,
    weight: Tensor,
    trusted: Tensor | None = None,
    before: Quality | None = None,
    factor: Tensor | None = None,
) -> Quality:
    """Probability that a class label is right.

    The true class has the probabilities ``softmax(b z)``, and class k is written down as j with
    the probability T_kj. The slope b and T are fitted by EM, as in Dawid & Skene, "Maximum
    likelihood estimation of observer error-rates using the EM algorithm", 1979; each row of T is
    drawn towards noise that is the same for all classes.

    Parameters
    ----------
    z : Tensor of shape (n, m), float64
        Predictors of models that did not see the row: one log-odds (m = 1) or one of each class.
    label : Tensor of int of shape (n,)
    weight : Tensor of shape (n,)
        How much each row counts.
    trusted : Tensor of bool of shape (n,), optional
        Rows whose labels are right.
    before : Quality, optional
        An earlier judgement to begin with, where there are many rows. Few rows may have several
        optima, and would keep to the one of models that knew less.
    factor : Tensor of shape (n_classes,), optional
        What a row of each given class counts for, in the models' training as well; ones by default.
        It changes neither what a row's true class is likely to be nor, for two classes of equal
        count, where both are equally likely, whatever part of each is wrong.
    """
    outputs = z.shape[1]
    if outputs == 1:
        z = torch.cat([-0.5 * z, 0.5 * z], 1)
    z = z - z.amax(1, keepdim=True)
    sure = torch.zeros(len(z), dtype=torch.bool, device=z.device) if trusted is None else trusted
    begin = before if len(z) > _MANY else None
    count = weight if factor is None else weight * factor[label]
    slope, noise, rate = _fit_noise(begin, *_some(z, label, count, sure))
    joint = torch.softmax(slope * z, 1) * noise[:, label].T
    true = joint / joint.sum(1, keepdim=True).clamp_min(_FLOOR)
    right = torch.where(sure, 1.0, true.gather(1, label[:, None])[:, 0])
    hot = torch.nn.functional.one_hot(label, z.shape[1]).to(z.dtype)
    shares = weight @ torch.where(sure[:, None], hot, true)
    return Quality(
        right, max(rate, 0.0), NoisyLabelLoss(outputs, _as_recorded(noise, factor)), slope,
        shares / shares.sum(), noise, z,
    )  # fmt: skip


class Likelihoods(NamedTuple):
    """Log likelihoods of labels that are chance, right, or recorded with noise."""

    chance: float
    right: float
    noisy: float

    @property
    def without_noise(self) -> float:
        """Where labels are right, or say nothing of the features."""
        return max(self.right, self.chance)

    @property
    def with_noise(self) -> float:
        """Where they are recorded with noise, or say nothing of the features."""
        return max(self.noisy, self.chance)


def log_likelihoods(z: Tensor, label: Tensor, count: Tensor) -> Likelihoods:
    """Return the log likelihoods of labels, given predictors of models that did not see them.

    Where they are right or noisy, the slope is fitted as in ``label_quality``.

    Parameters
    ----------
    z, label
        As for ``label_quality``.
    count : Tensor of shape (n,)
        How much each row counts.
    """
    if z.shape[1] == 1:
        z = torch.cat([-0.5 * z, 0.5 * z], 1)
    z = z - z.amax(1, keepdim=True)
    whole = float(count.sum())
    z, label, count = _some(z, label, count)
    classes, scale = z.shape[1], whole / max(float(count.sum()), _FLOOR)
    rows, slope = _Rows.of(z, label, count), 1.0
    for _ in range(_MAX_ITER):
        flatter, slope = slope, rows.slope(rows.hot, slope, rows.softmax(slope))
        if abs(slope / flatter - 1) < 1e-4:
            break
    own = torch.log_softmax(slope * z, 1).gather(1, label[:, None])[:, 0]
    nobody = torch.zeros(len(label), dtype=torch.bool, device=z.device)
    slope, noise, _ = _fit_noise(None, z, label, count, nobody)
    given = (torch.softmax(slope * z, 1) * noise[:, label].T).sum(1).clamp_min(_FLOOR)
    chance = -math.log(classes) * whole
    return Likelihoods(chance, scale * float(count @ own), scale * float(count @ given.log()))


def _as_recorded(noise: Tensor, factor: Tensor | None) -> Tensor:
    """Return how often each class is recorded as another, without the factors of given classes."""
    if factor is None:
        return noise
    noise = noise / factor
    return noise / noise.sum(1, keepdim=True)


def _some(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Return enough rows, spread at random, to fit a few numbers to."""
    n = len(arrays[0])
    if n <= _MANY:
        return arrays
    index = torch.as_tensor(draw_rows(n, _ENOUGH), device=arrays[0].device)
    return tuple(array[index] for array in arrays)


def _fit_noise(
    before: Quality | None, z: Tensor, label: Tensor, weight: Tensor, sure: Tensor
) -> tuple[float, Tensor, float]:
    """Return the slope, the noise and the share of wrong labels by EM."""
    rows = _Rows.of(z, label, weight)
    doubtful = (rows.weight * ~_host(sure, weight))[:, None]
    mass = max(float(doubtful.sum()), _FLOOR)
    known = doubtful[:, 0] < rows.weight
    m = rows.z.shape[1]
    same = np.eye(m)
    even = (1 - same) / (m - 1)
    slope, rate = 1.0, 0.2
    noise = (1 - rate) * same + rate * even
    if before is not None and before.noise is not None:
        slope, noise = before.slope, before.noise.cpu().numpy()
    for _ in range(_MAX_ITER):
        p = rows.softmax(slope)
        joint = p * noise.T[rows.label]
        true = joint / np.maximum(joint.sum(1, keepdims=True), _FLOOR)
        true[known] = rows.hot[known]
        counts = (true * doubtful).T @ rows.hot
        # Not 1 - the diagonal's share: that rounds to less than nothing, or to 1 without rows.
        rate = float((counts * (1 - same)).sum() / mass)
        last = noise
        noise = counts + _PRIOR * ((1 - rate) * same + rate * even)
        noise = noise / noise.sum(1, keepdims=True)
        flatter, slope = slope, rows.slope(true, slope, p, _SURE)
        if abs(slope / flatter - 1) < 1e-3 and float(np.abs(noise - last).max()) < 1e-4:
            break
    return slope, torch.as_tensor(noise, dtype=z.dtype, device=z.device), rate


class _Rows(NamedTuple):
    """Rows that count, as NumPy's arrays: there are few numbers, and many small steps."""

    z: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    hot: np.ndarray

    @classmethod
    def of(cls, z: Tensor, label: Tensor, weight: Tensor) -> _Rows:
        z_there, label_there = _host(z, weight), _host(label, weight)
        hot = np.eye(z_there.shape[1])[label_there]
        return cls(z_there, label_there, _host(weight, weight), hot)

    def softmax(self, slope: float) -> np.ndarray:
        """Return the classes' probabilities; no z is above zero."""
        e = np.exp(slope * self.z)
        return e / e.sum(1, keepdims=True)

    def slope(self, true: np.ndarray, slope: float, p: np.ndarray, sure: float = 0.0) -> float:
        """One safeguarded Newton step in log b for the likelihood of the true classes.

        They have the probabilities ``true``, and p at the slope b.
        """
        weight = self.weight[:, None]
        away = self.z - (p * self.z).sum(1, keepdims=True)
        gradient = slope * float((weight * (true - p) * self.z).sum())
        gradient += sure * float(self.weight.sum())
        bend = slope**2 * float((weight * p * away * away).sum()) - min(gradient, 0.0)
        step = gradient / max(bend, _FLOOR)
        return min(max(slope * math.exp(min(max(step, -0.5), 0.5)), 1e-3), 1e3)


def _host(values: Tensor, weight: Tensor) -> np.ndarray:
    """Return the values of the rows that count."""
    return values[weight > 0].cpu().numpy()


def target_quality(
    residual: Tensor, weight: Tensor, trusted: Tensor | None = None, rounding: float = 0.0
) -> Quality:
    """Probability that a target is not an outlier.

    Residuals of models that did not see the row are normal with spread s, or, where the target
    is wrong, with a spread at least three times as large; both and the share of wrong ones are
    fitted by EM.

    Parameters
    ----------
    residual : Tensor of shape (n,), float64
    weight, trusted
        As for ``label_quality``.
    rounding : float
        Residuals of this size say nothing: s is no smaller.
    """
    sure = torch.zeros_like(residual, dtype=torch.bool) if trusted is None else trusted
    square = residual * residual
    # Half of all residuals are within .67 s: that does not see the outliers.
    least = rounding**2
    narrow = max(float(square.median()) / 0.6745**2, least) or float(square.mean()) or 1.0
    wide, rate = max(float(square.mean()), _WIDE**2 * narrow), 0.1
    before = -torch.inf
    mass = (weight * ~sure).sum().clamp_min(_FLOOR)
    for _ in range(_MAX_ITER):
        good = (1 - rate) * torch.exp(-0.5 * square / narrow) / narrow**0.5
        bad = rate * torch.exp(-0.5 * square / wide) / wide**0.5
        total = (good + bad).clamp_min(_FLOOR**8)
        right = torch.where(sure, 1.0, good / total)
        value = float((weight * total.log()).sum() / weight.sum())
        if value - before < _TOL:
            break
        before = value
        kept, left = weight * right, weight * (1 - right)
        narrow = max(float((kept * square).sum() / kept.sum().clamp_min(_FLOOR)), least) or narrow
        wide = float((left * square).sum() / left.sum().clamp_min(_FLOOR))
        wide = max(wide, _WIDE**2 * narrow)
        rate = min(max(float(left.sum() / mass), 1e-6), 0.5)
    return Quality(right, rate, OutlierLoss(narrow**0.5, wide**0.5, rate))
