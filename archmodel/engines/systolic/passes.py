"""What tilings move and stream, as products of sums along single loops: exactly what the closed form adds up step by step.

A tile of lanes is whole words, so every operand moves the words of the whole rank in each pass over it, however the rank is cut.
Traffic, and with it energy, depends on how often each loop turns and on which loop is innermost; tile sizes matter to nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.systolic import Hardware

from .closed_form import Array, Batch
from .tiling import I, L, Y, ceil_div


class Passes(NamedTuple):
    """How often X and Y move in full, and how often a result tile is visited."""

    x: Array
    y: Array
    visits: Array


class Moves(NamedTuple):
    """Words of each pass's loads and stores, commands among them, output parameters left out; ``beats`` of all of them."""

    x: Array
    y: Array
    loaded: Array
    stored: Array
    quantised: Array
    commands: Array
    beats: Array


@dataclass(frozen=True, eq=False)
class Traffic:
    """Counts of one run of each tiling, named as in ``Cost``."""

    read_bytes: Array
    write_bytes: Array
    filled: dict[str, Array]
    stored: Array
    requantised: Array
    streamed: dict[str, Array]


def passes(work: Batch, ordered: bool) -> Passes:
    """An operand moves once a trip of the loop it doesn't depend on, unless that is innermost; without an order, once.

    Loops of one trip must stand outermost.
    """
    trips, one = ceil_div(work.extent, work.tile), np.ones(len(work), dtype=np.int64)

    def of(free: Array) -> Array:
        return np.where(work.order[2] == free, 1, np.choose(free, trips)) if ordered else one

    # Y and Z depend on y and on one of l and i; the other is the loop that they are free of.
    return Passes(of(np.full(len(work), Y)), of(np.where(work.output, L, I)), of(np.where(work.output, I, L)))


def moves(work: Batch, hardware: Hardware, ordered: bool = True) -> Moves:
    """Of each tiling; not ``ordered``, of the order that moves least, each operand as if that were its best."""
    trips, times = ceil_div(work.extent, work.tile), passes(work, ordered)
    lanes, words = ceil_div(work.extent[L], hardware.rows), ceil_div(work.extent[Y], hardware.cols)
    x = times.x * lanes * work.extent[I]
    y = times.y * words * np.where(work.output, work.extent[I], work.extent[L])
    result = words * np.where(work.output, work.extent[L], work.extent[I])
    results = trips[Y] * np.where(work.output, trips[L], trips[I])
    loaded, stored, quantised = (times.visits - 1 + work.init) * result, times.visits * result, work.requantise * result
    commands = times.x * trips[L] * trips[I] + results * (2 * times.visits - 1 + work.init)
    commands = commands + times.y * trips[Y] * np.where(work.output, trips[I], trips[L])
    beats = x * hardware.beats("X") + y * hardware.beats("Y") + (loaded + stored - quantised) * hardware.beats("Z")
    return Moves(x, y, loaded, stored, quantised, commands, beats + quantised * hardware.beats("Q"))


def traffic(work: Batch, hardware: Hardware, ordered: bool = True) -> Traffic:
    """All that energy counts, of each tiling; ``ordered`` as for ``moves``."""
    trips, moved = ceil_div(work.extent, work.tile), moves(work, hardware, ordered)
    filled = {"X": moved.x, "Y": moved.y, "Z": moved.loaded, "P": work.requantise * _parameters(work, trips, hardware)}
    read = np.sum([count * hardware.beats(name) for name, count in filled.items()], axis=0)
    written = (moved.stored - moved.quantised) * hardware.beats("Z") + moved.quantised * hardware.beats("Q")
    folds = ceil_div(work.extent[L], hardware.rows) * ceil_div(work.extent[Y], hardware.cols)
    streams, stays = folds * work.extent[I], folds * trips[I] * hardware.rows
    return Traffic(
        read * hardware.port_bytes, written * hardware.port_bytes, filled, moved.stored, moved.quantised,
        {"X": streams, "Y": np.where(work.output, streams, stays), "Z": np.where(work.output, stays, streams)},
    )  # fmt: skip


def _parameters(work: Batch, trips: npt.NDArray[np.int64], hardware: Hardware) -> Array:
    """Words of P: those of all columns for each row of result tiles."""
    n = np.where(work.n_is_i, work.extent[I], work.extent[Y])
    m_trips = np.where(work.n_is_i, trips[Y], np.where(work.output, trips[L], trips[I]))
    return ceil_div(n, hardware.cols) * m_trips
