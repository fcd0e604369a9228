"""Search: a tree for every Einsum of a graph.

Each engine type may have a searcher, a class ``Searcher(machine, engine, costs, goal)`` in ``mapper/<type>.py`` that is called with a
graph and an Einsum (of a tree of several, the first); an engine without one has no choice to make, and gets a leaf.  One that
says where operands lie has ``at``, the first byte that none lies in yet.  One that fuses as it likes has instead a function
``search_graph(graph, einsums, machine, engine, costs, goal)`` that maps all of its Einsums at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from archmodel.blocks import blocks, odd_ones
from archmodel.cost import Costs, default_costs
from archmodel.engines import engine_module
from archmodel.fusion import fusing, refusal_of
from archmodel.legality import refuse_overflow
from archmodel.onepass import one_passes
from archmodel.records.base import SpecError
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Compute, Mapping
from archmodel.rewriting import rewritten

from .allowed import allowed
from .found import Found
from .granules import search_units
from .placement import Binding, Setting, cheapest
from .ways import Fused, keep, told, weigh

Search = Callable[[Graph, Einsum], Found]


def search(graph: Graph, machine: Machine, costs: Costs | None = None, goal: Goal = FASTEST, bound: Binding | None = None,
           searchers: dict[str, Search] | None = None) -> Mapping:  # fmt: skip
    """The mapping of every Einsum on the best engine that executes it, the best one by ``goal``: if none is given, the one with the fewest
    cycles, then the least energy.  ``bound`` Einsums go to the engine that is named; ``searchers`` keep
    what was found, by engine, for a search of the same again.

    An attention block is computed in the way that takes least time, then least energy: Einsum by Einsum, or fused where an engine
    can.  The certificate says among how many mappings, and what became of every way.  Raises SpecError when weights and KV cache
    exceed a memory, no engine executes an operator, or no tile of one fits.
    """
    refuse_overflow(graph, machine)
    costs = costs or default_costs()
    if machine.convention == "published":
        return search_units(graph, machine, costs)
    if (alone := _of_one(graph, machine, goal)) is not None:
        found = import_module(f"{__package__}.{alone.type}").search_graph(graph, graph.einsums, machine, alone, costs, goal)
        return Mapping(graph.name, machine.name, found.trees, certificate=found.certificate)
    searchers = {} if searchers is None else searchers

    def mapped(part: Graph, fused: Fused) -> Mapping:
        rewrites = tuple(rewrite for _, rewrite in fused.values())
        return replace(_mapped(rewritten(part, rewrites), fused, Setting(machine, costs, goal), searchers, bound or {}), rewrites=rewrites)

    ways = [way for block in blocks(graph) for way in weigh(graph, block, machine, costs, mapped)]
    ways += [way for odd in odd_ones(graph) for way in keep(odd, machine)]
    ways += [way for whole in one_passes(graph) for way in told(graph, whole, machine)]
    found = mapped(graph, {way.choice.block: way.fused for way in ways if way.choice.chosen and way.fused})
    proof = found.certificate
    assert proof is not None, "what is mapped has a certificate"
    space, evaluated = (sum(getattr(way, name) for way in ways if not way.choice.chosen) for name in ("space", "evaluated"))
    proof = replace(proof, space=proof.space + space, evaluated=proof.evaluated + evaluated, choices=tuple(way.choice for way in ways))
    return replace(found, certificate=proof)


def _mapped(graph: Graph, fused: Fused, setting: Setting, searchers: dict[str, Search], bound: Binding) -> Mapping:
    """The best mapping of a graph as it is, each one-pass attention on the engine that ``fused`` names, or else on the first that can.

    ``searchers`` keeps those of each engine by its name, with what they have found.
    """
    machine, costs, goal = setting.machine, setting.costs, setting.goal
    placed = _placed(graph, fused, machine)
    found, at = [], 0
    for einsum in graph.einsums:
        whole = placed.get(einsum.name)
        if einsum.name in placed and whole is None:
            continue
        engines = [whole] if whole else engines_of(graph, einsum, machine, goal)
        for engine in engines:
            if engine.name not in searchers:
                searchers[engine.name] = _searcher(machine, engine, costs, goal)
        wanted = [engine for engine in engines if bound.get(einsum.name, engine.name) == engine.name]
        item, at = cheapest(graph, einsum, [searchers[engine.name] for engine in wanted or engines], at, setting)
        found.append(item)
    cycles = sum(item.cycles for item in found)
    proof = Certificate("cycles, then energy", cycles, cycles,
                        sum(item.space for item in found), sum(item.evaluated for item in found))  # fmt: skip
    return Mapping(
        graph.name, machine.name, tuple(item.tree for item in found), tuple(x for item in found for x in item.layouts),
        tuple(x for item in found for x in item.relayouts), proof,
    )  # fmt: skip


def _of_one(graph: Graph, machine: Machine, goal: Goal) -> Engine | None:
    """The engine that takes all Einsums, if it maps them at once."""
    engines = {engines_of(graph, einsum, machine, goal)[0] for einsum in graph.einsums} if _at_once(machine.engines[0]) else set()
    return engines.pop() if len(engines) == 1 else None


def _at_once(engine: Engine) -> bool:
    name = f"{__package__}.{engine.type}"
    return find_spec(name) is not None and hasattr(import_module(name), "search_graph")


def _placed(graph: Graph, fused: Fused, machine: Machine) -> dict[str, Engine | None]:
    """The engine of each one-pass attention by the Einsum that it goes by; None for the other Einsums of such a tree."""
    found: dict[str, Engine | None] = {}
    for whole in one_passes(graph):
        able = (engine for engine in fusing(machine) if refusal_of(graph, whole, engine) is None)
        if engine := fused[whole.name][0] if whole.name in fused else next(able, None):
            found |= {step.name: None for step in whole.steps.values()} | {whole.name: engine}
    return found


def _searcher(machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> Search:
    name = f"{__package__}.{engine.type}"
    if find_spec(name) is None:
        return lambda _graph, einsum: Found(Compute(einsum.name, engine.name))
    searcher: Search = import_module(name).Searcher(machine, engine, costs, goal)
    return searcher


def engines_of(graph: Graph, einsum: Einsum, machine: Machine, goal: Goal) -> list[Engine]:
    """The engines that execute an Einsum and may.  Raises SpecError that says why each one refuses it."""
    rules, why, able = allowed(goal.constraints, einsum.name), [], []
    for engine in machine.engines:
        refusal = engine_module(engine).supports(graph, einsum, engine)
        if refusal is None and rules.engine(engine.name):
            able.append(engine)
        why.append(f"{engine.name}: {refusal or 'the constraints name another'}")
    if able:
        return able
    raise SpecError(f"machine {machine.name}: no engine for {einsum.name}: {'; '.join(why) or 'it has none'}")
