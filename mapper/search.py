"""Search: a tree for every Einsum of a graph.

Each engine type may have a searcher, a class ``Searcher(machine, engine, costs, goal)`` in ``mapper/<type>.py`` that is called with a
graph and an Einsum (of a tree of several, the first); an engine without one has no choice to make, and gets a leaf.  One that
says where operands lie has ``at``, the first byte that none lies in yet; one that can stop early has ``budget``.  One that has
``front(graph, einsum)`` is called with the number of a mapping on it too, where a goal is decided for all operators together.  One
that fuses as it likes has instead a function ``search_graph(graph, einsums, machine, engine, costs, goal)`` that maps all of its
Einsums at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from math import prod
from typing import Any

import numpy as np

from archmodel.blocks import blocks, odd_ones
from archmodel.cost import Costs, default_costs
from archmodel.engines import Work, engine_module
from archmodel.evaluation import machine_area
from archmodel.fusion import fusing, refusal_of
from archmodel.legality import refuse_overflow
from archmodel.onepass import one_passes
from archmodel.records.base import SpecError
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Compute, Mapping, leaf
from archmodel.rewriting import rewritten

from .allowed import allowed
from .budget import budget_of
from .found import Found
from .granules import search_units
from .placement import Binding, Setting, cheapest
from .pricing import static_pj
from .together import SUMS, Options, certificate, is_whole, picks
from .ways import Fused, Way, keep, redecided, told, weigh

Search = Callable[[Graph, Einsum], Found]
MOST_WAYS = 64
"""Combinations of ways of a graph's blocks that are tried where a goal is of the whole; beyond, each block is decided by itself."""


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
        whole = import_module(f"{__package__}.{alone.type}").search_graph(graph, graph.einsums, machine, alone, costs, goal)
        return Mapping(graph.name, machine.name, whole.trees, certificate=whole.certificate)
    _refuse_area(machine, costs, goal)
    searchers, budget = {} if searchers is None else searchers, budget_of(goal)
    setting = Setting(machine, costs, goal, budget)
    free = replace(goal, limits=tuple(limit for limit in goal.limits if limit.what not in SUMS))

    def mapped(part: Graph, fused: Fused, within: Goal = free) -> Mapping:
        rewrites = tuple(rewrite for _, rewrite in fused.values())
        return replace(_mapped(rewritten(part, rewrites), fused, setting, searchers, bound or {}, within), rewrites=rewrites)

    weighed = [weigh(graph, block, machine, costs, mapped, goal.objective) for block in blocks(graph)]
    told_of = [way for odd in odd_ones(graph) for way in keep(odd, machine)]
    told_of += [way for whole in one_passes(graph) for way in told(graph, whole, machine)]
    weighed, found = _decided(weighed, lambda fused: mapped(graph, fused, goal), goal)
    ways = [*(way for ways in weighed for way in ways), *told_of]
    proof = found.certificate
    assert proof is not None, "what is mapped has a certificate"
    space, evaluated = (sum(getattr(way, name) for way in ways if not way.choice.chosen) for name in ("space", "evaluated"))
    if is_whole(goal) and prod(len(_able(each)) for each in weighed) > MOST_WAYS:
        proof = replace(proof, scope=f"{proof.scope}; each of {len(weighed)} attention blocks in the way that is best for it alone")
    proof = replace(proof, space=proof.space + space, evaluated=proof.evaluated + evaluated, choices=tuple(way.choice for way in ways),
                    nodes=int(min(budget.spent, budget.nodes)))  # fmt: skip
    return replace(found, certificate=proof)


