"""The attention engine: one-pass softmax over tiles of keys."""

from .closed_form import Cost, price
from .cycle import run
from .derived import derived, remarks
from .lower import Bases, extents, lower, patterns, scheduled
from .program import program
from .rows import (
    area,
    element_bits,
    evaluate,
    hardware_of,
    ideal_cycles,
    relayouts,
    static,
    supports,
    tile_keys,
    traffic,
)
from .tiling import Attention
from .units import units

TYPE = "attention"
FUSES = True

__all__ = [
    "FUSES", "TYPE", "Attention", "Bases", "Cost", "area", "derived", "element_bits", "evaluate", "extents", "hardware_of",
    "ideal_cycles", "lower", "patterns", "price", "program", "relayouts", "remarks", "run", "scheduled", "static", "supports", "tile_keys",
    "traffic", "units",
]  # fmt: skip
