"""What a tiling costs, in closed form; it equals the cycle model exactly for every port of constant timing.

With double buffering, phase s runs three things at once: the array computes step s, the store unit writes back what
step s-1 completed, then the load unit fetches the tiles of step s+1; the next phase begins when all are done.  So

    cycles = START + load(0) + sum over s of max(exec(s), store(s-1) + load(s+1)) + store(S-1)

and with one bank the three follow each other.  Steps that look alike cost the same, and a loop has at most five kinds
of position (first, second, middle, last but one, last), so the sum has at most 65 terms whatever the trip counts: the
neighbours of a step matter in a loop only where those inside it stand at an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archmodel.engines.moves import load_cycles, store_cycles
from archmodel.memory.port import Port
from archmodel.records.commands import MIN_CYCLES, SYNC
from archmodel.records.engines.systolic import Hardware

from .tiling import ROLES, I, Ints, L, Tiling, Words, Y, ceil_div, changes, tile_words

START = 3
"""From the start pulse to the first command: fetch, decode, issue."""
AT_ONCE = 256
"""Tilings priced in one pass, so that its arrays stay in cache."""

Array = npt.NDArray[np.int64]


class Folds(NamedTuple):
    """One run of the array: outer x inner folds, each a stream of ``t`` words."""

    outer: Ints
    inner: Ints
    t: Ints


def exec_cycles(run: Folds, hardware: Hardware) -> Ints:
    """Cycles of one exec command, whatever the dataflow.

    Folds follow each other every max(rows, t) cycles: ``rows`` is the preload of the next stationary operand (or the
    drain of the last result), hidden behind the stream where that is longer.  2*rows + cols + 1 is fill and drain.
    """
    period = np.maximum(hardware.rows, run.t)
    cycles = 2 * hardware.rows + hardware.cols + 1 + run.t + (run.outer * run.inner - 1) * period
    return np.maximum(MIN_CYCLES, cycles)


@dataclass(frozen=True, eq=False)
class Batch:
    """N tilings, each its own dataflow and order, as arrays by role (l, i, y).

    extent, tile   [3, N] by role
    order          [3, N] role of each loop, outermost first
    output         [N] output-stationary;  n_is_i  [N] rank n has role i (is), else y
    """

    extent: Array
    tile: Array
    order: Array
    output: npt.NDArray[np.bool_]
    n_is_i: npt.NDArray[np.bool_]
    requantise: npt.NDArray[np.bool_]
    init: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.extent.shape[1])

    def __getitem__(self, which: slice | Array) -> Batch:
        return Batch(self.extent[:, which], self.tile[:, which], self.order[:, which], self.output[which],
                     self.n_is_i[which], self.requantise[which], self.init[which])  # fmt: skip

    def words(self, sizes: tuple[Ints, Ints, Ints], hardware: Hardware) -> Words:
        return tile_words(sizes, self.output, self.n_is_i, hardware)


def batch(tiling: Tiling) -> Batch:
    """The tilings that the arrays in ``tiling`` stand for."""
    roles = ROLES[tiling.flow]
    arrays = np.broadcast_arrays(*(tiling.extent(r) for r in roles), *(tiling.tile(r) for r in roles))
    flat = np.array([np.ravel(array) for array in arrays], dtype=np.int64)
    count = flat.shape[1]
    order = np.repeat(np.array([[roles.index(rank)] for rank in tiling.order]), count, axis=1)
    flags = [np.full(count, bool(flag)) for flag in (tiling.flow == "os", tiling.flow == "is", tiling.requantise, tiling.init)]
    return Batch(flat[:3], np.minimum(flat[3:], flat[:3]), order, *flags)


def join(parts: list[Batch]) -> Batch:
    names = ("extent", "tile", "order", "output", "n_is_i", "requantise", "init")
    return Batch(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))


@dataclass(frozen=True, eq=False)
class Cost:
    """Counts of one run of each tiling.

    cycles         start pulse to done
    exec_cycles    cycles in which a command of the array is in flight
    bound_memory   cycles of the phases that memory decides (of ``cycles``)
    port_cycles    cycles in which a move is in flight, loads and stores together
    read_bytes, write_bytes    bytes over the memory port
    filled         words loaded into X, Y, Z, P
    stored         words of Z read by the store unit, those requantised among them
    streamed       words that the array reads of X and of Y, and adds into Z
    """

    cycles: Array
    exec_cycles: Array
    bound_memory: Array
    port_cycles: Array
    read_bytes: Array
    write_bytes: Array
    filled: dict[str, Array]
    stored: Array
    requantised: Array
    streamed: dict[str, Array]


def price(tilings: Tiling | Batch, hardware: Hardware, port: Port) -> Cost:
    """Cycles and traffic of tilings (which fit), each exactly as the cycle model counts them."""
    all_of = batch(tilings) if isinstance(tilings, Tiling) else tilings
    parts = [_price(all_of[slice(at, at + AT_ONCE)], hardware, port) for at in range(0, len(all_of), AT_ONCE)]
    if len(parts) == 1:
        total = parts[0]
    else:
        total = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _cost(total, hardware)


class _Loops:
    """The loops of a batch: trips, which operand each is of, where each role stands."""

    def __init__(self, work: Batch) -> None:
        self.work = work
        by_role = ceil_div(work.extent, work.tile)
        self.trips = tuple(np.choose(work.order[p], by_role) for p in range(3))
        self.place = [np.argmax(work.order == role, axis=0) for role in (L, I, Y)]
        self.reduction = np.where(work.output, I, L)
        free = (np.full(len(work), Y), np.where(work.output, L, I), self.reduction)
        self.mine = tuple(tuple(work.order[p] != role for p in range(3)) for role in free)
        self.reduction_trips = np.choose(self.reduction, by_role)
        self.reduction_place = np.choose(self.reduction, self.place)

    def after(self, index: tuple[Ints, Ints, Ints]) -> tuple[tuple[Ints, Ints, Ints], Ints]:
        """Loop indices of the next step (of the first one, after the last), and whether there is none."""
        ends = [at == trips - 1 for at, trips in zip(index, self.trips, strict=True)]
        carry = ends[2] & ends[1]
        outer, middle = index[0] + carry, np.where(ends[2], index[1] + 1, index[1])
        inner = np.where(ends[2], 0, index[2] + 1)
        is_last = carry & ends[0]
        return (np.where(is_last, 0, outer), np.where(carry, 0, middle), inner), is_last

    def before(self, index: tuple[Ints, Ints, Ints]) -> tuple[tuple[Ints, Ints, Ints], Ints]:
        """Loop indices of the step before (of the last one, before the first), and whether there is none."""
        starts = [at == 0 for at in index]
        borrow = starts[2] & starts[1]
        is_first = borrow & starts[0]
        outer = np.where(is_first, self.trips[0] - 1, index[0] - borrow)
        middle = np.where(borrow, self.trips[1] - 1, index[1] - starts[2])
        return (outer, middle, np.where(starts[2], self.trips[2] - 1, index[2] - 1)), is_first

    def by_role(self, index: tuple[Ints, Ints, Ints]) -> list[Ints]:
        return [np.choose(place, index) for place in self.place]

    def sizes(self, index: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, Ints]:
        """Sizes by role of the tiles at a step."""
        shapes = zip(self.by_role(index), self.work.tile, self.work.extent, strict=True)
        l_size, i_size, y_size = (np.minimum(tile, extent - at * tile) for at, tile, extent in shapes)
        return l_size, i_size, y_size

    def finishes(self, index: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
        """Whether the result tile leaves after a step, and whether it is complete then."""
        leaves = changes(self.mine[2], self.trips, [at < trips - 1 for at, trips in zip(index, self.trips, strict=True)])
        return leaves, leaves & (np.choose(self.reduction_place, index) == self.reduction_trips - 1)


class _Loads(NamedTuple):
    """Words that one step loads; 0 where it has no such command."""

    x: Ints
    y: Ints
    z: Ints
    p: Ints


class _Stores(NamedTuple):
    """Words that one step stores."""

    raw: Ints
    quantised: Ints


def _loads(loops: _Loops, index: tuple[Ints, Ints, Ints], words: Words) -> _Loads:
    begun = [at > 0 for at in index]
    x, y, z = (changes(mine, loops.trips, begun) for mine in loops.mine)
    resumes = (np.choose(loops.reduction_place, index) > 0) | loops.work.init
    quantises = loops.finishes(index)[1] & loops.work.requantise
    return _Loads(x * words.x, y * words.y, (z & resumes) * words.z, quantises * words.p)


def _stores(loops: _Loops, index: tuple[Ints, Ints, Ints], words: Words) -> _Stores:
    leaves, final = loops.finishes(index)
    quantises = final & loops.work.requantise
    return _Stores((leaves & ~quantises) * words.z, quantises * words.z)


def _loading(moves: _Loads, hardware: Hardware, port: Port) -> Ints:
    """Cycles of the load commands of a step, one after another."""
    return sum((words > 0) * load_cycles(words, hardware.beats(name), hardware, port)
               for name, words in (("X", moves.x), ("Y", moves.y), ("Z", moves.z), ("P", moves.p)))  # fmt: skip


def _storing(moves: _Stores, hardware: Hardware, port: Port) -> Ints:
    """Cycles of the store command of a step, or of the sync that stands in for it."""
    words = moves.raw + moves.quantised
    beats = np.where(moves.quantised > 0, hardware.beats("Q"), hardware.beats("Z"))
    return np.where(words > 0, store_cycles(words, beats, hardware, port), SYNC)


FIRST, SECOND, MIDDLE, BEFORE, LAST, BETWEEN = range(6)
"""Kinds of position in a loop; BETWEEN is all but the first and the last, where more doesn't matter."""


