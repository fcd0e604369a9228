"""A GEMM cut into steps: one tile of each operand in the buffers, one run of the array over it.

Everything here takes integers or integer arrays alike, so the same lines serve the lowering of one mapping and the
pricing of a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

Ints = Any
"""An int, or an int64 array; all arrays of one call broadcast."""

RANKS = ("m", "n", "k")


class Flow(NamedTuple):
    """Which rank lies along the lanes of a word and which one counts the words, for X, Y and Z."""

    x_lane: str
    x_index: str
    y_lane: str
    y_index: str
    z_index: str


FLOWS = {
    "ws": Flow("k", "m", "n", "k", "m"),
    "is": Flow("k", "n", "m", "k", "n"),
    "os": Flow("m", "k", "n", "k", "m"),
}
OPERANDS = {"ws": ("a", "b"), "is": ("b", "a"), "os": ("a", "b")}
"""Which operand of C = A B is X and which is Y."""


@dataclass(frozen=True, eq=False)
class Tiling:
    """C[m,n] += A[m,k] B[k,n] on one array, in tiles of tile_m x tile_n x tile_k visited in ``order``, outermost first.

    requantise  the result leaves as int8 with bias, else as raw int32 accumulators
    init        accumulators start from what memory holds (a bias, or the sums of an earlier Program), else from zero
    """

    m: Ints
    n: Ints
    k: Ints
    tile_m: Ints
    tile_n: Ints
    tile_k: Ints
    flow: str = "ws"
    order: tuple[str, str, str] = ("m", "n", "k")
    requantise: bool = False
    init: bool = False

    def extent(self, rank: str) -> Ints:
        return getattr(self, rank)

    def tile(self, rank: str) -> Ints:
        return getattr(self, "tile_" + rank)

    def trips(self, rank: str) -> Ints:
        return ceil_div(self.extent(rank), self.tile(rank))

    @property
    def loops(self) -> tuple[Ints, Ints, Ints]:
        """Trip counts, outermost first."""
        first, second, third = (self.trips(rank) for rank in self.order)
        return first, second, third

    @property
    def steps(self) -> Ints:
        first, second, third = self.loops
        return first * second * third


def ceil_div(value: Ints, by: Ints) -> Ints:
    return -(-value // by)


def quantum(flow: str, rank: str, hardware: Hardware) -> int:
    """A tile of ``rank`` is a multiple of this, or the whole rank: the lanes of the word that it fills."""
    roles = FLOWS[flow]
    if rank == roles.x_lane:
        return hardware.rows
    return hardware.cols if rank in (roles.y_lane, "n") else 1


class Words(NamedTuple):
    """Buffer words that the tiles of one step occupy, and the pitch of their rows."""

    x_rows: Ints
    x_cols: Ints
    y_rows: Ints
    y_cols: Ints
    y_pitch: Ints
    z_rows: Ints
    z_cols: Ints
    z_pitch: Ints
    p: Ints


def tile_words(flow: str, sizes: dict[str, Ints], hardware: Hardware) -> Words:
    """Words of tiles of the given sizes; ``*_rows`` is how many lane groups, ``*_cols`` how many words in each.

    Y is padded to whole folds because a fold reads ``rows`` words even where the rank ends, and Z of an
    output-stationary run because a fold writes ``rows`` words.
    """
    roles = FLOWS[flow]
    x_rows, x_cols = ceil_div(sizes[roles.x_lane], hardware.rows), sizes[roles.x_index]
    y_rows, y_cols = ceil_div(sizes[roles.y_lane], hardware.cols), sizes[roles.y_index]
    y_pitch = y_cols if flow == "os" else x_rows * hardware.rows
    z_cols = sizes[roles.z_index]
    z_pitch = x_rows * hardware.rows if flow == "os" else z_cols
    return Words(x_rows, x_cols, y_rows, y_cols, y_pitch, y_rows, z_cols, z_pitch, ceil_div(sizes["n"], hardware.cols))


class Folds(NamedTuple):
    """One run of the array: outer x inner folds, each a stream of ``t`` words."""

    outer: Ints
    inner: Ints
    t: Ints


def folds(flow: str, sizes: dict[str, Ints], hardware: Hardware) -> Folds:
    words = tile_words(flow, sizes, hardware)
    return Folds(words.x_rows, words.y_rows, words.x_cols)


def fits(tiling: Tiling, hardware: Hardware) -> Ints:
    """Whether a bank of every buffer holds the tiles, and fields of commands hold the counts."""
    sizes = {rank: np.minimum(tiling.tile(rank), tiling.extent(rank)) for rank in RANKS}
    words = tile_words(tiling.flow, sizes, hardware)
    ok = (words.x_rows * words.x_cols <= hardware.x_words) & (words.y_rows * words.y_pitch <= hardware.y_words)
    ok &= words.z_rows * words.z_pitch <= hardware.z_words
    return ok & (words.p <= hardware.p_words) if tiling.requantise else ok


def check(tiling: Tiling, hardware: Hardware) -> None:
    """Raises SpecError, naming the rule, when ``hardware`` cannot execute ``tiling`` (of plain integers)."""
    if tiling.flow not in hardware.dataflows:
        raise SpecError(f"tiling: dataflow {tiling.flow}, and this array has {', '.join(hardware.dataflows)}")
    if sorted(tiling.order) != sorted(RANKS):
        raise SpecError(f"tiling: order {tiling.order}, expected each of m, n, k once")
    for rank in RANKS:
        size, tile, grain = tiling.extent(rank), tiling.tile(rank), quantum(tiling.flow, rank, hardware)
        if size < 1 or tile < 1:
            raise SpecError(f"tiling: {rank} is {size} in tiles of {tile}, expected at least 1")
        if tile < size and tile % grain:
            raise SpecError(f"tiling: tile_{rank} is {tile}, expected a multiple of {grain} or the whole rank ({size})")
    if not fits(tiling, hardware):
        raise SpecError(f"tiling: {_overflow(tiling, hardware)}")
    if tiling.k * 2 ** (hardware.x_bits + hardware.y_bits - 2) >= 2**31:
        raise SpecError(f"tiling: k is {tiling.k}, so a 32-bit accumulator could overflow; split k over Programs")


def _overflow(tiling: Tiling, hardware: Hardware) -> str:
    sizes = {rank: min(tiling.tile(rank), tiling.extent(rank)) for rank in RANKS}
    words = tile_words(tiling.flow, sizes, hardware)
    needs = {"X": words.x_rows * words.x_cols, "Y": words.y_rows * words.y_pitch, "Z": words.z_rows * words.z_pitch,
             "P": words.p if tiling.requantise else 0}  # fmt: skip
    over = [f"{name} needs {need} words and a bank has {hardware.depth(name)}"
            for name, need in needs.items() if need > hardware.depth(name)]  # fmt: skip
    return "the tile fits no buffer: " + ", ".join(over)


def depends(operand: str, flow: str) -> set[str]:
    """Ranks of operand X, Y or Z."""
    roles = FLOWS[flow]
    return {"X": {roles.x_lane, roles.x_index}, "Y": {roles.y_lane, roles.y_index}, "Z": {"m", "n"}}[operand]


class Step(NamedTuple):
    """What one step does besides computing; each is a truth value, or an array of them."""

    x_enters: Ints
    y_enters: Ints
    z_enters: Ints
    x_leaves: Ints
    y_leaves: Ints
    z_leaves: Ints
    resumes: Ints
    """Its result tile has been visited before."""
    final: Ints
    """Its result tile is complete after it and leaves."""


def step(tiling: Tiling, index: tuple[Ints, Ints, Ints]) -> Step:
    """The transitions into and out of the step with the given loop indices (outermost first).

    The transition into a step advances one loop, the deepest that does not stand at 0, and resets those inside; a
    tile enters when one of these loops is its own and has more than one trip.  Leaving is the mirror image.
    """
    trips = tiling.loops
    enters, leaves = [], []
    for operand in ("X", "Y", "Z"):
        mine = [rank in depends(operand, tiling.flow) for rank in tiling.order]
        enters.append(_moves(mine, trips, [i > 0 for i in index]))
        leaves.append(_moves(mine, trips, [i < n - 1 for i, n in zip(index, trips, strict=True)]))
    at_k = tiling.order.index("k")
    final = leaves[2] & (index[at_k] == trips[at_k] - 1)
    return Step(*enters, *leaves, index[at_k] > 0, final)


def _moves(mine: list[bool], trips: tuple[Ints, ...], pending: list[Ints]) -> Ints:
    """True where the deepest pending loop, or one inside it with several trips, is among ``mine``; or none is pending."""
    moved: Ints = True
    for own, count, waits in zip(mine, trips, pending, strict=True):
        moved = np.where(waits, own, moved | (own & (np.asarray(count) > 1)))
    return moved


def all_steps(tiling: Tiling) -> product[tuple[int, ...]]:
    """Indices of every step of an integer tiling, in order of execution."""
    return product(*(range(count) for count in tiling.loops))


def sizes_at(tiling: Tiling, index: tuple[Ints, Ints, Ints]) -> dict[str, Ints]:
    """Sizes of the tile at a step: full, or what is left of the rank."""
    return {rank: np.minimum(tiling.tile(rank), tiling.extent(rank) - i * tiling.tile(rank))
            for rank, i in zip(tiling.order, index, strict=True)}  # fmt: skip
