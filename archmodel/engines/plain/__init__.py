"""The plain engine: any tree of loops over levels of storage, its words, energy and cycles counted exactly (docs/plain.md)."""

from .rows import FUSES, area, capacity_bytes, derived, evaluate, ideal_cycles, supports, traffic

TYPE = "plain"

__all__ = ["FUSES", "TYPE", "area", "capacity_bytes", "derived", "evaluate", "ideal_cycles", "supports", "traffic"]
