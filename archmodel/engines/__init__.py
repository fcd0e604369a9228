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
``remarks(machine, engine) -> tuple[str, ...]``, what is allowed in them and yet slow,
and may have ``relayout(work, einsum, tensor) -> OpResult``, if it can turn lanes and words of a tensor around, and
``relayout_cycles(machine, engine, elements, bits) -> int`` to go with it; and
``static(machine, engine, costs) -> tuple[tuple[str, Figure], ...]``, (cause, watts) that one copy draws whatever it does.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def engine_module(engine: Engine) -> Any:
    """The module of an engine's type, imported on use."""
    return _module(engine.type)


@cache
def _module(kind: str) -> Any:
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

