"""A GEMM cut into steps: one tile of each operand in the buffers, one run of the array over it.

The three dataflows are one machine.  What differs is which rank of C[m,n] += A[m,k] B[k,n] plays which role:

    role   is                        ws   is   os
    l      along the lanes of X      k    k    m
    i      counts the words of X     m    n    k
    y      along the lanes of Y      n    m    n

and whether sums move and the operand stays (ws, is), or the other way round (os).  Everything here takes integers or
integer arrays alike, so the same lines serve the lowering of one mapping and the pricing of a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

Ints = Any
"""An int, or an int64 array; all arrays of one call broadcast."""

RANKS = ("m", "n", "k")
ROLES = {"ws": ("k", "m", "n"), "is": ("k", "n", "m"), "os": ("m", "k", "n")}
"""Ranks in the roles l, i, y."""
OPERANDS = {"ws": ("a", "b"), "is": ("b", "a"), "os": ("a", "b")}
"""Which operand of C = A B is X and which is Y."""
L, I, Y = range(3)


class Flow(NamedTuple):
    """Which rank lies along the lanes of a word and which one counts the words, for X, Y and Z."""

    x_lane: str
    x_index: str
    y_lane: str
    y_index: str
    z_index: str


def flow_ranks(flow: str) -> Flow:
    l_rank, i_rank, y_rank = ROLES[flow]
    return Flow(l_rank, i_rank, y_rank, "k", l_rank if flow == "os" else i_rank)


@dataclass(frozen=True, eq=False)
class Tiling:
    """C[m,n] += A[m,k] B[k,n] on one array, in tiles of tile_m x tile_n x tile_k visited in ``order``, outermost first.

    requantise  the result leaves with bias and scale in the format of the activations, else as raw accumulators
    init        accumulators start from what memory holds (a bias, or the sums of an earlier Program), else from zero
    wraps       the user has said that sums beyond 32 bits may wrap
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
    wraps: bool = False

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


