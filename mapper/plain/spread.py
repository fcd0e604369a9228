"""Spread: the ways to share out the axes below a level among the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from archmodel.records.constraints import AxisRule
from archmodel.records.engines.plain import Axis

from .problem import Operand, Problem
from .sizes import Array, divisors


@dataclass(frozen=True, eq=False)
class Spread:
    """Ways to spread ranks over the axes below a level.

    counts  [ways, axes, ranks] how many pieces lie side by side; ragged, how many there is place for
    leader  [ways] a way that has at least as many of each rank
    """

    axes: tuple[Axis, ...]
    counts: Array
    leader: Array

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def leaders(self) -> Array:
        """Ways that no other leads."""
        return np.unique(self.leader)

    @cached_property
    def total(self) -> Array:
        """[ways, ranks], over all axes."""
        return self.counts.prod(axis=1)

    def shared(self, operand: Operand) -> Array:
        """[ways, ranks], over those axes on which instances that share an element of a tensor take one read for all."""
        many = [place for place, axis in enumerate(self.axes) if not {operand.name, operand.kind} & set(axis.unicast)]
        return self.counts[:, many].prod(axis=1)


def spread(problem: Problem, level: int, perfect: bool) -> Spread:
    """All ways on the axes below a level, one of each set that comes to the same."""
    axes = problem.params.levels[level].axes
    left = np.array([rank.left for rank in problem.ranks])
    found = np.ones((1, 0, len(left)), dtype=np.int64)
    for axis in axes:
        ways = np.array(_ways(problem, axis, perfect), dtype=np.int64).reshape(-1, 1, len(left))
        found = np.concatenate((np.repeat(found, len(ways), axis=0), np.tile(ways, (len(found), 1, 1))), axis=1)
        total = found.prod(axis=1)
        able = (left % total == 0).all(axis=1) if perfect else np.ones(len(found), dtype=bool)
        found, total = found[able], total[able]
        if len({axis.unicast for axis in axes}) == 1:
            first = np.sort(np.unique(np.minimum(total, left), axis=0, return_index=True)[1])
            found = found[first]
    alike = not perfect and len({axis.unicast for axis in axes}) <= 1
    return Spread(axes, found, _led(np.minimum(found.prod(axis=1), left)) if alike else np.arange(len(found)))


def _ways(problem: Problem, axis: Axis, perfect: bool) -> list[tuple[int, ...]]:
    """Counts of each rank on one axis."""
    rules = [rule for rule in problem.rules if isinstance(rule, AxisRule) and rule.axis == axis.name]
    reduced = set(problem.extents) - set(problem.result.ranks)
    found: list[tuple[int, ...]] = [()]
    for rank in problem.ranks:
        barred = (axis.ranks and rank.name not in axis.ranks) or (not axis.reduces and rank.name in reduced)
        barred = barred or any(rank.name in rule.forbidden or (rule.ranks is not None and rank.name not in rule.ranks) for rule in rules)
        fixed = [count for rule in rules for name, count in rule.counts if name == rank.name]
        able = [1] if barred else divisors(rank.left) if perfect else range(1, min(rank.left, axis.size) + 1)
        if fixed:
            able = sorted(set(able).intersection(*({count} for count in fixed)))
        found = [(*way, count) for way in found for count in able if prod(way) * count <= axis.size]
    return found


def _led(total: Array) -> Array:
    """Of each row the place of one that is at least as large everywhere, and led by none: the one of fewest pieces."""
    order = np.lexsort((np.arange(len(total)), -total.prod(axis=1)))
    leader = np.full(len(total), -1)
    for at in order.tolist():
        if leader[at] < 0:
            leader[(total <= total[at]).all(axis=1)] = at
    return leader
