"""Small problems with every kind of difficulty, drawn from a seed: what is searched and what is enumerated must agree on each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb, factorial, prod

import numpy as np

from archmodel import load_machine
from archmodel.records.engines.plain import Params
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine

from .draw import Taste, chain, chance, machine, outside
from .enumerate import arrangements, job
from .fused import Cost, costs

MOST = {1: 3e6, 2: 2.5e5, 3: 2.5e5}
"""Mappings, or paths that several share, of a problem that an enumeration is asked to go through."""
PLAIN = Taste(levels=(2, 3), words=(2, 9), axes=0.5, sizes=(2, 3, 4), bypass=0.0)
TASTES = (
    PLAIN,
    replace(PLAIN, bypass=0.5, choosy=0.4),
    replace(PLAIN, bypass=0.3, holds=0.3, unicast=0.3),
    replace(PLAIN, bypass=0.2, rates=0.3, operations=0.3, buffering=("shared", "double", "single")),
    replace(PLAIN, bypass=0.3, word_bits=(4, 8, 16)),
)
OBJECTIVES = ("energy", "latency", "edp")


@dataclass(frozen=True)
class Small:
    """A problem, and what it is searched for."""

    seed: int
    graph: Graph
    params: Params
    goal: Goal

    @property
    def machine(self) -> Machine:
        """plain-a3 with another engine."""
        base = load_machine("plain-a3")
        return replace(base, engines=(replace(base.engines[0], params=self.params),))

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.goal}\n{self.params}\n{self.graph.einsums}"


def small(seed: int, count: int) -> Small:
    """The first problem of ``count`` Einsums after ``seed`` that is small enough."""
    rng = np.random.default_rng([seed, count])
    while True:
        taste = TASTES[seed % len(TASTES)]
        params = machine(rng, taste if count == 1 else replace(taste, levels=(2,) if chance(rng, 0.8) else (3,), unicast=0.0))
        graph = chain(rng, count, (2, 3, 4, 5, 6) if count == 1 else (2, 3, 4), most=4 if count == 1 else 3, widths=params_widths(params))
        if count > 1 and chance(rng, 0.1):
            graph = outside(graph, "t1")
        if work(graph, params) <= MOST[count] and len(graph.einsums) < 4:
            return Small(seed, graph, params, goal(rng, graph, params))


def fusable(seed: int, count: int) -> Small:
    """Such a problem on a machine on which groups are searched exactly: one level alone has axes, not the outermost, none a bypass."""
    rng = np.random.default_rng([seed, count, 1])
    while True:
        params = machine(rng, replace(PLAIN, levels=(2, 2, 3), axes=1.2, words=(3, 12)))
        fanned = int(rng.integers(1, len(params.levels)))
        levels = tuple(level if place == fanned else replace(level, axes=()) for place, level in enumerate(params.levels))
        graph = chain(rng, count, (2, 3, 4), most=3)
        if work(graph, params) <= MOST[count] / 8:
            found = Goal(str(rng.choice(["energy", "latency"])), tiles="perfect")
            return Small(seed, graph, replace(params, levels=levels), found)


def params_widths(params: Params) -> tuple[int, ...]:
    return (8,) if all(level.word_bits == 8 for level in params.levels) else (4, 8, 16)


def goal(rng: np.random.Generator, graph: Graph, params: Params) -> Goal:
    """An objective, perfect tiles or not, and now and then a limit."""
    found = Goal(str(rng.choice(OBJECTIVES)), tiles=str(rng.choice(["ragged", "ragged", "perfect"])))
    if chance(rng, 0.25):
        level = params.levels[int(rng.integers(1, len(params.levels)))]
        if level.words is not None:
            return replace(found, limits=(Limit(level.name, int(rng.integers(1, level.words + 1))),))
    return found


def work(graph: Graph, params: Params) -> float:
    """About how many mappings there are of one Einsum, or shared paths of all."""
    return _singles(graph, params) if len(graph.einsums) == 1 else _paths(graph)


def _singles(graph: Graph, params: Params) -> float:
    problem = job(graph, graph.einsums[0], params)
    return sum(prod(comb(extent - 1 + len(space.kinds) - 1, len(space.kinds) - 1) for _, extent in graph.einsums[0].ranks)
               for space in arrangements(problem))  # fmt: skip


def _paths(graph: Graph) -> float:
    sizes = {rank: extent for einsum in graph.einsums for rank, extent in einsum.ranks}
    names = {name for einsum in graph.einsums for name in (*einsum.inputs, einsum.output)}
    return sum(comb(len(names) - 1, nodes - 1) * factorial(nodes) * prod(comb(extent + nodes, nodes + 1) for extent in sizes.values())
               for nodes in range(1, len(names) + 1))  # fmt: skip


# --- The answer -----------------------------------------------------------------------------------------------------


def key(cost: Cost, objective: str) -> tuple[Fraction | int, Fraction | int]:
    energy, cycles = cost
    return {"energy": (energy, cycles), "latency": (cycles, energy), "edp": (energy * cycles, energy)}[objective]


def best(problem: Small, alone: bool = False) -> Cost | None:
    """The least of all mappings, or of those of one Einsum a tree; None where there is none."""
    words = {limit.what: int(limit.most) for limit in problem.goal.limits}
    levels = tuple(replace(level, words=min(words[level.name], level.words or words[level.name])) if level.name in words else level
                   for level in problem.params.levels)  # fmt: skip
    found = costs(problem.graph, replace(problem.params, levels=levels), problem.goal.tiles == "perfect", alone)
    return min(found, key=lambda cost: key(cost, problem.goal.objective), default=None)
