"""One Einsum on a plain engine: the best mapping, or all that none beats, proved by bounds.

Partial mappings grow from compute outwards.  Each has a lower bound: what is decided, and the least that the levels outside can add for the
tiles that it needs.  The most promising are completed first; those whose bound shows that they can't win are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from time import process_time

import numpy as np

from archmodel.records.goal import Goal
from archmodel.records.mapping import Node

from .orders import Order
from .plan import Plan
from .problem import Problem
from .realize import Able, Realizer
from .rows import Grower, Row, Rows
from .sizes import Array
from .space import Kept, Space
from .tables import Tables

ROUNDING = 1e-12
"""Relative room that bounds are given for the rounding of sums of floats."""
FEW, AT_ONCE = 1 << 3, 1 << 10
"""Drafts that are looked at together: the first ones, and at most."""
USUAL_NODES = 1 << 18
"""Of a search with ragged tiles that is given no budget: some seconds."""


Drafts = list[tuple[Order, Array, Array]]
"""Of each order: the sizes that are cut, and the way to spread."""
Step = Callable[[Kept, Row, int, Drafts], None]


@dataclass(frozen=True, eq=False)
class Choice:
    """A whole mapping: its tree, below the shared part if there is one, and exactly what it costs.

    lower_bound  of the objective, what no mapping has less of; None where that is its own value
    space        mappings that there are, those that don't fit included; ``evaluated`` of them were priced, ``nodes`` partial ones examined
    """

    energy_pj: float
    cycles: int
    plan: Plan
    lower_bound: float | None = None
    space: int = 0
    evaluated: int = 0
    nodes: int = 0

    @property
    def tree(self) -> Node:
        return self.plan.tree()


@dataclass
class Archive:
    """The best so far: by an objective, ties by the next one; or, where ``objective`` is empty, those that none beats."""

    objective: str
    limits: dict[str, float]
    choices: list[Choice] = field(default_factory=list)
    changes: int = 0

    def key(self, energy: Array, cycles: Array) -> tuple[Array, Array]:
        """What is to be small, then what decides between equals."""
        if self.objective == "latency":
            return cycles, energy
        return (energy, cycles) if self.objective != "edp" else (energy * cycles, energy)

    def able(self, energy: Array, cycles: Array) -> Array:
        """Which bounds leave room for something that is not yet beaten."""
        found = np.ones(len(energy), dtype=bool)
        for what, cost in (("energy", energy), ("latency", cycles), ("edp", energy * cycles)):
            if what in self.limits:
                found &= cost <= self.limits[what] * (1 + ROUNDING)
        for choice in self.choices:
            if self.objective:
                first, then = self.key(energy, cycles)
                best, tie = self.key(np.array(choice.energy_pj), np.array(float(choice.cycles)))
                found &= (first < best * (1 - ROUNDING)) | ((first <= best * (1 + ROUNDING)) & (then < tie * (1 - ROUNDING)))
            else:
                found &= (energy < choice.energy_pj * (1 - ROUNDING)) | (cycles < choice.cycles * (1 - ROUNDING))
        return found

    def offer(self, choice: Choice) -> None:
        costs = np.array([choice.energy_pj]), np.array([float(choice.cycles)])
        if not self.able(*costs)[0]:
            return
        self.changes += 1
        if self.objective:
            self.choices = [choice]
        else:
            better = [other for other in self.choices if other.energy_pj < choice.energy_pj or other.cycles < choice.cycles]
            self.choices = [*better, choice]


class Search:
    """One search of a problem; ``nodes`` partial mappings examined, ``evaluated`` whole ones priced."""

    def __init__(self, problem: Problem, goal: Goal, objective: str) -> None:
        self.problem, self.goal = limited(problem, goal), goal
        self.archive = Archive(objective, {limit.what: limit.most for limit in goal.limits})
        self.nodes = self.evaluated = 0
        self.open, self.dived, self.stopped = inf, False, False
        self.started = process_time()

    def run(self) -> None:
        for perfect in (True, False)[: 1 if self.goal.tiles == "perfect" else 2]:  # perfect tiles soon give the others a bar to beat
            self.space = Space(self.problem, perfect)
            self.open, self.dived = inf, False
            self.tables = Tables(self.space)
            for kept in self.space.keeps():
                self.grower = Grower(self.space, kept)
                self.realizer = Realizer(self.space, kept)
                self._visit(kept, Row(self.grower.starts(), 0))

    def _count(self, nodes: int) -> None:
        """Budgets end only here, so that as many nodes end a search at the same place again."""
        self.nodes += nodes
        most, seconds = self.goal.nodes, self.goal.seconds
        if most is None and seconds is None and not self.space.perfect:
            most = USUAL_NODES
        self.stopped |= most is not None and self.nodes >= most
        self.stopped |= seconds is not None and process_time() - self.started >= seconds

    def _leave(self, bounds: Array) -> bool:
        """Whether the budget is used up; then what is left is known by the least of its bounds."""
        if not (self.stopped and self.archive.choices and self.dived):
            return False
        first, _ = self.archive.key(bounds[0], bounds[1])
        self.open = min(self.open, float(first[0]))
        return True

    def _visit(self, kept: Kept, inner: Row) -> None:
        level = inner.rows.level - 1
        if level == 0:
            self._complete(kept, inner)
            return
        drafts = [(order, *self.grower.drafts(inner, order, level)) for order in self.space.orders(level, kept[level])]
        step = self._chunk if len(self.space.spreads[level - 1].leaders) == len(self.space.spreads[level - 1]) else self._led
        self._work_off(kept, inner, level, drafts, step)

    def _work_off(self, kept: Kept, inner: Row, level: int, drafts: Drafts, step: Step) -> None:
        """The most promising drafts first, few at first and then more together."""
        at, bounds = self._bounds(kept, inner, level, drafts)
        size = FEW
        while len(at) and not self._leave(bounds):
            step(kept, inner, level, [(order, *(array[at[:size][at[:size, 0] == place, 1]] for array in arrays))
                                      for place, (order, *arrays) in enumerate(drafts)])  # fmt: skip
            able = self.archive.able(*bounds[:, size:])
            at, bounds, size = at[size:][able], bounds[:, size:][:, able], min(2 * size, AT_ONCE)

    def _led(self, kept: Kept, inner: Row, level: int, drafts: Drafts) -> None:
        """All ways that those of some drafts lead."""
        led = [(order, *self.grower.led(level, picks, way)) for order, picks, way in drafts]
        self._work_off(kept, inner, level, led, self._chunk)

    def _bounds(self, kept: Kept, inner: Row, level: int, drafts: Drafts) -> tuple[Array, Array]:
        """(order, place) of each draft that may still matter, and energy and cycles at least; the most promising first."""
        found, bounds = [], []
        for place, (order, picks, way) in enumerate(drafts):
            if len(picks):
                energy, cycles = self._least(kept, self.grower.rows(inner, order, level, picks, way, draft=not self.space.perfect))
                able = np.flatnonzero(self.archive.able(energy, cycles))
                self._count(len(picks))
                found.append(np.stack((np.full(len(able), place), able), axis=1))
                bounds.append(np.stack((energy[able], cycles[able])))
        if not found:
            return np.zeros((0, 2), dtype=np.intp), np.zeros((2, 0))
        at, bound = np.concatenate(found), np.concatenate(bounds, axis=1)
        first, then = self.archive.key(bound[0], bound[1])
        ranked = np.lexsort((then, first))
        return at[ranked], bound[:, ranked]

    def _chunk(self, kept: Kept, inner: Row, level: int, drafts: Drafts) -> None:
        """Grows on what some drafts stand for."""
        waiting: list[tuple[Rows, Array]] = []
        for order, picks, way in drafts:
            full = self.grower.completed(inner, order, level, picks, way)
            if len(full[0]):
                rows = self.grower.rows(inner, order, level, *full)
                self._count(len(rows))
                bounds = np.stack(self._least(kept, rows))
                able = self.archive.able(*bounds)
                waiting.append((rows[able], bounds[:, able]))
        if not waiting:
            return
        at = np.concatenate([np.stack((np.full(len(rows), place), np.arange(len(rows))), axis=1)
                             for place, (rows, _) in enumerate(waiting)])  # fmt: skip
        bound = np.concatenate([bounds for _, bounds in waiting], axis=1)
        first, then = self.archive.key(bound[0], bound[1])
        queue = np.lexsort((then, first))
        while len(queue) and not self._leave(bound[:, queue]):
            mine, queue = queue[0], queue[1:]
            known = self.archive.changes
            self._visit(kept, Row(waiting[at[mine, 0]][0], int(at[mine, 1])))
            if self.archive.changes != known:
                queue = queue[self.archive.able(*bound[:, queue])]

    def _least(self, kept: Kept, rows: Rows) -> tuple[Array, Array]:
        """Energy and cycles of rows, at least."""
        space, level = self.space, rows.level
        outside = space.fans[level - 1]
        costs = [rows.costs[:, place] - outside * rows.first[:, place] + self.tables.least(level - 1, kept, place, rows.needs)
                 for place in range(len(space.criteria))]  # fmt: skip
        wide = np.minimum(rows.wide * outside, [sizes.left for sizes in space.sizes]) if outside > 1 else rows.wide
        steps = np.full(len(rows), float(self.problem.repeat * self.problem.point_cycles))
        for rank, sizes in enumerate(space.sizes):
            steps = steps * sizes.count(wide[:, rank])
        cycles = steps
        after: dict[int, Array] = {}
        for criterion, cost in zip(space.criteria[1:], costs[1:], strict=True):
            time = cost / (criterion.rate * space.fans[criterion.level])
            if self.problem.params.levels[criterion.level].buffering == "single":
                after[criterion.level] = np.maximum(after.get(criterion.level, 0.0), time)
            else:
                cycles = np.maximum(cycles, time)
        return costs[0], np.ceil((cycles + sum(after.values())) * (1 - ROUNDING))

    def _complete(self, kept: Kept, row: Row) -> None:
        """Prices what a whole draft stands for: first where all shares are even, which spares most energy."""
        _, cycles = self._least(kept, row.rows[np.array([row.place])])

        def able(energy: Array) -> Array:
            return self.archive.able(energy, np.full(len(energy), cycles[0]))

        least = self._offered(row, able, even=True)
        if not self.space.perfect and max(row.wide) > 1 and able(np.array([least]))[0]:
            self._offered(row, able, even=False)

    def _offered(self, row: Row, able: Able, even: bool) -> float:
        """Offers what may win of many mappings; returns the least energy of any of them."""
        plans, least = self.realizer.plans(row, even, able, self.archive.able)
        self._count(self.realizer.examined)
        self.realizer.examined, self.dived = 0, True
        if plans is None:
            return least
        energy, cycles = _priced(plans)
        self.evaluated += len(energy)
        first, then = self.archive.key(energy, cycles)
        for place in np.lexsort((then, first))[: 1 if self.archive.objective else None].tolist():
            if self.archive.able(energy[place : place + 1], cycles[place : place + 1])[0]:
                plan = plans[place]
                exact, whole = plan.cost()
                self.archive.offer(Choice(float(exact), int(whole), plan))
        return least


def _priced(plans: Plan) -> tuple[Array, Array]:
    """Energy and cycles of many mappings; few are counted faster one by one."""
    many = len(plans.layers[-1].above[0])
    if many <= FEW:
        costs = [plans[place].cost() for place in range(many)]
        return np.array([float(energy) for energy, _ in costs]), np.array([float(cycles) for _, cycles in costs])
    energy, cycles = plans.cost()
    return np.broadcast_to(energy, many), np.broadcast_to(cycles, many)


def limited(problem: Problem, goal: Goal) -> Problem:
    """With no more room in a level than a limit on it leaves."""
    most = {limit.what: limit.most for limit in goal.limits}
    bits = [left if level.name not in most else int(min(inf if left is None else left, most[level.name] * level.word_bits))
            for level, left in zip(problem.params.levels, problem.bits, strict=True)]  # fmt: skip
    return replace(problem, bits=tuple(bits))


def best(problem: Problem, goal: Goal) -> Choice | None:
    """The best mapping, with what is proved of it; None where none fits and keeps the limits."""
    search = Search(problem, goal, goal.objective)
    search.run()
    if not search.archive.choices:
        return None
    found = search.archive.choices[0]
    value, _ = search.archive.key(np.array(found.energy_pj), np.array(float(found.cycles)))
    return replace(found, lower_bound=min(search.open, float(value)) if search.stopped else None,
                   space=search.space.mappings(), evaluated=search.evaluated, nodes=search.nodes)  # fmt: skip


def front(problem: Problem, goal: Goal) -> list[Choice]:
    """Mappings none of which beats another in energy and cycles, those of least energy first."""
    search = Search(problem, goal, "")
    search.run()
    return sorted(search.archive.choices, key=lambda choice: choice.energy_pj)
