"""Area and leakage of one copy of an engine, whose logic is its own and whose memories are SRAM."""

from __future__ import annotations

from archmodel.cost import Costs
from archmodel.records.figure import Figure, product, total

Parts = tuple[tuple[str, Figure], ...]
"""(part, square micrometres)."""


def with_control(logic: Parts, costs: Costs, node: int) -> Parts:
    """The logic, and sequencers and movers where the table has ``control``."""
    return (*logic, ("control", costs.area_um2("control", 1, node))) if costs.has("control", "um2") else logic


def area_of(logic: Parts, buffer_bits: int, program_bits: int, costs: Costs, node: int) -> Parts:
    """Its logic, what placing and wiring that takes, and its memories."""
    return (
        *logic,
        ("placing and wiring", costs.placed(total(figure for _, figure in logic))),
        ("buffers", costs.area_um2("sram", buffer_bits, node)),
        ("program memories", costs.area_um2("sram", program_bits, node)),
    )


def static_of(logic: Parts, memory_bits: int, costs: Costs, node: int) -> Parts:
    """(cause, watts) of a copy that is on."""
    return (
        ("leakage of logic", product(costs.static_w("leakage", 1.0, node), total(figure for _, figure in logic))),
        ("leakage of buffers", costs.static_w("sram", memory_bits, node)),
    )
