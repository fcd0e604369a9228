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

MOST = 1 << 20
"""Entries that are looked at for a table."""


class Grid:
    """Groups of neighbouring sizes of a rank: the smallest size of each, the fewest pieces, and the group of each size."""

    def __init__(self, sizes: Sizes, most: int) -> None:
        starts = np.arange(len(sizes))
        if len(sizes) > most:
            starts = np.unique(np.geomspace(1, len(sizes), most).astype(np.intp) - 1)
        stops = np.append(starts[1:], len(sizes))
        self.sizes, self.starts = sizes, starts
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
        self._grids: dict[tuple[int, Kept], tuple[Grid, ...]] = {}

    def least(self, level: int, kept: Kept, criterion: int, needs: Array) -> Array | float:
        """Of rows that need tiles [rows, ranks] of a level, what it and those outside cost at least."""
        if level == self.space.depth - 1 and len(self.space.spreads[level]) == 1:
            level -= 1  # one row asks: what the level itself costs is found as it grows
        if level < 1:
            return 0.0
        grids = self.grids(level, kept)
        found: Array = self.table(level, kept, criterion)[tuple(grid.group[needs[:, rank]] for rank, grid in enumerate(grids))]
        return found

    def grids(self, level: int, kept: Kept) -> tuple[Grid, ...]:
        """As fine as a table can be."""
        key = (level, kept[: level + 1])
        if key not in self._grids:
            ranks, most = self.space.sizes, max(len(sizes) for sizes in self.space.sizes)
            shapes = [dims(self.space, level, kept, order) for order in self.space.orders(level, kept[level])]
            while most > 1 and max(prod(min(most, len(ranks[rank])) for rank in shape) for shape in shapes) > MOST:
                most = most * 7 // 8
            self._grids[key] = tuple(Grid(sizes, most) for sizes in ranks)
        return self._grids[key]

    def table(self, level: int, kept: Kept, criterion: int) -> Array:
        key = (level, criterion, kept[: level + 1])
        if key not in self._known:
            self._known[key] = self._made(level, kept, criterion)
        return self._known[key]

    def _made(self, level: int, kept: Kept, criterion: int) -> Array:
        shape = tuple(len(grid) for grid in self.grids(level, kept))
        found = np.full(shape, np.inf)
        for order in self.space.orders(level, kept[level]):
            np.minimum(found, _Level(self, level, kept, criterion, order).entries(), out=found)
        return found


def dims(space: Space, level: int, kept: Kept, order: Order) -> list[int]:
    """The rank of each axis of what is looked at for one order: the tile needed further in, then other sizes but one that is picked."""
    outermost = not any(kept[1:level])
    inner = [choice.rank for choice in order.choices if not choice.last and not (choice.uncut and outermost)]
    ranks = [*range(len(space.sizes)), *inner]
    if outermost and inner and not (space.perfect and prod(len(space.sizes[rank]) for rank in ranks) <= MOST):
        ranks.remove(max(inner, key=lambda rank: len(space.sizes[rank])))
    return ranks


class _Level:
    """One order of residences at a level."""

    def __init__(self, tables: Tables, level: int, kept: Kept, criterion: int, order: Order) -> None:
        self.tables, self.level, self.kept, self.order = tables, level, kept, order
        self.space, self.criterion = tables.space, criterion
        self.grids = tables.grids(level, kept)
        self.outermost = not any(kept[1:level])
        self.ranks = len(self.grids)
        free = [place for place, choice in enumerate(order.choices) if not self._fixed(place)]
        inner = [place for place in free if not order.choices[place].last]
        self.picked = None
        if self.ranks + len(inner) > len(dims(self.space, level, kept, order)):
            self.picked = max(inner, key=lambda place: len(self.space.sizes[order.choices[place].rank]))
        self.extra = [place for place in inner if place != self.picked]
        self.axis = {place: order.choices[place].rank for place in free if order.choices[place].last}
        self.axis |= {place: self.ranks + at for at, place in enumerate(self.extra)}
        self.dims = self.ranks + len(self.extra)

    def _fixed(self, place: int) -> bool:
        choice = self.order.choices[place]
        return choice.uncut and self.outermost and not choice.least

    def _lay(self, values: Array, axis: int) -> Array:
        return values.reshape([-1 if at == axis else 1 for at in range(self.dims)])

    def entries(self) -> Array:
        """What the order costs at least, at each tile that is needed further in."""
        grids, choices = self.grids, self.order.choices
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
                    tile = tile * self.grids[rank].values[self.places[choice]]
            if self.picked is not None and place in self.order.choices[self.picked].held:
                slope = slope + tile
            else:
                used = used + tile
        if self.picked is None:
            return used <= room
        grid = self.grids[self.order.choices[self.picked].rank]
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
        outside = self.tables.grids(self.level - 1, self.kept)
        needs = tuple(outside[rank].group[self.grids[rank].starts[self.places[first]]] for rank, first in enumerate(self.order.first))
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
            grid, times = self.grids[rank], space.spreads[level - 1].total[:, rank].max()
            counts = grid.counts[self.places[self.order.at[node][rank]]]
            passed = passed * counts
            outside = outside * np.maximum(counts / times, grid.counts[-1])
        if resumed:
            passed, outside = np.maximum(passed - space.fans[level], 0), np.maximum(outside - space.fans[level - 1], 0)
        return np.asarray(space.elements[operand] * (inner * passed + outer * outside))
