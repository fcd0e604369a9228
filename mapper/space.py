"""The mapspace of one GEMM on one systolic array, as arrays: every dataflow, every trip count, every loop order."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from archmodel.engines.systolic.closed_form import START, Array, Batch, join
from archmodel.engines.systolic.tiling import ROLES, I, L, Y, ceil_div, quantum, tile_words, words_fit
from archmodel.memory.port import Port
from archmodel.records.engines.systolic import Hardware

Sizes = dict[str, int]
"""Extents of m, n, k."""


def tiles(extent: int, grain: int) -> Array:
    """One tile size for each number of trips that a rank can be cut into: the smallest, so that it fits where any does.

    Tiles are multiples of ``grain``, or the whole rank; the last one may be ragged.
    """
    if extent <= grain:
        return np.array([extent])
    units = -(-extent // grain)
    return np.minimum(np.unique(ceil_div(units, np.arange(1, units + 1))) * grain, extent)


def space(sizes: Sizes, requantise: bool, hardware: Hardware) -> Batch:
    """All mappings of a GEMM that fit: dataflow x tile sizes x order (loops of one trip stand outermost)."""
    parts = [part for flow in hardware.dataflows for part in _of_flow(flow, sizes, requantise, hardware)]
    return join(parts)


def _of_flow(flow: str, sizes: Sizes, requantise: bool, hardware: Hardware) -> list[Batch]:
    roles = ROLES[flow]
    choices = [tiles(sizes[rank], quantum(flow, rank, hardware)) for rank in roles]
    tile = np.stack([axis.ravel() for axis in np.meshgrid(*choices, indexing="ij")])
    output, n_is_i = flow == "os", flow == "is"
    words = tile_words((tile[L], tile[I], tile[Y]), output, n_is_i, hardware)
    tile = tile[:, np.asarray(words_fit(words, requantise, hardware))]
    extent = np.array([[sizes[rank]] for rank in roles])
    single = ceil_div(extent, tile) == 1
    parts = []
    for order in permutations((L, I, Y)):
        # A loop of one trip may stand anywhere: keep the order in which such loops come first, by role.
        rank = [np.where(single[role], role, 3 + place) for place, role in enumerate(order)]
        kept = (rank[0] < rank[1]) & (rank[1] < rank[2])
        count = int(kept.sum())
        if count:
            flags = [np.full(count, flag) for flag in (output, n_is_i, requantise, False)]
            parts.append(Batch(np.repeat(extent, count, axis=1), tile[:, kept], np.repeat(np.array(order)[:, None], count, axis=1), *flags))
    return parts


def lower_bound(work: Batch, hardware: Hardware, port: Port) -> Array:
    """Cycles below which no mapping of ``work`` can be: its exec commands alone, its moves alone (in sum with one bank).

    Both are products of sums along single loops, because a tile of lanes is whole words.
    """
    trips = ceil_div(work.extent, work.tile)
    rest = work.extent - (trips - 1) * work.tile
    steps = trips.prod(axis=0)
    folds_l, folds_y = ceil_div(work.extent[L], hardware.rows), ceil_div(work.extent[Y], hardware.cols)
    slots = (trips[I] - 1) * np.maximum(hardware.rows, work.tile[I]) + np.maximum(hardware.rows, rest[I])
    array = steps * (2 * hardware.rows + hardware.cols + 1) + folds_l * folds_y * slots
    array = array + trips[L] * trips[Y] * (work.extent[I] - slots)
    beats, commands = _moves(work, trips, folds_l, folds_y, hardware)
    memory = beats * port.interval + commands * (2 + port.latency - port.interval)
    if hardware.banks == 1:
        return START + array + memory
    return START + np.maximum(array + 3 * (2 + port.latency), memory)


def _moves(work: Batch, trips: Array, folds_l: Array, folds_y: Array, hardware: Hardware) -> tuple[Array, Array]:
    """Beats and commands of all loads and stores, output parameters left out."""
    innermost = work.order[2]

    def passes(free: Array | int) -> Array:
        """How often an operand moves in full: once for each trip of the loop it does not depend on, if that is not innermost."""
        count = np.choose(free, trips)
        return np.where(innermost == free, 1, count)

    by_y = np.where(work.output, L, I)
    reduction = np.where(work.output, I, L)
    x_passes, y_passes, visits = passes(Y), passes(by_y), passes(reduction)
    x_words = folds_l * work.extent[I]
    y_words = folds_y * np.where(work.output, work.extent[I], work.extent[L])
    z_words = folds_y * np.where(work.output, work.extent[L], work.extent[I])
    z_tiles = trips[Y] * np.where(work.output, trips[L], trips[I])
    raw = 2 * (visits - 1) + work.init + ~work.requantise
    beats = x_passes * x_words * hardware.beats("X") + y_passes * y_words * hardware.beats("Y")
    beats = beats + z_words * (raw * hardware.beats("Z") + work.requantise * hardware.beats("Q"))
    commands = x_passes * trips[L] * trips[I] + y_passes * trips[Y] * np.choose(by_y == L, [trips[L], trips[I]])
    return beats, commands + z_tiles * (2 * visits - 1 + work.init)
