"""evaluate at fidelity rtl: every distinct Program of the mapping runs in Verilator, with data, and must agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from archmodel.cost import Costs
from archmodel.evaluation import evaluate as by_cycle
from archmodel.executing import executed
from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine as MachineEngine
from archmodel.records.machine import Machine, engine_records
from archmodel.records.mapping import Mapping
from archmodel.records.result import Result

from .compare import check
from .drive import Engine
from .sides import side_of

PATIENT_CYCLES = 20_000_000
"""Simulated cycles up to which nobody needs to be asked: two minutes of a 16x16 array, eight of floating point."""


RTL = ("systolic", "attention")
"""Types of engine that have RTL."""


class Mismatch(RuntimeError):
    """Model and hardware disagree; the text is the report."""


def evaluate(graph: Graph, mapping: Mapping, machine: Machine, fidelity: str = "rtl", seed: int = 0,
             most_cycles: int = PATIENT_CYCLES, costs: Costs | None = None) -> Result:  # fmt: skip
    """The Result at fidelity cycle, what runs on an engine with RTL confirmed in Verilator.

    Raises Mismatch where model and hardware differ, SpecError where more than ``most_cycles`` would have to be simulated.
    """
    if fidelity != "rtl":
        return by_cycle(graph, mapping, machine, fidelity, costs)
    engines = [engine for engine in machine.engines if engine.type in RTL]
    if not engines:
        raise SpecError(f"machine {machine.name}: no {' or '.join(RTL)} engine, and only that has RTL")
    after = executed(graph, mapping)
    plans = [plan for engine in engines for plan in [_plan(after, mapping, machine, engine)] if plan.works]
    cycles = sum(plan.cycles() for plan in plans)
    if cycles > most_cycles:
        raise SpecError(f"{graph.name} on {machine.name}: {sum(len(plan.works) for plan in plans)} Programs of {cycles:,} cycles would "
                        f"take about {sum(plan.seconds() for plan in plans):,.0f} s in Verilator, expected at most {most_cycles:,} cycles; "
                        "take fidelity cycle, or simulate one product with: archmodel sim MACHINE --gemm M,N,K --scale RxC")  # fmt: skip
    result = by_cycle(graph, mapping, machine, "cycle", costs)
    labels: dict[str, str] = {}
    for plan in plans:
        plan.confirm(seed)
        # One copy ran, alone at its port; several sharing a memory did not.
        labels |= dict.fromkeys(plan.rows, "rtl-confirmed" if plan.engine.count == 1 else "rtl-covered")
    ops = tuple(replace(op, provenance=labels.get(op.name, op.provenance)) for op in result.ops)
    programs = sum(len(plan.works) for plan in plans)
    return replace(result, fidelity="rtl", ops=ops, notes=(*result.notes, f"Programs run in Verilator: {programs}, seed {seed}"))


@dataclass(frozen=True)
class _Plan:
    """What one engine must run so that these rows of a result are confirmed: each distinct work once."""

    engine: MachineEngine
    hardware: Any
    port: Port
    rows: tuple[str, ...]
    works: tuple[Any, ...]

    def cycles(self) -> int:
        price = side_of(self.engine.type).work_cycles
        return sum(price(work, self.hardware, self.port) for work in self.works)

    def seconds(self) -> float:
        seconds: float = side_of(self.engine.type).run_seconds(self.hardware, self.cycles())
        return seconds

    def confirm(self, seed: int) -> None:
        """Raises Mismatch where model and hardware differ."""
        with Engine(self.hardware) as simulated:
            for work in self.works:
                verdict = check(side_of(self.engine.type).work_job(work, self.hardware, self.port, seed), simulated)
                if verdict.failures:
                    raise Mismatch(verdict.report)


def _plan(graph: Graph, mapping: Mapping, machine: Machine, engine: MachineEngine) -> _Plan:
    side, port = side_of(engine.type), port_of(machine, engine)
    hardware = engine_records(engine.type).resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)
    found = side.works(graph, mapping, machine, engine)
    return _Plan(engine, hardware, port, tuple(found), tuple(dict.fromkeys(work for works in found.values() for work in works)))
