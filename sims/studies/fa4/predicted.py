"""Predicted TFLOP/s beside the measured bands, and the cause of every miss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .machines import backward_seconds, forward_seconds, machine, with_rate
from .measured import CAUSES, LINES, LOCKED, Line

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


def points(lines: Iterable[Line] = LINES) -> Iterator[Point]:
    """Every length of every line that somebody measured."""
    for line in lines:
        for place, (tokens, heads) in enumerate(zip(line.lengths, line.heads, strict=True)):
            if seen := [value for run in line.runs if (value := run[place]) is not None]:
                yield Point(line, tokens, min(seen), max(seen), flops(line, tokens, heads) / _seconds(line, tokens, heads) / 1e12)


def near_by_clock() -> tuple[int, int]:
    """Points within NEAR of those whose clock is a guess: with it, and at the machine's own clock."""
    lines = [line for line in LINES if line.mhz == LOCKED]
    guessed, own = (sum(not point.cause for point in points(replace(line, mhz=mhz) for line in lines)) for mhz in (LOCKED, 0))
    return guessed, own


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


DOUBTS = (
    ("as described", "", ""),
    ("no wait for loads from tensor memory", "load copy 105/32", "load copy 1/32"),
    ("conversions at half the rate", "alu convert 1", "alu convert 2"),
    ("maxima at twice the rate", "alu max 1", "alu max 1/2"),
    ("every row rescaled", "alu rescale 1/10", "alu rescale 1"),
    ("polynomial of 10 operations", "alu exp2 8", "alu exp2 10"),
)
"""The constants that rest on least, and what else they might be."""


def doubts() -> Iterator[tuple[str, float, float]]:
    """What each of them is worth: TFLOP/s forward at head sizes 64 and 128, 8,192 tokens, nothing masked."""
    for said, line, other in DOUBTS:
        whole = with_rate(machine("b200"), line, other)
        small, large = (4.0 * 8192**2 * d * heads / forward_seconds(whole, d, d, 8192, heads, False, emulated) / 1e12
                        for d, heads, emulated in ((64, 128, 16), (128, 64, 24)))  # fmt: skip
        yield said, small, large
