"""Search: a tree for every Einsum of a graph.

Each engine type may have a searcher, a class ``Searcher(machine, engine, costs)`` in ``mapper/<type>.py`` that is called with a
graph and an Einsum; an engine without one has no choice to make, and gets a leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from archmodel.cost import Costs, default_costs
from archmodel.engines import engine_for, engine_module
from archmodel.legality import refuse_overflow
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Compute, Mapping

from .found import Found

Search = Callable[[Graph, Einsum], Found]


def search(graph: Graph, machine: Machine, costs: Costs | None = None) -> Mapping:
    """The mapping of every Einsum on the first engine that executes it, each with the fewest cycles, then the least energy.

    The certificate says among how many mappings.  Raises SpecError when weights and KV cache exceed a memory, no engine
    executes an operator, or no tile of one fits.
    """
    refuse_overflow(graph, machine)
    searchers: dict[str, Search] = {}
    found = []
    for einsum in graph.einsums:
        engine = engine_for(graph, einsum, machine)
        if engine is None:
            raise SpecError(_no_engine(graph, einsum, machine))
        if engine.name not in searchers:
            searchers[engine.name] = _searcher(machine, engine, costs or default_costs())
        found.append(searchers[engine.name](graph, einsum))
    cycles = sum(item.cycles for item in found)
    proof = Certificate("cycles, then energy", cycles, cycles,
                        sum(item.space for item in found), sum(item.evaluated for item in found))  # fmt: skip
    return Mapping(
        graph.name, machine.name, tuple(item.tree for item in found), tuple(x for item in found for x in item.layouts),
        tuple(x for item in found for x in item.relayouts), proof,
    )  # fmt: skip


def _searcher(machine: Machine, engine: Engine, costs: Costs) -> Search:
    name = f"{__package__}.{engine.type}"
    if find_spec(name) is None:
        return lambda _graph, einsum: Found(Compute(einsum.name, engine.name))
    searcher: Search = import_module(name).Searcher(machine, engine, costs)
    return searcher


def _no_engine(graph: Graph, einsum: Einsum, machine: Machine) -> str:
    """Why each engine of a machine refuses an Einsum."""
    why = [f"{engine.name}: {engine_module(engine).supports(graph, einsum, engine)}" for engine in machine.engines]
    return f"machine {machine.name}: no engine for {einsum.name}: {'; '.join(why) or 'it has none'}"
