"""The rows whose labels a search doubts most, as pictures or as a table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from math import ceil, prod
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.validation import _num_samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lengths are in points, or in letter sizes ("ems") where they shall shrink with the letters.
_SIZE = 10.0  # of the letters, where there is room
_LINE = 1.4  # from line to line, in ems
_LABEL = 12.0  # the widest label
_BAR = 6.0  # a whole bar of quality
_SPACE = 1.8  # between columns
_SNIPPET = (14.0, 48.0)  # the least and the most room for a text
_PICTURE = 80.0  # width of a picture
_GREY, _TRACK = "0.45", "0.92"


class LabelIssuesDisplay:
    """The rows whose labels are most likely wrong, as pictures or as a table.

    :meth:`from_estimator` chooses the rows and draws them. The arguments here are of the rows to
    show, in their order, and become attributes.

    Parameters
    ----------
    rows : array-like of shape (n_shown,)
        Their numbers in the data, counted from 0.
    given : array-like of shape (n_shown,)
        Their labels: classes, or numbers of a regression.
    suggested : array-like of shape (n_shown,)
        What a model would say instead.
    quality : array-like of shape (n_shown,)
        The probability that the given label is right, from 0 to 1.
    images : array-like of shape (n_shown, height, width[, channels]), default=None
        Pictures of the rows, with 1, 3 or 4 channels; without them there is a table.
    texts : sequence of str of length n_shown, default=None
        Texts of the rows, for the table; pictures have none.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Once it is plotted.
    axes_ : ndarray of matplotlib Axes
        One for each picture, or one for the table.

    Examples
    --------
    >>> from skbamm import LabelIssuesDisplay
    >>> display = LabelIssuesDisplay(
    ...     rows=[17, 4],
    ...     given=["ham", "spam"],
    ...     suggested=["spam", "ham"],
    ...     quality=[0.02, 0.35],
    ...     texts=["You have won, claim your prize now", "Shall we meet at the station at six?"],
    ... )
    >>> display.plot().axes_.shape
    (1,)
    """

    figure_: Figure
    axes_: np.ndarray

    def __init__(self, *, rows, given, suggested, quality, images=None, texts=None):
        self.rows = rows
        self.given = given
        self.suggested = suggested
        self.quality = quality
        self.images = images
        self.texts = texts

    @classmethod
    def from_estimator(
        cls,
        search,
        X,
        y,
        *,
        n_rows=12,
        images=None,
        texts=None,
        suggested=None,
        ax=None,
        max_columns=6,
        cmap="gray_r",
    ) -> LabelIssuesDisplay:
        """Show the rows whose labels a fitted search doubts most, most doubtful first.

        Parameters
        ----------
        search : BAMMSearchCV
            Fitted with ``sample_weights=SampleWeights(...)``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or what else it fits
        y : array-like of shape (n_samples,)
            What it was fitted on: all rows, in the same order.
        n_rows : int, default=12
            How many rows to show. Where fewer are label issues, the next in doubt follow.
        images : tuple of int, or array-like, default=None
            ``(height, width)`` or ``(height, width, channels)`` if the rows of X are pictures; or
            pictures of all rows, of shape (n_samples, height, width[, channels]).
        texts : sequence of str of length n_samples, default=None
            For the table.
        suggested : array-like of shape (n_samples,), default=None
            Other labels, of all rows. By default the search predicts those of the rows shown; its
            final model was fitted on these very rows, with the weights that were learned, so a
            label that still has weight has a say in what is suggested in its place. Suggestions
            free of that come from :func:`sklearn.model_selection.cross_val_predict`.
        ax : matplotlib Axes, default=None
            The place to draw in; a new figure by default.
        max_columns : int, default=6
            Pictures side by side, at most.
        cmap : str or matplotlib Colormap, default="gray_r"
            Of pictures that have no colours of their own. By default high values are dark.

        Returns
        -------
        LabelIssuesDisplay

        Raises
        ------
        NotFittedError
            If the search has no ``label_quality_``.
        ValueError
            If an argument has not one entry for each row, or pictures have another shape.
        ImportError
            If matplotlib is not installed.
        """
        if not hasattr(search, "label_quality_"):
            raise NotFittedError(
                "search must be a BAMMSearchCV fitted with sample_weights=SampleWeights(...); "
                f"this {type(search).__name__} has no label_quality_."
            )
        _check_count("n_rows", n_rows)
        quality = np.asarray(search.label_quality_)
        everything = {"X": X, "y": y, "texts": texts, "suggested": suggested}
        for name, value in everything.items():
            if value is not None:
                _check_length(name, value, len(quality))

        # Stable: rows in equal doubt stay in the order of the data.
        rows = np.argsort(quality, kind="stable")[:n_rows]
        X = _safe_indexing(X.tocsr() if sp.issparse(X) else X, rows)
        images = _pictures(images, X, rows, len(quality))
        if suggested is not None:
            suggested = column_or_1d(suggested)[rows]
        elif hasattr(search, "predict"):
            suggested = search.predict(X)
        else:
            raise ValueError(
                "suggested must be given, because search has no predict (refit=False?)."
            )
        display = cls(
            rows=rows,
            given=column_or_1d(y)[rows],
            suggested=suggested,
            quality=quality[rows],
            images=images,
            texts=None if texts is None else _safe_indexing(texts, rows),
        )
        return display.plot(ax=ax, max_columns=max_columns, cmap=cmap)

    def plot(self, *, ax=None, max_columns=6, cmap="gray_r") -> LabelIssuesDisplay:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to draw in: pictures are laid out within its bounds, and letters get smaller
            where it is narrow. A new figure by default, as large as it takes.
        max_columns : int, default=6
            Pictures side by side, at most.
        cmap : str or matplotlib Colormap, default="gray_r"
            Of pictures that have no colours of their own.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the attributes are not of the same length, or images have another shape.
        ImportError
            If matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "LabelIssuesDisplay draws with matplotlib: pip install 'skbamm[plot]'."
            ) from error

        _check_count("max_columns", max_columns)
        for name in ("given", "suggested", "quality", "images", "texts"):
            value = getattr(self, name)
            if value is not None:
                _check_length(name, value, len(self.rows))
        if self.images is None:
            self.axes_ = np.array([_table(ax, self._columns(), self.quality)])
        else:
            images = _checked_pictures(self.images)
            self.axes_ = _gallery(ax, images, self._titles(), int(max_columns), cmap)
        self.figure_ = self.axes_[0].figure
        return self

    def _labels(self) -> tuple[list[str], list[str]]:
        both = ([_shown(value) for value in labels] for labels in (self.given, self.suggested))
        given, suggested = ([_shortened(label, _LABEL) for label in labels] for labels in both)
        return given, suggested

    def _columns(self) -> dict[str, list[str]]:
        """Return the cells of the table by the heads of its columns."""
        given, suggested = self._labels()
        columns = {"row": [str(row) for row in self.rows], "given": given, "suggested": suggested}
        columns["label quality"] = [_probability(quality) for quality in self.quality]
        if self.texts is not None:
            columns["text"] = [" ".join(str(text).split()) for text in self.texts]
        return columns

    def _titles(self) -> list[list[str]]:
        """Return the lines over each picture."""
        labels = [
            [f"row {row}: {given}", f"→ {suggested}"]
            for row, given, suggested in zip(self.rows, *self._labels(), strict=True)
        ]
        if max(_width(" ".join(pair)) for pair in labels) < 1.5 * _PICTURE / _SIZE:
            labels = [[" ".join(pair)] for pair in labels]
        return [
            [*lines, f"quality {_probability(quality)}"]
            for lines, quality in zip(labels, self.quality, strict=True)
        ]


# Arguments


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}.")


def _check_length(name: str, value: Any, n_rows: int) -> None:
    if isinstance(value, str):
        raise TypeError(f"{name} must have an entry for each row, got the string {value!r}.")
    found = _num_samples(value)
    if found != n_rows:
        raise ValueError(f"{name} must have an entry for each of the {n_rows} rows, got {found}.")


def _pictures(images: Any, X: Any, rows: np.ndarray, n_rows: int) -> np.ndarray | None:
    """Return the pictures of the rows: their features in another shape, or some of all images."""
    if images is None:
        return None
    if isinstance(images, tuple) and all(isinstance(length, Integral) for length in images):
        features = X.toarray() if sp.issparse(X) else np.asarray(X)
        size = prod(features.shape[1:])
        if min(images, default=0) < 1 or prod(images) != size:
            raise ValueError(
                f"images={images} must be a shape for the {size} features of a row of X."
            )
        return _checked_pictures(features.reshape(len(rows), *images))
    _check_length("images", images, n_rows)
    return _checked_pictures(_safe_indexing(images, rows))


def _checked_pictures(images: Any) -> np.ndarray:
    """Return pictures as matplotlib takes them: a single channel is none."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 and not (images.ndim == 4 and images.shape[-1] in (3, 4)):
        raise ValueError(
            "images must be of shape (n, height, width) or (n, height, width, channels) with 1, 3 "
            f"or 4 channels, got shape {images.shape}."
        )
    return images


