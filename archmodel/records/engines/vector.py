"""Vector engine: lanes that each start one elementary operation a cycle."""

from __future__ import annotations

from dataclasses import dataclass

from ..base import SpecError

TYPE = "vector"
MAXIMUM = 1 << 20
"""Of every parameter."""


@dataclass(frozen=True)
class Params:
    """lanes      operations started per cycle
    lane_bits     width of one operand on the memory port
    port_bytes    bytes the memory port moves per cycle
    exp_cycles    lane cycles of one exponential (and of tanh-like functions built on it)
    divide_cycles lane cycles of one reciprocal, division or square root
    pipeline      cycles from an operand to its result
    """

    lanes: int
    port_bytes: int
    lane_bits: int = 16
    exp_cycles: int = 4
    divide_cycles: int = 4
    pipeline: int = 8

    def __post_init__(self) -> None:
        for name in ("lanes", "port_bytes", "lane_bits", "exp_cycles", "divide_cycles", "pipeline"):
            value = getattr(self, name)
            if not 1 <= value <= MAXIMUM:
                limit = "least 1" if value < 1 else f"most {MAXIMUM}"
                raise SpecError(f"vector engine: {name} is {value}, expected at {limit}")
