"""Tables: at each tile that inner levels need, the least that the levels from the outermost to one cost.

They are lower bounds.  A level's axes are taken as if each rank had all of them; and where ranks have too many sizes for a table,
neighbours share an entry, with the room of the smallest and the pieces of the largest.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .orders import Order
from .sizes import Array, Sizes
from .space import Kept, Space

MOST = 1 << 22
"""Entries of a table."""


class Grid:
    """Groups of neighbouring sizes of a rank: the smallest size of each, the fewest pieces, and the group of each size."""

    def __init__(self, sizes: Sizes, most: int) -> None:
        starts = np.arange(len(sizes))
        if len(sizes) > most:
            starts = np.unique(np.geomspace(1, len(sizes), most).astype(np.intp) - 1)
        stops = np.append(starts[1:], len(sizes))
        self.sizes = sizes
        self.whole = len(starts) == len(sizes)
        self.values = sizes.values[starts].astype(np.float64)
        self.counts = sizes.counts[stops - 1]
        self.group = np.searchsorted(starts, np.arange(len(sizes)), "right") - 1

    def __len__(self) -> int:
        return len(self.values)

    def inside(self) -> Array:
        """[outer, inner]"""
        return self.sizes.inside if self.whole else np.tri(len(self), dtype=bool)

    def close(self, table: Array, axis: int) -> Array:
        if self.whole:
            return self.sizes.close(table, axis)
        return np.flip(np.minimum.accumulate(np.flip(table, axis), axis), axis)


class Tables:
    """Made when they are asked for, by what is kept where."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._known: dict[tuple[int, int, Kept], Array] = {}
        ranks = space.sizes
        most = max(len(sizes) for sizes in ranks)
        while prod(min(most, len(sizes)) for sizes in ranks) > MOST:
            most = most * 7 // 8
        self.grids = tuple(Grid(sizes, most) for sizes in ranks)

    def least(self, level: int, kept: Kept, criterion: int, needs: Array) -> Array | float:
        """Of rows that need tiles [rows, ranks] of a level, what it and those outside cost at least."""
        if level < 1:
            return 0.0
        table = self.table(level, kept, criterion)
        found: Array = table[tuple(grid.group[needs[:, rank]] for rank, grid in enumerate(self.grids))]
        return found

    def table(self, level: int, kept: Kept, criterion: int) -> Array:
        key = (level, criterion, kept[: level + 1])
        if key not in self._known:
            self._known[key] = self._made(level, kept, criterion)
        return self._known[key]

    def _made(self, level: int, kept: Kept, criterion: int) -> Array:
        shape = tuple(len(grid) for grid in self.grids)
        found = np.full(shape, np.inf)
        for order in self.space.orders(level, kept[level]):
            np.minimum(found, _Level(self, level, kept, criterion, order).entries(), out=found)
        return found


