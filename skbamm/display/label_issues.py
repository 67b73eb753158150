"""Display of label issues: the rows that it shows, and their captions."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.utils import column_or_1d

from skbamm._sklearn_compat import num_samples, safe_indexing
from skbamm.display.drawing import PICTURE, gallery, table
from skbamm.display.words import SIZE, probability, shortened, shown, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABEL = 12.0  # the widest label, in letter sizes


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
        The label that a model predicts.
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
            Number of rows to show. If fewer are label issues, the next most doubtful rows follow.
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
            Colormap of grey images. By default high values are dark.

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
        X = safe_indexing(X.tocsr() if sp.issparse(X) else X, rows)
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
            texts=None if texts is None else safe_indexing(texts, rows),
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
            Colormap of grey images.

        Returns
        -------
        LabelIssuesDisplay
            The display itself, with the axes it drew on.

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
            self.axes_ = np.array([table(ax, self._columns(), self.quality)])
        else:
            images = _checked_pictures(self.images)
            self.axes_ = gallery(ax, images, self._titles(), int(max_columns), cmap)
        self.figure_ = self.axes_[0].figure
        return self

    def _labels(self) -> tuple[list[str], list[str]]:
        both = ([shown(value) for value in labels] for labels in (self.given, self.suggested))
        given, suggested = ([shortened(label, _LABEL) for label in labels] for labels in both)
        return given, suggested

    def _columns(self) -> dict[str, list[str]]:
        """Return the cells of the table by the heads of its columns."""
        given, suggested = self._labels()
        columns = {"row": [str(row) for row in self.rows], "given": given, "suggested": suggested}
        columns["label quality"] = [probability(quality) for quality in self.quality]
        if self.texts is not None:
            columns["text"] = [" ".join(str(text).split()) for text in self.texts]
        return columns

    def _titles(self) -> list[list[str]]:
        """Return the lines over each picture."""
        labels = [
            [f"row {row}: {given}", f"→ {suggested}"]
            for row, given, suggested in zip(self.rows, *self._labels(), strict=True)
        ]
        if max(text_width(" ".join(pair)) for pair in labels) < 1.5 * PICTURE / SIZE:
            labels = [[" ".join(pair)] for pair in labels]
        return [
            [*lines, f"quality {probability(quality)}"]
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
    found = num_samples(value)
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
    return _checked_pictures(safe_indexing(images, rows))


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
