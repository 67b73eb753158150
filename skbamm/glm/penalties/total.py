"""Sums of penalties, as the elastic net's of squares and absolute values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from skbamm.glm.penalties.base import Penalty


class Total(Penalty):
    """The sum of several penalties, of which one may have kinks.

    The parts have the strengths and the kinks.

    Parameters
    ----------
    *parts : Penalty
    """

    def __init__(self, *parts: Penalty):
        if sum(part.has_kinks for part in parts) > 1:
            raise ValueError("of the parts of a penalty one may have kinks")
        self._parts = parts

    @property
    def has_kinks(self) -> bool:  # type: ignore[override]
        """Whether a part has kinks."""
        return self.kinked is not None

    @property
    def parts(self) -> tuple[Penalty, ...]:
        """The parts."""
        return self._parts

    @property
    def kinked(self) -> Penalty | None:
        """The part with kinks, or None."""
        return next((part for part in self._parts if part.has_kinks), None)

    def strongest(self, x: Tensor) -> Tensor:
        """See ``Penalty.strongest``; of the part with kinks, unless that has no strength."""
        order = sorted(self._parts, key=lambda part: part.has_kinks, reverse=True)
        found = [part.strongest(x) for part in order]
        return next((one for one in found if bool(one.any())), found[0])

    def curvature(self, strengths: Sequence[Tensor]) -> Tensor:
        """See ``Penalty.curvature``."""
        pairs = zip(self._parts, strengths, strict=True)
        smooth = [part.curvature((one,)) for part, one in pairs if not part.has_kinks]
        return sum(smooth[1:], smooth[0]) if smooth else super().curvature(strengths)

    def of(self, take: Callable[[Tensor], Tensor]) -> Total:
        """See ``Penalty.of``."""
        return Total(*(part.of(take) for part in self._parts))
