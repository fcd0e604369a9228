"""The engines: what each executes, what that costs, and how it is found.

An engine type is one file (or package) ``archmodel/engines/<type>.py`` beside its records in
``archmodel/records/engines/<type>.py``; nothing else names it.  Its module has

    supports(graph, einsum, engine) -> str | None
        None if the engine executes the Einsum, else why not
    evaluate(work: Work) -> dict[str, OpResult]
        a row for each Einsum in ``work``, all instances together; where the module says ``FUSES = True``, that of the
        whole tree that goes by it
    area(machine, engine, costs) -> tuple[tuple[str, Figure], ...]
        (part, square micrometres) of one copy
    ideal_cycles(einsum, engine) -> float
        cycles below which no schedule executes one instance on all copies together

It may have ``program(graph, einsum, tree, machine, engine, layouts) -> Program``, if it executes programs,
``relayouts(graph, einsum, tree, engine) -> tuple[str, ...]``, the tensors whose layout must change for a tree,
``derived(machine, engine) -> tuple[Derived, ...]``, what follows from its parameters,
``traffic(work) -> dict[str, tuple[Moved, ...]]``, what each row of ``evaluate`` reads and writes at each level, tensor by tensor,
``units(machine, engine) -> tuple[Unit, ...]``, its parts that work side by side, which the leaves of fused trees name,
``remarks(machine, engine) -> tuple[str, ...]``, what is allowed in them and yet slow,
``capacity_bytes(engine) -> int | None``, what one copy holds by itself, without a memory behind a port; None is without bound,
and may have ``relayout(work, einsum, tensor) -> OpResult``, if it can turn lanes and words of a tensor around, and
``relayout_cycles(machine, engine, elements, bits) -> int`` to go with it; and
``static(machine, engine, costs) -> tuple[tuple[str, Figure], ...]``, (cause, watts) that one copy draws whatever it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import Any

from archmodel.cost import Costs
from archmodel.records.figure import Figure, scaled, total
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Node


@dataclass(frozen=True)
class Work:
    """What ``evaluate`` of an engine is asked for: these Einsums of a graph, under these trees, on this engine."""

    graph: Graph
    einsums: tuple[Einsum, ...]
    trees: dict[str, Node]
    machine: Machine
    engine: Engine
    fidelity: str
    costs: Costs


@dataclass(frozen=True)
class Derived:
    """What follows from an engine's parameters: whole amounts, each with its unit, and the rule they come from."""

    name: str
    amounts: tuple[tuple[int, str], ...]
    rule: str


@dataclass(frozen=True)
class Unit:
    """A part of an engine: ``rows`` x ``cols`` lanes, and for each operator the cycles that a lane takes for one point.

    An operator is a map or a reduction (``exp2``, ``max``), or both together where they are one step (``mul+add``).
    ``actions`` says what an operator costs, as (operator, action of the cost table, how often), where that isn't its own name.
    """

    name: str
    rows: int
    cols: int
    rates: tuple[tuple[str, Fraction], ...]
    actions: tuple[tuple[str, str, int], ...] = ()

    def point_cycles(self, einsum: Einsum) -> Fraction | None:
        """Lane cycles of one point of an Einsum, or None if the unit does not have its operators.

        A map and a reduction without a rate together take one after the other; nothing is done by a copy that is reduced.
        """
        rates = dict(self.rates)
        if einsum.reduce == "none":
            return rates.get(einsum.map)
        if (both := rates.get(f"{einsum.map}+{einsum.reduce}")) is not None:
            return both
        mapped = Fraction(0) if einsum.map == "copy" else rates.get(einsum.map)
        reduced = rates.get(einsum.reduce)
        return None if mapped is None or reduced is None else mapped + reduced

    def point_actions(self, einsum: Einsum) -> tuple[tuple[str, int], ...]:
        """(action of the cost table, how often) for one point of an Einsum."""
        both = f"{einsum.map}+{einsum.reduce}"
        steps = [both] if both in dict(self.rates) else [step for step in (einsum.map, einsum.reduce) if step not in ("copy", "none")]
        said = {step: tuple((action, times) for mine, action, times in self.actions if mine == step) for step in steps}
        return tuple(pair for step in steps for pair in said[step] or (("mac" if step == "mul+add" else step, 1),))


def engine_module(engine: Engine) -> Any:
    """The module of an engine's type, imported on use."""
    return module_of(engine.type)


@cache
def module_of(kind: str) -> Any:
    return import_module(f"{__name__}.{kind}")


def engine_for(graph: Graph, einsum: Einsum, machine: Machine) -> Engine | None:
    """The first engine of a machine that executes an Einsum, or None."""
    return next((e for e in machine.engines if engine_module(e).supports(graph, einsum, e) is None), None)


@cache
def die_um2(machine: Machine, costs: Costs) -> Figure:
    """Square micrometres of all copies of all engines."""
    parts = [(engine.count, figure) for engine in machine.engines for _, figure in engine_module(engine).area(machine, engine, costs)]
    return total(scaled(figure, count) for count, figure in parts)


def relayouter(machine: Machine) -> Engine | None:
    """The first engine of a machine that can change the layout of a tensor, or None."""
    return next((e for e in machine.engines if hasattr(engine_module(e), "relayout")), None)

