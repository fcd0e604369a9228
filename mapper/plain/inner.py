"""Inner: at each tile that the fusion level leaves, the least that the levels further in and compute cost.

With every operand at home in the fusion level, what a level costs depends on the tile that comes to it alone: each tensor passes as
often as the ranks that it lacks are cut, whatever cut them.  So tables are made from compute outwards, one a level: of its
residences, by the tile that an instance gets, then of what is spread over the axes above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .orders import Order
from .plan import Layer
from .problem import Problem
from .sizes import Array, Sizes
from .sizes import _primes as primes
from .space import Kept, Space

FUSED = 1
"""The level in which fused tensors stay: the first below the outermost."""
NEVER = 1e200
"""The cost of what is impossible."""


@dataclass(frozen=True, eq=False)
class Table:
    """``costs`` [sizes of each rank]: of all tiles that fit in one, the least, or if not ``exact`` a lower bound."""

    sizes: tuple[Sizes, ...]
    costs: Array
    exact: bool
    made: Quick | None = None

    def layers(self, tile: tuple[int, ...]) -> tuple[Layer, ...]:
        """What attains the cost of a tile: the levels further in, and compute."""
        assert self.made is not None
        return self.made.layers(FUSED, tile)


@dataclass(frozen=True)
class Scale:
    """How costs are made of energy and cycles: complex numbers, compared by what is sought, then by what breaks ties."""

    energy: complex = 1
    cycles: complex = 1j


def table(problem: Problem, perfect: bool, scale: Scale) -> Table:
    """The table of a problem whose operands are at home in the fusion level, or go past it; without costs where it isn't exact."""
    space = Space(problem, perfect)
    space.sizes = tuple(Sizes(rank, perfect) for rank in problem.ranks)  # all of them: other Einsums may need the larger ones
    ways = [kept for kept in space.keeps() if not kept[FUSED]]
    if not perfect or len(ways) != 1 or not _decouples(space, ways[0]):
        return Table(space.sizes, np.zeros(0), False)
    made = Quick(space, ways[0], scale)
    costs = made.costs()
    for rank, sizes in enumerate(space.sizes):
        costs = _within(costs, sizes, rank)
    return Table(space.sizes, costs, True, made)


def _decouples(space: Space, kept: Kept) -> bool:
    """Whether what a tensor costs at a level depends on one tile alone: none skips a level, or counts alone on an axis, and in no order
    does a rank come between two tensors that lack it."""
    problem, levels = space.problem, space.problem.params.levels
    whole = all(operand.home == FUSED for operand in problem.operands)
    whole = whole and all(len(mine) == len(problem.operands) for mine in kept[2 : space.depth])
    shared = not any(axis.unicast for level in levels for axis in level.axes)
    once = sum(bool(level.axes) for level in levels) < 2
    apart = any(_comes_between(space, order) for level in range(FUSED + 1, space.depth) for order in _orders(space, level, kept))
    return whole and shared and once and not apart and not problem.rules


def _orders(space: Space, level: int, kept: Kept) -> list[Order]:
    """Those in which no tensor follows one that has all of its ranks: before it, it would be filled no more often."""

    def fine(outer: int, inner: int) -> bool:
        more, less = space.has[outer], space.has[inner]
        return bool((less & ~more).any()) or (bool((less == more).all()) and outer < inner)

    return [order for order in space.orders(level, kept[level])
            if all(fine(*pair) for pair in zip(order.nodes, order.nodes[1:], strict=False))]  # fmt: skip


def _comes_between(space: Space, order: Order) -> bool:
    """Whether a tensor with some rank comes between two that lack it, so that they see different tiles of it."""
    return any(choice.passed and place != order.first[choice.rank]
               and any(not space.has[node][choice.rank] for node in order.nodes[: choice.start])
               for place, choice in enumerate(order.choices))  # fmt: skip


