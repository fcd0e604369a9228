"""Differences in exact arithmetic: amounts of A and B, part by part, whose differences sum to that of the whole.

A record's floats and integers are Fractions here, so a sum doesn't depend on its order and nothing is lost in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from archmodel.records.figure import PROVENANCES, Figure, weakest

EQUAL, EXACT, WITHIN, OUTSIDE, UNKNOWN = "equal", "exact", "within", "outside", "unknown"
"""Where a difference lies as to the bounds of its figures: there is none, counts have none, in them, beyond them, nobody knows."""


@dataclass(frozen=True)
class Amount:
    """A figure as Fractions.  ``counted`` says that it is a count, which has no error to bound."""

    value: Fraction = Fraction(0)
    low: Fraction | None = Fraction(0)
    high: Fraction | None = Fraction(0)
    provenance: str = PROVENANCES[0]
    counted: bool = False


NOTHING = Amount()


def counted(value: Fraction, provenance: str) -> Amount:
    return Amount(value, value, value, provenance, counted=True)


def amount(figure: Figure) -> Amount:
    low, high = (None if bound is None else Fraction(bound) for bound in (figure.low, figure.high))
    return Amount(Fraction(figure.value), low, high, figure.provenance)


def sum_of(amounts: Iterable[Amount]) -> Fraction:
    return sum((part.value for part in amounts), Fraction(0))


def added(amounts: Iterable[Amount]) -> Amount:
    """The sum; a part without a bound leaves it without that bound."""
    parts = tuple(part for part in amounts if part != NOTHING)
    if not parts:
        return NOTHING
    return Amount(
        sum_of(parts), _bound([part.low for part in parts]), _bound([part.high for part in parts]),
        weakest(part.provenance for part in parts), all(part.counted for part in parts),
    )  # fmt: skip


def gathered(pairs: Iterable[tuple[str, Amount]]) -> dict[str, Amount]:
    """(name, amount) pairs by name, those of one name added."""
    found: dict[str, list[Amount]] = {}
    for name, figure in pairs:
        found.setdefault(name, []).append(figure)
    return {name: added(figures) for name, figures in found.items()}


def summed(figures: Iterable[tuple[str, Figure]]) -> dict[str, Amount]:
    return gathered((name, amount(figure)) for name, figure in figures)


def _bound(bounds: list[Fraction | None]) -> Fraction | None:
    known = [bound for bound in bounds if bound is not None]
    return sum(known, Fraction(0)) if len(known) == len(bounds) else None


@dataclass(frozen=True)
class Part:
    """What one operator costs in A and in B for one cause; a sum over parts keeps the name that they share."""

    operator: str
    group: str
    cause: str
    a: Amount
    b: Amount

    @property
    def difference(self) -> Fraction:
        return self.b.value - self.a.value

    @property
    def provenance(self) -> str:
        """Of the weaker."""
        return weakest((self.a.provenance, self.b.provenance))

    @property
    def bounds(self) -> str:
        """Whether the intervals of A and B overlap.  One without a bound reaches to its value, and nobody knows how much further."""
        a, b = self.a, self.b
        if a.value == b.value:
            return EQUAL
        if a.counted or b.counted:
            return EXACT
        if _below(a, b) or _below(b, a):
            return OUTSIDE
        return WITHIN if max(_least(a), _least(b)) <= min(_most(a), _most(b)) else UNKNOWN


def _below(first: Amount, second: Amount) -> bool:
    """Whether all of ``first`` is known to lie below all of ``second``."""
    return first.high is not None and second.low is not None and first.high < second.low


def _least(figure: Amount) -> Fraction:
    return figure.value if figure.low is None else figure.low


def _most(figure: Amount) -> Fraction:
    return figure.value if figure.high is None else figure.high


@dataclass(frozen=True)
class Quantity:
    """One quantity of A and B in ``unit``, by operator and cause.  ``why`` says what keeps it from being compared, if anything does."""

    name: str
    unit: str
    parts: tuple[Part, ...] = ()
    why: str = ""

    @property
    def whole(self) -> Part:
        return merged(self.parts, lambda _part: (self.name, "", ""))[0] if self.parts else Part(self.name, "", "", NOTHING, NOTHING)

    def by_group(self) -> tuple[Part, ...]:
        return merged(self.parts, lambda part: ("", part.group, ""))

    def by_cause(self) -> tuple[Part, ...]:
        return merged(self.parts, lambda part: ("", "", part.cause))

    def largest(self) -> tuple[Part, ...]:
        """The parts, the largest difference first."""
        return tuple(sorted(self.parts, key=lambda part: (-abs(part.difference), part.operator, part.cause)))


def merged(parts: Iterable[Part], key: Callable[[Part], tuple[str, str, str]]) -> tuple[Part, ...]:
    """Parts with the same (operator, group, cause) of ``key`` as one, in the order of their first."""
    found: dict[tuple[str, str, str], list[Part]] = {}
    for part in parts:
        found.setdefault(key(part), []).append(part)
    return tuple(Part(*names, added(part.a for part in mine), added(part.b for part in mine)) for names, mine in found.items())


def paired(a: dict[tuple[str, str, str], Amount], b: dict[tuple[str, str, str], Amount]) -> tuple[Part, ...]:
    """A part for each (operator, group, cause) of either; what one lacks is nothing there."""
    return tuple(Part(*key, a.get(key, NOTHING), b.get(key, NOTHING)) for key in dict.fromkeys([*a, *b]))
