"""evaluate at fidelity rtl: every distinct Program of the mapping runs in Verilator, with data, and must agree."""

from __future__ import annotations

from dataclasses import replace

from archmodel.cost import Costs
from archmodel.engines.systolic import hardware_of, price
from archmodel.engines.systolic.tiling import Tiling
from archmodel.engines.systolic.tree import from_tree
from archmodel.evaluation import evaluate as by_cycle
from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaf
from archmodel.records.result import Result

from .compare import check
from .drive import Engine
from .engines.systolic import run_seconds
from .jobs import make_job

PATIENT_CYCLES = 20_000_000
"""Simulated cycles up to which nobody needs to be asked: two minutes of a 16x16 array, eight of floating point."""


class Mismatch(RuntimeError):
    """Model and hardware disagree; the text is the report."""


def distinct_tilings(graph: Graph, mapping: Mapping, machine: Machine) -> dict[str, tuple[Tiling, ...]]:
    """Shapes that each matrix product runs on one copy of the systolic engine, by the Einsum's name."""
    engine = machine.engine_of_type("systolic")
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    found: dict[str, tuple[Tiling, ...]] = {}
    for tree in mapping.trees:
        end = leaf(tree)
        if engine and end.engine == engine.name:
            place = from_tree(graph, einsums[end.einsum], tree, engine)
            found[end.einsum] = (place.tiling, place.last) if place.last else (place.tiling,)
    return found


def evaluate(graph: Graph, mapping: Mapping, machine: Machine, fidelity: str = "rtl", seed: int = 0,
             most_cycles: int = PATIENT_CYCLES, costs: Costs | None = None) -> Result:  # fmt: skip
    """The Result at fidelity cycle, its matrix products confirmed in Verilator.

    Raises Mismatch where model and hardware differ, SpecError where more than ``most_cycles`` would have to be simulated.
    """
    if fidelity != "rtl":
        return by_cycle(graph, mapping, machine, fidelity, costs)
    engine = machine.engine_of_type("systolic")
    if engine is None:
        raise SpecError(f"machine {machine.name}: no systolic engine, and only that has RTL")
    hardware, port = hardware_of(machine, engine), port_of(machine, engine)
    wanted = distinct_tilings(graph, mapping, machine)
    unique = {_key(tiling): tiling for tilings in wanted.values() for tiling in tilings}
    _refuse_large(graph, machine, hardware, list(unique.values()), port, most_cycles)
    result = by_cycle(graph, mapping, machine, "cycle", costs)
    with Engine(hardware) as simulated:
        for tiling in unique.values():
            verdict = check(make_job(tiling, hardware, port, None, seed), simulated)
            if verdict.failures:
                raise Mismatch(verdict.report)
    # One copy ran, alone at its port; several sharing a memory did not.
    label = "rtl-confirmed" if engine.count == 1 else "rtl-covered"
    ops = tuple(replace(op, provenance=label) if op.name in wanted else op for op in result.ops)
    return replace(result, fidelity="rtl", ops=ops, notes=(*result.notes, f"Programs run in Verilator: {len(unique)}, seed {seed}"))


def _key(tiling: Tiling) -> tuple[object, ...]:
    return tuple(vars(tiling).values())


def _refuse_large(graph: Graph, machine: Machine, hardware: Hardware, tilings: list[Tiling], port: Port, most: int) -> None:
    cycles = sum(int(price(tiling, hardware, port).cycles[0]) for tiling in tilings)
    if cycles > most:
        raise SpecError(f"{graph.name} on {machine.name}: {len(tilings)} Programs of {cycles:,} cycles would take about "
                        f"{run_seconds(hardware, cycles):,.0f} s in Verilator, expected at most {most:,} cycles; "
                        "take fidelity cycle, or simulate one product with: archmodel sim MACHINE --gemm M,N,K --scale RxC")  # fmt: skip
