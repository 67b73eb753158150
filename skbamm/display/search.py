"""The display of a search: the score against each searched value, and the path in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skbamm.display.penalty_values import check_count, check_matplotlib
from skbamm.display.search_results import SearchResults, curve_over
from skbamm.display.words import shortened, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that can be seen on white and on black; text has the colour of the user's style.
_CURVE, _BEST, _PATH, _EDGE = "C0", "C3", "C1", "0.55"
_LABEL = 14.0  # the widest value of a list, in letter sizes
_BINS = 9  # most values of a list of words that are written


class SearchDisplay:
    """The score of a search against what was searched, with its path and its uncertainty.

    One parameter is drawn as a curve: the mean score, the range of the folds, and one standard
    error on both sides of the mean. Below it is the path of the search in time, if there was one.
    Two parameters are drawn as a map of the score. With more, each has its own curve: the best
    score that any candidate has with a value.

    :meth:`from_estimator` reads a fitted search and draws. The arguments here become attributes.

    Parameters
    ----------
    results : SearchResults
        The candidates that the search scored.
    curve : SearchResults, default=None
        More candidates, all over the intervals, to draw the curve or the map with.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Once it is plotted.
    axes_ : ndarray of matplotlib Axes
        One for each curve or map, and the last one of the path, if there is one below a curve.

    See Also
    --------
    PenaltyPathDisplay : How a penalty for each feature or group was found.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, SearchDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e3)}).fit(X, y)
    >>> display = SearchDisplay.from_estimator(search, X, y)
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['score (r2)', 'seconds']
    """

    figure_: Figure
    axes_: np.ndarray

    def __init__(self, *, results, curve=None):
        self.results = results
        self.curve = curve

    @classmethod
    def from_estimator(
        cls, search, X=None, y=None, *, metric=None, n_values=25, ax=None
    ) -> SearchDisplay:
        """Show the result of a fitted search, and its path.

        Parameters
        ----------
        search : BAMMSearchCV, GridSearchCV or another search with ``cv_results_``
            Fitted.
        X : array-like or sparse matrix of shape (n_samples, n_features), default=None
            The rows that the search was fitted to. With them the score is computed all over the
            intervals, jointly on the search's own splits, and everything else as in the best
            candidate. Without them the picture has the candidates that the search scored.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target of these rows.
        metric : str, default=None
            The score to show; by default the one that selected the result.
        n_values : int, default=25
            Values of one interval to compute the score for; of two, ten in each.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.

        Returns
        -------
        SearchDisplay

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If there is no single value to show, or X is given and no interval was searched.
        ImportError
            If matplotlib is not installed.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(search, "cv_results_")
        check_count("n_values", n_values, 3)
        results = SearchResults.of(search, metric)
        curve = None if X is None else curve_over(search, X, y, n_values, metric)
        return cls(results=results, curve=curve).plot(ax=ax)

    def plot(self, *, ax=None) -> SearchDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.

        Returns
        -------
        SearchDisplay
            The display itself, with the axes it drew on.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(self)
        results = self.results
        n, numeric = len(results.names), [results.is_numeric(j) for j in range(len(results.names))]
        curved = results.names if self.curve is None else self.curve.names
        as_map = n == 2 and all(numeric) and {*results.names} <= {*curved}
        with_path = n == 1 and bool(results.path)
        if ax is None:
            import matplotlib.pyplot as plt

            wide = 6.0 if as_map or n == 1 else 4.2 * n
            _, ax = plt.subplots(figsize=(wide, 5.2 if with_path else 4.2), layout="constrained")
        ax.set_axis_off()
        self.figure_ = ax.figure
        if as_map:
            axes = [ax.inset_axes((0, 0, 0.84, 1))]
            self._draw_map(axes[0])
        else:
            axes = self._panels(ax, n, 0.34 if with_path else 0.0)
            for j, part in enumerate(axes):
                (self._draw_curve if numeric[j] else self._draw_words)(part, j)
            if with_path:
                axes.append(ax.inset_axes((0, 0, 1, 0.26), sharex=axes[0]))
                self._draw_path(axes[1])
                axes[0].tick_params(labelbottom=False)
                axes[0].set_xlabel("")
        axes[0].set_title(self._title(), fontsize="medium", loc="left", parse_math=False)
        for part in axes:
            part.spines[["top", "right"]].set_visible(False)
        self.axes_ = np.array(axes)
        return self

    def _panels(self, ax: Axes, n: int, bottom: float) -> list[Axes]:
        gap = 0.14 / n
        wide = (1 - gap * (n - 1)) / n
        first = ax.inset_axes((0, bottom, wide, 1 - bottom))
        more = [
            ax.inset_axes((j * (wide + gap), bottom, wide, 1 - bottom), sharey=first)
            for j in range(1, n)
        ]
        for part in more:
            part.tick_params(labelleft=False)
        first.set_ylabel(self.results.label)
        return [first, *more]

    def _title(self) -> str:
        results = self.results
        best, error = results.mean[results.best], results.error[results.best]
        values = ", ".join(
            f"{name.rpartition('__')[2]}={shown(value)}"
            for name, value in zip(results.names, results.values[results.best], strict=True)
        )
        return f"{values}: {shown(best)} ± {error:.2g}"

    def _draw_curve(self, ax: Axes, j: int) -> None:
        """Draw the best score that any candidate has with each value, and its folds."""
        results, name = self.results, self.results.names[j]
        drawn = self.curve if self.curve is not None and name in self.curve.names else results
        own = drawn.names.index(name)
        top: dict[float, int] = {}
        for i, value in enumerate(drawn.column(own)):
            if np.isfinite(drawn.mean[i]):
                value = float(value)
                if value not in top or drawn.mean[i] > drawn.mean[top[value]]:
                    top[value] = i
        at = np.array(sorted(top))
        rows = [top[value] for value in at]
        mean, error, folds = drawn.mean[rows], drawn.error[rows], drawn.scores[rows]
        style: dict[str, Any] = {"color": _CURVE, "lw": 0}
        ax.fill_between(at, folds.min(1), folds.max(1), alpha=0.2, label="folds", **style)
        ax.fill_between(at, mean - error, mean + error, alpha=0.3, label="±1 s.e.", **style)
        marks = "-" if drawn is self.curve else ".-"
        ax.plot(at, mean, marks, color=_CURVE, lw=1.6, label="mean score")
        if drawn is self.curve:
            at = results.column(j)
            ax.plot(at, results.mean, ".", color=_CURVE, ms=7, label="scored by the search")
        self._mark(ax, j)
        ax.legend(fontsize="small", frameon=False)
        ax.set_xlabel(name)

    def _mark(self, ax: Axes, j: int) -> None:
        """Mark the best value and the ends of the interval."""
        results, name = self.results, self.results.names[j]
        best = results.values[results.best][j]
        if results.log[name]:
            ax.set_xscale("log")
        for end in results.limits.get(name, ()):
            ax.axvline(end, color=_EDGE, lw=0.9, ls=":")
        ax.axvline(best, color=_BEST, lw=0.9)
        ax.plot(best, results.mean[results.best], "*", color=_BEST, ms=12, label="best", zorder=5)

    def _draw_words(self, ax: Axes, j: int) -> None:
        """Draw the candidates with each of some non-numeric values."""
        results = self.results
        kinds = list(dict.fromkeys(map(repr, results.column(j))))
        place = [kinds.index(repr(value)) for value in results.column(j)]
        ax.plot(place, results.mean, ".", color=_CURVE, alpha=0.4)
        top = [results.mean[[p == k for p in place]] for k in range(len(kinds))]
        ax.plot(range(len(kinds)), [np.nanmax(one) for one in top], "o", color=_CURVE)
        ax.plot(place[results.best], results.mean[results.best], "*", color=_BEST, ms=12, zorder=5)
        each = max(1, -(-len(kinds) // _BINS))
        told = [shortened(kind, _LABEL) for kind in kinds[::each]]
        ax.set_xticks(range(0, len(kinds), each), told, rotation=20, ha="right", parse_math=False)
        ax.set_xlim(-0.5, len(kinds) - 0.5)
        ax.set_xlabel(results.names[j])

    def _draw_path(self, ax: Axes) -> None:
        """Draw the value of each iteration against the time, which runs down."""
        path, name = self.results.path, self.results.names[0]
        ax.plot(path[name], path["seconds"], ".-", color=_PATH, lw=1, ms=5)
        ax.plot(path[name][0], path["seconds"][0], "o", mfc="none", color=_PATH, ms=8)
        ax.axvline(self.results.values[self.results.best][0], color=_BEST, lw=0.9)
        ax.invert_yaxis()
        ax.set_ylabel("seconds")
        ax.set_xlabel(name)
        ax.annotate(
            f"{len(path[name])} iterations", (1, 1), (-2, -2), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="top", fontsize="small", color=_PATH,
        )  # fmt: skip

    def _draw_map(self, ax: Axes) -> None:
        """Draw two parameters against each other, the score in colours."""
        results = self.results
        drawn = results if self.curve is None else self.curve
        order = [drawn.names.index(name) for name in results.names]
        x, y = (np.array(drawn.column(k), dtype=float) for k in order)
        grid = len(set(x)) * len(set(y)) == len(x) and min(len(set(x)), len(set(y))) > 1
        if grid:
            place = np.lexsort((y, x))
            shape = len(set(x)), len(set(y))
            z = drawn.mean[place].reshape(shape).T
            edges = np.unique(x), np.unique(y)
            fine = self.curve is not None
            low, high = np.nanquantile(z, 0.1) if fine else np.nanmin(z), np.nanmax(z)
            image: Any = (
                ax.contourf(*edges, np.clip(z, low, None), 20, cmap="viridis")
                if fine
                else ax.pcolormesh(*edges, z, shading="nearest", vmin=low, vmax=high)
            )
        else:
            image = ax.scatter(x, y, c=drawn.mean, cmap="viridis")
        bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.03, 0, 0.04, 1)))
        bar.set_label(results.label)
        if results.path:
            path = [results.path[name] for name in results.names]
            ax.plot(*path, ".-", color=_PATH, lw=1, label="path")
        best = results.values[results.best]
        ax.plot(*best, "*", color=_BEST, mec="white", ms=15, label="best", zorder=5)
        for name, axis, line in zip(results.names, "xy", (ax.axvline, ax.axhline), strict=True):
            getattr(ax, f"set_{axis}scale")("log" if results.log[name] else "linear")
            getattr(ax, f"set_{axis}label")(name)
            for end in results.limits.get(name, ()):
                line(end, color=_EDGE, lw=0.9, ls=":")
        ax.legend(fontsize="small")