class Quick:
    """Levels one after another, of a machine that spreads below one level alone."""

    def __init__(self, space: Space, kept: Kept, scale: Scale) -> None:
        self.space, self.kept, self.scale = space, kept, scale
        spreading = [level for level, each in enumerate(space.problem.params.levels) if each.axes]
        self.fan = spreading[0] if spreading else space.depth - 1
        self.inside: dict[int, Array] = {}
        """Of each level from which something is moved in: costs by the tile that one of the next level, or compute, gets."""

    def costs(self) -> Array:
        """[sizes of each rank] of the tile that the fusion level leaves, exactly that."""
        space, problem = self.space, self.space.problem
        found = np.full([len(sizes) for sizes in space.sizes], NEVER, dtype=complex)
        steps = float(problem.points * problem.point_cycles)
        found[(0,) * len(space.sizes)] = space.criteria[0].base * self.scale.energy + steps * self.scale.cycles
        for level in range(space.depth - 1, FUSED - 1, -1):
            self.inside[level] = found
            found = (self._spread(found) if level == self.fan else found) + self._passing(level, outer=True)
            if level > FUSED:
                self.inside[-level] = found = self._closed(found)
                found = self._residing(found, level)
        return found

    def layers(self, level: int, tile: tuple[int, ...]) -> tuple[Layer, ...]:
        """Of the least costs, by the tile that a level leaves: what is next inside, and so on."""
        costs, sizes, space = self.inside[level], self.space.sizes, self.space
        cells = np.nonzero(costs.real < NEVER)
        to, able, least = self._moved(costs, cells, level)
        for mine, at, there in zip(sizes, tile, np.unravel_index(to, costs.shape), strict=True):
            able &= mine.inside[at, there]
        least = np.where(able, least + np.broadcast_to(self._passing(level, outer=True), costs.shape).ravel()[to], NEVER)
        way, cell = np.unravel_index(np.argmin(least), least.shape)
        each = tuple(int(at[cell]) for at in cells)
        whole = tuple(int(at) for at in np.unravel_index(to[way, cell], costs.shape))
        counts = space.spreads[level].counts[way]
        left, tiles = [int(mine.values[at]) for mine, at in zip(sizes, whole, strict=True)], []
        above = tuple(left)
        for axis in counts.tolist():
            left = [size // times for size, times in zip(left, axis, strict=True)]
            tiles.append(tuple(left))
        if level + 1 == space.depth:
            order = space.orders(level + 1, ())[0]
            return (Layer(order, tuple(left[choice.rank] for choice in order.choices), above, tuple(tiles)),)
        order, places = self._chosen(each if tiles else tile, level + 1, each)
        values = tuple(int(sizes[choice.rank].values[at]) for choice, at in zip(order.choices, places, strict=True))
        return (Layer(order, values, above, tuple(tiles)), *self.layers(level + 1, tuple(places[last] for last in order.last)))

    def _chosen(self, entry: tuple[int, ...], level: int, first: tuple[int, ...]) -> tuple[Order, tuple[int, ...]]:
        """The order of the least cost at a level whose first sizes stand there, and the place of each of its sizes.

        entry  where the tile stands that comes from above: that of what is not cut
        """
        best: tuple[tuple[float, float], Order, tuple[int, ...]] | None = None
        for order in _orders(self.space, level, self.kept):
            box, _, full = self._ordered(self.inside[-level], order, level)
            if any(at >= each.stop for at, each in zip(first, box, strict=True)):
                continue
            further = [place for place, choice in enumerate(order.choices) if place != order.first[choice.rank]]
            mine = np.asarray(full[first])
            at = np.unravel_index(int(np.argmin(mine)), mine.shape)
            places = [0] * len(order.choices)
            for place, choice in enumerate(order.choices):
                whole = (entry if choice.uncut else first)[choice.rank]
                places[place] = int(at[further.index(place)]) if place in further else whole
            value = complex(mine[at])
            if best is None or (value.real, value.imag) < best[0]:
                best = (value.real, value.imag), order, tuple(places)
        assert best is not None
        return best[1], best[2]

    def _passing(self, level: int, outer: bool) -> Array:
        """What passes at a level on the ways to and from the next one inside (``outer``) or outside, by the tile that it is moved in."""
        found: Any = np.zeros((1,) * len(self.space.sizes))
        for flow in self.space.flows:
            price = self.space.criteria[0].read if flow.inward == outer else self.space.criteria[0].write
            again: Any = 1.0
            for rank in np.flatnonzero(~self.space.has[flow.operand]).tolist():
                again = again * _lay(self.space.sizes[rank].counts, rank, len(self.space.sizes))
            again = again - 1.0 if flow.resumed and level <= self.fan else again
            times = self._times(flow.operand) if outer and level == self.space.depth - 1 else 1
            found = found + again * (price[level, flow.operand] * self.space.elements[flow.operand] * times)
        return found * self.scale.energy

    def _times(self, operand: int) -> int:
        """How often a point reads or writes an operand."""
        problem = self.space.problem
        return 1 if problem.operands[operand].written else problem.einsum.inputs.count(problem.operands[operand].name)

    def _first(self) -> float:
        """Energy that results don't take on their first visits below the fan-out, for each instance that adds to one."""
        read, write = self.space.criteria[0].read, self.space.criteria[0].write
        return float(sum((read[level, flow.operand] + write[level, flow.operand]) * self.space.elements[flow.operand]
                         for flow in self.space.flows if flow.resumed for level in range(self.fan + 1, self.space.depth)))  # fmt: skip

    def _moved(self, costs: Array, cells: tuple[Array, ...], level: int) -> tuple[Array, Array, Array]:
        """[ways, cells]: where the tile stands that is spread so over the axes below a level, whether there is one, and its cost."""
        part, ways, shape = costs[cells], self.space.spreads[level].total, costs.shape
        to, able = np.zeros((len(ways), len(part)), dtype=np.intp), np.ones((len(ways), len(part)), dtype=bool)
        for rank, cell in enumerate(cells):
            times, inverse = np.unique(ways[:, rank], return_inverse=True)
            up = self.space.sizes[rank].spread(times.tolist())[inverse][:, cell]
            able &= up >= 0
            to = to * shape[rank] + np.maximum(up, 0)
        if level != self.fan:
            return to, able, np.broadcast_to(part, to.shape)
        first = self._first() * ways[:, ~self.space.has[-1]].prod(axis=1) * self.scale.energy
        return to, able, self._fewer(part[None, :], ways.prod(axis=1).astype(float)[:, None]) - first[:, None]

    def _spread(self, costs: Array) -> Array:
        """By the tile that is spread over the axes, of costs by the tile that each instance gets."""
        found = np.full(costs.size, NEVER, dtype=complex)
        to, able, fewer = self._moved(costs, np.nonzero(costs.real < NEVER), self.fan)
        whole = np.asarray(able.all(axis=1))
        for way in range(len(to)):
            where, cost = (to[way], fewer[way]) if whole[way] else (to[way, able[way]], fewer[way, able[way]])
            if self.space.perfect:
                found[where] = np.minimum(found[where], cost)
            else:
                np.minimum.at(found, where, cost)
        return found.reshape(costs.shape)

    def _fewer(self, costs: Array, times: Array) -> Array:
        """The same with that many times fewer steps."""
        if self.scale.cycles.real:
            return costs.real / times + 1j * costs.imag
        return costs.real + 1j * (costs.imag / times)

    def _closed(self, costs: Array) -> Array:
        for rank, sizes in enumerate(self.space.sizes):
            costs = _within(costs, sizes, rank)
        return costs

    def _residing(self, inside: Array, level: int) -> Array:
        """By the tile that an instance of a level gets, of costs by the tile that it leaves."""
        found = np.full(inside.shape, NEVER, dtype=complex)
        for order in _orders(self.space, level, self.kept):
            box, cost, _ = self._ordered(inside, order, level)
            found[box] = np.minimum(found[box], cost)
        return found

    def _ordered(self, inside: Array, order: Order, level: int) -> tuple[tuple[slice, ...], Array, Array]:
        """Of one order: an axis for each rank's first size and one for every further one; of a single size where nothing is the better
        for a larger one."""
        space, ranks = self.space, len(self.space.sizes)
        further = [place for place, choice in enumerate(order.choices) if place != order.first[choice.rank]]
        dims = ranks + len(further)
        axes = []
        for place, choice in enumerate(order.choices):
            axis = ranks + further.index(place) if place in further else choice.rank
            least = choice.least and level == space.depth - 1 and self.fan < level  # compute takes points
            axes.append(_lay(np.arange(1 if least else len(space.sizes[choice.rank])), axis, dims))
        cost: Any = inside[tuple(axes[last] for last in order.last)]
        need: Any = 0.0
        for node, operand in enumerate(order.nodes):
            tile: Any = float(space.problem.operands[operand].bits)
            for rank in np.flatnonzero(space.has[operand]).tolist():
                tile = tile * space.sizes[rank].values[axes[order.at[node][rank]]]
            need = need + tile
        able: Any = np.asarray(need <= space.bits(level))
        for place in further:
            able = able & np.asarray(space.sizes[order.choices[place].rank].inside)[axes[place - 1], axes[place]]
        passing = self._passing(level, outer=False)  # by the first size: no rank is cut between two tensors that lack it
        box = tuple(slice(0, axes[first].size) for first in order.first)
        passing = passing[box]
        cost = np.where(able, cost + passing.reshape(passing.shape + (1,) * len(further)), NEVER)
        return box, cost.min(axis=tuple(range(ranks, dims))) if further else cost, cost


def _within(costs: Array, sizes: Sizes, rank: int) -> Array:
    """At each size of a rank the least of all sizes that fit in it."""
    if not sizes.perfect:
        return np.asarray(np.minimum.accumulate(costs, rank))
    costs = np.moveaxis(costs.copy(), rank, 0)
    for prime in primes(sizes.left):
        for at in range(len(sizes)):
            larger = int(sizes.values[at]) * prime
            if sizes.left % larger == 0:
                to = int(np.searchsorted(sizes.values, larger))
                costs[to] = np.minimum(costs[to], costs[at])
    return np.moveaxis(costs, 0, rank)


def _lay(values: Array, axis: int, dims: int) -> Array:
    return values.reshape([-1 if at == axis else 1 for at in range(dims)])
