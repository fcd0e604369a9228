"""The systolic engine: tilings it can execute, what they cost in closed form, their Program, and its cycle model."""

from .closed_form import Cost, price
from .cycle import run
from .derived import derived, remarks
from .lower import Bases, lower
from .program import program
from .rows import area, evaluate, hardware_of, ideal_cycles, static, supports, traffic
from .tiling import Tiling
from .tree import relayouts

TYPE = "systolic"

__all__ = [
    "TYPE", "Bases", "Cost", "Tiling", "area", "derived", "evaluate", "hardware_of", "ideal_cycles", "lower", "price", "program",
    "relayouts", "remarks", "run", "static", "supports", "traffic",
]  # fmt: skip
