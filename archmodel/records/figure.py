"""Figure: a number with its bounds, how far to trust it, and where it comes from; and how figures add up."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from .base import SpecError

PROVENANCES = (
    "rtl-confirmed", "rtl-covered", "cycle", "closed form", "calibrated", "published", "scaled", "extrapolated", "unknown",
)  # fmt: skip
"""From strong to weak; a sum has that of its weakest part.  "calibrated" goes on to say on what: "calibrated on sky130"."""


@functools.cache
def strength(provenance: str) -> int:
    """The place of a provenance in ``PROVENANCES``, 0 the strongest.  Raises SpecError for none of them."""
    name = "calibrated" if provenance.startswith("calibrated on ") else provenance
    if name not in PROVENANCES:
        raise SpecError(f"provenance {provenance!r}: expected {', '.join(PROVENANCES)}")
    return PROVENANCES.index(name)


def weakest(provenances: Iterable[str]) -> str:
    """The provenance of a sum of figures with these."""
    return max(provenances, key=strength, default=PROVENANCES[0])


@dataclass(frozen=True)
class Figure:
    """A value in the unit that its place says; ``low`` and ``high`` are bounds of the sources, None where unknown.

    sources  keys into the project's list of sources, each once
    """

    value: float
    low: float | None
    high: float | None
    provenance: str
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        strength(self.provenance)


def scaled(figure: Figure, factor: float, provenance: str = PROVENANCES[0]) -> Figure:
    """``factor`` (not negative) times the figure, at best of ``provenance``."""
    low = None if figure.low is None else figure.low * factor
    high = None if figure.high is None else figure.high * factor
    worst = figure.provenance if provenance == PROVENANCES[0] else weakest((figure.provenance, provenance))
    return Figure(figure.value * factor, low, high, worst, figure.sources)


def product(one: Figure, other: Figure) -> Figure:
    """The product of two figures that are not negative, bounds by bounds."""
    low, high = (None if left is None or right is None else left * right
                 for left, right in ((one.low, other.low), (one.high, other.high)))  # fmt: skip
    return Figure(one.value * other.value, low, high, weakest((one.provenance, other.provenance)),
                  tuple(dict.fromkeys(one.sources + other.sources)))  # fmt: skip


def total(figures: Iterable[Figure]) -> Figure:
    """The sum, correctly rounded, so that the order of the parts doesn't matter.  A part without a bound leaves the sum without it."""
    parts = tuple(figures)
    return Figure(
        math.fsum(part.value for part in parts),
        _sum([part.low for part in parts]),
        _sum([part.high for part in parts]),
        weakest(part.provenance for part in parts),
        tuple(dict.fromkeys(source for part in parts for source in part.sources)),
    )


def by_cause(rows: Iterable[tuple[str, Figure, float]]) -> tuple[tuple[str, Figure], ...]:
    """(cause, figure, how often) rows as one figure a cause, causes in the order of their first row.

    What happens no time weakens nothing and keeps no bound away.
    """
    found: dict[str, list[Figure]] = {}
    for cause, figure, count in rows:
        found.setdefault(cause, []).extend([scaled(figure, count)] if count else [])
    return tuple((cause, total(parts)) for cause, parts in found.items())


def _sum(bounds: list[float | None]) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return math.fsum(known) if len(known) == len(bounds) else None
