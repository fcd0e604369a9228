"""Quantities as people read them: three or four digits and a unit."""

from __future__ import annotations

from collections.abc import Callable

Text = Callable[[float], str]
"""How a quantity is written."""

TIME = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
ENERGY = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
COUNT = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    if not value:
        return f"0 {next(unit for size, unit in units if size == 1.0)}".rstrip()
    size, unit = next((pair for pair in units if abs(value) >= pair[0]), units[-1])
    number = value / size
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f} {unit}".rstrip()


def time(seconds: float) -> str:
    return _scaled(seconds, TIME)


def energy(picojoules: float) -> str:
    return _scaled(picojoules, ENERGY)


def size(bytes_: float) -> str:
    """Decimal bytes: 1 GB is 10**9."""
    return _scaled(bytes_, _BYTES)


def count(value: float) -> str:
    return _scaled(value, COUNT)


def number(value: float | None) -> str:
    """Four digits, thousands apart; "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 999.95 else f"{value:#.4g}"


def brief(value: float) -> str:
    """Three digits, of a larger value all whole ones."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def share(part: float, whole: float) -> str:
    """A percentage, "-" of nothing."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