def _told_apart() -> tuple[npt.NDArray[np.intp], ...]:
    """Kinds of position in the three loops, outermost first, of the steps that may cost differently.

    A step and its neighbours cost what first and last positions make of them, and a neighbour has another position in
    a loop only where all loops inside it stand at an end.
    """
    fine, coarse, ends = (FIRST, SECOND, MIDDLE, BEFORE, LAST), (FIRST, BETWEEN, LAST), (FIRST, LAST)
    kinds = [(outer, middle, inner) for inner in fine for middle in (fine if inner in ends else coarse)
             for outer in (fine if inner in ends and middle in ends else coarse)]  # fmt: skip
    return tuple(np.array(kinds).T)


KINDS = _told_apart()


def _positions(trips: Array) -> tuple[Array, Array]:
    """Indices and multiplicities [6, N] of the kinds of position in a loop."""
    one = np.ones_like(trips)
    index = np.stack((0 * one, one, 2 * one, trips - 2, trips - 1, one))
    count = np.stack((one, (trips >= 3) * one, np.maximum(trips - 4, 0), (trips >= 4) * one, (trips >= 2) * one,
                      np.maximum(trips - 2, 0)))  # fmt: skip
    return index, count


def _kinds(loops: _Loops) -> tuple[tuple[Array, Array, Array], Array]:
    """Loop indices [K, N] and multiplicity [K, N] of every kind of step that occurs; all steps are counted once."""
    (a, x), (b, y), (c, z) = (_positions(trips) for trips in loops.trips)
    outer, middle, inner = KINDS
    count = x[outer] * y[middle] * z[inner]
    used = np.flatnonzero(count.any(axis=1))
    return (a[outer[used]], b[middle[used]], c[inner[used]]), count[used]