def _decided(weighed: list[tuple[Way, ...]], mapped: Callable[[Fused], Mapping], goal: Goal) -> tuple[list[tuple[Way, ...]], Mapping]:
    """The mapping with each block in its best way or, where the goal is of the whole, in the ways that are best together."""
    if not is_whole(goal) or prod(len(_able(ways)) for ways in weighed) > MOST_WAYS:
        return weighed, mapped(_fused([way for ways in weighed for way in ways if way.choice.chosen]))
    found: list[tuple[float, tuple[Way, ...], Mapping]] = []
    refusal = None
    for chosen in product(*map(_able, weighed)):
        try:
            mapping = mapped(_fused(chosen))
        except SpecError as error:
            refusal = refusal or error
            continue
        found.append((mapping.certificate.value if mapping.certificate else 0.0, chosen, mapping))
    if not found:
        raise refusal or SpecError("no way to compute the attention of the graph")
    _, chosen, mapping = min(found, key=lambda item: item[0])
    names = {(way.choice.block, way.choice.way, way.choice.engine) for way in chosen}
    return [redecided(ways, names) for ways in weighed], mapping


def _able(ways: tuple[Way, ...]) -> list[Way]:
    """Ways that were priced, or the one that has no rival."""
    return [way for way in ways if way.order is not None] or [way for way in ways if way.choice.chosen]


def _fused(chosen: Iterable[Way]) -> Fused:
    return {way.choice.block: way.fused for way in chosen if way.fused}


def _refuse_area(machine: Machine, costs: Costs, goal: Goal) -> None:
    """Raises SpecError for a machine that is larger than a limit: no mapping makes it smaller."""
    for limit in goal.limits:
        if limit.what == "area" and (area := sum(figure.value for _, figure in machine_area(machine, costs))) > limit.most:
            where = f"{limit.place}: " if limit.place else ""
            raise SpecError(f"{where}limit area={limit.most:,.10g}: {machine.name} takes {area:,.10g} um2, whatever is mapped on it")


def _mapped(graph: Graph, fused: Fused, setting: Setting, searchers: dict[str, Search], bound: Binding, goal: Goal) -> Mapping:
    """The best mapping of a graph as it is by ``goal``, that of ``setting`` with or without its limits; each one-pass attention on the
    engine that ``fused`` names, or else on the first that can.

    ``searchers`` keeps those of each engine by its name, with what they have found.
    """
    machine = setting.machine
    placed, plan = _placed(graph, fused, machine), list[tuple[Einsum, list[Any]]]()
    for einsum in graph.einsums:
        whole = placed.get(einsum.name)
        if einsum.name in placed and whole is None:
            continue
        engines = [whole] if whole else engines_of(graph, einsum, machine, goal)
        wanted = [engine for engine in engines if bound.get(einsum.name, engine.name) == engine.name]
        plan.append((einsum, [_known(engine, setting, searchers) for engine in wanted or engines]))
    parts = [_options(graph, einsum, able, machine) for einsum, able in plan] if is_whole(goal) else []
    chosen = picks([options for options, _ in parts], goal, machine.clocks[0].hz) if parts else ()
    found, at = [], 0
    for number, (einsum, able) in enumerate(plan):
        if not parts:
            item, at = cheapest(graph, einsum, able, at, setting)
        else:
            searcher, pick = parts[number][1][chosen[number]]
            if hasattr(searcher, "at"):
                searcher.at = at
            item = searcher(graph, einsum) if pick is None else searcher(graph, einsum, pick)
            at = getattr(searcher, "at", at)
        found.append(_at_first_clock(item, machine))
    scopes = dict.fromkeys(getattr(import_module(type(searcher).__module__), "SCOPE", "") for _, able in plan for searcher in able)
    proof = certificate(found, [options for options, _ in parts], goal, "; ".join(filter(None, scopes)))
    return Mapping(
        graph.name, machine.name, tuple(item.tree for item in found), tuple(x for item in found for x in item.layouts),
        tuple(x for item in found for x in item.relayouts), proof,
    )  # fmt: skip


