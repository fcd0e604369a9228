"""Library: what is known of the Einsums of a graph on an engine, each distinct one once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from typing import Any

from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine

from .body import Body
from .fused import Budget, Fusion
from .groups import Group
from .inner import FUSED, Scale, Table, table
from .one import limited
from .problem import Operand, Problem, problem
from .shared import Member, Shared
from .space import may_hold

FEW_MEMBERS, MOST_STEPS = 4, 512
"""A group of more Einsums than the first takes no more steps than the second, unless a budget says otherwise."""
SCALES = {"energy": Scale(1, 1j), "latency": Scale(1j, 1)}


@dataclass
class Library:
    """Tables and searches that groups share.

    partial  whether a group of several had to be left out, as one of its bodies has no exact table
    """

    graph: Graph
    engine: Engine
    goal: Goal
    scale: Scale
    budget: Budget
    problems: dict[str, Problem] = field(default_factory=dict)
    tables: dict[Any, Table] = field(default_factory=dict)
    results: dict[Any, dict[Any, complex]] = field(default_factory=dict)
    memo: dict[Any, Any] = field(default_factory=dict)
    members: dict[Any, Member] = field(default_factory=dict)
    kinds: dict[Any, int] = field(default_factory=dict)
    partial: bool = False

    def problem(self, einsum: Einsum) -> Problem:
        if einsum.name not in self.problems:
            rules = self.goal.constraints.rules if self.goal.constraints else ()
            self.problems[einsum.name] = limited(problem(self.graph, einsum, self.engine.name, self.engine.params, rules), self.goal)
        return self.problems[einsum.name]

    def fusion(self, group: Group) -> Fusion | None:
        """The search for a group, None where an intermediate can't stay in the fusion level, or an Einsum has no exact table or reads
        its own result."""
        members = []
        if any(einsum.output in einsum.inputs for einsum in group.members):
            return None
        for einsum in group.members:
            mine = self.problem(einsum)
            kept = frozenset(place for place, operand in enumerate(mine.operands) if operand.name in group.kept)
            if not all(may_hold(mine.params, mine.operands[place], FUSED) for place in kept):
                return None
            if (einsum.name, kept) not in self.members:
                kind = self.kinds.setdefault(alike(mine), len(self.kinds))
                self.members[einsum.name, kept] = Member(mine, {past: self._body(mine, past) for past in _past(mine, kept)}, kept, kind)
            members.append(self.members[einsum.name, kept])
            if not all(body.table.exact for body in members[-1].bodies.values()):
                self.partial |= len(group.members) > 1
                return None
        sizes = {name: sizes for member in members for body in member.bodies.values()
                 for name, sizes in zip(body.names, body.table.sizes, strict=True)}  # fmt: skip
        shared = Shared(group, members, [sizes[rank] for rank in group.cut], self.scale.energy, self.memo)
        return Fusion(shared, self.budget, MOST_STEPS if len(members) > FEW_MEMBERS and not self.budget.bounded else None)

    def _body(self, mine: Problem, past: frozenset[int]) -> Body:
        operands = tuple(replace(operand, home=0 if place in past else FUSED) for place, operand in enumerate(mine.operands))
        homed = replace(mine, operands=operands)
        key = alike(homed)
        if key not in self.tables:
            self.tables[key] = table(homed, self.goal.tiles == "perfect", self.scale)
            self.results[key] = {}
        return Body(mine, self.tables[key], self.scale.energy, self.results[key])


def _past(mine: Problem, kept: frozenset[int]) -> Iterator[frozenset[int]]:
    """Every set of operands that may go past the fusion level, the smallest first."""
    level = mine.params.levels[FUSED]
    must = {place for place, operand in enumerate(mine.operands) if not may_hold(mine.params, operand, FUSED)}
    may = [place for place in range(len(mine.operands)) if level.bypass and place not in kept | must]
    for more in chain.from_iterable(combinations(may, many) for many in range(len(may) + 1)):
        yield frozenset({*must, *more})


def alike(mine: Problem) -> Any:
    """Problems of one key cost the same: names matter only to constraints, axes and levels that name something."""
    levels = mine.params.levels
    if mine.rules or any(level.holds for level in levels) or any(axis.ranks or axis.unicast for level in levels for axis in level.axes):
        return mine
    places = {rank.name: place for place, rank in enumerate(mine.ranks)}

    def seen(operand: Operand) -> tuple[Any, ...]:
        times = mine.einsum.inputs.count(operand.name)
        return (tuple(places[rank] for rank in operand.ranks), operand.bits, operand.written, operand.home, times)

    return (tuple((rank.extent, rank.above) for rank in mine.ranks), tuple(seen(operand) for operand in mine.operands), mine.reduces,
            mine.point_pj, mine.point_cycles, mine.repeat, mine.bits)  # fmt: skip
