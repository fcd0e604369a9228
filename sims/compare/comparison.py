"""Comparison: what differs between two runs or two machines, and what the differences are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from archmodel.records.machine import Machine

from ..report.saved import Saved
from .exact import Quantity
from .inputs import Difference, machine_differences, run_differences
from .machines import Consequence, consequences, machine_quantities
from .results import by_factor, quantities


@dataclass(frozen=True)
class Comparison:
    """``kind`` is results or machines; ``a`` and ``b`` say what they are: a title and, of a result, its command.

    same      all records of A equal those of B
    factors   (what changed, seconds) of time = cycles / clock: they sum to the difference in time; empty for machines
    follows   what follows from the descriptions of two machines; empty for results
    """

    kind: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    same: bool
    inputs: tuple[Difference, ...]
    quantities: tuple[Quantity, ...]
    factors: dict[str, Fraction] = field(default_factory=dict)
    follows: tuple[Consequence, ...] = ()


def compare_results(a: Saved, b: Saved) -> Comparison:
    """Raises SpecError for a result that no run wrote."""
    from ..report.table import title

    one, other = ((saved.result, saved.graph, saved.machine, saved.mapping) for saved in (a, b))
    said_a, said_b = ((title(saved.result), saved.command) for saved in (a, b))
    return Comparison("results", said_a, said_b, one == other, run_differences(a, b),
                      quantities(a.result, b.result), by_factor(a.result, b.result))  # fmt: skip


def compare_machines(a: Machine, b: Machine) -> Comparison:
    return Comparison("machines", (f"machine {a.name}",), (f"machine {b.name}",), a == b, machine_differences(a, b),
                      machine_quantities(a, b), follows=consequences(a, b))  # fmt: skip
