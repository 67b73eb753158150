"""The display of learned penalties as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skbamm.display.penalty_values import (
    FoundVector,
    check_count,
    check_matplotlib,
    log_axis,
    number,
    one_for_all,
)
from skbamm.display.words import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = 9.0  # of letters, in points
_LABEL = 20.0  # the widest name of an entry, in letter sizes
# Read on white and on black.
_WEAK, _STRONG, _DROPPED, _INK = "C0", "0.65", "C3", "0.5"


class PenaltyBarDisplay:
    """The learned penalties of features or groups as bars, from the weakest to the strongest.

    Bars start at the best single value: features that are penalised less are on one side,
    features that are penalised more on the other.

    :meth:`from_estimator` reads a fitted search and draws. The arguments here become attributes.

    Parameters
    ----------
    values : array-like of shape (n_entries,)
        Penalties, positive.
    names : sequence of str of length n_entries
        Of the features, or groups.
    parameter : str, default="penalty"
        Label of the values.
    single : float, default=None
        The best single value. By default bars start at the geometric mean of the values.
    dropped : sequence of str, default=()
        Names of the entries at the strong end of the interval.
    inverse : bool, default=False
        Whether a larger value is a weaker penalty, as with ``C``.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Once it is plotted.
    ax_ : matplotlib Axes
    bars_ : matplotlib BarContainer
        From top to bottom.
    shown_ : ndarray of int of shape (n_shown,)
        Numbers of the entries that have a bar, from top to bottom.

    See Also
    --------
    PenaltyPathDisplay : how the values were found.

    Examples
    --------
    >>> from skbamm import PenaltyBarDisplay
    >>> display = PenaltyBarDisplay(
    ...     values=[30.0, 400.0, 2.0], names=["genes", "noise", "age"], parameter="alpha"
    ... )
    >>> [label.get_text() for label in display.plot().ax_.get_yticklabels()]
    ['age', 'genes', 'noise']
    """

    figure_: Figure
    ax_: Any
    bars_: Any
    shown_: np.ndarray

    def __init__(
        self, *, values, names, parameter="penalty", single=None, dropped=(), inverse=False
    ):
        self.values = values
        self.names = names
        self.parameter = parameter
        self.single = single
        self.dropped = dropped
        self.inverse = inverse

    @classmethod
    def from_estimator(cls, search, *, max_shown=24, sort=True, ax=None) -> PenaltyBarDisplay:
        """Show the penalties in ``best_params_`` of a fitted search.

        Parameters
        ----------
        search : BAMMSearchCV
            Fitted with a :class:`PerFeature` or :class:`PerGroup`. Where one value for all was
            found best there is that to be seen, and said.
        max_shown : int, default=24
            Most bars. Of more entries those that are dropped are left out first; then the weakest
            and the strongest penalties are shown.
        sort : bool, default=True
            Whether the weakest penalty comes first. Otherwise entries keep their order.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default, as high as it takes.

        Returns
        -------
        PenaltyBarDisplay

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If it searched no vector, or ``best_params_`` does not have it.
        ImportError
            If matplotlib is not installed.
        """
        vector = FoundVector.of(search)
        if vector.best is None:
            raise ValueError(
                f"search must have {vector.parameter!r} in its best_params_, which are "
                f"{getattr(search, 'best_params_', 'not there (refit=False?)')}."
            )
        display = cls(
            values=vector.best, names=vector.names, parameter=vector.short, single=vector.single,
            dropped=vector.dropped, inverse=vector.inverse,
        )  # fmt: skip
        return display.plot(max_shown=max_shown, sort=sort, ax=ax)

    def plot(self, *, max_shown=24, sort=True, ax=None) -> PenaltyBarDisplay:
        """Draw the bars.

        Parameters
        ----------
        max_shown : int, default=24
            Most bars.
        sort : bool, default=True
            Whether the weakest penalty comes first.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.

        Returns
        -------
        PenaltyBarDisplay
            The display itself, with the axes it drew on.

        Raises
        ------
        ValueError
            If values are not positive, or not one for each name.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(self)
        check_count("max_shown", max_shown, 2)
        values = np.asarray(self.values, dtype=float)
        if values.shape != (len(self.names),):
            raise ValueError(
                f"values must have one entry for each of the {len(self.names)} names, "
                f"got shape {values.shape}."
            )
        if not (values > 0).all():
            raise ValueError("values must be positive.")
        order, top = self._chosen(values, max_shown)
        left = len(values) - max_shown
        self.shown_ = order if sort else np.sort(order)
        if ax is None:
            import matplotlib.pyplot as plt

            height = 1.2 + 0.24 * (len(order) + (left > 0))
            _, ax = plt.subplots(figsize=(7, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        places = np.arange(len(order))
        if left > 0:  # a line for what is left out
            place = top if sort else max_shown
            places[places >= place] += 1
            self._tell_of_others(left, place)
        self._draw(values, places)
        ax.set_ylim(len(order) + (left > 0) - 0.4, -0.6)
        return self

    def _chosen(self, values: np.ndarray, max_shown: int) -> tuple[np.ndarray, int]:
        """Return the entries that have a bar, the weakest first, and how many end the weak ones."""
        order = np.argsort(-values if self.inverse else values, kind="stable")
        if len(values) <= max_shown:
            return order, max_shown
        out = np.isin([str(name) for name in self.names], [str(name) for name in self.dropped])
        kept = order[~out[order]]
        if len(kept) >= max_shown:
            top = (max_shown + 1) // 2
            return np.r_[kept[:top], kept[len(kept) - max_shown + top :]], top
        return np.r_[kept, order[out[order]][: max_shown - len(kept)]], max_shown

    def _tell_of_others(self, left: int, place: int) -> None:
        """Say how many entries have no bar, at the line between those that have one."""
        gone = len(set(self.dropped) - {str(self.names[j]) for j in self.shown_})
        told = f"{left} more" + (f", {gone} dropped" if 0 < gone < left else "")
        told += " dropped" if gone == left else ""
        self.ax_.text(
            -0.015, place, told, transform=self.ax_.get_yaxis_transform(), size=_SIZE, ha="right",
            va="center", color=_INK, style="italic",
        )  # fmt: skip

    def _draw(self, values: np.ndarray, places: np.ndarray) -> None:
        """Draw the bars, what is written at them, and their axes."""
        ax, shown = self.ax_, values[self.shown_]
        names = [str(self.names[j]) for j in self.shown_]
        gone = [name in set(self.dropped) for name in names]
        middle = float(np.exp(np.log(values).mean())) if self.single is None else self.single
        weak = shown > middle if self.inverse else shown < middle
        colors = [
            _DROPPED if out else _WEAK if less else _STRONG
            for out, less in zip(gone, weak, strict=True)
        ]
        self.bars_ = ax.barh(places, shown - middle, left=middle, color=colors, height=0.65)
        for bar, out in zip(self.bars_, gone, strict=True):
            bar.set_alpha(0.4 if out else 1)
        self._write_values(shown, places, gone, middle)
        self._write_middle(values, middle)
        # Room for the numbers, as a share of the logarithmic axis.
        low, high = np.log(min(shown.min(), middle)), np.log(max(shown.max(), middle))
        room = max(0.16 * (high - low), 0.4)
        more = 2 * room if any(gone) else room
        limits = np.exp([low - (more if self.inverse else room), high + more])
        words = ("stronger", "weaker") if self.inverse else ("weaker", "stronger")
        ax.set(xscale="log", xlim=limits)
        log_axis(ax.xaxis, limits)
        ax.set_xlabel(f"← {words[0]}      {self.parameter}      {words[1]} →")
        ax.set_yticks(places, [shortened(" ".join(name.split()), _LABEL) for name in names])
        for label in ax.get_yticklabels():
            label.set_parse_math(False)
        ax.tick_params(labelsize=_SIZE)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)

    def _write_values(
        self, shown: np.ndarray, places: np.ndarray, gone: list[bool], middle: float
    ) -> None:
        """Write the penalties at the ends of their bars."""
        for place, value, out in zip(places, shown, gone, strict=True):
            right = value >= middle
            self.ax_.annotate(
                number(value) + (", dropped" if out else ""), (value, place),
                (3 if right else -3, 0), textcoords="offset points", size=_SIZE,
                ha="left" if right else "right", va="center",
                color=_DROPPED if out else _INK,
            )  # fmt: skip

    def _write_middle(self, values: np.ndarray, middle: float) -> None:
        """Draw the line where bars start, and write what it is."""
        self.ax_.axvline(middle, color=_INK, lw=0.8)
        if self.single is None:
            told = f"the values' mean, {number(middle)}"
        elif one_for_all(values):
            told = f"one value for all, {number(float(values[0]))}, scored best"
        else:
            told = f"best value for all, {number(middle)}"
        self.ax_.annotate(
            told, (middle, 1), (0, 3), xycoords=("data", "axes fraction"),
            textcoords="offset points", size=_SIZE, ha="center", va="bottom",
        )  # fmt: skip
