"""What a tiling costs, in closed form; it equals the cycle model exactly for every port of constant timing.

With double buffering, phase s runs three things at once: the array computes step s, the store unit writes back what
step s-1 completed, then the load unit fetches the tiles of step s+1; the next phase begins when all are done.  So

    cycles = START + load(0) + sum over s of max(exec(s), store(s-1) + load(s+1)) + store(S-1)

and with one bank the three follow each other.  Steps that look alike cost the same, and a loop has at most five kinds
of position (first, second, middle, last but one, last), so the sum has at most 125 terms whatever the trip counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from archmodel.memory.port import Port
from archmodel.records.engines.systolic import MIN_CYCLES, Hardware

from .tiling import Folds, Ints, Tiling, folds, sizes_at, step, tile_words

START = 3
"""From the start pulse to the first command: fetch, decode, issue."""
SYNC = 1
"""Cycles of a sync command."""


@dataclass(frozen=True, eq=False)
class Cost:
    """Counts of one run, each an int64 array over the tilings priced.

    cycles         start pulse to done
    exec_cycles    cycles in which a command of the array is in flight
    memory_cycles  cycles in which a load or a store is in flight
    bound_memory   cycles of phases that memory decides (of `cycles`)
    read_bytes, write_bytes    bytes over the memory port
    *_reads, *_writes          words of the buffers read and written
    """

    cycles: Ints
    exec_cycles: Ints
    memory_cycles: Ints
    bound_memory: Ints
    read_bytes: Ints
    write_bytes: Ints
    fill_words: dict[str, Ints]
    array_words: dict[str, Ints]
    stored_words: Ints


def exec_cycles(run: Folds, hardware: Hardware) -> Ints:
    """Cycles of one exec command, whatever the dataflow.

    Folds follow each other every max(rows, t) cycles: ``rows`` is the preload of the next stationary operand (or the
    drain of the last result), hidden behind the stream where that is longer.  2*rows + cols + 1 is fill and drain.
    """
    period = np.maximum(hardware.rows, run.t)
    cycles = 2 * hardware.rows + hardware.cols + 1 + run.t + (run.outer * run.inner - 1) * period
    return np.maximum(MIN_CYCLES, cycles)


def _transfer(words: Ints, beats: int, hardware: Hardware, port: Port) -> Ints:
    """Cycles from the first request to the last response of ``words`` requests of ``beats`` beats each.

    A request goes out when one of the ``outstanding`` slots is free; data come ``latency`` cycles later at the
    earliest, one beat every ``interval`` cycles.  So the pattern repeats every ``outstanding`` requests.
    """
    data = beats * port.interval
    group = np.maximum(hardware.outstanding * data, port.latency + 1 + data - port.interval)
    full, rest = (words - 1) // hardware.outstanding, (words - 1) % hardware.outstanding
    return port.latency + full * group + rest * data + data - port.interval


def load_cycles(words: Ints, beats: int, hardware: Hardware, port: Port) -> Ints:
    """Cycles of one load command."""
    return np.maximum(MIN_CYCLES, 2 + _transfer(words, beats, hardware, port))


def store_cycles(words: Ints, beats: int, hardware: Hardware, port: Port) -> Ints:
    """Cycles of one store command: three more, for the read of Z, the multiplication and the rounding."""
    return np.maximum(MIN_CYCLES, 5 + _transfer(words, beats, hardware, port))


@dataclass(frozen=True, eq=False)
class Moves:
    """Words that one step moves; 0 where it has no such command."""

    x: Ints
    y: Ints
    z: Ints
    p: Ints
    raw: Ints
    quantised: Ints


def moves_at(tiling: Tiling, index: tuple[Ints, Ints, Ints], hardware: Hardware) -> Moves:
    now, words = step(tiling, index), tile_words(tiling.flow, sizes_at(tiling, index), hardware)
    z = words.z_rows * words.z_cols
    quantises = now.final & tiling.requantise
    return Moves(
        x=np.where(now.x_enters, words.x_rows * words.x_cols, 0),
        y=np.where(now.y_enters, words.y_rows * words.y_cols, 0),
        z=np.where(now.z_enters & (now.resumes | tiling.init), z, 0),
        p=np.where(quantises, words.p, 0),
        raw=np.where(now.z_leaves & ~quantises, z, 0),
        quantised=np.where(quantises, z, 0),
    )


def loading(moves: Moves, hardware: Hardware, port: Port) -> Ints:
    """Cycles of the load commands of a step, one after another."""
    return sum(np.where(words > 0, load_cycles(words, hardware.beats(name), hardware, port), 0)
               for name, words in (("X", moves.x), ("Y", moves.y), ("Z", moves.z), ("P", moves.p)))  # fmt: skip


def storing(moves: Moves, hardware: Hardware, port: Port) -> Ints:
    """Cycles of the store command of a step, or of the sync that stands in for it."""
    raw = np.where(moves.raw > 0, store_cycles(moves.raw, hardware.beats("Z"), hardware, port), SYNC)
    return np.where(moves.quantised > 0, store_cycles(moves.quantised, hardware.beats("Q"), hardware, port), raw)


def positions(trips: Ints) -> tuple[tuple[Ints, Ints], ...]:
    """(index, multiplicity) of the kinds of position in a loop; the multiplicities sum to ``trips``."""
    one = np.ones_like(np.asarray(trips))
    return ((0 * one, one), (one, (trips >= 3) * one), (2 * one, np.maximum(trips - 4, 0)),
            (trips - 2, (trips >= 4) * one), (trips - 1, (trips >= 2) * one))  # fmt: skip


def _index(number: Ints, trips: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """Loop indices of a step by its number."""
    rest, inner = np.divmod(number, trips[2])
    outer, middle = np.divmod(rest, trips[1])
    return outer, middle, inner


def price(tiling: Tiling, hardware: Hardware, port: Port) -> Cost:
    """Cycles and traffic of a tiling, or of arrays of them (of one flow and order)."""
    trips, last = tiling.loops, tiling.steps - 1
    zero = np.zeros(np.broadcast_shapes(*(np.shape(n) for n in trips)), dtype=np.int64)
    total = dict.fromkeys(("cycles", "exec", "memory", "bound", *"XYZPRQ", "ax", "ay", "az"), zero)
    for (i, a), (j, b), (k, c) in product(*map(positions, trips)):
        count = a * b * c
        if not np.any(count):
            continue
        kind = _kind(tiling, (i, j, k), trips, last, hardware, port)
        total = {name: total[name] + count * kind[name] for name in total}
    first = loading(moves_at(tiling, (zero, zero, zero), hardware), hardware, port)
    end = storing(moves_at(tiling, tuple(n - 1 for n in trips), hardware), hardware, port)
    cycles = START + total["cycles"] + (first + end if hardware.banks == 2 else 0)
    return _cost(total, cycles, hardware)


def _kind(tiling: Tiling, index: tuple[Ints, Ints, Ints], trips: tuple[Ints, Ints, Ints], last: Ints,
          hardware: Hardware, port: Port) -> dict[str, Ints]:  # fmt: skip
    """Counts of one step, and the cycles of its phase."""
    run = folds(tiling.flow, sizes_at(tiling, index), hardware)
    moves = moves_at(tiling, index, hardware)
    array, load, store = exec_cycles(run, hardware), loading(moves, hardware, port), storing(moves, hardware, port)
    number = (index[0] * trips[1] + index[1]) * trips[2] + index[2]
    if hardware.banks == 2:
        after = moves_at(tiling, _index(np.minimum(number + 1, last), trips), hardware)
        before = moves_at(tiling, _index(np.maximum(number - 1, 0), trips), hardware)
        memory = np.where(number < last, loading(after, hardware, port), 0)
        memory = memory + np.where(number > 0, storing(before, hardware, port), 0)
        phase, bound = np.maximum(array, memory), np.where(memory > array, memory, 0)
    else:
        phase, bound = array + load + store, load + store
    fold_count = run.outer * run.inner
    streams = fold_count * run.t
    stationary = fold_count * hardware.rows
    output = tiling.flow == "os"
    return {"cycles": phase, "exec": array, "memory": load + store, "bound": bound,
            "X": moves.x, "Y": moves.y, "Z": moves.z, "P": moves.p, "R": moves.raw, "Q": moves.quantised,
            "ax": streams, "ay": streams if output else stationary, "az": stationary if output else streams}  # fmt: skip


def _cost(total: dict[str, Ints], cycles: Ints, hardware: Hardware) -> Cost:
    beat = hardware.port_bytes
    read = sum(total[name] * hardware.beats(name) for name in "XYZP") * beat
    written = (total["R"] * hardware.beats("Z") + total["Q"] * hardware.beats("Q")) * beat
    return Cost(cycles, total["exec"], total["memory"], total["bound"], read, written,
                fill_words={name: total[name] for name in "XYZP"},
                array_words={"X": total["ax"], "Y": total["ay"], "Z": total["az"]},
                stored_words=total["R"] + total["Q"])  # fmt: skip