# Words


def _shown(label: Any) -> str:
    """Return a label as it is shown: on one line, and a number in four digits if it is no int."""
    if isinstance(label, Real) and not isinstance(label, Integral):
        return format(float(label), ".4g")
    return " ".join(str(label).split())


def _probability(value: float) -> str:
    # Rounded, many of the worst rows would be plain zeros.
    return "<0.01" if value < 0.005 else f"{value:.2f}"


def _width(text: str) -> float:
    """Return the width of a line in ems, and a little more: pixels round each letter up or down."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=_SIZE)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.05 * width / _SIZE


def _shortened(text: str, width: float) -> str:
    """Return the text, or as much of its beginning as fits into some ems."""
    text = text[:500]  # nothing that is longer fits, and it need not be measured
    if _width(text) <= width:
        return text

    def cut(length: int) -> str:
        return text[:length].rstrip() + "…"

    too_long = bisect_left(range(1, len(text)), True, key=lambda n: _width(cut(n)) > width) + 1
    return cut(max(too_long - 1, 1))


# Drawing


def _place(ax: Axes | None, width: float, height: float) -> tuple[Axes, float, float]:
    """Return axes to draw in, and their width and height; new ones are as large as asked for."""
    if ax is None:
        import matplotlib.pyplot as plt

        margin = _SIZE
        full = width + 2 * margin, height + 2 * margin
        figure = plt.figure(figsize=(full[0] / 72, full[1] / 72))
        left, bottom = margin / full[0], margin / full[1]
        ax = figure.add_axes((left, bottom, width / full[0], height / full[1]))
    ax.set_axis_off()
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    return ax, box.width * points, box.height * points


def _table(ax: Axes | None, columns: dict[str, list[str]], quality: Iterable[float]) -> Axes:
    """Draw columns of words with a line for each row, and quality also as a bar."""
    n_lines = len(columns["row"]) + 1
    widths = {head: max(map(_width, [head, *cells])) for head, cells in columns.items()}
    number = max(map(_width, columns["label quality"]))
    widths["label quality"] = max(widths["label quality"], _BAR + 0.5 + number)
    if "text" in columns:
        widths["text"] = min(widths["text"], _SNIPPET[1])
    least = sum(widths.values()) + _SPACE * (len(widths) - 1)
    ax, width, height = _place(ax, least * _SIZE, n_lines * 1.3 * _LINE * _SIZE)
    if "text" in columns:
        least += min(_SNIPPET[0] - widths["text"], 0)
    size = min(_SIZE, width / least, height / n_lines / _LINE)
    if "text" in columns:  # it has what the others leave
        others = sum(widths[head] + _SPACE for head in columns if head != "text")
        widths["text"] = max(width / size - others, 0)
        columns = columns | {"text": [_shortened(text, widths["text"]) for text in columns["text"]]}

    # x is in ems, and y counts the lines from the head down.
    ax.set(xlim=(0, width / size), ylim=(n_lines - 0.5, -0.5))
    ax.axhline(0.5, color=_GREY, lw=0.8)
    start = 0.0
    for head, cells in columns.items():
        at, side = (start + widths[head], "right") if head == "row" else (start, "left")
        style: dict[str, Any] = {"va": "center_baseline", "size": size, "parse_math": False}
        ax.text(at, 0, head, ha=side, color=_GREY, **style)
        if head == "label quality":
            at += _BAR + 0.5
            lines = np.arange(1, n_lines)
            ax.barh(lines, _BAR, left=start, height=0.5, color=_TRACK)
            ax.barh(lines, _BAR * np.asarray(quality), left=start, height=0.5, color="C0")
        for line, cell in enumerate(cells, start=1):
            ax.text(at, line, cell, ha=side, **style)
        start += widths[head] + _SPACE
    return ax


def _gallery(
    ax: Axes | None, images: np.ndarray, titles: list[list[str]], max_columns: int, cmap: Any
) -> np.ndarray:
    """Draw pictures in rows and columns, each with lines of words above it."""
    n_lines = len(titles[0]) + 0.5  # and a margin
    widest = max(_width(line) for lines in titles for line in lines) + 1
    cell = max(_PICTURE * 1.15, widest * _SIZE)
    picture = _PICTURE * min(images.shape[1] / images.shape[2], 3)
    head = n_lines * _LINE * _SIZE
    n_columns = min(max_columns, len(images))
    n_rows = ceil(len(images) / n_columns)
    ax, width, height = _place(ax, n_columns * cell, n_rows * (picture + head + _SIZE))

    def layout(n_columns: int) -> tuple[float, int, float]:
        """Return how good so many columns are, their number, and the size of letters."""
        wide, high = width / n_columns, height / ceil(len(images) / n_columns)
        size = min(_SIZE, wide / widest, high / 2 / n_lines / _LINE)
        shrunk = min(0.9 * wide / _PICTURE, (0.95 * high - n_lines * _LINE * size) / picture)
        return round(min(size / _SIZE, shrunk, 1), 2), n_columns, size

    # In a narrow place fewer columns may be easier to read; otherwise as many as may be.
    _, n_columns, size = max(map(layout, range(1, n_columns + 1)))
    n_rows = ceil(len(images) / n_columns)
    wide, high = width / n_columns, height / n_rows
    head = n_lines * _LINE * size

    grey: dict[str, Any] = {}
    if images.ndim == 3:  # one scale for all
        grey = {"cmap": cmap, "vmin": images.min(), "vmax": images.max()}
    axes = []
    for k, (image, lines) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(k, n_columns)
        bounds = (column + 0.05) * wide, height - (row + 1) * high + 0.05 * high
        extent = 0.9 * wide, max(0.95 * high - head, 1e-3)
        place = ax.inset_axes(
            (bounds[0] / width, bounds[1] / height, extent[0] / width, extent[1] / height)
        )
        place.imshow(image, **grey)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_color("0.8")
        place.set_title(
            "\n".join(lines), size=size, pad=size / 3, linespacing=1.2, parse_math=False
        )
        axes.append(place)
    return np.array(axes)
