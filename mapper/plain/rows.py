"""Rows: partial mappings, from compute outwards, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from .orders import Order
from .sizes import Array
from .space import Flow, Kept, Space


@dataclass(frozen=True, eq=False)
class Rows:
    """Partial mappings of the levels from ``level`` inwards that share an order of residences.

    picks  [rows, choices] sizes chosen at the level, by their places
    way    [rows] how its ranks are spread on the axes above it
    costs  [rows, criteria] at least, of what is decided, as if every visit found something to add to
    first  [rows, criteria] what first visits spare of it, for each instance of the level outside
    needs  [rows, ranks] the size that the level outside must leave of each rank, by its place
    wide   [rows, ranks] pieces side by side so far
    open   of each flow whose outer end is not reached: [rows, ranks] what has been cut and spread so far
    """

    level: int
    order: Order
    picks: Array
    way: Array
    costs: Array
    first: Array
    needs: Array
    wide: Array
    open: tuple[Array | None, ...]
    inner: Row | None

    def __len__(self) -> int:
        return len(self.way)

    def __getitem__(self, which: Array) -> Rows:
        ends = tuple(None if end is None else end[which] for end in self.open)
        return Rows(self.level, self.order, self.picks[which], self.way[which], self.costs[which], self.first[which], self.needs[which],
                    self.wide[which], ends, self.inner)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Row:
    """One of them."""

    rows: Rows
    place: int

    @property
    def needs(self) -> Array:
        found: Array = self.rows.needs[self.place]
        return found

    @property
    def costs(self) -> Array:
        found: Array = self.rows.costs[self.place]
        return found

    @property
    def first(self) -> Array:
        found: Array = self.rows.first[self.place]
        return found

    @property
    def wide(self) -> Array:
        found: Array = self.rows.wide[self.place]
        return found


@dataclass
class Grower:
    """Grows rows by one level.  ``outermost`` is the first level that keeps something: what comes to it is not cut by anything."""

    space: Space
    kept: Kept
    outermost: int = field(init=False)

    def __post_init__(self) -> None:
        self.outermost = min((level for level, mine in enumerate(self.kept) if mine), default=0)

    def starts(self) -> Rows:
        """Nothing is decided: points, one at a time."""
        ranks, flows = len(self.space.names), len(self.space.flows)
        point = np.zeros((1, ranks), dtype=np.intp)
        empty = Order((), (), (), (), ())
        costs = np.array([[criterion.base for criterion in self.space.criteria]])
        return Rows(self.space.depth + 1, empty, np.zeros((1, 0), dtype=np.intp), np.zeros(1, dtype=np.intp), costs, costs * 0, point,
                    np.ones((1, ranks), dtype=np.int64), (point,) * flows, None)  # fmt: skip

    def drafts(self, inner: Row, order: Order, level: int) -> tuple[Array, Array]:
        """All combinations of the sizes that fill the level and of ways to spread that no other leads: [rows, choices] (-1 is open),
        [rows]."""
        picks = self._filled(inner, order, level)
        ways = self.space.spreads[level - 1].leaders
        way = np.tile(ways, len(picks))
        picks = np.repeat(picks, len(ways), axis=0)
        return self._spreadable(order, level, picks, way)

    def _whole(self, rank: int, level: int) -> Array:
        """[ways] the size that, spread, is all there is of a rank."""
        sizes, times = self.space.sizes[rank], self.space.spreads[level - 1].total[:, rank]
        return sizes.place(-(-sizes.left // times))

    def _spreadable(self, order: Order, level: int, picks: Array, way: Array) -> tuple[Array, Array]:
        if not self.space.perfect:
            return picks, way
        able = np.ones(len(picks), dtype=bool)
        for rank, first in enumerate(order.first):
            mine = picks[:, first]
            able &= (mine < 0) | (self.space.up[level - 1][rank][way, mine] >= 0)
        return picks[able], way[able]

    def _filled(self, inner: Row, order: Order, level: int) -> Array:
        """Sizes of all that is cut, those that fit in the level; open ones are -1."""
        space, needs = self.space, inner.needs
        picks = np.full((1, len(order.choices)), -1, dtype=np.intp)
        for place, choice in enumerate(order.choices):
            if choice.least:
                picks[0, place] = needs[choice.rank]
        if any(not space.able(level, order, place)[picks[0, place]] for place, choice in enumerate(order.choices) if choice.least):
            return picks[:0]
        picks = picks[self._fits(inner, order, level, picks)] if order.nodes else picks
        for place in reversed(range(len(order.choices))):
            choice = order.choices[place]
            if choice.least or (choice.uncut and not choice.last) or (choice.uncut and level == self.outermost):
                continue
            if choice.uncut and not choice.held:
                continue
            picks = self._crossed(inner, order, level, picks, place)
            picks = picks[self._fits(inner, order, level, picks)]
        return picks

    def _crossed(self, inner: Row, order: Order, level: int, picks: Array, place: int) -> Array:
        """With every size of one more choice that holds the next of its rank."""
        choice, sizes = order.choices[place], self.space.sizes[order.choices[place].rank]
        within = np.full(len(picks), inner.needs[choice.rank]) if choice.last else picks[:, place + 1]
        able = np.flatnonzero(self.space.able(level, order, place))
        row, at = np.nonzero(sizes.inside[able][:, within].T)
        picks = picks[row]
        picks[:, place] = able[at]
        return picks

    def _fits(self, inner: Row, order: Order, level: int, picks: Array) -> Array:
        """Whether tiles fit, those of open choices at their smallest."""
        space, room = self.space, self.space.bits(level)
        used = np.zeros(len(picks))
        for place, node in enumerate(order.nodes):
            tile = np.full(len(picks), float(space.problem.operands[node].bits))
            for rank in np.flatnonzero(space.has[node]).tolist():
                mine = picks[:, order.at[place][rank]]
                tile *= space.sizes[rank].values[np.where(mine < 0, inner.needs[rank], mine)]
            used += tile
        return used <= room

    def led(self, level: int, picks: Array, way: Array) -> tuple[Array, Array]:
        """With every way that is led by one of these."""
        row, led = np.nonzero(self.space.spreads[level - 1].leader[None, :] == way[:, None])
        return picks[row], led

    def completed(self, inner: Row, order: Order, level: int, picks: Array, way: Array) -> tuple[Array, Array]:
        """With every size of what is open: what comes from above and is spread, but not cut."""
        for place, choice in enumerate(order.choices):
            if not len(picks) or picks[0, place] >= 0:
                continue
            sizes, up = self.space.sizes[choice.rank], self.space.up[level - 1][choice.rank]
            within = np.full(len(picks), inner.needs[choice.rank]) if choice.last else picks[:, place + 1]
            whole = self._whole(choice.rank, level)[way]
            if level == self.outermost:
                picks[:, place] = whole
                able = sizes.inside[whole, within]
                picks, way = picks[able], way[able]
                continue
            fits = sizes.inside[:, within].T & (up[way] >= 0)
            if not self.space.perfect:
                fits &= np.arange(len(sizes)) <= whole[:, None]
            row, at = np.nonzero(fits)
            picks, way = picks[row], way[row]
            picks[:, place] = at
        return self._spreadable(order, level, picks, way)

    def rows(self, inner: Row, order: Order, level: int, picks: Array, way: Array, draft: bool = False) -> Rows:
        """What combinations cost and need; of a draft at least, whatever its open sizes are and whichever way it leads."""
        space = self.space
        wide = inner.wide[None, :] * space.spreads[level - 1].total[way]
        costs = np.repeat(inner.costs[None, :], len(picks), axis=0)
        first = np.repeat(inner.first[None, :], len(picks), axis=0)
        ends: list[Array | None] = []
        for place, flow in enumerate(space.flows):
            ends.append(self._flow(flow, inner, place, order, level, picks, way, costs))
        self._spared(order, level, picks, way, first)
        needs = np.empty((len(picks), len(space.names)), dtype=np.intp)
        for rank, place in enumerate(order.first):
            mine = picks[:, place]
            mine = np.where(mine < 0, self._smallest(inner, order, rank, picks), mine)
            needs[:, rank] = mine if draft else space.down[level - 1][rank][way, mine]
        return Rows(level, order, picks, way, costs, first, needs, wide, tuple(ends), inner)

    def _smallest(self, inner: Row, order: Order, rank: int, picks: Array) -> Array:
        first = order.first[rank]
        return picks[:, first + 1] if order.last[rank] != first else np.full(len(picks), inner.needs[rank])

    def _flow(self, flow: Flow, inner: Row, place: int, order: Order, level: int, picks: Array, way: Array,
              costs: Array) -> Array | None:  # fmt: skip
        """Adds what one flow costs at its ends that are reached; returns what is cut and spread of it, if its outer end is not."""
        space, operand = self.space, flow.operand
        lacks = np.flatnonzero(~space.has[operand]).tolist()
        elements = space.elements[operand]
        now: list[Array] | None = None
        if operand in order.nodes:
            node = order.nodes.index(operand)
            now = [self._sized(rank, picks[:, order.at[node][rank]], level, way) for rank in lacks]
            passed = elements * _product([space.sizes[rank].counts[mine] for rank, mine in zip(lacks, now, strict=True)], len(picks))
            _charge(costs, space, level, operand, passed, not flow.inward)
        elif (before := inner.rows.open[place]) is not None:
            now = [np.full(len(picks), before[inner.place, rank]) for rank in lacks]
        if now is None:
            return None
        spreads = space.shared(level - 1, operand) if flow.inward else space.up[level - 1]
        now = [spreads[rank][way, mine] for rank, mine in zip(lacks, now, strict=True)]
        if space.parent(self.kept, operand, level) < level - 1:
            end = np.zeros((len(picks), len(space.names)), dtype=np.intp)
            for rank, mine in zip(lacks, now, strict=True):
                end[:, rank] = mine
            return end
        passed = elements * _product([space.sizes[rank].counts[mine] for rank, mine in zip(lacks, now, strict=True)], len(picks))
        if flow.inward and not flow.resumed and not any(operand in mine for mine in self.kept[level:]):
            passed = passed * space.problem.operands[operand].times
        _charge(costs, space, level - 1, operand, passed, flow.inward)
        return None

    def _sized(self, rank: int, mine: Array, level: int, way: Array) -> Array:
        """Sizes, open ones at their largest."""
        if not (mine < 0).any():
            return mine
        most = self._whole(rank, level)[way] if self.space.perfect else np.full(len(mine), len(self.space.sizes[rank]) - 1)
        return np.where(mine < 0, most, mine)

    def _spared(self, order: Order, level: int, picks: Array, way: Array, first: Array) -> None:
        """Adds what first visits spare at the ends that are reached: one of each element in each instance that adds to it."""
        space = self.space
        operand = len(space.problem.operands) - 1
        if not space.problem.reduces:
            return
        elements = space.elements[operand]
        if operand in order.nodes:
            first += elements * np.array([criterion.write[level, operand] for criterion in space.criteria])
        for rank in np.flatnonzero(~space.has[operand]).tolist():
            times, sizes, mine = space.spreads[level - 1].total[way, rank], space.sizes[rank], picks[:, order.first[rank]]
            first *= np.minimum(times, -(-sizes.left // sizes.values[np.maximum(mine, 0)]))[:, None]
        if self._reached(level, order, operand):
            alone = space.alone(level, operand, self.kept)
            first += elements * alone * np.array([criterion.read[level - 1, operand] for criterion in space.criteria])

    def _reached(self, level: int, order: Order, operand: int) -> bool:
        """Whether what is open of an operand ends in the next level outside."""
        home = self.space.problem.operands[operand].home
        return level > home and self.space.parent(self.kept, operand, level) == level - 1


def _product(factors: list[Array], rows: int) -> Array:
    return prod(factors[1:], start=factors[0]) if factors else np.ones(rows)


def _charge(costs: Array, space: Space, level: int, operand: int, passed: Array, reading: bool) -> None:
    for place, criterion in enumerate(space.criteria):
        price = (criterion.read if reading else criterion.write)[level, operand]
        if price:
            costs[:, place] += price * passed
