"""Display of a shrinkage path: the penalties along it, and the score that selected the point."""

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
    path_of,
)
from skbamm.display.words import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = 9.0  # of letters, in points
_LABEL = 16.0  # the widest name of an entry, in letter sizes
# Read on white and on black.
_GREY, _DROPPED, _OUT, _CV = "0.7", "C3", "C0", "0.5"
# Neither grey nor red: these have a meaning.
_COLORS = ("C0", "C1", "C2", "C4", "C9", "C5", "C6", "C8", "slateblue", "teal")
_DASHES = (0, (4, 2))


class PenaltyPathDisplay:
    r"""The penalties of features or groups, from one value for all to hardly any shrinkage.

    Above are the values of each entry at each point of the path that ``shrinkage_`` has. Below is
    the gain in loss over one value for all: on the splits of the cross-validation, which the
    values were fitted to, and on rows that had no part in finding them. The point that was taken
    is the one where such rows say stop, while the loss of the splits may fall further.

    :meth:`from_estimator` reads a fitted search and draws. The arguments here become attributes.

    Parameters
    ----------
    values : array-like of shape (n_points, n_entries)
        Penalties, positive.
    names : sequence of str of length n_entries
        Of the features, or groups.
    parameter : str, default="penalty"
        Label of the values.
    criterion : array-like of shape (n_points,), default=None
        Loss of the splits.
    score : array-like of shape (n_points, n_outer), default=None
        Loss on rows left out. With it the points are those of a path of shrinkage, without it
        iterations of a search.
    spread, freedom : array-like of shape (n_points,), default=None
        Strength of shrinkage (infinite for one value for all), and the price on what
        they let through; see :doc:`/many_penalties`.
    chosen : int, default=None
        Number of the point that was taken.
    best : array-like of shape (n_entries,), default=None
        The values in ``best_params_``.
    dropped : sequence of str, default=()
        Names of the entries at the strong end of the interval.
    inverse : bool, default=False
        Whether a larger value is a weaker penalty.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Once it is plotted.
    axes_ : ndarray of matplotlib Axes of shape (2,)
        Of the values and of the losses.
    lines_ : list of matplotlib Line2D
        One for each entry, in their order.

    See Also
    --------
    PenaltyBarDisplay : the values that were found, as bars.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PenaltyPathDisplay, PerGroup
    >>> X, y = load_diabetes(return_X_y=True)
    >>> groups = {"patient": [0, 1], "body": [2, 3], "serum": slice(4, 10)}
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerGroup(1e-4, 1e3, groups)}).fit(X, y)
    >>> display = PenaltyPathDisplay.from_estimator(search)
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['alpha', 'loss, relative to\none value']
    """

    figure_: Figure
    axes_: np.ndarray
    lines_: list

    def __init__(
        self, *, values, names, parameter="penalty", criterion=None, score=None, spread=None,
        freedom=None, chosen=None, best=None, dropped=(), inverse=False,
    ):  # fmt: skip
        self.values = values
        self.names = names
        self.parameter = parameter
        self.criterion = criterion
        self.score = score
        self.spread = spread
        self.freedom = freedom
        self.chosen = chosen
        self.best = best
        self.dropped = dropped
        self.inverse = inverse

    @classmethod
    def from_estimator(cls, search, *, n_labels=10, ax=None) -> PenaltyPathDisplay:
        """Show how a fitted search came to its penalties.

        Parameters
        ----------
        search : BAMMSearchCV
            Fitted with a :class:`PerFeature` or :class:`PerGroup`. With ``shrinkage=False``
            there is no path, and the iterations are shown.
        n_labels : int, default=10
            Most entries with a colour and a name; of more, those get them that are farthest from
            the others at the point that was taken. The rest is grey, what is dropped red.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.

        Returns
        -------
        PenaltyPathDisplay

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If it searched no vector, or the model is one that it could not be searched for.
        ImportError
            If matplotlib is not installed.
        """
        vector, found = FoundVector.of(search), search.shrinkage_
        if "values" in found:
            path = {
                name: found[name]
                for name in ("values", "criterion", "score", "spread", "freedom", "chosen")
            }
        else:
            values = path_of(search, vector.parameter, len(vector.names))
            criterion = search.history_["criterion"]
            # Other searches may have had one value.
            path = {"values": values}
            if len(values) == len(criterion):
                path["criterion"] = criterion
        display = cls(
            names=vector.names, parameter=vector.short, best=vector.best, dropped=vector.dropped,
            inverse=vector.inverse, **path,
        )  # fmt: skip
        return display.plot(n_labels=n_labels, ax=ax)

    def plot(self, *, n_labels=10, ax=None) -> PenaltyPathDisplay:
        """Draw the values, and the losses below them.

        Parameters
        ----------
        n_labels : int, default=10
            Most entries with a colour and a name.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.

        Returns
        -------
        PenaltyPathDisplay
            The display itself, with the axes it drew on.

        Raises
        ------
        ValueError
            If values are not positive, or not one for each name.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(self)
        check_count("n_labels", n_labels, 0)
        values = np.asarray(self.values, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise ValueError(
                f"values must be of shape (n_points, {len(self.names)}), one column a name, "
                f"got shape {values.shape}."
            )
        if not (values > 0).all():
            raise ValueError("values must be positive.")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(8, 5.6), layout="constrained")
        ax.set_axis_off()
        above = ax.inset_axes((0, 0.42, 1, 0.58))
        below = ax.inset_axes((0, 0, 1, 0.36), sharex=above)
        self.axes_, self.figure_ = np.array([above, below]), ax.figure
        points = np.arange(len(values))
        self._draw_values(above, points, values, n_labels)
        if self.score is None:
            self._draw_criterion(below, points)
        else:
            self._draw_losses(below, points)
            self._mark_chosen(values)
        above.tick_params(labelbottom=False)
        for part in self.axes_:
            part.spines[["top", "right"]].set_visible(False)
            part.tick_params(labelsize=_SIZE)
        return self

    def _draw_values(self, ax: Axes, points, values: np.ndarray, n_labels: int) -> None:
        at = values[-1 if self.chosen is None else self.chosen]
        at = np.log(values[-1] if one_for_all(at) else at)
        apart = np.argsort(-np.abs(at - np.median(at)), kind="stable")
        named = sorted(apart[:n_labels].tolist())
        colors = {j: _COLORS[i % len(_COLORS)] for i, j in enumerate(named)}
        dropped = [j for j, name in enumerate(self.names) if name in set(self.dropped)]
        self.lines_ = []
        for j, column in enumerate(values.T):
            style: dict[str, Any] = {"color": _GREY, "lw": 0.7, "zorder": 2}
            if j in dropped:
                style = {"color": _DROPPED, "lw": 0.8, "zorder": 2.1}
            if j in colors:
                style = {"color": colors[j], "lw": 1.6, "zorder": 2.5}
            dashes: Any = _DASHES if j in dropped else "-"
            self.lines_ += ax.plot(points, column, linestyle=dashes, **style)
        ax.set_yscale("log")
        log_axis(ax.yaxis, values)
        ax.set_ylabel(f"{self.parameter} (small is strong)" if self.inverse else self.parameter)
        ends = [(values[-1, j], self._word(j, j in dropped), colors[j]) for j in named]
        others = np.setdiff1d(np.arange(len(self.names)), named)
        if len(others):
            gone = len(np.intersect1d(others, dropped))
            told = f"{len(others)} more" + (f", {gone} dropped" if gone else "")
            ends.append((float(np.median(values[-1, others])), told, _CV))
        _name_ends(ax, ends)

    def _word(self, j: int, dropped: bool) -> str:
        name = shortened(" ".join(str(self.names[j]).split()), _LABEL)
        return f"{name} (dropped)" if dropped else name

    def _draw_losses(self, ax: Axes, points) -> None:
        """Draw the losses in percent of those with one value for all."""
        score, criterion = np.asarray(self.score, dtype=float), np.asarray(self.criterion)
        gain = 100 * (score - score[0]) / abs(score[0].mean())
        outer = gain.shape[1]
        error = gain.std(1, ddof=1) / np.sqrt(outer) if outer > 1 else None
        fitted = 100 * (criterion - criterion[0]) / abs(criterion[0])
        ax.axhline(0, color=_GREY, lw=0.8, zorder=1)
        ax.plot(points, fitted, color=_CV, lw=1.2, ls=_DASHES)
        ax.errorbar(
            points, gain.mean(1), error, color=_OUT, marker="o", ms=4, lw=1.4, elinewidth=0.9,
            capsize=2,
        )  # fmt: skip
        told = "rows left out" + (" (± s.e.)" if outer > 1 else "")
        _name_ends(ax, [(gain[-1].mean(), told, _OUT), (fitted[-1], "CV", _CV)])
        ax.yaxis.set_major_formatter(_percent)
        spread, freedom = self._factors(len(points))
        ticks = [f"{_factor(a)}\n{_factor(b)}" for a, b in zip(spread, freedom, strict=True)]
        ax.set_xticks(points, ticks)
        ax.annotate(
            "spread\nfreedom", (0, 0), (-8, -7), xycoords="axes fraction",
            textcoords="offset points", size=_SIZE, color=_CV, ha="right", va="top",
        )  # fmt: skip
        ax.set_ylabel("loss, relative to\none value")
        ax.set_xlabel("less and less shrinkage, then an increasing price")

    def _factors(self, n_points: int) -> tuple[Any, Any]:
        nothing = np.full(n_points, np.nan)
        return (
            nothing if self.spread is None else self.spread,
            nothing if self.freedom is None else self.freedom,
        )

    def _draw_criterion(self, ax: Axes, points) -> None:
        """Draw the loss of an iteration; once its values were one for all, in percent of that."""
        ax.set_xlabel("iteration")
        if self.criterion is None:
            return
        loss = np.asarray(self.criterion, dtype=float)
        one = [k for k, at in enumerate(np.asarray(self.values, dtype=float)) if one_for_all(at)]
        if one:
            loss = 100 * (loss - loss[one[-1]]) / abs(loss[one[-1]])
            ax.axhline(0, color=_GREY, lw=0.8, zorder=1)
            ax.yaxis.set_major_formatter(_percent)
            depth = max(-loss.min(), 1.0)
            ax.set_ylim(-1.1 * depth, min(1.1 * loss.max() + 0.1, 0.5 * depth))
        ax.plot(points, loss, color=_CV, lw=1.2, ls=_DASHES)
        ax.set_ylabel("CV loss, relative to\none value" if one else "CV loss")

    def _mark_chosen(self, values: np.ndarray) -> None:
        """Mark the point that was taken, and say if ``best_params_`` has other values."""
        if self.chosen is None:
            return
        above = self.axes_[0]
        for part in self.axes_:
            part.axvline(self.chosen, color=_GREY, alpha=0.3, lw=6, zorder=0)
        taken = values[self.chosen]
        for j, line in enumerate(self.lines_):
            size = 4.0 if line.get_linewidth() > 1 else 1.8
            above.plot(self.chosen, taken[j], "o", ms=size, color=line.get_color(), zorder=3)
        told = "chosen"
        if self.best is not None and one_for_all(np.asarray(self.best, dtype=float)):
            value = float(np.ravel(self.best)[0])
            above.axhline(value, color=_CV, lw=0.8, ls=":", zorder=2.2)
            told += f"; best_params_: {number(value)} for all"
        side = "left" if self.chosen <= (len(values) - 1) / 2 else "right"
        above.annotate(
            told, (self.chosen, 1), (-4 if side == "left" else 4, 3),
            xycoords=("data", "axes fraction"), textcoords="offset points", size=_SIZE,
            color=_CV, ha=side, va="bottom",
        )  # fmt: skip


def _factor(value: float) -> str:
    return "∞" if np.isinf(value) else "" if np.isnan(value) else f"{value:g}"


def _percent(value: float, _: Any = None) -> str:
    return f"{value:+.3g} %".replace("-", "\N{MINUS SIGN}") if value else "0 %"


def _name_ends(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write names next to the ends of lines, without overlaps."""
    if not ends:
        return
    ax.get_ylim()  # apply pending limits; the transformation does not
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    gap = 1.35 * _SIZE / height
    ends = sorted(ends)
    shown = ax.transData.transform([(0, value) for value, _, _ in ends])
    at = ax.transAxes.inverted().transform(shown)[:, 1]
    for (_, name, color), begin, end in zip(ends, at, _apart(at, gap), strict=True):
        ax.plot(
            [1.005, 1.03], [begin, end], transform=ax.transAxes, color=color, lw=0.7,
            clip_on=False, scalex=False, scaley=False,
        )  # fmt: skip
        ax.text(
            1.037, end, name, transform=ax.transAxes, color=color, size=_SIZE, va="center",
            parse_math=False,
        )  # fmt: skip


def _apart(at: np.ndarray, gap: float) -> np.ndarray:
    """Return the nearest places (least squares) in [0, 1] to sorted ones, with a minimum gap.

    Without room they extend beyond 0.
    """
    from sklearn.isotonic import isotonic_regression

    steps = gap * np.arange(len(at))
    end = 1 - steps[-1]
    return isotonic_regression(at - steps, y_min=min(0.0, end), y_max=end) + steps
