"""SampleWeights: the settings by which BAMMSearchCV learns sample weights."""

from __future__ import annotations

from itertools import product
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import PredefinedSplit

KINDS = ("free", "groups", "score")


class SampleWeights(BaseEstimator):
    """Learn the weights of the training rows, which shows wrong labels.

    Pass it to :class:`BAMMSearchCV` as ``sample_weights``. Models judge rows that they did not
    see; the weights are upper-level variables of the search, together with the penalty.

    Parameters
    ----------
    kind : {"free", "groups", "score"} or list of these, default="free"
        One weight for each row; one weight for each group of rows, with ``groups`` given to fit
        (annotators, sources, domains); or a sigmoid, with two parameters, of the out-of-fold
        margin, the most stable with few rows. From a list, held-out rows select one.
    prior : float or list of float, default=0.15
        Expected errors on held-out rows that the removal of one row must save; the larger,
        the more rows are kept. For regression, in units of the bounded squared error.
    trusted : array-like of bool of shape (n_samples,) or PredefinedSplit, default=None
        Rows whose labels are certain; with a PredefinedSplit, those that it validates on. They
        have the most weight of their class, and only they are scored. With a ``criterion`` other
        than "auto" only they validate the weights as well; the bounded one of "auto" uses all
        held-out rows.
    proxy : estimator, default=None
        Model to learn the weights with: LogisticRegression or Ridge, alone or as the last step of
        a pipeline. By default the estimator itself; other estimators, such as trees, need one.
    proxy_grid : dict, default=None
        Interval of the proxy's penalty, such as ``{"C": (1e-3, 1e2)}``; by default its own value.
    refit_on_trusted : bool, default=True
        Whether the final model is fitted on the trusted rows as well.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbamm import BAMMSearchCV, SampleWeights
    >>> X, y = load_iris(return_X_y=True)
    >>> wrong = np.random.default_rng(0).choice(len(y), 30, replace=False)
    >>> y[wrong] = (y[wrong] + 1) % 3
    >>> search = BAMMSearchCV(
    ...     LogisticRegression(), {"C": (1e-3, 1e2)}, sample_weights=SampleWeights()
    ... ).fit(X, y)
    >>> bool(search.label_issues_[wrong].mean() > 0.7)
    True
    """

    def __init__(
        self,
        kind: str | list[str] = "free",
        *,
        prior: float | list[float] = 0.15,
        trusted: Any = None,
        proxy: Any = None,
        proxy_grid: dict[str, Any] | None = None,
        refit_on_trusted: bool = True,
    ):
        self.kind = kind
        self.prior = prior
        self.trusted = trusted
        self.proxy = proxy
        self.proxy_grid = proxy_grid
        self.refit_on_trusted = refit_on_trusted

    def candidates(self) -> list[tuple[str, float]]:
        """Return the pairs of a kind and a prior to choose from."""
        return list(product(_listed(self.kind), _listed(self.prior)))


def check_sample_weights(given: SampleWeights) -> None:
    """Fail early, and by name, if a parameter makes no sense."""
    if not given.candidates():
        raise ValueError("SampleWeights: kind and prior must not be empty lists.")
    for kind, prior in given.candidates():
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"SampleWeights: kind must be one of {list(KINDS)}, got {kind!r}.")
        number = isinstance(prior, Real) and not isinstance(prior, bool)
        if not number or not np.isfinite(prior) or prior < 0:
            raise ValueError(f"SampleWeights: prior must be a finite number >= 0, got {prior!r}.")
    is_estimator = hasattr(given.proxy, "fit") and not isinstance(given.proxy, type)
    if given.proxy is not None and not is_estimator:
        raise ValueError(f"SampleWeights: proxy must be an estimator, got {given.proxy!r}.")
    if given.proxy is None and given.proxy_grid is not None:
        raise ValueError("SampleWeights: proxy_grid was given without a proxy.")
    if given.proxy_grid is not None and not isinstance(given.proxy_grid, dict):
        raise ValueError(f"SampleWeights: proxy_grid must be a dict, got {given.proxy_grid!r}.")
    if not isinstance(given.refit_on_trusted, (bool, np.bool_)):
        raise ValueError(
            f"SampleWeights: refit_on_trusted must be a bool, got {given.refit_on_trusted!r}."
        )


def _listed(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]


def trusted_mask(trusted: Any, n_rows: int) -> np.ndarray:
    """Return whose labels are sure, shape (n_rows,); raise ValueError if that can't be said."""
    if trusted is None:
        return np.zeros(n_rows, bool)
    if isinstance(trusted, PredefinedSplit):
        mask = np.asarray(trusted.test_fold) >= 0
    else:
        mask = np.asarray(trusted)
        if mask.dtype != bool:
            raise ValueError(
                f"SampleWeights: trusted must be a mask of bools, got an array of {mask.dtype}."
            )
    if mask.shape != (n_rows,):
        raise ValueError(f"SampleWeights: trusted has shape {mask.shape}, but X has {n_rows} rows.")
    if not mask.any():
        raise ValueError("SampleWeights: trusted has no True entry; omit it if no row is trusted.")
    if mask.all():
        raise ValueError(
            "SampleWeights: trusted is True for every row, so there are no weights to learn."
        )
    return mask
