"""Whole graphs on a plain engine: each Einsum a tree, or several in one, whatever together is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from archmodel.cost import Costs
from archmodel.records.base import SpecError
from archmodel.records.constraints import Rule
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Node, leaves

from ..allowed import allowed
from ..found import Mapped
from ..fronts import best as best_sum
from .compulsory import compulsory, priced
from .grouping import Grouping
from .library import SCALES, alike
from .one import ROUNDING, Choice, best, front
from .plan import Plan
from .problem import problem

ALONE = "one Einsum a tree: every tile size of every loop, order of residences and way to spread"
PERFECT = "one Einsum a tree: every tile size that divides what it cuts, order of residences and way to spread"
GROUPED = "perfect tiles; every partition into groups that share one path (docs/mapper.md), order of residences and way to spread"
EVERY = "ragged tiles; every partition into groups that share one path (docs/mapper.md); groups of several are searched with perfect tiles"


@dataclass(frozen=True)
class Candidate:
    """Trees for all Einsums and what they cost exactly.

    least  of ``objective``, what nothing has less of in the scope of the whole search, if ``proved``
    """

    trees: tuple[Node, ...]
    energy: float
    cycles: int
    objective: str
    proved: bool
    least: float
    space: int = 0
    evaluated: int = 0
    nodes: int = 0

    def value(self, objective: str) -> float:
        return {"energy": self.energy, "latency": self.cycles, "edp": self.energy * self.cycles}[objective]


def search_graph(graph: Graph, einsums: tuple[Einsum, ...], machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> Mapped:
    """The best trees for these Einsums of a graph, those that constraints give as they are.  Raises SpecError where one fits in no way."""
    del costs
    given = tuple(dict.fromkeys(tree for einsum in einsums if (tree := allowed(goal.constraints, einsum.name).tree()) is not None))
    told = {end.einsum for tree in given for end in leaves(tree)}
    rest = tuple(einsum for einsum in einsums if einsum.name not in told)
    nothing = Mapped((), Certificate(goal.objective, 0, 0, 0, 0, scope="the trees that constraints give"))
    found = _searched(graph, rest, machine, engine, goal) if rest else nothing
    return _with(found, given, graph, engine, goal) if given else found


def _with(found: Mapped, given: tuple[Node, ...], graph: Graph, engine: Engine, goal: Goal) -> Mapped:
    """With trees that are given."""
    trees = (*found.trees, *given)
    (more, longer), (energy, cycles), proof = priced(graph, given, engine), priced(graph, trees, engine), found.certificate
    value: float = {"energy": float(energy), "latency": cycles, "edp": float(energy * cycles)}[goal.objective]
    alone: float = {"energy": float(more), "latency": longer, "edp": 0.0}[goal.objective]
    least = proof.lower_bound + alone if found.trees else value
    return Mapped(trees, replace(proof, value=value, lower_bound=min(value, least)))


def _searched(graph: Graph, einsums: tuple[Einsum, ...], machine: Machine, engine: Engine, goal: Goal) -> Mapped:
    search = Search(graph, einsums, machine, engine, goal)
    found = list(search.candidates())
    if not found:
        raise SpecError(f"machine {machine.name}: no tiles of {graph.name} fit {engine.name}")
    able = [each for each in found if search.keeps(each)]
    if not able and (within := search.within()) is not None:
        found, able = [*found, within], [within]
    chosen = min(able or found, key=lambda each: (each.value(goal.objective), each.cycles, each.energy))
    value, least = chosen.value(goal.objective), search.least(found)
    return Mapped(chosen.trees, Certificate(
        goal.objective, value, min(value, least), sum(each.space for each in found), sum(each.evaluated for each in found),
        nodes=sum(each.nodes for each in found), scope=search.scope,
    ))  # fmt: skip


@dataclass
class Search:
    """Ways to map some Einsums of a graph: grouped and Einsum by Einsum, as the goal and the engine allow."""

    graph: Graph
    einsums: tuple[Einsum, ...]
    machine: Machine
    engine: Engine
    goal: Goal
    grouped: bool = field(init=False)

    def __post_init__(self) -> None:
        self.grouped = len(self.einsums) > 1 and Grouping.takes(self.engine)
        if self.grouped and self.goal.tiles == "usual":
            self.goal = replace(self.goal, tiles="perfect")

    @property
    def scope(self) -> str:
        if not self.grouped:
            return PERFECT if self.goal.tiles == "perfect" else ALONE
        return GROUPED if self.goal.tiles == "perfect" else EVERY

    def candidates(self) -> Iterator[Candidate]:
        """Each objective that matters to the goal, grouped; and Einsum by Einsum where that may be better, or is all there is."""
        if self.grouped:
            for objective in _sought(self.goal):
                grouping = Grouping(self.graph, self.einsums, self.engine, replace(self.goal, objective=objective, tiles="perfect"))
                if (trees := grouping.trees()) is not None:
                    energy, cycles = priced(self.graph, trees, self.engine)
                    running = any(einsum.output in einsum.inputs for einsum in self.einsums)
                    assert running or objective != "energy" or math.isclose(grouping.cost, energy), "what trees cost is what was searched"
                    proved = self.goal.tiles == "perfect" and not grouping.library.partial
                    yield Candidate(trees, float(energy), cycles, objective, proved, grouping.least,
                                    grouping.space, grouping.evaluated, grouping.nodes)  # fmt: skip
        if not self.grouped or (self.goal.tiles == "perfect" and self._moves()):
            yield self._alone()

    def _moves(self) -> bool:
        """Whether words take time: steps alone then say too little of the cycles."""
        levels = self.engine.params.levels
        return any((level.bandwidth, level.read_bandwidth, level.write_bandwidth) != (None, None, None) for level in levels)

    def keeps(self, each: Candidate) -> bool:
        """Whether the limits on energy, latency, their product and their ratio hold."""
        watts = each.energy * 1e-12 * self.machine.clock_hz(self.engine.clock) / max(1, each.cycles)
        values = {what: each.value(what) for what in ("energy", "latency", "edp")} | {"power": watts}
        return all(values[limit.what] <= limit.most * (1 + ROUNDING) for limit in self.goal.limits if limit.what in values)

    def within(self) -> Candidate | None:
        """The best choice of one mapping of each Einsum that keeps the limits; None where there is none."""
        totals = {"energy", "latency", "edp", "power"}
        goal = replace(self.goal, limits=tuple(limit for limit in self.goal.limits if limit.what not in totals))
        known: dict[Any, list[Choice]] = {}
        problems, costs = [], []
        for einsum in self.einsums:
            mine = problem(self.graph, einsum, self.engine.name, self.engine.params, self._rules)
            if (key := alike(mine)) not in known:
                known[key] = front(mine, goal)
            turns = -(-einsum.repeat // self.engine.count)
            problems.append((mine, known[key]))
            costs.append((np.array([each.energy_pj * einsum.repeat for each in known[key]]),
                          np.array([each.cycles * turns for each in known[key]], dtype=np.int64)))  # fmt: skip
        chosen = best_sum(costs, self.goal, self.machine.clock_hz(self.engine.clock)) if all(choices for _, choices in problems) else None
        if chosen is None:
            return None
        trees = tuple(Plan(mine, choices[pick].plan.layers).tree() for (mine, choices), pick in zip(problems, chosen.picks, strict=True))
        energy, cycles = priced(self.graph, trees, self.engine)
        return Candidate(trees, float(energy), cycles, self.goal.objective, False, 0.0, chosen.sums, chosen.sums, chosen.sums)

    @property
    def _rules(self) -> tuple[Rule, ...]:
        return self.goal.constraints.rules if self.goal.constraints else ()

    def _alone(self) -> Candidate:
        """Every Einsum by itself; a time that is given is shared out among those that differ."""
        known: dict[Any, Choice | None] = {}
        problems = [problem(self.graph, einsum, self.engine.name, self.engine.params, self._rules) for einsum in self.einsums]
        seconds = None if self.goal.seconds is None else self.goal.seconds / len({alike(mine) for mine in problems})
        trees, least = [], 0.0
        for einsum, mine in zip(self.einsums, problems, strict=True):
            key = alike(mine)
            if key not in known:
                known[key] = best(mine, replace(self.goal, seconds=seconds))
            if (found := known[key]) is None:
                raise SpecError(f"machine {self.machine.name}: no tile of {einsum.name} fits {self.engine.name}")
            trees.append(Plan(mine, found.plan.layers).tree())
            least += self._least_of(found, einsum.repeat)
        energy, cycles = priced(self.graph, tuple(trees), self.engine)
        if (self.goal.objective == "edp" and len(self.einsums) > 1) or any(einsum.output in einsum.inputs for einsum in self.einsums):
            least = 0.0  # a product of sums is no sum of products
        space, evaluated, nodes = (sum(getattr(each, name) for each in known.values() if each) for name in ("space", "evaluated", "nodes"))
        return Candidate(tuple(trees), float(energy), cycles, self.goal.objective, not self.grouped, least, space, evaluated, nodes)

    def _least_of(self, found: Choice, repeat: int) -> float:
        """What all instances of an Einsum have at least of the objective."""
        turns = -(-repeat // self.engine.count)
        own = {"energy": found.energy_pj, "latency": found.cycles, "edp": found.energy_pj * found.cycles}[self.goal.objective]
        times = {"energy": repeat, "latency": turns, "edp": repeat * turns}[self.goal.objective]
        return float(own if found.lower_bound is None else found.lower_bound) * times

    def least(self, found: Iterable[Candidate]) -> float:
        """What nothing in the scope has less of: for a product of energy and cycles, that of the least of each."""
        energy, cycles = compulsory(self.graph, self.einsums, self.engine)
        least = {"energy": float(energy), "latency": float(cycles), "edp": 0.0}
        for each in found:
            if each.proved:
                least[each.objective] = max(least[each.objective], each.least)
        return max(least["edp"], least["energy"] * least["latency"]) if self.goal.objective == "edp" else least[self.goal.objective]


def _sought(goal: Goal) -> tuple[str, ...]:
    return (goal.objective,) if goal.objective in SCALES and not goal.limits else tuple(SCALES)