def _price(work: Batch, hardware: Hardware, port: Port) -> dict[str, Array]:
    """Sums over all kinds of step."""
    loops = _Loops(work)
    index, count = _kinds(loops)
    words = _words(loops, index, hardware)
    loads, stores = _loads(loops, index, words), _stores(loops, index, words)
    array = exec_cycles(Folds(words.x_rows, words.y_rows, words.x_cols), hardware)
    load, store = _loading(loads, hardware, port), _storing(stores, hardware, port)
    memory = _neighbours(loops, index, hardware, port) if hardware.banks == 2 else load + store
    phase = np.maximum(array, memory) if hardware.banks == 2 else array + memory
    folds = words.x_rows * words.y_rows
    terms = {
        "cycles": phase, "exec": array,
        "bound": np.where(memory > array, memory, 0) if hardware.banks == 2 else memory,
        "port": load + (stores.raw + stores.quantised > 0) * store,
        "X": loads.x, "Y": loads.y, "Z": loads.z, "P": loads.p, "raw": stores.raw, "quantised": stores.quantised,
        "streams": folds * words.x_cols, "stays": folds * hardware.rows,
    }  # fmt: skip
    total = {name: (count * term).sum(axis=0) for name, term in terms.items()}
    total["cycles"] += START + (_ends(loops, hardware, port) if hardware.banks == 2 else 0)
    total["y_read"] = np.where(work.output, total["streams"], total["stays"])
    total["z_added"] = np.where(work.output, total["stays"], total["streams"])
    return total


def _neighbours(loops: _Loops, index: tuple[Array, Array, Array], hardware: Hardware, port: Port) -> Array:
    """Cycles of memory in the phase of a step: the store of the one before, the loads of the one after."""
    after, is_last = loops.after(index)
    before, is_first = loops.before(index)
    loads = _loading(_loads(loops, after, _words(loops, after, hardware)), hardware, port)
    stores = _storing(_stores(loops, before, _words(loops, before, hardware)), hardware, port)
    return ~is_last * loads + ~is_first * stores


def _words(loops: _Loops, index: tuple[Ints, Ints, Ints], hardware: Hardware) -> Words:
    return loops.work.words(loops.sizes(index), hardware)


def _ends(loops: _Loops, hardware: Hardware, port: Port) -> Array:
    """Cycles of the loads before the first phase and of the store after the last."""
    zero = np.zeros_like(loops.trips[0])
    begin, end = (zero, zero, zero), (loops.trips[0] - 1, loops.trips[1] - 1, loops.trips[2] - 1)
    first = _loading(_loads(loops, begin, _words(loops, begin, hardware)), hardware, port)
    return first + _storing(_stores(loops, end, _words(loops, end, hardware)), hardware, port)


def _cost(total: dict[str, Array], hardware: Hardware) -> Cost:
    beat = hardware.port_bytes
    read = np.sum([total[name] * hardware.beats(name) * beat for name in "XYZP"], axis=0)
    written = (total["raw"] * hardware.beats("Z") + total["quantised"] * hardware.beats("Q")) * beat
    return Cost(total["cycles"], total["exec"], total["bound"], total["port"], read, written,
                filled={name: total[name] for name in "XYZP"}, stored=total["raw"] + total["quantised"],
                requantised=total["quantised"],
                streamed={"X": total["streams"], "Y": total["y_read"], "Z": total["z_added"]})  # fmt: skip
