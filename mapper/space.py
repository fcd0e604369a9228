"""The mapspace of one GEMM on one systolic array, as arrays: every dataflow, every trip count, every loop order."""

from __future__ import annotations

from itertools import permutations
from math import isqrt

import numpy as np

from archmodel.engines.systolic.closed_form import START, Array, Batch, join
from archmodel.engines.systolic.tiling import ROLES, I, L, Y, ceil_div, quantum, tile_words, words_fit
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

MOST_TILINGS = 1 << 22
"""Of one dataflow; each takes a few hundred bytes while it is looked at."""
Sizes = dict[str, int]
"""Extents of m, n, k."""


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


def grid(sizes: Sizes, requantise: bool, hardware: Hardware) -> Batch:
    """Dataflow x tile sizes that fit the buffers; the order of the loops is still open."""
    return join([_of_flow(flow, sizes, requantise, hardware) for flow in hardware.dataflows])


def _of_flow(flow: str, sizes: Sizes, requantise: bool, hardware: Hardware) -> Batch:
    roles = ROLES[flow]
    choices = [tiles(sizes[rank], quantum(flow, rank, hardware)) for rank in roles]
    tile = _crossed(choices, sizes, hardware)
    words = tile_words((tile[L], tile[I], tile[Y]), flow == "os", flow == "is", hardware)
    tile = tile[:, np.asarray(words_fit(words, requantise, hardware))]
    count = tile.shape[1]
    extent = np.repeat(np.array([[sizes[rank]] for rank in roles]), count, axis=1)
    order = np.repeat(np.array([[L], [I], [Y]]), count, axis=1)
    flags = [np.full(count, flag) for flag in (flow == "os", flow == "is", requantise, False)]
    return Batch(extent, tile, order, *flags)


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
        raise SpecError(f"a product of {sizes['m']} x {sizes['n']} x {sizes['k']} (m x n x k) can be cut in more than {MOST_TILINGS} ways; "
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


def floor(work: Batch, hardware: Hardware, port: Port) -> Array:
    """Cycles below which no order of a tiling can be: its exec commands alone, or each operand moved just once."""
    return _bound(work, hardware, port, ordered=False)


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


def _bound(work: Batch, hardware: Hardware, port: Port, ordered: bool) -> Array:
    """Products of sums along single loops, which are exact because a tile of lanes is whole words."""
    trips = ceil_div(work.extent, work.tile)
    rest = work.extent - (trips - 1) * work.tile
    folds = (ceil_div(work.extent[L], hardware.rows), ceil_div(work.extent[Y], hardware.cols))
    slots = (trips[I] - 1) * np.maximum(hardware.rows, work.tile[I]) + np.maximum(hardware.rows, rest[I])
    array = trips.prod(axis=0) * (2 * hardware.rows + hardware.cols + 1) + folds[0] * folds[1] * slots
    array = array + trips[L] * trips[Y] * (work.extent[I] - slots)
    beats, commands = _moves(work, trips, folds, hardware, ordered)
    memory = beats * port.interval + commands * (2 + port.latency - port.interval)
    if hardware.banks == 1:
        return START + array + memory
    return START + np.maximum(array + 3 * (2 + port.latency), memory)


def _moves(work: Batch, trips: Array, folds: tuple[Array, Array], hardware: Hardware, ordered: bool) -> tuple[Array, Array]:
    """Beats and commands of all loads and stores, output parameters left out."""

    def passes(free: Array | int) -> Array | int:
        """How often an operand moves in full: once a trip of the loop it does not depend on, unless that is innermost."""
        return np.where(work.order[2] == free, 1, np.choose(free, trips)) if ordered else 1

    output = work.output
    # Y and Z depend on y and on one of l and i; the other is the loop that they are free of.
    y_free, z_free = np.where(output, L, I), np.where(output, I, L)
    x_passes, y_passes, visits = passes(Y), passes(y_free), passes(z_free)
    y_words = folds[1] * np.where(output, work.extent[I], work.extent[L])
    z_words = folds[1] * np.where(output, work.extent[L], work.extent[I])
    y_tiles = trips[Y] * np.where(output, trips[I], trips[L])
    z_tiles = trips[Y] * np.where(output, trips[L], trips[I])
    raw = 2 * (visits - 1) + work.init + ~work.requantise
    beats = x_passes * folds[0] * work.extent[I] * hardware.beats("X") + y_passes * y_words * hardware.beats("Y")
    beats = beats + z_words * (raw * hardware.beats("Z") + work.requantise * hardware.beats("Q"))
    commands = x_passes * trips[L] * trips[I] + y_passes * y_tiles + z_tiles * (2 * visits - 1 + work.init)
    return beats, commands
