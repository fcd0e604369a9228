"""The mapspace of one GEMM on one systolic array, as arrays: every dataflow, every legal tile, every loop order.

Traffic and energy of a tiling follow from the trips of its loops and from their order alone, and so do good bounds of its cycles.
So the search looks at cuts first, one for each number of trips, and takes only the promising ones apart into their tile sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from math import inf, isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.engines.systolic.closed_form import START, Array, Batch, join
from archmodel.engines.systolic.passes import moves
from archmodel.engines.systolic.tiling import RANKS, ROLES, I, L, Words, Y, ceil_div, quantum, tile_words, words_fit
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, SUM_BITS, Hardware

MOST_TILINGS = 1 << 22
"""Cuts of one dataflow, and tile sizes of a few cuts; each takes a few hundred bytes while it is looked at."""
Sizes = dict[str, int]
"""Extents of m, n, k."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """What a goal leaves of the space.

    tiles   of a dataflow and rank, which of these sizes a tile may have
    orders  whether a dataflow's loops may stand in this order of ranks, outermost first
    bytes   of the buffer that a mapping may use, all banks together
    """

    tiles: Callable[[str, str, Array], Mask] | None = None
    orders: Callable[[str, tuple[str, ...]], bool] | None = None
    bytes: float = inf


FREE = Rules()


def tiles(extent: int, grain: int) -> Array:
    """One tile size for each number of trips that a rank can be cut into: the smallest, so that it fits where any does.

    Tiles are multiples of ``grain``, or the whole rank; the last one may be ragged.
    """
    if extent <= grain:
        return np.array([extent])
    # Trips t cut u units into tiles of ceil(u / t) = (u - 1) // t + 1, and a quotient has but 2 sqrt(u) values.
    last = -(-extent // grain) - 1
    root = isqrt(last)
    units = np.union1d(np.arange(root + 1), last // np.arange(1, root + 1)) + 1
    return np.minimum(units * grain, extent)


def grid(sizes: Sizes, requantise: bool, hardware: Hardware, rules: Rules = FREE) -> Batch:
    """Cuts: dataflow x trips of each rank that fit the buffers, each with its smallest tiles; the order of the loops is still open."""
    return join([_of_flow(flow, sizes, requantise, hardware, rules) for flow in hardware.dataflows])


def _of_flow(flow: str, sizes: Sizes, requantise: bool, hardware: Hardware, rules: Rules) -> Batch:
    roles = ROLES[flow]
    tile = _crossed([_cuts(flow, rank, sizes[rank], hardware, rules) for rank in roles], sizes, hardware)
    tile = tile[:, _fits(flow, tile, requantise, hardware, rules)]
    count = tile.shape[1]
    extent = np.repeat(np.array([[sizes[rank]] for rank in roles]), count, axis=1)
    order = np.repeat(np.array([[L], [I], [Y]]), count, axis=1)
    flags = [np.full(count, flag) for flag in (flow == "os", flow == "is", requantise, False)]
    return Batch(extent, tile, order, *flags)


def _cuts(flow: str, rank: str, extent: int, hardware: Hardware, rules: Rules) -> Array:
    grain = quantum(flow, rank, hardware)
    if rules.tiles is None:
        return tiles(extent, grain)
    _refuse_crowd(ceil_div(extent, grain), {rank: extent})
    every = _within(flow, rank, 1, ceil_div(extent, grain), extent, grain, rules)
    _, first = np.unique(ceil_div(extent, every), return_index=True)
    return np.sort(every[first])


def _within(flow: str, rank: str, least: int, most: int, extent: int, grain: int, rules: Rules) -> Array:
    """Tile sizes from ``least`` to ``most`` grains that a rank may have."""
    every = np.minimum(np.arange(least, most + 1) * grain, extent)
    return every if rules.tiles is None else every[rules.tiles(flow, rank, every)]


def _fits(flow: str, tile: Array, requantise: bool, hardware: Hardware, rules: Rules) -> Mask:
    words = tile_words((tile[L], tile[I], tile[Y]), flow == "os", flow == "is", hardware)
    able = np.asarray(words_fit(words, requantise, hardware))
    return able if rules.bytes == inf else able & (buffer_bytes(words, requantise, hardware) <= rules.bytes)


def buffer_bytes(words: Words, requantise: bool, hardware: Hardware) -> Any:
    """Bytes that the tiles of one step occupy in all banks of X, Y, Z and P together."""
    x, y = words.x * hardware.rows * hardware.x_bits // 8, words.y_rows * words.y_pitch * hardware.cols * hardware.y_bits // 8
    z, p = words.y_rows * words.z_pitch * hardware.cols * SUM_BITS // 8, words.p * hardware.cols * OUTPUT_PARAMETER_BYTES * requantise
    return hardware.banks * (x + y + z + p)


def _crossed(choices: list[Array], sizes: Sizes, hardware: Hardware) -> Array:
    """Tile sizes by role, (3, count), without those that X cannot hold whatever the third.  Raises SpecError for too many."""
    _refuse_crowd(len(choices[L]) * len(choices[I]), sizes)
    first, second = (axis.ravel() for axis in np.meshgrid(choices[L], choices[I], indexing="ij"))
    held = np.flatnonzero(ceil_div(first, hardware.rows) * second <= hardware.x_words)
    _refuse_crowd(len(held) * len(choices[Y]), sizes)
    third = np.tile(choices[Y], len(held))
    return np.stack([np.repeat(first[held], len(choices[Y])), np.repeat(second[held], len(choices[Y])), third])


def _refuse_crowd(count: int, sizes: Sizes) -> None:
    if count > MOST_TILINGS:
        shape, names = " x ".join(str(size) for size in sizes.values()), " x ".join(sizes)
        raise SpecError(f"a product of {shape} ({names}) can be cut in more than {MOST_TILINGS} ways; "
                        "take fewer tokens at once, or a smaller buffer")  # fmt: skip


def order_count(work: Batch) -> Array:
    """Loop orders of each tiling that differ: a loop of one trip may stand anywhere."""
    several = (ceil_div(work.extent, work.tile) > 1).sum(axis=0)
    return np.array([1, 1, 2, 6])[several]


def in_every_order(work: Batch) -> Batch:
    """Each tiling once for each order that differs, loops of one trip outermost."""
    single = ceil_div(work.extent, work.tile) == 1
    parts = []
    for order in permutations((L, I, Y)):
        # Loops of one trip come first, by role; only one permutation of an order that matters has them so.
        first, second, third = (np.where(single[role], role, 3 + place) for place, role in enumerate(order))
        part = work[np.flatnonzero((first < second) & (second < third))]
        part.order[:] = np.array(order)[:, None]
        parts.append(part)
    return join(parts)


def by_innermost(work: Batch) -> Batch:
    """Each cut once for each loop that may stand innermost, on which traffic and bounds depend; the other two stand anyhow."""
    several, parts = ceil_div(work.extent, work.tile) > 1, []
    for role in (L, I, Y):
        part = work[np.flatnonzero(several[role] | ((role == Y) & ~several.any(axis=0)))]
        part.order[:] = np.array([*(other for other in (L, I, Y) if other != role), role])[:, None]
        parts.append(part)
    return join(parts)


def in_orders_of(work: Batch) -> Batch:
    """Each cut of ``by_innermost`` in every order that differs with that loop innermost."""
    parts = []
    for role in (L, I, Y):
        part = in_every_order(work[np.flatnonzero(work.order[2] == role)])
        parts.append(part[np.flatnonzero(part.order[2] == role)])
    return join(parts)


def in_legal_order(work: Batch, rules: Rules) -> Batch:
    """The tilings of ``in_every_order`` whose loops, those of one trip put anywhere, may stand in some legal order."""
    if rules.orders is None:
        return work
    single = ceil_div(work.extent, work.tile) == 1
    able = np.zeros(len(work), dtype=bool)
    for flow, mine in (("os", work.output), ("is", work.n_is_i), ("ws", ~work.output & ~work.n_is_i)):
        for order in permutations((L, I, Y)):
            if rules.orders(flow, tuple(ROLES[flow][role] for role in order)):
                place = np.argsort(np.array(order))
                at = [place[work.order[p]] for p in range(3)]
                free = [np.take_along_axis(single, work.order[p : p + 1], axis=0)[0] for p in range(3)]
                ahead = [free[p] | free[q] | (at[p] < at[q]) for p, q in ((0, 1), (0, 2), (1, 2))]
                able |= mine & ahead[0] & ahead[1] & ahead[2]
    return work[np.flatnonzero(able)]


def legal_order(order: tuple[str, ...], single: set[str], flow: str, rules: Rules) -> tuple[str, ...]:
    """The first legal order that differs from ``order`` only in where the loops of one trip stand."""
    rest = [rank for rank in order if rank not in single]
    for other in (order, *permutations(RANKS)):
        if [rank for rank in other if rank not in single] == rest and (rules.orders is None or rules.orders(flow, other)):
            return other
    raise SpecError(f"no legal order of the loops {', '.join(order)}")


def apart(work: Batch, at: int, rules: Rules, hardware: Hardware) -> Batch:
    """Cut ``at`` of ``work`` in all its tile sizes that fit: those with as many trips."""
    flow, requantise = flow_of(work, at), bool(work.requantise[at])
    smallest, extents, ranges = work.tile[:, at], work.extent[:, at], []
    for role, rank in enumerate(ROLES[flow]):
        extent, grain, trips = int(extents[role]), quantum(flow, rank, hardware), int(ceil_div(extents[role], smallest[role]))
        units = ceil_div(extent, grain)
        most = units if trips == 1 else ceil_div(units, trips - 1) - 1
        mine = _within(flow, rank, ceil_div(units, trips), most, extent, grain, rules) if trips > 1 else np.array([smallest[role]])
        others = np.repeat(smallest[:, None], len(mine), axis=1)
        others[role] = mine
        ranges.append(mine[_fits(flow, others, requantise, hardware, rules)])
    _refuse_crowd(len(ranges[0]) * len(ranges[1]) * len(ranges[2]), dict(zip(ROLES[flow], extents.tolist(), strict=True)))
    tile = np.stack([axis.ravel() for axis in np.meshgrid(*ranges, indexing="ij")])
    tile = tile[:, _fits(flow, tile, requantise, hardware, rules)]
    same = work[np.full(tile.shape[1], at)]
    return Batch(same.extent, tile, same.order, same.output, same.n_is_i, same.requantise, same.init)


def flow_of(work: Batch, at: int) -> str:
    return "os" if work.output[at] else "is" if work.n_is_i[at] else "ws"


def floor(work: Batch, hardware: Hardware, port: Port) -> Array:
    """Cycles below which no order and no tile size of a cut can be: its exec commands alone, or each operand moved just once."""
    return _bound(work, hardware, port, ordered=False, any_tile=True)


def least(sizes: Sizes, requantise: bool, hardware: Hardware, port: Port) -> int:
    """Cycles below which no tiling of a GEMM can be in any dataflow: one step that holds it whole, fit or not."""
    flows = hardware.dataflows
    extent = np.array([[sizes[ROLES[flow][role]] for flow in flows] for role in (L, I, Y)])
    order = np.repeat(np.array([[L], [I], [Y]]), len(flows), axis=1)
    flags = (np.array([flow == "os" for flow in flows]), np.array([flow == "is" for flow in flows]))
    same = [np.full(len(flows), flag) for flag in (requantise, False)]
    return int(floor(Batch(extent, extent, order, *flags, *same), hardware, port).min())


def lower_bound(work: Batch, hardware: Hardware, port: Port) -> Array:
    """Cycles below which a mapping can't be: its exec commands alone, or its moves alone (their sum with one bank).

    Loops of one trip must stand outermost, as ``in_every_order`` puts them.
    """
    return _bound(work, hardware, port, ordered=True)


def cut_bound(work: Batch, hardware: Hardware, port: Port) -> Array:
    """The same for all tile sizes of a cut."""
    return _bound(work, hardware, port, ordered=True, any_tile=True)


def _bound(work: Batch, hardware: Hardware, port: Port, ordered: bool, any_tile: bool = False) -> Array:
    """Products of sums along single loops, which are exact because a tile of lanes is whole words."""
    trips = ceil_div(work.extent, work.tile)
    rest = work.extent - (trips - 1) * work.tile
    folds = (ceil_div(work.extent[L], hardware.rows), ceil_div(work.extent[Y], hardware.cols))
    slots = (trips[I] - 1) * np.maximum(hardware.rows, work.tile[I]) + np.maximum(hardware.rows, rest[I])
    if any_tile:  # a stream takes its own length, and no less than the preload beside it
        slots = np.maximum(work.extent[I], trips[I] * hardware.rows)
    array = trips.prod(axis=0) * (2 * hardware.rows + hardware.cols + 1) + folds[0] * folds[1] * slots
    array = array + trips[L] * trips[Y] * (work.extent[I] - slots)
    moved = moves(work, hardware, ordered)
    memory = moved.beats * port.interval + moved.commands * (2 + port.latency - port.interval)
    if hardware.banks == 1:
        return START + array + memory
    return START + np.maximum(array + 3 * (2 + port.latency), memory)


def count(sizes: Sizes, requantise: bool, hardware: Hardware, rules: Rules = FREE) -> int:
    """How many mappings the space has: dataflows x tiles that fit x orders that differ.

    What fits goes on fitting as a tile shrinks, so that for each tile of two ranks the third is counted by bisection.
    """
    return sum(_count_of(flow, sizes, requantise, hardware, rules) for flow in hardware.dataflows)


def _count_of(flow: str, sizes: Sizes, requantise: bool, hardware: Hardware, rules: Rules) -> int:
    every = [_within(flow, rank, 1, ceil_div(sizes[rank], grain), sizes[rank], grain, rules)
             for rank in ROLES[flow] for grain in (quantum(flow, rank, hardware),)]  # fmt: skip
    if not all(len(choices) for choices in every):
        return 0

    def most(l_tile: Array, other: Array, role: int) -> Array:
        """How many of the choices of a role, I or Y, fit beside a tile of L and one of the other role."""
        low, high = np.zeros(len(l_tile), dtype=np.int64), np.full(len(l_tile), len(every[role]))
        tile = np.empty((3, len(l_tile)), dtype=np.int64)
        tile[L], tile[I + Y - role] = l_tile, other
        while (low < high).any():
            middle = (low + high) // 2
            tile[role] = every[role][np.minimum(middle, len(every[role]) - 1)]
            fine = _fits(flow, tile, requantise, hardware, rules) & (low < high)
            low, high = np.where(fine, middle + 1, low), np.where(fine, high, middle)
        return low

    columns = most(every[L], np.full(len(every[L]), every[I][0]), Y)
    l_tile = np.repeat(every[L], columns)
    y_tile = every[Y][np.arange(len(l_tile)) - np.repeat(np.cumsum(columns) - columns, columns)]
    found = most(l_tile, y_tile, I)
    several = [(tile < sizes[ROLES[flow][role]]).astype(np.intp) for role, tile in ((L, l_tile), (Y, y_tile))]
    whole = (found == len(every[I])) & (every[I][-1] == sizes[ROLES[flow][I]])
    orders = _orders(flow, rules)
    return int((orders[several[0], 0, several[1]] * whole + orders[several[0], 1, several[1]] * (found - whole)).sum())


def _orders(flow: str, rules: Rules) -> Array:
    """How many orders differ and are legal, by whether the loops of L, I and Y have more than one trip."""
    found = np.zeros((2, 2, 2), dtype=np.int64)
    for several in np.ndindex(2, 2, 2):
        legal = {tuple(role for role in order if several[role]) for order in permutations((L, I, Y))
                 if rules.orders is None or rules.orders(flow, tuple(ROLES[flow][role] for role in order))}  # fmt: skip
        found[several] = len(legal)
    return found
