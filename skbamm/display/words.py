"""Text of the displays: labels, probabilities, and the size of a text."""

from __future__ import annotations

from bisect import bisect_left
from numbers import Integral, Real
from typing import Any

SIZE = 10.0  # of the letters in points, where there is room


def shown(label: Any) -> str:
    """Return a label as shown: on one line, numbers other than integers in four digits."""
    if isinstance(label, Real) and not isinstance(label, Integral):
        return format(float(label), ".4g")
    return " ".join(str(label).split())


def probability(value: float) -> str:
    """Return a probability in two digits, or that it is small."""
    # Rounded, many of the worst rows would be plain zeros.
    return "<0.01" if value < 0.005 else f"{value:.2f}"


def text_width(text: str) -> float:
    """Return the width of a line in ems, and a little more: pixels round each letter up or down."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=SIZE)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.05 * width / SIZE


def shortened(text: str, width: float) -> str:
    """Return the text, or as much of its beginning as fits into some ems."""
    text = text[:500]  # nothing that is longer fits, and it need not be measured
    if text_width(text) <= width:
        return text

    def cut(length: int) -> str:
        return text[:length].rstrip() + "…"

    too_long = bisect_left(range(1, len(text)), True, key=lambda n: text_width(cut(n)) > width) + 1
    return cut(max(too_long - 1, 1))