class _Level:
    """One order of residences at a level."""

    def __init__(self, tables: Tables, level: int, kept: Kept, criterion: int, order: Order) -> None:
        self.tables, self.level, self.kept, self.order = tables, level, kept, order
        self.space, self.criterion = tables.space, criterion
        self.outermost = not any(kept[1:level])
        self.ranks = len(tables.grids)
        free = [place for place, choice in enumerate(order.choices) if not self._fixed(place)]
        inner = [place for place in free if not order.choices[place].last]
        self.picked = self._picked(inner)
        self.extra = [place for place in inner if place != self.picked]
        self.axis = {place: order.choices[place].rank for place in free if order.choices[place].last}
        self.axis |= {place: self.ranks + at for at, place in enumerate(self.extra)}
        self.dims = self.ranks + len(self.extra)

    def _fixed(self, place: int) -> bool:
        choice = self.order.choices[place]
        return choice.uncut and self.outermost and not choice.least

    def _picked(self, inner: list[int]) -> int | None:
        """The choice that needs no axis: outside of which nothing is, so that the largest that fits is the best."""
        grids = self.tables.grids
        size = prod(len(grid) for grid in grids) * prod(len(grids[self.order.choices[place].rank]) for place in inner)
        exact = self.space.perfect and size <= MOST
        if exact or not self.outermost or not inner:
            return None
        return max(inner, key=lambda place: len(grids[self.order.choices[place].rank]))

    def _lay(self, values: Array, axis: int) -> Array:
        return values.reshape([-1 if at == axis else 1 for at in range(self.dims)])

    def entries(self) -> Array:
        """What the order costs at least, at each tile that is needed further in."""
        grids, choices = self.tables.grids, self.order.choices
        self.places = {place: self._lay(np.arange(len(grids[choices[place].rank])), axis) for place, axis in self.axis.items()}
        for place, choice in enumerate(choices):
            if self._fixed(place):
                self.places[place] = self._lay(np.array([len(grids[choice.rank]) - 1]), choice.rank)
        able = self._room()
        for place in (*self.extra, *([] if self.picked is None else [self.picked])):
            outer, inner = self.places[place], self.places[place + 1]
            able = able & (outer >= inner if place == self.picked else grids[choices[place].rank].inside()[outer, inner])
        cost = np.where(able, self._cost(), np.inf)
        cost = cost.min(axis=tuple(range(self.ranks, self.dims))) if self.extra else cost
        for place, choice in enumerate(choices):
            if choice.last and not choice.least and not self._fixed(place) and cost.shape[choice.rank] > 1:
                cost = grids[choice.rank].close(cost, choice.rank)
        return cost

    def _room(self) -> Array:
        """Whether tiles fit; where one size is left to be picked, picks the largest."""
        space, room = self.space, self.space.bits(self.level)
        used, slope = np.zeros((1,) * self.dims), np.zeros((1,) * self.dims)
        for place, node in enumerate(self.order.nodes):
            tile = np.full((1,) * self.dims, float(space.problem.operands[node].bits))
            for rank in np.flatnonzero(space.has[node]).tolist():
                choice = self.order.at[place][rank]
                if choice != self.picked:
                    tile = tile * self.tables.grids[rank].values[self.places[choice]]
            if self.picked is not None and place in self.order.choices[self.picked].held:
                slope = slope + tile
            else:
                used = used + tile
        if self.picked is None:
            return used <= room
        grid = self.tables.grids[self.order.choices[self.picked].rank]
        with np.errstate(invalid="ignore"):
            most = np.floor((room - used) / slope) if np.isfinite(room) else np.full((1,) * self.dims, np.inf)
        most = np.broadcast_to(most, np.broadcast_shapes(most.shape, used.shape))
        self.places[self.picked] = np.searchsorted(grid.values, most, "right") - 1
        able: Array = self.places[self.picked] >= 0
        return able

    def _cost(self) -> Array:
        cost = np.zeros((1,) * self.dims)
        for flow in self.space.flows:
            if flow.operand in self.order.nodes:
                cost = cost + self._flow(flow.operand, flow.inward, flow.resumed)
        if self.outermost:
            return cost
        needs = tuple(self.places[first] for first in self.order.first)
        return cost + self.tables.table(self.level - 1, self.kept, self.criterion)[needs]

    def _flow(self, operand: int, inward: bool, resumed: bool) -> Array:
        """Both ends of it, the outer one if it is in the next level; of what is spread as if each rank had all instances."""
        space, level, node = self.space, self.level, self.order.nodes.index(operand)
        price = space.criteria[self.criterion]
        inner = (price.write if inward else price.read)[level, operand]
        next_out = space.parent(self.kept, operand, level) == level - 1
        outer = (price.read if inward else price.write)[level - 1, operand] if next_out else 0.0
        passed, outside = np.ones((1,) * self.dims), np.ones((1,) * self.dims)
        for rank in np.flatnonzero(~space.has[operand]).tolist():
            grid, times = self.tables.grids[rank], space.spreads[level - 1].total[:, rank].max()
            counts = grid.counts[self.places[self.order.at[node][rank]]]
            passed = passed * counts
            outside = outside * np.maximum(counts / times, grid.counts[-1])
        if resumed:
            passed, outside = np.maximum(passed - space.fans[level], 0), np.maximum(outside - space.fans[level - 1], 0)
        return np.asarray(space.elements[operand] * (inner * passed + outer * outside))