def _known(engine: Engine, setting: Setting, searchers: dict[str, Search]) -> Any:
    """The searcher of an engine, with the budget of this search."""
    if engine.name not in searchers:
        searchers[engine.name] = _searcher(setting.machine, engine, setting.costs, setting.goal)
    searcher: Any = searchers[engine.name]
    if hasattr(searcher, "budget"):
        searcher.budget = setting.budget
    return searcher


def _options(graph: Graph, einsum: Einsum, able: list[Any], machine: Machine) -> tuple[Options, list[tuple[Any, int | None]]]:
    """What one operator may cost on all able engines, in cycles of the machine's first clock, and which searcher has it, by which number.

    One that leaves no choice costs what it does.  Raises SpecError where no engine has a tile that fits.
    """
    fronts, where, refusal = list[Options](), list[tuple[Any, int | None]](), None
    for searcher in able:
        try:
            fronts.append(_front(graph, einsum, searcher, machine))
        except SpecError as error:
            refusal = refusal or error
            continue
        several = hasattr(searcher, "front")
        where += [(searcher, pick if several else None) for pick in range(len(fronts[-1].costs[0]))]
    if not fronts:
        raise refusal or SpecError(f"einsum {einsum.name}: no engine to choose from")
    energies, cycles = (np.concatenate([options.costs[which] for options in fronts]) for which in (0, 1))
    return Options((energies, cycles), (min(item.least[0] for item in fronts), min(item.least[1] for item in fronts))), where


def _front(graph: Graph, einsum: Einsum, searcher: Any, machine: Machine) -> Options:
    if not hasattr(searcher, "front"):
        found = _at_first_clock(searcher(graph, einsum), machine)
        return Options((np.array([found.energy_pj]), np.array([found.cycles])))
    options: Options = searcher.front(graph, einsum)
    hz, mine = machine.clocks[0].hz, machine.clock_hz(searcher.engine.clock)
    if hz == mine:
        return options
    return Options((options.costs[0], options.costs[1] * (hz / mine)), (options.least[0], options.least[1] * (hz / mine)))


def _at_first_clock(found: Found, machine: Machine) -> Found:
    hz, mine = machine.clocks[0].hz, machine.clock_hz(machine.engine(leaf(found.tree).engine).clock)
    return found if hz == mine else replace(found, cycles=found.cycles * hz / mine)


def _of_one(graph: Graph, machine: Machine, goal: Goal) -> Engine | None:
    """The engine that takes all Einsums, if it maps them at once; None where no engine does that.

    Raises SpecError where one that does could share them with another: what goes where would be a search of its own, which nobody makes.
    """
    whole = [engine for engine in machine.engines if _at_once(engine)]
    if not whole:
        return None
    able = {engine.name: engine for einsum in graph.einsums for engine in engines_of(graph, einsum, machine, goal)}
    if not set(able).intersection(engine.name for engine in whole):
        return None
    if len(able) == 1:
        return able.popitem()[1]
    raise SpecError(f"machine {machine.name}: {', '.join(able)} could share the Einsums, and a {whole[0].type} engine maps all of them by "
                    "itself; name one engine for every Einsum, with --constrain FILE (einsums: {'*': {engine: "
                    f"{whole[0].name}}}}})")  # fmt: skip


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
        return Leaf(machine, engine, costs)
    searcher: Search = import_module(name).Searcher(machine, engine, costs, goal)
    return searcher


@dataclass
class Leaf:
    """An engine that leaves no choice: a leaf, and what it costs."""

    machine: Machine
    engine: Engine
    costs: Costs

    def __call__(self, graph: Graph, einsum: Einsum) -> Found:
        tree, machine, engine = Compute(einsum.name, self.engine.name), self.machine, self.engine
        work = Work(graph, (einsum,), {einsum.name: tree}, machine, engine, "analytic", self.costs)
        row = engine_module(engine).evaluate(work)[einsum.name]
        energy = row.energy.value if row.energy else 0.0
        return Found(tree, cycles=row.cycles, energy_pj=energy + static_pj(machine, engine, self.costs) * row.cycles)


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
