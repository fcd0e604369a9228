"""Realize: from sizes told apart by the pieces that they make to actual sizes, whose pieces inside one another are counted exactly.

Ragged, a draft stands for many mappings: every size of a choice that makes as many pieces of the whole rank.  What loops inside each
other make of a rank depends on its own loops alone; so ranks are looked at one by one, those combinations of sizes are kept that no other
beats in room, in pieces and in steps, and what is left of all ranks is combined and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod

import numpy as np

from archmodel.engines.plain.counts import visited
from archmodel.records.graph import MAX_EXTENT

from ..fronts import pareto
from .orders import Order
from .plan import Layer, Plan
from .rows import Row
from .sizes import Array
from .space import Kept, Space

Entry = tuple[dict[int, Array], Array, tuple[Array, ...]]
"""Of one level: the sizes of choices by their places, the tile above what is spread, and the tile on each axis."""
Chain = list[tuple[Array, str, int]]
"""Loops over one rank, outermost first: the tile, the axis ("" in time), the level that it stands above."""


@dataclass(frozen=True)
class Part:
    """What a draft says of one rank at one level.

    classes  (choice, place of its size, what is too large for it), of each of its choices
    counts   on each axis above
    """

    order: Order
    classes: tuple[tuple[int, int, int], ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Options:
    """Sizes of one rank, options that none beats: [level] of (sizes of its choices by place, tile above, tiles on axes)."""

    sizes: tuple[dict[int, Array], ...]
    above: tuple[Array, ...]
    tiles: tuple[tuple[Array, ...], ...]

    def __len__(self) -> int:
        return len(self.above[0])

    def __getitem__(self, which: Array) -> Options:
        return Options(tuple({place: size[which] for place, size in level.items()} for level in self.sizes),
                       tuple(tile[which] for tile in self.above),
                       tuple(tuple(tile[which] for tile in level) for level in self.tiles))  # fmt: skip


class Realizer:
    """Of one way to keep operands."""

    def __init__(self, space: Space, kept: Kept) -> None:
        self.space, self.kept = space, kept
        self._known: dict[tuple[int, tuple[Part, ...], bool, bool], Options] = {}

    def plans(self, row: Row, even: bool) -> Plan | None:
        """The mappings that a draft stands for, as arrays, without those that others of them beat; None if none fits.

        ``even`` leaves out those where what an instance is given is no multiple of the tile that it cuts: they spare nothing but steps.
        """
        levels = _levels(row)
        parts = [tuple(self._part(at, rank) for at in levels) for rank in range(len(self.space.names))]
        plans = self._combined(levels, [self._options(rank, mine, even, tight=False) for rank, mine in enumerate(parts)])
        if not self.space.perfect and (self._fits(plans, levels) != self._fits(plans)).any():
            plans = self._combined(levels, [self._options(rank, mine, even, tight=True) for rank, mine in enumerate(parts)])
        able = np.flatnonzero(self._fits(plans))
        return plans[able] if len(able) else None

    def _combined(self, levels: list[Row], options: list[Options]) -> Plan:
        grid = np.indices([len(option) for option in options]).reshape(len(options), -1)
        picked = [option[at] for option, at in zip(options, grid, strict=True)]
        return Plan(self.space.problem, tuple(_layer(at.rows.order, level, picked) for level, at in enumerate(levels)))

    def _part(self, at: Row, rank: int) -> Part:
        order, picks, sizes = at.rows.order, at.rows.picks[at.place], self.space.sizes[rank]
        mine = [(place, int(picks[place])) for place, choice in enumerate(order.choices) if choice.rank == rank]
        counts = self.space.spreads[at.rows.level - 1].counts[at.rows.way[at.place], :, rank]
        stops = tuple((place, pick, min(sizes.stop(pick), self._too_large(at, place))) for place, pick in mine)
        return Part(order, stops, tuple(counts.tolist()))

    def _too_large(self, at: Row, place: int) -> int:
        """The first size of a choice with which a level overflows, all others at their smallest."""
        space, order, picks = self.space, at.rows.order, at.rows.picks[at.place]
        if not order.choices[place].held or not np.isfinite(space.bits(at.rows.level)):
            return MAX_EXTENT + 1
        fixed = slope = 0
        for spot, node in enumerate(order.nodes):
            tile = space.problem.operands[node].bits
            for rank in np.flatnonzero(space.has[node]).tolist():
                choice = order.at[spot][rank]
                tile *= 1 if choice == place else int(space.sizes[rank].values[picks[choice]])
            slope, fixed = (slope + tile, fixed) if spot in order.choices[place].held else (slope, fixed + tile)
        return int((space.bits(at.rows.level) - fixed) // slope) + 1

    def _fits(self, plan: Plan, tight: list[Row] | None = None) -> Array:
        """Which have room in every level; ``tight``, rows of the levels, if what is spread together is as little as there may be."""
        space = self.space
        found: Array = np.ones(len(plan.layers[-1].above[0]), dtype=bool)
        for level, layer in enumerate(plan.layers[:-1], 1):
            used: Array = np.zeros(1)
            for place, node in enumerate(layer.order.nodes):
                tile = float(space.problem.operands[node].bits)
                for rank in np.flatnonzero(space.has[node]).tolist():
                    choice, size = layer.order.at[place][rank], layer.sizes[layer.order.at[place][rank]]
                    if tight and layer.order.choices[choice].least:
                        inner = plan.layers[level]
                        wide = self.space.spreads[level].total[tight[level].rows.way[tight[level].place], rank]
                        given = inner.tiles[-1][rank] if inner.tiles else inner.above[rank]
                        size = np.minimum(size, given * (wide - 1) + 1) if inner.order.nodes or level == len(plan.layers) - 1 else 1
                        size = np.maximum(size, given)
                    tile = tile * size
                used = used + tile
            found = found & (used <= space.bits(level))
        return found

    def _options(self, rank: int, parts: tuple[Part, ...], even: bool, tight: bool) -> Options:
        even = even or self._even(rank, parts, tight)
        if (key := (rank, parts, even, tight)) not in self._known:
            options = self._all(rank, parts, even, tight)
            self._known[key] = options[pareto(tuple(_telling(self._marks(rank, parts, options))))] if len(options) else options
        return self._known[key]

    def _even(self, rank: int, parts: tuple[Part, ...], tight: bool) -> bool:
        """Whether even shares take as few steps as there can be."""
        wide = prod(prod(part.counts) for part in parts)
        if self.space.perfect or wide == 1:
            return True
        options = self._options(rank, parts, True, tight)
        steps = self._marks(rank, parts, options)[-1] if len(options) else np.ones(1)
        return bool(steps.min() <= self.space.sizes[rank].count(np.array(wide)))

    def _all(self, rank: int, parts: tuple[Part, ...], even: bool, tight: bool) -> Options:
        """Every combination of sizes, from compute outwards; what is larger than the tile around it is as large as that.

        ``tight`` adds those where all that is spread together is less than each instance has place for: they spare nothing but room.
        """
        space, sizes = self.space, self.space.sizes[rank]
        tile, wanted = np.ones(1, dtype=np.int64), np.ones(1, dtype=np.int64)
        found: list[Entry] = []
        for level, part in reversed(list(enumerate(parts, 1))):
            mine: dict[int, Array] = {}
            for place, pick, stop in reversed(part.classes):
                choice = part.order.choices[place]
                if choice.least:
                    mine[place] = wanted
                    continue
                each = np.arange(sizes.values[pick], stop)
                each = each[space.lawful(level, part.order, place, each)]
                within, at = np.nonzero(tile[:, None] <= each[None, :])
                found = [_taken(entry, within) for entry in found]
                mine = {known: size[within] for known, size in mine.items()}
                tile = wanted = mine[place] = each[at]
            cut = bool(part.classes) and not part.order.choices[part.classes[0][0]].uncut
            within, given, above = self._spread(wanted, part.counts, not even and cut, tight and _held(rank, parts, level), sizes.left)
            found = [_taken(entry, within) for entry in found]
            tiles = [given * prod(part.counts[place:]) for place in range(1, len(part.counts) + 1)]
            found.append(({known: size[within] for known, size in mine.items()}, above, tuple(tiles)))
            tile, wanted = tile[within], above
        return _clipped(found[::-1], sizes.left)

    def _spread(self, tile: Array, counts: tuple[int, ...], uneven: bool, tight: bool, left: int) -> tuple[Array, Array, Array]:
        """What instances are given, and what all of them are: (which tile, given, all).  Perfect or alone, just the tile each."""
        wide = prod(counts)
        which, given = np.arange(len(tile)), tile
        if wide == 1 or self.space.perfect:
            return which, given, given * wide
        if uneven:
            each = np.arange(1, -(-left // wide) + 1)
            more = (each[None, :] > tile[:, None]) & (each[None, :] % tile[:, None] > 0)
            which, at = np.nonzero(more)
            which, given = np.concatenate((np.arange(len(tile)), which)), np.concatenate((tile, each[at]))
        if not tight:
            return which, given, given * wide
        part, at = np.nonzero(given[:, None] > np.arange(int(given.max()))[None, :])
        return which[part], given[part], given[part] * wide - at

    def _marks(self, rank: int, parts: tuple[Part, ...], options: Options) -> list[Array]:
        """All in which one combination may beat another."""
        space, extent = self.space, self.space.problem.ranks[rank].extent
        chain: Chain = [(np.full(len(options), tile), "", 0) for tile in space.problem.ranks[rank].above]
        marks: list[Array] = []
        for level, part in enumerate(parts, 1):
            axes = space.spreads[level - 1].axes
            if axes:
                chain.append((options.above[level - 1], "", level))
                chain += [(tile, axis.name, level) for axis, tile in zip(axes, options.tiles[level - 1], strict=True)]
            for place, node in enumerate(part.order.nodes):
                choice = part.order.at[place][rank]
                if part.order.choices[choice].start == place and not (part.order.choices[choice].uncut and place == 0):
                    chain.append((options.sizes[level - 1][choice], "", level))
                if space.has[node, rank]:
                    marks.append(options.sizes[level - 1][choice])
                else:
                    marks += self._pieces(node, level, extent, chain)
        compute = len(parts)
        for operand in np.flatnonzero(~space.has[:, rank]).tolist():
            marks += self._pieces(operand, compute, extent, [*chain, (np.ones(len(options), dtype=np.int64), "", compute)])
        marks.append(visited(extent, [(tile, not axis) for tile, axis, _ in chain], True))
        return [np.broadcast_to(mark, len(options)) for mark in marks]

    def _pieces(self, operand: int, level: int, extent: int, chain: Chain) -> list[Array]:
        """Pieces of a rank for which a tile of an operand moves: inside, outside, and what is spread, the more the better."""
        parent = self.space.parent(self.kept, operand, level)
        unicast = self.space.unicast(operand)
        inside = visited(extent, [(tile, True) for tile, _, _ in chain], False)
        outside = visited(extent, [(tile, not axis or at <= parent or axis in unicast) for tile, axis, at in chain], False)
        found = [inside, outside]
        if operand == len(self.space.problem.operands) - 1:
            found.append(visited(extent, [(tile, not axis or at <= parent) for tile, axis, at in chain], False))
            found.append(-visited(extent, [(tile, bool(axis)) for tile, axis, _ in chain], False))
            found.append(-visited(extent, [(tile, bool(axis) and (at <= parent or axis in unicast)) for tile, axis, at in chain], False))
        return found


def _held(rank: int, parts: tuple[Part, ...], level: int) -> bool:
    """Whether the level outside of one holds just what is spread there."""
    order = parts[level - 2].order
    return level > 1 and bool(order.nodes) and order.choices[order.last[rank]].least


def _telling(marks: list[Array]) -> list[Array]:
    """Those that differ."""
    return [mark for mark in marks if (mark != mark[0]).any()] or [np.zeros(1)]


def _levels(row: Row) -> list[Row]:
    found = []
    at: Row | None = row
    while at is not None and at.rows.inner is not None:
        found.append(at)
        at = at.rows.inner
    return found


def _taken(entry: Entry, which: Array) -> Entry:
    sizes, above, tiles = entry
    return {place: size[which] for place, size in sizes.items()}, above[which], tuple(tile[which] for tile in tiles)


def _clipped(found: list[Entry], left: int) -> Options:
    """With no tile larger than what is around it."""
    around = np.full(len(found[0][1]), left)
    levels: list[Entry] = []
    for sizes, above, tiles in found:
        clipped = list(accumulate((above, *tiles, *(sizes[place] for place in sorted(sizes))), np.minimum, initial=around))[1:]
        around, spread = clipped[-1], 1 + len(tiles)
        levels.append((dict(zip(sorted(sizes), clipped[spread:], strict=True)), clipped[0], tuple(clipped[1:spread])))
    return Options(tuple(entry[0] for entry in levels), tuple(entry[1] for entry in levels), tuple(entry[2] for entry in levels))


def _layer(order: Order, level: int, options: list[Options]) -> Layer:
    sizes = tuple(options[choice.rank].sizes[level][place] for place, choice in enumerate(order.choices))
    axes = len(options[0].tiles[level])
    return Layer(order, sizes, tuple(option.above[level] for option in options),
                 tuple(tuple(option.tiles[level][axis] for option in options) for axis in range(axes)))  # fmt: skip
