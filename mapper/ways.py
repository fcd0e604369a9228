"""Ways to compute an attention block: each one mapped as well as it can be, priced as a whole, and the best one chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from archmodel.blocks import Block, Odd
from archmodel.cost import Costs
from archmodel.evaluation import evaluate
from archmodel.fusion import alone, fit, fusing, refusal_of
from archmodel.onepass import OnePass
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Choice, Mapping, Rewrite

Fused = dict[str, tuple[Engine, Rewrite]]
"""Blocks that become one tree, by name: the engine of each, and what makes it fit."""
Map = Callable[[Graph, Fused], Mapping]
"""The best mapping of a graph that fuses these blocks and no other."""


@dataclass(frozen=True)
class Way:
    """One way, and what is known of it.

    fused             the engine of a fused way which is possible, and how the block fits it
    order             of what was priced, what the objective compares first and what next
    space, evaluated  its mappings, and how many of them were priced
    """

    choice: Choice
    fused: tuple[Engine, Rewrite] | None = None
    order: tuple[float, float] | None = None
    space: int = 0
    evaluated: int = 0


def weigh(graph: Graph, block: Block, machine: Machine, costs: Costs, mapped: Map, objective: str = "latency") -> tuple[Way, ...]:
    """All ways of one block; the chosen one is the best by itself.  A way without a rival is not priced."""
    small = alone(graph, block)
    ways = [Way(Choice(block.name, "unfused"))]
    for engine in fusing(machine):
        ways.append(_one_pass(graph, block, engine))
    if any(way.fused for way in ways):
        ways = [way if way.choice.why else _priced(small, way, machine, costs, mapped, objective) for way in ways]
    return tuple(decided([*ways, *_missing(block.name, machine)], objective))


def _one_pass(graph: Graph, block: Block, engine: Engine) -> Way:
    found = fit(graph, block, engine)
    if isinstance(found, str):
        return Way(Choice(block.name, "one-pass", engine.name, why=found))
    return Way(Choice(block.name, "dequantise, one-pass" if found.wide else "one-pass", engine.name), (engine, found))


def keep(odd: Odd, machine: Machine) -> tuple[Way, ...]:
    """The ways of a softmax that no cascade replaces."""
    engines = [engine.name for engine in fusing(machine)] or [""]
    others = [Way(Choice(odd.name, "one-pass", name, why=odd.why)) for name in engines]
    return (Way(Choice(odd.name, "unfused", chosen=True)), *others, *_missing(odd.name, machine)[:1])


def told(graph: Graph, whole: OnePass, machine: Machine) -> tuple[Way, ...]:
    """The ways of what is one-pass already: the first engine that takes it whole does, else each Einsum goes by itself."""
    found, taken = [], False
    for engine in fusing(machine):
        why = refusal_of(graph, whole, engine)
        found.append(Way(Choice(whole.name, "one-pass", engine.name, why is None and not taken, why=why or "")))
        taken = taken or why is None
    aside = "not weighed: it is in one pass already, and an engine takes that whole" if taken else ""
    return (Way(Choice(whole.name, "unfused", chosen=not taken, why=aside)), *found)


def _missing(block: str, machine: Machine) -> list[Way]:
    """Ways that no engine of the machine has."""
    names = ", ".join(engine.name for engine in machine.engines)
    found = [Way(Choice(block, "row-granular", why=f"none of {names} keeps a row of scores between its products and its softmax"))]
    if not fusing(machine):
        found.append(Way(Choice(block, "one-pass", why=f"none of {names} executes it")))
    return found


def _priced(graph: Graph, way: Way, machine: Machine, costs: Costs, mapped: Map, objective: str) -> Way:
    try:
        mapping = mapped(graph, {way.choice.block: way.fused} if way.fused else {})
        result = evaluate(graph, mapping, machine, costs=costs)
    except SpecError as error:
        return replace(way, choice=replace(way.choice, why=str(error)), fused=None)
    ports = {engine.port for engine in machine.engines}
    moved = sum(size for op in result.ops for memory, size in op.bytes if memory in ports)
    energy, proof = result.energy, mapping.certificate
    assert proof is not None, "the mapper proves what it finds"
    choice = replace(way.choice, cycles=result.cycles, bytes=moved, energy_pj=None if energy is None else energy.value)
    order = ordered(objective, result.seconds, 0.0 if energy is None else energy.value)
    return replace(way, choice=choice, order=order, space=proof.space, evaluated=proof.evaluated)


def ordered(objective: str, seconds: float, energy_pj: float) -> tuple[float, float]:
    """What an objective compares first, and what decides between equals."""
    return {"latency": (seconds, energy_pj), "energy": (energy_pj, seconds), "edp": (seconds * energy_pj, energy_pj)}[objective]


WORSE = {"latency": ("slower", "as fast, and takes more energy"), "energy": ("more energy", "as little energy, and slower"),
         "edp": ("more energy x delay", "as good, and takes more energy")}  # fmt: skip


def decided(ways: list[Way], objective: str = "latency") -> list[Way]:
    """The ways with the best one chosen, and what the others lack; the first one where none is priced."""
    able = [way for way in ways if way.order is not None]
    best = min(able, key=lambda way: way.order or (), default=ways[0])
    found = []
    first, then = WORSE[objective]
    for way in ways:
        choice = replace(way.choice, chosen=way is best)
        if way.order and best.order and way is not best:
            slower = way.order[0] / best.order[0] - 1.0
            choice = replace(choice, why=f"{slower:.1%} {first}" if slower > 0 else then)
        found.append(replace(way, choice=choice))
    return found


def redecided(ways: tuple[Way, ...], names: set[tuple[str, str, str]]) -> tuple[Way, ...]:
    """The ways with those chosen that are best for the whole graph: named by block, way and engine."""
    found = []
    for way in ways:
        chosen = (way.choice.block, way.choice.way, way.choice.engine) in names
        why = "" if chosen else way.choice.why or "worse for the whole graph"
        found.append(replace(way, choice=replace(way.choice, chosen=chosen, why=why)))
    return tuple(found)
