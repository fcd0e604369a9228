"""Space: what a problem's mappings are made of, and what each part of them costs at least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from math import comb, factorial, prod

import numpy as np

from archmodel.records.constraints import KeepRule, TileRule
from archmodel.records.engines.plain import Params

from .orders import Order, allowed, orders
from .problem import Operand, Problem
from .sizes import Array, Sizes, powers
from .spread import spread

Kept = tuple[tuple[int, ...], ...]
"""Of each level, and last of compute, the operands that are kept there, by their place."""
HOME = 0
"""The outermost level."""


@dataclass(frozen=True)
class Flow:
    """What moves between a residence, or the compute unit, and the next one outside.

    inward   whether it is read outside and written inside, or the other way
    resumed  whether its first visit over the whole reduction finds nothing to move
    """

    operand: int
    inward: bool
    resumed: bool = False


@dataclass(frozen=True, eq=False)
class Criterion:
    """Something that adds up: ``read`` and ``write`` [levels, operands] an element; ``base`` is there anyway.

    level  whose busiest instance it is counted of, words of ``rate`` a cycle; of energy, which is of all, the outermost
    """

    read: Array
    write: Array
    base: float = 0.0
    level: int = HOME
    rate: float = 1.0


class Space:
    """The parts of all mappings of a problem, over perfect or all tile sizes."""

    def __init__(self, problem: Problem, perfect: bool) -> None:
        self.problem, self.perfect = problem, perfect
        params = problem.params
        self.depth = len(params.levels)
        self.names = [rank.name for rank in problem.ranks]
        self.has = np.array([[rank in operand.ranks for rank in self.names] for operand in problem.operands], dtype=bool)
        self.sizes = tuple(Sizes(rank, perfect, self._most(place)) for place, rank in enumerate(problem.ranks))
        self.spreads = tuple(spread(problem, level, perfect) for level in range(self.depth))
        self.elements = tuple(float(problem.repeat * problem.elements(operand)) for operand in problem.operands)
        self.criteria = tuple(_criteria(problem))
        result = len(problem.operands) - 1
        self.flows = (*(Flow(place, True) for place in range(result)), Flow(result, False),
                      *((Flow(result, True, True),) if problem.reduces else ()))  # fmt: skip

    def _most(self, rank: int) -> int | None:
        """Of a rank that every operand has, tiles larger than what is spread spare nothing."""
        told = any(isinstance(rule, TileRule) and rule.rank == self.names[rank] for rule in self.problem.rules)
        if told or not self.has[:, rank].all():
            return None
        return max(1, self.problem.params.instances)

    @cached_property
    def fans(self) -> tuple[int, ...]:
        """Instances of each level, and of compute units."""
        levels = self.problem.params.levels
        return tuple(prod(level.fanout for level in levels[:place]) for place in range(self.depth + 1))

    def keeps(self) -> Iterator[Kept]:
        """Every way to keep operands at levels and to let others go past, those that keep most first."""
        levels = self.problem.params.levels
        ways = [self._ways(place, level) for place in range(len(self.problem.operands)) for level in range(1, self.depth)]
        spots = [(place, level) for place in range(len(self.problem.operands)) for level in range(1, len(levels))]
        for way in product(*ways):
            yield tuple(tuple(place for (place, at), kept in zip(spots, way, strict=True) if kept and at == level)
                        for level in range(self.depth + 1))  # fmt: skip

    def mappings(self) -> int:
        """How many there are: orders of what is kept, times the tiles, each at most the one around it, of every loop that may stand."""
        levels, total = self.problem.params.levels, 0
        for kept in self.keeps():
            loops = sum(len(mine) for mine in kept) + sum(1 + len(level.axes) for level in levels if level.axes)
            orders = prod(factorial(len(mine)) for mine in kept)
            total += orders * prod(_descents(rank.left, loops, self.perfect) for rank in self.problem.ranks)
        return total

    def _ways(self, operand: int, level: int) -> tuple[bool, ...]:
        mine, there = self.problem.operands[operand], self.problem.params.levels[level]
        if level <= mine.home or not may_hold(self.problem.params, mine, level):
            return (False,)
        rules = [rule for rule in self.problem.rules if isinstance(rule, KeepRule)]
        told = {rule.keep for rule in rules if (rule.tensor, rule.level) == (mine.name, there.name)}
        ways = (True, False) if there.bypass else (True,)
        return tuple(way for way in ways if all(way == keep for keep in told))

    @cache  # noqa: B019
    def orders(self, level: int, kept: tuple[int, ...]) -> tuple[Order, ...]:
        return tuple(orders(self.problem, level, kept))

    @cache  # noqa: B019
    def able(self, level: int, order: Order, choice: int) -> Array:
        """[sizes]: whether the constraints allow a size of a choice, or one of those that it stands for."""
        sizes = self.sizes[order.choices[choice].rank]
        if self.perfect or not allowed(self.problem, level, order, order.choices[choice]):
            return self.lawful(level, order, choice, sizes.values)
        every = np.arange(1, int(sizes.values[-1]) + 1)
        return np.logical_or.reduceat(self.lawful(level, order, choice, every), sizes.values - 1)

    def lawful(self, level: int, order: Order, choice: int, tiles: Array) -> Array:
        """Whether the constraints allow tiles of these sizes for a choice."""
        mine = order.choices[choice]
        found = np.ones(len(tiles), dtype=bool)
        for rule in allowed(self.problem, level, order, mine):
            fits = (tiles >= rule.least) & ((tiles % rule.multiple == 0) | (tiles == self.problem.ranks[mine.rank].extent))
            if rule.only:
                fits &= np.isin(tiles, rule.only)
            found &= fits if rule.most is None else fits & (tiles <= rule.most)
        return found

    def unicast(self, operand: int) -> frozenset[str]:
        """Axes on which each instance is given the operand for itself."""
        mine = self.problem.operands[operand]
        return frozenset(name for name, (_, axis) in self.problem.params.axis.items() if {mine.name, mine.kind} & set(axis.unicast))

    def parent(self, kept: Kept, operand: int, level: int) -> int:
        """The next level outside in which an operand stays."""
        home = self.problem.operands[operand].home
        return max((at for at in range(1, level) if operand in kept[at]), default=home)

    def alone(self, level: int, operand: int, kept: Kept) -> int:
        """Instances at a level or further in that are each given the operand for themselves, by where it next stays outside: at most."""
        mine, levels = self.problem.operands[operand], self.problem.params.levels
        inner = min((at for at in range(level, self.depth) if operand in kept[at]), default=self.depth)
        axes = [axis for at in levels[level - 1 : inner] for axis in at.axes]
        return prod(axis.size for axis in axes if {mine.name, mine.kind} & set(axis.unicast))

    def bits(self, level: int) -> float:
        """Room for tiles, each bit of them once."""
        left = self.problem.bits[level]
        double = self.problem.params.levels[level].buffering == "double"
        return float("inf") if left is None else left / (2 if double else 1)

    @cached_property
    def up(self) -> tuple[tuple[Array, ...], ...]:
        """[level][rank][way, sizes]: where each size, spread over the axes below a level, stands."""
        return tuple(tuple(_up(self.sizes[rank], spread.total[:, rank]) for rank in range(len(self.names))) for spread in self.spreads)

    @cached_property
    def down(self) -> tuple[tuple[Array, ...], ...]:
        """The same of the least that each size takes, spread: the last of the pieces side by side may be as small as one."""
        if self.perfect:
            return self.up
        return tuple(tuple(_down(self.sizes[rank], spread.total[:, rank]) for rank in range(len(self.names))) for spread in self.spreads)

    @cache  # noqa: B019
    def shared(self, level: int, operand: int) -> tuple[Array, ...]:
        """[rank][way, sizes]: the same, over those axes alone on which an operand is read once for all."""
        mine, spread = self.problem.operands[operand], self.spreads[level]
        if (spread.shared(mine) == spread.total).all():
            return self.up[level]
        return tuple(_up(self.sizes[rank], spread.shared(mine)[:, rank]) for rank in range(len(self.names)))


def _descents(size: int, loops: int, perfect: bool) -> int:
    """Ways to choose tiles for loops inside each other, none larger than the one around it, or each dividing that."""
    if not perfect:
        return comb(size + loops - 1, loops)
    return prod(comb(times + loops, loops) for times in powers(size))


def _up(sizes: Sizes, times: Array) -> Array:
    values, inverse = np.unique(times, return_inverse=True)
    return sizes.spread(values.tolist())[inverse]


def _down(sizes: Sizes, times: Array) -> Array:
    values, inverse = np.unique(times, return_inverse=True)
    least = sizes.values[None, :] * (values[:, None] - 1) + np.where(values > 1, 1, 0)[:, None]
    return sizes.place(np.minimum(np.maximum(least, sizes.values[None, :]), sizes.left))[inverse]


def may_hold(params: Params, operand: Operand, level: int) -> bool:
    holds = params.levels[level].holds
    return not holds or bool({operand.name, operand.kind} & set(holds))


def _criteria(problem: Problem) -> Iterator[Criterion]:
    """Energy, then the cycles that each level with a bandwidth moves words."""
    levels, operands = problem.params.levels, problem.operands
    words = np.array([[operand.bits / level.word_bits for operand in operands] for level in levels])
    pj = np.array([[float(level.read_pj), float(level.write_pj)] for level in levels])
    yield Criterion(words * pj[:, :1], words * pj[:, 1:], float(problem.points * problem.point_pj))
    for place, level in enumerate(levels):
        mine = np.where(np.arange(len(levels)) == place, 1.0, 0.0)[:, None] * words
        for rate, reads, writes in ((level.bandwidth, 1, 1), (level.read_bandwidth, 1, 0), (level.write_bandwidth, 0, 1)):
            if rate is not None:
                yield Criterion(mine * reads, mine * writes, 0.0, place, float(rate))
