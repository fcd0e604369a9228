"""Predicted TFLOP/s beside the measured bands, and the cause of every miss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .machines import backward_seconds, forward_seconds, machine
from .measured import CAUSES, LINES, Line

NEAR = 0.15
"""The relative distance from the measured band that counts as explained."""


@dataclass(frozen=True)
class Point:
    """A kernel at one length: the lowest and highest TFLOP/s of its runs, and ours."""

    line: Line
    tokens: int
    low: float
    high: float
    ours: float

    @property
    def error(self) -> float:
        return outside(self.ours, self.low, self.high)

    @property
    def cause(self) -> str:
        """Why it is missed, nothing where it isn't."""
        return self.line.cause if abs(self.error) > NEAR else ""

    @property
    def with_cause(self) -> float | None:
        """Ours once the cause is counted, None where nobody measured how much it costs."""
        factor = CAUSES[self.cause][0] if self.cause else 1.0
        return self.ours / factor if factor > 1 else None

    @property
    def error_with_cause(self) -> float | None:
        return None if self.with_cause is None else outside(self.with_cause, self.low, self.high)


def points() -> Iterator[Point]:
    """Every length of every line that somebody measured."""
    for line in LINES:
        for place, (tokens, heads) in enumerate(zip(line.lengths, line.heads, strict=True)):
            if seen := [value for run in line.runs if (value := run[place]) is not None]:
                yield Point(line, tokens, min(seen), max(seen), flops(line, tokens, heads) / _seconds(line, tokens, heads) / 1e12)


def _seconds(line: Line, tokens: int, heads: int) -> float:
    whole = machine(line.gpu, line.mhz)
    if line.way == "forward":
        return forward_seconds(whole, line.d, line.f, tokens, heads, line.causal, line.emulated)
    return backward_seconds(whole, line.d, line.f, tokens, heads, line.causal)


def flops(line: Line, tokens: int, heads: int) -> float:
    """As benchmarks count them: two products forward, five backward, half of them under a causal mask."""
    depth = line.d + line.f if line.way == "forward" else 3 * line.d + 2 * line.f
    return 2.0 * tokens * tokens * depth * heads / (2 if line.causal else 1)


def outside(value: float, low: float, high: float) -> float:
    """The relative distance of a value from a band, 0 within it."""
    return value / low - 1 if value < low else value / high - 1 if value > high else 0.0
