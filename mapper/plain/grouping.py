"""Grouping: the best partition of a graph's Einsums into groups, each with its best tree; perfect tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from archmodel.records.constraints import EngineRule, GroupRule
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Node

from ..allowed import allowed, may_share
from .fused import Budget, Fusion, Point
from .groups import Flow, Group, places_of
from .inner import NEVER
from .library import SCALES, Library
from .one import ROUNDING, Choice, best
from .partition import Partition
from .plan import Plan


@dataclass
class Grouping:
    """The search for one objective, energy or latency (steps alone: words take no time here).

    least      what nothing has less of
    space      shared paths of all groups that were looked into
    evaluated  groups priced exactly
    nodes      steps taken (fused.Budget)
    low        what groups cost at least whose search was stopped
    cost       what all trees together have
    """

    graph: Graph
    einsums: tuple[Einsum, ...]
    engine: Engine
    goal: Goal
    least: float = 0.0
    space: int = 0
    evaluated: int = 0
    nodes: int = 0
    cost: float = 0.0
    low: dict[int, complex] = field(default_factory=dict)
    fused: dict[int, tuple[Fusion, Point]] = field(default_factory=dict)
    single: dict[int, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.flow = Flow(self.graph)
        self.budget = Budget(self.goal.nodes, self.goal.seconds)
        self.library = Library(self.graph, self.engine, self.goal, SCALES[self.goal.objective], self.budget)
        wanted = {einsum.name for einsum in self.einsums}
        self.which = sum(1 << place for place, einsum in enumerate(self.flow.order) if einsum.name in wanted)

    @staticmethod
    def takes(engine: Engine) -> bool:
        """Whether groups are searched on an engine: one level alone has axes, not the outermost, and none may be skipped."""
        levels = engine.params.levels
        return (len(levels) > 1 and not levels[0].axes and sum(bool(level.axes) for level in levels) < 2
                and not any(level.bypass for level in levels[1:]))  # fmt: skip

    def trees(self) -> tuple[Node, ...] | None:
        """One tree a group; None where an Einsum fits in no way."""
        partition = Partition(self.flow, self.which, self._bound, self._price)
        groups = partition.best()
        if groups is None:
            return None
        self.cost = sum((partition.known[group] for group in groups), 0j).real
        self.least, self.evaluated, self.nodes = self.cost, len(partition.priced), self.budget.spent
        if self.low:
            self.least = partition.least(self.low).real
        return tuple(self._tree(group) for group in groups)

    def _fusion(self, which: int) -> Fusion | None:
        if which & (which - 1):
            group = self.flow.group(which)
        else:
            group = Group((self.flow.order[which.bit_length() - 1],))
        if group is None or not may_share(self.goal.constraints, group.names):
            return None
        if any(not isinstance(rule, GroupRule | EngineRule) for name in group.names for rule in allowed(self.goal.constraints, name).rules):
            return None
        return self.library.fusion(group)

    def _bound(self, which: int) -> complex | None:
        fusion = self._fusion(which)
        if fusion is not None:
            return self._run(fusion.least(), which)
        return None if which & (which - 1) or not may_share(self.goal.constraints, [self._only(which).name]) else 0j

    def _price(self, which: int) -> complex:
        fusion = self._fusion(which)
        if fusion is None:
            return self._run(self._alone(which), which)
        found = fusion.best()
        self.space += fusion.size
        if fusion.open:
            self.low[which] = self._run(fusion.least(), which)
        if found is None:
            return complex(NEVER)
        self.fused[which] = fusion, found[1]
        return self._run(found[0], which)

    def _only(self, which: int) -> Einsum:
        return self.flow.order[which.bit_length() - 1]

    def _alone(self, which: int) -> complex:
        """An Einsum that constraints speak of, or whose levels further in no table covers."""
        found = best(self.library.problem(self._only(which)), self.goal)
        if found is None:
            return complex(NEVER)
        self.single[which] = found
        if self._only(which).output in self._only(which).inputs:  # read and written, it stays once where two were searched
            self.low[which] = 0j
        elif found.lower_bound is not None:
            self.low[which] = self._run(complex(found.lower_bound), which)
        return float(found.energy_pj) * self.library.scale.energy + found.cycles * self.library.scale.cycles

    def _run(self, cost: complex, which: int) -> complex:
        """What all instances cost: energy adds up, and copies of the engine run side by side, each run in whole cycles."""
        repeat = self.flow.order[next(places_of(which))].repeat
        turns = -(-repeat // self.engine.count)
        if cost.real >= NEVER:
            return complex(NEVER)
        if self.library.scale.energy.real:
            return complex(cost.real * repeat, math.ceil(cost.imag * (1 - ROUNDING)) * turns)
        return complex(math.ceil(cost.real * (1 - ROUNDING)) * turns, cost.imag * repeat)

    def _tree(self, which: int) -> Node:
        if which in self.single:
            return Plan(self.library.problem(self._only(which)), self.single[which].plan.layers).tree()
        fusion, point = self.fused[which]
        return fusion.tree(point)
