"""Vector engine: lanes that each start one elementary operation a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..base import Within, check_fields

TYPE = "vector"
Count = Annotated[int, Within(1, 1 << 20)]


@dataclass(frozen=True)
class Params:
    """What a machine's description says of a vector engine.

    lanes         operations started per cycle
    lane_bits     width of one operand on the memory port
    port_bytes    bytes the memory port moves per cycle
    exp_cycles    lane cycles of one exponential (and of tanh-like functions built on it)
    divide_cycles lane cycles of one reciprocal, division or square root
    pipeline      cycles from an operand to its result
    """

    lanes: Count
    port_bytes: Count
    lane_bits: Count = 16
    exp_cycles: Count = 4
    divide_cycles: Count = 4
    pipeline: Count = 8

    def __post_init__(self) -> None:
        check_fields(self, "vector engine")
