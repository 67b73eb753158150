"""Draws a table of words, or a gallery of pictures, into the room that some axes have."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from skbamm.display.words import SIZE, shortened, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lengths are in points, or in letter sizes ("ems") where they shall shrink with the letters.
PICTURE = 80.0  # width of a picture
_LINE = 1.4  # from line to line, in ems
_BAR = 6.0  # a whole bar of quality
_SPACE = 1.8  # between columns
_SNIPPET = (14.0, 48.0)  # the least and the most room for a text
_GREY, _TRACK = "0.5", "0.92"


def _place(ax: Axes | None, width: float, height: float) -> tuple[Axes, float, float]:
    """Return axes to draw in, and their width and height; new ones have the requested size."""
    if ax is None:
        import matplotlib.pyplot as plt

        margin = SIZE
        full = width + 2 * margin, height + 2 * margin
        figure = plt.figure(figsize=(full[0] / 72, full[1] / 72))
        left, bottom = margin / full[0], margin / full[1]
        ax = figure.add_axes((left, bottom, width / full[0], height / full[1]))
    ax.set_axis_off()
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    return ax, box.width * points, box.height * points


def table(ax: Axes | None, columns: dict[str, list[str]], quality: Iterable[float]) -> Axes:
    """Draw columns of words with a line for each row, and quality also as a bar."""
    n_lines = len(columns["row"]) + 1
    widths = {head: max(map(text_width, [head, *cells])) for head, cells in columns.items()}
    number = max(map(text_width, columns["label quality"]))
    widths["label quality"] = max(widths["label quality"], _BAR + 0.5 + number)
    if "text" in columns:
        widths["text"] = min(widths["text"], _SNIPPET[1])
    least = sum(widths.values()) + _SPACE * (len(widths) - 1)
    ax, width, height = _place(ax, least * SIZE, n_lines * 1.3 * _LINE * SIZE)
    if "text" in columns:
        least += min(_SNIPPET[0] - widths["text"], 0)
    size = min(SIZE, width / least, height / n_lines / _LINE)
    if "text" in columns:  # it has what the others leave
        others = sum(widths[head] + _SPACE for head in columns if head != "text")
        widths["text"] = max(width / size - others, 0)
        columns = columns | {"text": [shortened(text, widths["text"]) for text in columns["text"]]}

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


def gallery(
    ax: Axes | None, images: np.ndarray, titles: list[list[str]], max_columns: int, cmap: Any
) -> np.ndarray:
    """Draw pictures in rows and columns, each with lines of words above it."""
    n_lines = len(titles[0]) + 0.5  # and a margin
    widest = max(text_width(line) for lines in titles for line in lines) + 1
    cell = max(PICTURE * 1.15, widest * SIZE)
    picture = PICTURE * min(images.shape[1] / images.shape[2], 3)
    head = n_lines * _LINE * SIZE
    n_columns = min(max_columns, len(images))
    n_rows = ceil(len(images) / n_columns)
    ax, width, height = _place(ax, n_columns * cell, n_rows * (picture + head + SIZE))

    def layout(n_columns: int) -> tuple[float, int, float]:
        """Return the quality of so many columns, their number, and the font size."""
        wide, high = width / n_columns, height / ceil(len(images) / n_columns)
        size = min(SIZE, wide / widest, high / 2 / n_lines / _LINE)
        shrunk = min(0.9 * wide / PICTURE, (0.95 * high - n_lines * _LINE * size) / picture)
        return round(min(size / SIZE, shrunk, 1), 2), n_columns, size

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
        _frame(place, lines, size)
        axes.append(place)
    return np.array(axes)


def _frame(place: Axes, lines: list[str], size: float) -> None:
    """Leave a picture without ticks, and write lines of words above it."""
    place.set(xticks=[], yticks=[])
    place.spines[:].set_color("0.8")
    place.set_title("\n".join(lines), size=size, pad=size / 3, linespacing=1.2, parse_math=False)
