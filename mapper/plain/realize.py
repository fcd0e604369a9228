"""Realize: from sizes told apart by the pieces that they make to actual sizes, whose pieces inside one another are counted exactly.

Ragged, a draft stands for many mappings: every size of a choice that makes as many pieces of the whole rank.  What loops inside each
other make of a rank depends on its own loops alone; so ranks are looked at one by one, those combinations of sizes are kept that no other
beats in room, in pieces and in steps, and what is left of all ranks is combined and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import inf, prod

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


Able = Callable[[Array], Array]
"""Which mappings of these energies may still matter, if they take as few cycles as they can."""
Wins = Callable[[Array, Array], Array]
"""The same of energies and cycles."""


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
    """Sizes of one rank, [level] of those of its choices by place, the tile above what is spread, and the tiles on axes.

    steps   the fewest that any of them takes
    pieces  for which a tile of an operand moves between a level, or compute, and the next one outside, by (operand, level): inside,
            outside, of results that come back outside, and of both the first visits
    """

    sizes: tuple[dict[int, Array], ...]
    above: tuple[Array, ...]
    tiles: tuple[tuple[Array, ...], ...]
    steps: Array = field(default_factory=lambda: np.zeros(0))
    pieces: dict[tuple[int, int], Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.above[0])

    def __getitem__(self, which: Array) -> Options:
        return Options(tuple({place: size[which] for place, size in level.items()} for level in self.sizes),
                       tuple(tile[which] for tile in self.above),
                       tuple(tuple(tile[which] for tile in level) for level in self.tiles),
                       self.steps[which] if len(self.steps) else self.steps,
                       {spot: pieces[:, which] for spot, pieces in self.pieces.items()})  # fmt: skip


class Realizer:
    """Of one way to keep operands."""

    def __init__(self, space: Space, kept: Kept) -> None:
        self.space, self.kept = space, kept
        self._known: dict[tuple[int, tuple[Part, ...], bool, bool], Options] = {}
        self.examined = 0

    def plans(self, row: Row, even: bool, able: Able, wins: Wins) -> tuple[Plan | None, float]:
        """The mappings that a draft stands for, as arrays, that fit and win by energy and steps; and the least energy of those that may
        fit, however they are spread, and that ``able`` lets pass.

        ``even`` leaves out those where what an instance is given is no multiple of the tile that it cuts: they spare nothing but steps.
        """
        levels = _levels(row)
        parts = [tuple(self._part(at, rank) for at in levels) for rank in range(len(self.space.names))]
        picked = self._combined([self._options(rank, mine, even, tight=False) for rank, mine in enumerate(parts)], able)
        plans = self._plan(levels, picked)
        fits = self._fits(plans)
        might = fits if self.space.perfect else self._fits(plans, levels)
        least = float(self._energy(picked)[might].min(initial=inf))
        if (might != fits).any():
            picked = self._combined([self._options(rank, mine, even, tight=True) for rank, mine in enumerate(parts)], able)
            plans = self._plan(levels, picked)
            fits = self._fits(plans)
        fits = np.flatnonzero(fits & wins(self._energy(picked), self._cycles(picked)))
        return (plans[fits] if len(fits) else None), least

    def _combined(self, options: list[Options], able: Able) -> list[Options]:
        """All combinations of options of each rank that may matter."""
        grid = np.indices([len(option) for option in options]).reshape(len(options), -1)
        self.examined += grid.shape[1]
        picked = [option[at] for option, at in zip(options, grid, strict=True)]
        kept = np.flatnonzero(able(self._energy(picked)))
        return [option[kept] for option in picked]

    def _plan(self, levels: list[Row], picked: list[Options]) -> Plan:
        return Plan(self.space.problem, tuple(_layer(at.rows.order, level, picked) for level, at in enumerate(levels)))

    def _cycles(self, picked: list[Options]) -> Array:
        """Those of compute alone."""
        each = float(self.space.problem.repeat * self.space.problem.point_cycles)
        return np.ceil(prod((option.steps for option in picked[1:]), start=picked[0].steps * each) * (1 - 1e-13))

    def _energy(self, picked: list[Options]) -> Array:
        space, price = self.space, self.space.criteria[0]
        energy = np.full(len(picked[0]), price.base)
        if not len(energy):
            return energy
        for operand, mine in enumerate(space.problem.operands):
            kept = [level for level in range(mine.home + 1, space.depth) if operand in self.kept[level]]
            for outer, inner in pairwise([mine.home, *kept, space.depth]):
                passed: Array = np.full((5, 1), space.elements[operand])
                for rank in np.flatnonzero(~space.has[operand]).tolist():
                    passed = passed * picked[rank].pieces[operand, inner]
                inside, outside, again, first, first_outside = passed
                compute = inner == space.depth
                if not mine.written:
                    energy = energy + price.read[outer, operand] * outside * (mine.times if compute else 1)
                    energy = energy + (0 if compute else price.write[inner, operand] * inside)
                    continue
                energy = energy + price.write[outer, operand] * outside + (0 if compute else price.read[inner, operand] * inside)
                if space.problem.reduces:
                    energy = energy + price.read[outer, operand] * (again - first_outside)
                    energy = energy + (0 if compute else price.write[inner, operand] * (inside - first))
        return energy

    def _part(self, at: Row, rank: int) -> Part:
        order, picks, sizes = at.rows.order, at.rows.picks[at.place], self.space.sizes[rank]
        mine = [(place, int(picks[place])) for place, choice in enumerate(order.choices) if choice.rank == rank]
        counts = self.space.spreads[at.rows.level - 1].counts[at.rows.way[at.place], :, rank]
        stops = tuple((place, pick, self._too_large(at, place) if order.choices[place].least else
                       min(sizes.stop(pick), self._too_large(at, place))) for place, pick in mine)  # fmt: skip
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
        """Those that no other beats; where even shares take as few steps as there can be, no others."""
        wide = prod(prod(part.counts) for part in parts)
        if not even and (self.space.perfect or wide == 1 or self._quickest(rank, parts, tight, wide)):
            even = True
        if (key := (rank, parts, even, tight)) not in self._known:
            options = self._all(rank, parts, even, tight)
            if len(options):
                options, held = self._marked(rank, parts, options)
                self.examined += len(options)
                marks = [*held, options.steps, *(mark for pieces in options.pieces.values() for mark in (*pieces[:3], *-pieces[3:]))]
                options = options[pareto(tuple(_telling(marks)))]
            self._known[key] = options
        return self._known[key]

    def _quickest(self, rank: int, parts: tuple[Part, ...], tight: bool, wide: int) -> bool:
        """Whether even shares take as few steps as there can be with so many pieces side by side."""
        steps = self._options(rank, parts, True, tight).steps
        return not len(steps) or float(steps.min()) <= float(self.space.sizes[rank].count(np.array(wide)))

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
            room = _room(rank, parts, level) if tight else None
            within, given, above = self._spread(wanted, part.counts, not even and cut, room, sizes.left)
            found = [_taken(entry, within) for entry in found]
            tiles = [given * prod(part.counts[place:]) for place in range(1, len(part.counts) + 1)]
            found.append(({known: size[within] for known, size in mine.items()}, above, tuple(tiles)))
            tile, wanted = tile[within], above
        return _clipped(found[::-1], sizes.left)

    def _spread(self, tile: Array, counts: tuple[int, ...], uneven: bool, room: int | None, left: int) -> tuple[Array, Array, Array]:
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
        if room is None or not len(given):
            return which, given, given * wide
        every = given[:, None] * wide - np.arange(int(given.max()))[None, :]
        part, at = np.nonzero((every > given[:, None] * (wide - 1)) & (every < room))
        return which[part], given[part], every[part, at]

    def _marked(self, rank: int, parts: tuple[Part, ...], options: Options) -> tuple[Options, list[Array]]:
        """With their pieces and steps; and the sizes that take room."""
        space, extent = self.space, self.space.problem.ranks[rank].extent
        chain: Chain = []
        for shared in space.problem.ranks[rank].above:
            _cut(chain, np.full(len(options), shared), "", 0)
        held: list[Array] = []
        pieces: dict[tuple[int, int], Array] = {}
        for level, part in enumerate(parts, 1):
            axes = space.spreads[level - 1].axes
            if axes:
                _cut(chain, options.above[level - 1], "", level)
                for axis, tile in zip(axes, options.tiles[level - 1], strict=True):
                    _cut(chain, tile, axis.name, level)
            for place, node in enumerate(part.order.nodes):
                choice = part.order.at[place][rank]
                if part.order.choices[choice].start == place and not (part.order.choices[choice].uncut and place == 0):
                    _cut(chain, options.sizes[level - 1][choice], "", level)
                if space.has[node, rank]:
                    held.append(options.sizes[level - 1][choice])
                else:
                    pieces[node, level] = self._pieces(node, level, extent, chain, len(options))
        compute = len(parts)
        points: Chain = [*chain, (np.ones(len(options), dtype=np.int64), "", compute)]
        for operand in np.flatnonzero(~space.has[:, rank]).tolist():
            pieces[operand, compute] = self._pieces(operand, compute, extent, points, len(options))
        steps = np.broadcast_to(visited(extent, [(tile, not axis) for tile, axis, _ in chain], True), len(options))
        return replace(options, steps=steps, pieces=pieces), held

    def _pieces(self, operand: int, level: int, extent: int, chain: Chain, many: int) -> Array:
        """Pieces of a rank for which a tile of an operand moves: see Options."""
        parent = self.space.parent(self.kept, operand, level)
        unicast = self.space.unicast(operand)
        written = self.space.problem.operands[operand].written
        inside = visited(extent, [(tile, True) for tile, _, _ in chain], False)
        shared = visited(extent, [(tile, not axis or at <= parent) for tile, axis, at in chain], False)
        alone = shared
        if unicast:
            alone = visited(extent, [(tile, not axis or at <= parent or axis in unicast) for tile, axis, at in chain], False)
        first = first_outside = 0
        if written:
            first = visited(extent, [(tile, bool(axis)) for tile, axis, _ in chain], False)
            first_outside = visited(extent, [(tile, bool(axis) and (at <= parent or axis in unicast)) for tile, axis, at in chain], False)
        return np.array([np.broadcast_to(mark, many) for mark in (inside, shared if written else alone, alone, first, first_outside)],
                        dtype=np.float64)  # fmt: skip


def _cut(chain: Chain, tile: Array, axis: str, level: int) -> None:
    """Adds a loop, if it cuts anything that the one before leaves."""
    if not chain or not np.array_equal(chain[-1][0], tile):
        chain.append((tile, axis, level))


def _room(rank: int, parts: tuple[Part, ...], level: int) -> int | None:
    """What is too large a tile for the level outside of one, if that holds just what is spread there."""
    if level == 1 or not parts[level - 2].order.nodes:
        return None
    order = parts[level - 2].order
    stops = {place: stop for place, _, stop in parts[level - 2].classes}
    return stops[order.last[rank]] if order.choices[order.last[rank]].least else None


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