def ceil_div(value: Ints, by: Ints) -> Ints:
    return -(-value // by)


def quantum(flow: str, rank: str, hardware: Hardware) -> int:
    """A tile of ``rank`` is a multiple of this, or the whole rank: the lanes of the word that it fills."""
    if rank == ROLES[flow][L]:
        return hardware.rows
    return hardware.cols if rank in (ROLES[flow][Y], "n") else 1


class Words(NamedTuple):
    """Buffer words that the tiles of one step occupy: ``rows`` lane groups of ``cols`` words, ``pitch`` words apart."""

    x_rows: Ints
    x_cols: Ints
    y_rows: Ints
    y_cols: Ints
    y_pitch: Ints
    z_cols: Ints
    z_pitch: Ints
    p: Ints

    @property
    def x(self) -> Ints:
        return self.x_rows * self.x_cols

    @property
    def y(self) -> Ints:
        return self.y_rows * self.y_cols

    @property
    def z(self) -> Ints:
        """Z has a row for each row of Y."""
        return self.y_rows * self.z_cols


def tile_words(sizes: tuple[Ints, Ints, Ints], output: Ints, n_is_i: Ints, hardware: Hardware) -> Words:
    """Words of tiles of ``sizes`` (by role); ``output``: output-stationary; ``n_is_i``: rank n has role i, else y.

    Y is padded to whole folds because a fold reads ``rows`` words even where the rank ends, and Z of an
    output-stationary run because a fold writes ``rows`` words.
    """
    l_size, i_size, y_size = sizes
    x_rows = ceil_div(l_size, hardware.rows)
    return Words(
        x_rows=x_rows, x_cols=i_size,
        y_rows=ceil_div(y_size, hardware.cols), y_cols=_pick(output, i_size, l_size),
        y_pitch=_pick(output, i_size, x_rows * hardware.rows),
        z_cols=_pick(output, l_size, i_size), z_pitch=_pick(output, x_rows * hardware.rows, i_size),
        p=ceil_div(_pick(n_is_i, i_size, y_size), hardware.cols),
    )  # fmt: skip


def _pick(condition: Ints, yes: Ints, no: Ints) -> Ints:
    return (yes if condition else no) if isinstance(condition, bool) else np.where(condition, yes, no)


def words_of(tiling: Tiling, sizes: dict[str, Ints], hardware: Hardware) -> Words:
    l_rank, i_rank, y_rank = ROLES[tiling.flow]
    return tile_words((sizes[l_rank], sizes[i_rank], sizes[y_rank]), tiling.flow == "os", tiling.flow == "is", hardware)


MOST_FOLDS = (1 << 16) - 1
"""Folds that an exec command counts along either of its two loops."""


def words_fit(words: Words, requantise: Ints, hardware: Hardware) -> Ints:
    """Whether a bank of every buffer holds the tiles, and a command counts their folds."""
    ok = (words.x <= hardware.x_words) & (words.y_rows * words.y_pitch <= hardware.y_words)
    ok = ok & (words.y_rows * words.z_pitch <= hardware.z_words) & (words.x_rows <= MOST_FOLDS) & (words.y_rows <= MOST_FOLDS)
    return ok & ((words.p <= hardware.p_words) | np.logical_not(requantise))


def fits(tiling: Tiling, hardware: Hardware) -> Ints:
    """Whether a bank of every buffer holds the tiles of ``tiling``."""
    sizes = {rank: np.minimum(tiling.tile(rank), tiling.extent(rank)) for rank in RANKS}
    return words_fit(words_of(tiling, sizes, hardware), tiling.requantise, hardware)


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
    if may_overflow(tiling.k, hardware) and not tiling.wraps:
        raise SpecError(f"tiling: {overflow_text(tiling.k, hardware)}")


def longest_k(hardware: Hardware) -> int:
    """The most products that a 32-bit accumulator surely holds."""
    return (2**31 - 1) // 2 ** (hardware.x_bits + hardware.y_bits - 2)


def may_overflow(k: int, hardware: Hardware) -> bool:
    """Whether a product of depth k could leave an integer accumulator; of floating point it becomes infinite, and says so."""
    return not hardware.is_float and k > longest_k(hardware)


def overflow_text(k: int, hardware: Hardware) -> str:
    """Why a product of depth k is refused, and what to do."""
    return (f"k is {k:,}, and a 32-bit accumulator surely holds {longest_k(hardware):,} products; shorten it, or set the engine's "
            "overflow to wrap if its operands are never so large at once")  # fmt: skip


def _overflow(tiling: Tiling, hardware: Hardware) -> str:
    words = words_of(tiling, {rank: min(tiling.tile(rank), tiling.extent(rank)) for rank in RANKS}, hardware)
    needs = {"X": words.x, "Y": words.y_rows * words.y_pitch, "Z": words.y_rows * words.z_pitch,
             "P": words.p if tiling.requantise else 0}  # fmt: skip
    if max(words.x_rows, words.y_rows) > MOST_FOLDS:
        return f"the tile makes {max(words.x_rows, words.y_rows)} folds along one side, and a command counts {MOST_FOLDS}"
    over = [f"{name} needs {need} words and a bank has {hardware.depth(name)}"
            for name, need in needs.items() if need > hardware.depth(name)]  # fmt: skip
    return "the tile fits no buffer: " + ", ".join(over)


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


Mine = tuple[Ints, Ints, Ints]
"""For each loop, outermost first, whether it is over a rank of the operand in question."""


def step_of(index: tuple[Ints, Ints, Ints], trips: tuple[Ints, Ints, Ints], mine: tuple[Mine, Mine, Mine],
            reduction: tuple[Ints, Ints]) -> Step:  # fmt: skip
    """The transitions into and out of the step with the given loop indices.

    mine       of X, Y and Z
    reduction  index and trips of the loop over k

    The transition into a step advances one loop, the deepest that does not stand at 0, and resets those inside; a
    tile enters when one of these loops is its own and has more than one trip.  Leaving is the mirror image.
    """
    begun = [i > 0 for i in index]
    unfinished = [i < n - 1 for i, n in zip(index, trips, strict=True)]
    x_enters, y_enters, z_enters = (changes(own, trips, begun) for own in mine)
    x_leaves, y_leaves, z_leaves = (changes(own, trips, unfinished) for own in mine)
    final = z_leaves & (reduction[0] == reduction[1] - 1)
    return Step(x_enters, y_enters, z_enters, x_leaves, y_leaves, z_leaves, reduction[0] > 0, final)


def changes(mine: Mine, trips: tuple[Ints, Ints, Ints], pending: list[Ints]) -> Ints:
    """Whether the tile of an operand is another one beyond a transition, for the loops ``pending`` on that side of the step.

    True where the deepest pending loop, or one inside it with several trips, is among ``mine``; or none is pending.
    """
    moved: Ints = True
    for own, count, waits in zip(mine, trips, pending, strict=True):
        moved = np.where(waits, own, moved | (own & (np.asarray(count) > 1)))
    return moved


def operand_ranks(flow: str) -> tuple[set[str], set[str], set[str]]:
    """Ranks of X, Y and Z."""
    roles = flow_ranks(flow)
    return {roles.x_lane, roles.x_index}, {roles.y_lane, "k"}, {"m", "n"}


def step(tiling: Tiling, index: tuple[Ints, Ints, Ints]) -> Step:
    """``step_of`` for the loops of ``tiling``."""
    mine = tuple(tuple(rank in ranks for rank in tiling.order) for ranks in operand_ranks(tiling.flow))
    at_k = tiling.order.index("k")
    return step_of(index, tiling.loops, mine, (index[at_k], tiling.loops[at_k]))  # type: ignore[arg-type]


def sizes_at(tiling: Tiling, index: tuple[Ints, Ints, Ints]) -> dict[str, Ints]:
    """Sizes of the tile at a step: full, or what is left of the rank."""
    return {rank: np.minimum(tiling.tile(rank), tiling.extent(rank) - i * tiling.tile(rank))
            for rank, i in zip(tiling.order, index, strict=True)}  # fmt: skip
