"""The results of a search with a vector of penalties, as the displays need them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbamm.space import read_grid


@dataclass(frozen=True)
class FoundVector:
    """A vector that was searched.

    Attributes
    ----------
    parameter : str
        Its name in ``param_grid``.
    names : list of str
        Of its entries.
    inverse : bool
        Whether a larger value is a weaker penalty, as with ``C``.
    best : ndarray of shape (n_entries,), or None
        The value in ``best_params_``, if it has the parameter; also if it is one value for all.
    single : float or None
        The best value for all, if it is known.
    dropped : list of str
        ``dropped_``.
    """

    parameter: str
    names: list[str]
    inverse: bool
    best: np.ndarray | None
    single: float | None
    dropped: list[str]

    @classmethod
    def of(cls, search: Any) -> FoundVector:
        """Read a fitted search.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If it searched no vector.
        """
        if not hasattr(search, "cv_results_"):
            raise NotFittedError(f"search must be fitted, this {type(search).__name__} is not.")
        found = getattr(search, "shrinkage_", None)
        if found is None:
            raise ValueError(
                "search must be a BAMMSearchCV that searched a vector, PerFeature or PerGroup; "
                f"this {type(search).__name__} has no shrinkage_. If there is a vector in its "
                "param_grid, fit warned why one value is used for all."
            )
        parameter, names = found["parameter"], found["names"].tolist()
        best = getattr(search, "best_params_", {}).get(parameter)
        if isinstance(best, dict):  # the weights of classes
            best = list(best.values())
        if best is not None:
            best = np.broadcast_to(np.asarray(best, dtype=float), len(names))
        return cls(
            parameter, names, _inverse(search, parameter), best, _single(search, found),
            list(getattr(search, "dropped_", [])),
        )  # fmt: skip

    @property
    def short(self) -> str:
        """Name of the parameter, without the steps of a pipeline."""
        return self.parameter.rpartition("__")[2]


def path_of(search: Any, parameter: str, size: int) -> np.ndarray:
    """Return the values of the iterations, (n_iter, size); of those that had a vector."""
    path = list(search.history_.get(parameter, []))
    return np.array([at for at in path if np.shape(at) == (size,)], dtype=float).reshape(-1, size)


def one_for_all(values: np.ndarray | None) -> bool:
    """Return whether all entries have the same value."""
    return values is not None and bool(np.ptp(np.log(values)) < 1e-9)


def number(value: float) -> str:
    """Return a penalty in three digits."""
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def log_axis(axis: Any, values: np.ndarray) -> None:
    """Let the ticks of a logarithmic axis be plain numbers, enough of them for these values."""
    from matplotlib.ticker import LogLocator, NullFormatter

    decades = float(np.log10(values.max() / values.min()))
    subs = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 3 else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(lambda value, _: number(value))
    axis.set_minor_formatter(NullFormatter())


def check_count(name: str, value: Any, least: int) -> None:
    """Raise TypeError or ValueError if an argument is not an integer or is too small."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def check_matplotlib(display: Any) -> None:
    """Raise ImportError, with what to do, if matplotlib is not installed."""
    try:
        import matplotlib.pyplot as plt  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} draws with matplotlib: pip install 'skbamm[plot]'."
        ) from error


def _inverse(search: Any, parameter: str) -> bool:
    holders = (c.holder for c in read_grid(search.estimator, search.param_grid).combinations)
    return any(h.inverse for h in holders if h is not None and h.axis.name == parameter)


def _single(search: Any, found: dict[str, Any]) -> float | None:
    """Return the one value for all that the search of the vector began at."""
    path = path_of(search, found["parameter"], len(found["names"]))
    if len(path):  # it begins with the search of that value
        apart = np.flatnonzero(np.ptp(np.log(path), axis=1) > 1e-9)
        return float(path[apart[0] - 1 if len(apart) and apart[0] else -1, 0])
    return float(found["values"][0, 0]) if "values" in found else None
