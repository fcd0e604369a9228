"""Quantities with units: text such as ``800 MHz`` to exact integers in a base unit, and back.

All arithmetic is on Fractions, so ``1.05 GHz`` is exactly 1,050,000,000 Hz.  kB (1,000) and KiB (1,024) differ.  A bare
number is an error, and so is a quantity that is not a whole number of base units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from archmodel.records.base import SpecError
from archmodel.records.machine import MAX_BYTES, MAX_BYTES_PER_SECOND, MAX_HZ, MAX_NODE_NM, MAX_PICOSECONDS

_AMOUNT = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
_NUMBER = re.compile(rf"([+-]?{_AMOUNT})\s*(\S*)")
_LONGEST = 60
"""Characters of a quantity; longer text is no quantity, and might be slow to multiply out."""


@dataclass(frozen=True)
class Quantity:
    """A kind of quantity: what an error calls it, its units in base units, and the least and greatest value."""

    what: str
    example: str
    units: tuple[tuple[str, Fraction], ...]
    maximum: int
    minimum: int = 1

    @property
    def expected(self) -> str:
        return f"{self.what} such as {self.example}"

    @property
    def base(self) -> str:
        """The unit that is 1."""
        return next(unit for unit, factor in self.units if factor == 1)


def _scaled(base: str, prefixes: str) -> tuple[tuple[str, Fraction], ...]:
    """Decimal multiples: ``_scaled("Hz", "k M")`` has kHz and MHz; ``_`` stands for no prefix."""
    power = {"p": -12, "n": -9, "u": -6, "m": -3, "_": 0, "k": 3, "M": 6, "G": 9, "T": 12}
    return tuple((f"{prefix.strip('_')}{base}", Fraction(10) ** power[prefix]) for prefix in prefixes.split())


def _binary(base: str) -> tuple[tuple[str, Fraction], ...]:
    return tuple((f"{prefix}i{base}", Fraction(1024 ** (power + 1))) for power, prefix in enumerate("KMGT"))


def _in(unit: str, units: tuple[tuple[str, Fraction], ...]) -> tuple[tuple[str, Fraction], ...]:
    """The same units, counted in ``unit``."""
    return tuple((name, factor / dict(units)[unit]) for name, factor in units)


FREQUENCY = Quantity("a frequency", "800 MHz", _scaled("Hz", "_ k M G"), MAX_HZ)
BYTES = Quantity("a size", "64 KiB", (*_scaled("B", "_ k M G T"), *_binary("B")), MAX_BYTES)
BANDWIDTH = Quantity("a bandwidth", "51.2 GB/s", (*_scaled("B/s", "_ k M G T"), *_binary("B/s")), MAX_BYTES_PER_SECOND)
TIME = Quantity("a time", "100 ns", _in("ps", _scaled("s", "p n u m _")), MAX_PICOSECONDS, minimum=0)
LENGTH = Quantity("a process node", "16 nm", _in("nm", _scaled("m", "n u")), MAX_NODE_NM)


def parse(text: str, kind: Quantity) -> int:
    """The quantity as a whole number of base units.  Raises SpecError ``found ..., expected ...``."""
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    units = dict(kind.units)
    if match is None:
        raise SpecError(f"found {_shown(text)}, expected {kind.expected}")
    number, unit = match.groups()
    if not unit:
        raise SpecError(f"found {_shown(text)} without a unit, expected {kind.expected}")
    if unit not in units:
        raise SpecError(f"found the unit {_shown(unit)}, expected {kind.what} in one of {', '.join(units)}")
    value = Fraction(number) * units[unit]
    if value < kind.minimum:
        least = "0 or more" if kind.minimum == 0 else f"at least {kind.minimum} {kind.base}"
        raise SpecError(f"found {_shown(text)}, expected {kind.what} of {least}")
    if value > kind.maximum:
        raise SpecError(f"found {_shown(text)}, expected {kind.what} of at most {text_of(kind.maximum, kind)}")
    if value.denominator != 1:
        raise SpecError(f"found {_shown(text)}, expected {kind.what} that is a whole number of {kind.base}")
    return value.numerator


def pattern_of(kind: Quantity) -> str:
    """The regular expression of a quantity, for readers that know no units: number and unit, bounds left out."""
    names = "|".join(re.escape(unit) for unit, _ in kind.units)
    return rf"^\s*\+?{_AMOUNT}\s*({names})\s*$"


def text_of(value: int, kind: Quantity) -> str:
    """A short text that ``parse`` reads back as ``value``: at least one of its unit, few digits, a large unit."""
    texts = [(_decimal(value / factor), unit, factor) for unit, factor in kind.units]
    exact = [(number.startswith("0."), len(number), -factor, f"{number} {unit}")
             for number, unit, factor in texts if number is not None]  # fmt: skip
    return min(exact)[3]


def _decimal(value: Fraction) -> str | None:
    """``value`` as a decimal of at most four places, or None when it has none."""
    thousands = value * 10_000
    if thousands.denominator != 1 or (value and abs(value) < Fraction(1, 100)):
        return None
    whole, rest = divmod(thousands.numerator, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def _shown(text: str) -> str:
    """The user's text on one line, cut where it grows long."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "...")
