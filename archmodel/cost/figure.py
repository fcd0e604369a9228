"""A figure with bounds and provenance, and how figures add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROVENANCES = ("published", "scaled", "extrapolated")
"""From strong to weak, as far as a cost table reaches; a sum has the weakest of its parts."""


@dataclass(frozen=True)
class Figure:
    """A value in the unit that its getter names; ``low`` and ``high`` are bounds of the source, None where unknown."""

    value: float
    low: float | None
    high: float | None
    provenance: str
    source: str


def scaled(figure: Figure, factor: float, provenance: str = PROVENANCES[0]) -> Figure:
    """``factor`` times the figure, at best of ``provenance``."""
    low, high = (None if bound is None else bound * factor for bound in (figure.low, figure.high))
    return Figure(figure.value * factor, low, high, weakest((figure.provenance, provenance)), figure.source)


def total(figures: Sequence[Figure]) -> Figure:
    """The sum.  A part without a bound leaves the sum without it; sources are listed once each."""
    lows, highs = [figure.low for figure in figures], [figure.high for figure in figures]
    return Figure(
        sum(figure.value for figure in figures),
        _sum(lows),
        _sum(highs),
        weakest([figure.provenance for figure in figures]),
        "; ".join(dict.fromkeys(figure.source for figure in figures)),
    )


def weakest(provenances: Sequence[str]) -> str:
    """The weakest of some provenances."""
    return max(provenances, key=PROVENANCES.index)


def _sum(bounds: Sequence[float | None]) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return sum(known) if len(known) == len(bounds) else None
