"""Attention engine: parameters, the hardware they resolve to, and the layout of its commands and of its schedule.

An array of ``rows`` x ``cols`` processing elements above a row of ``cols`` lanes; rows are keys, columns are queries.

    Q   words of ``cols`` elements: element e of so many queries, enter from the top
    K   words of ``rows`` elements: element e of so many keys, enter from the left
    V   words of ``rows`` elements: element f of so many keys, enter from the left
    M   words of ``rows`` x ``cols`` bits: bit r*cols + c says whether key r is seen by query c; padded to whole beats
    O   words of ``cols`` results: element f of so many queries, leave from the lanes
    S   state of the lanes, 32 bits a lane and word: running maximum, denominator and numerators of each tile of queries

A tile is one tile of ``rows`` keys with one tile of ``cols`` queries.  Its micro-ops stand in a table that repeats every
``period`` slots; a tile enters at most once a period and stays for ``stages`` of them, so that many are in flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Annotated

from ..base import OneOf, SpecError, Within, check_fields
from ..commands import ADDRESS_BITS, HEAD, MIN_CYCLES, Isa
from ..formats import Format, format_of
from ..program import INSTRUCTION_BYTES, Layout, pack, unpack

TYPE = "attention"
ISA_VERSION = 1
MAX_BANK_WORDS = 1 << 18
MAX_SLOTS = 4096
MAX_TILES = 16
Share = Annotated[int, Within(1, 1 << 20)]
STATE_BITS = 32
"""A word of state of one lane, a sum in a PE, a value on its way down: int32, or fp32."""


@dataclass(frozen=True)
class Params:
    """What a machine's description says of an attention engine.

    rows          of processing elements: keys of a tile
    cols          of processing elements, and lanes below them: queries of a tile
    format        of queries, keys, values and results: int8 (sums int32, weights fixed point) or bf16 (sums fp32)
    degree        of the polynomial in the exponential: so many multiply-adds
    mac_latency   cycles from the operands of a multiply-add to its result, in elements and lanes
    tiles         tiles in flight: contexts of every element and lane
    rescale       how a lane rescales its sums: fused (one multiply-add) or split (a multiplication, then an addition)
    threshold     the running maximum follows only what exceeds it by more, in powers of two
    weight_bits   fraction bits of a softmax weight of int8
    buffer_words  words that the buffers give and take in one slot, 0 for as many as are wanted: Q and K, V, the state's
    port_bytes    bytes of one beat of the memory port; divides the words of Q, K, V and O
    outstanding   requests (each one buffer word) in flight at the port
    buffering     banks of K and of V; Q, M and O have two
    buffer_split  shares of the buffer for Q, K, V, M, O and the lanes' state, in any unit
    slots         entries of the schedule's table: the longest period
    program_words instructions that each of the three sequencers holds
    """

    rows: Annotated[int, Within(2, 256)]
    cols: Annotated[int, Within(2, 256)]
    format: Annotated[str, OneOf(("int8", "bf16"))] = "int8"
    degree: Annotated[int, Within(1, 8)] = 6
    mac_latency: Annotated[int, Within(1, 4)] = 1
    tiles: Annotated[int, Within(1, MAX_TILES)] = 4
    rescale: Annotated[str, OneOf(("fused", "split"))] = "fused"
    threshold: Annotated[int, Within(0, 16)] = 0
    weight_bits: Annotated[int, Within(2, 14)] = 10
    buffer_words: Annotated[int, Within(0, 16)] = 0
    port_bytes: Annotated[int, Within(1, 256)] = 16
    outstanding: Annotated[int, Within(1, 255)] = 16
    buffering: Annotated[int, Within(2, 4)] = 2
    buffer_split: tuple[Share, Share, Share, Share, Share, Share] = (4, 2, 2, 1, 3, 4)
    slots: Annotated[int, Within(MIN_CYCLES, MAX_SLOTS)] = 1024
    program_words: Annotated[int, Within(16, 4096)] = 1024

    def __post_init__(self) -> None:
        check_fields(self, "attention engine")
        if len(self.buffer_split) != 6:
            raise SpecError("attention engine: buffer_split needs six shares")
        if self.buffer_words == 1:
            raise SpecError("attention engine: buffer_words is 1, expected 0 for no limit or at least 2, one of Q and one of K")
        bits = format_of(self.format).bits
        whole = gcd(bits * self.rows, bits * self.cols)
        for lanes, what in ((self.cols, "Q"), (self.rows, "K")):
            if bits * lanes % (8 * self.port_bytes):
                raise SpecError(f"attention engine: port_bytes {self.port_bytes} does not divide the {what} word of {bits * lanes / 8:g} "
                                f"bytes, expected a divisor of {whole // 8}")  # fmt: skip


@dataclass(frozen=True)
class Hardware:
    """All that the generated hardware depends on; ``Params`` with the buffer's depths worked out in words per bank."""

    rows: int
    cols: int
    format: str
    degree: int
    mac_latency: int
    tiles: int
    rescale: str
    threshold: int
    weight_bits: int
    buffer_words: int
    port_bytes: int
    outstanding: int
    banks: int
    q_words: int
    k_words: int
    v_words: int
    m_words: int
    o_words: int
    s_words: int
    slots: int
    program_words: int

    @property
    def element(self) -> Format:
        """Of queries, keys, values and results."""
        return format_of(self.format)

    @property
    def is_float(self) -> bool:
        return self.element.is_float

    def bits(self, buffer: str) -> int:
        """Of one word of Q, K, V, M or O as the arrays see it."""
        lanes = {"Q": self.cols, "K": self.rows, "V": self.rows, "O": self.cols}
        return self.rows * self.cols if buffer == "M" else self.element.bits * lanes[buffer]

    def beats(self, buffer: str) -> int:
        """Beats of the memory port in one word of Q, K, V, M or O."""
        return -(-self.bits(buffer) // (8 * self.port_bytes))

    def depth(self, buffer: str) -> int:
        """Words a bank of Q, K, V, M, O, or of the state S."""
        return {"Q": self.q_words, "K": self.k_words, "V": self.v_words, "M": self.m_words, "O": self.o_words,
                "S": self.s_words}[buffer]  # fmt: skip

    def banks_of(self, buffer: str) -> int:
        return {"K": self.banks, "V": self.banks, "S": 1}.get(buffer, 2)


def resolve(params: Params, buffer_bytes: int) -> Hardware:
    """The hardware of an engine that owns a buffer of ``buffer_bytes``.  Raises SpecError when a bank holds no tile, or too much."""
    bits = format_of(params.format).bits
    wide, tall = bits * params.cols, bits * params.rows
    sizes = (2 * wide, params.buffering * tall, params.buffering * tall, 2 * params.rows * params.cols, 2 * wide, STATE_BITS * params.cols)
    # Bits of buffer for one more word in each bank are whole / share.
    wholes = [sum(params.buffer_split) * size for size in sizes]
    depths = [8 * buffer_bytes * share // whole for share, whole in zip(params.buffer_split, wholes, strict=True)]
    for name, depth, minimum in zip("QKVMOS", depths, (1, 1, 1, 1, 1, STATE_OTHERS + 1), strict=True):
        if depth < minimum:
            raise SpecError(f"attention engine: a buffer of {buffer_bytes} bytes gives {name} {depth} words a bank, and a "
                            f"{params.rows}x{params.cols} array needs {minimum}; enlarge the buffer or its share")  # fmt: skip
    largest = min(((MAX_BANK_WORDS + 1) * whole - 1) // (8 * share) for share, whole in zip(params.buffer_split, wholes, strict=True))
    for name, depth in zip("QKVMOS", depths, strict=True):
        if depth > MAX_BANK_WORDS:
            raise SpecError(f"attention engine: a buffer of {buffer_bytes} bytes gives {name} {depth} words a bank, expected at "
                            f"most {MAX_BANK_WORDS}; the largest usable buffer has {largest} bytes")  # fmt: skip
    q, k, v, m, o, s = depths
    weight_bits = 0 if format_of(params.format).is_float else params.weight_bits
    return Hardware(params.rows, params.cols, params.format, params.degree, params.mac_latency, params.tiles, params.rescale,
                    params.threshold, weight_bits, params.buffer_words, params.port_bytes, params.outstanding, params.buffering,
                    q, k, v, m, o, s, params.slots, params.program_words)  # fmt: skip


# --- Micro-ops ------------------------------------------------------------------------------------------------------
#
# What a slot of the schedule starts.  With t the slot's cycle and L the mac_latency, PE (r, c) executes the 2D op in cycle
# t + r*L + c and lane c the 1D op in cycle t + c, counted from one origin, and every result is a register L cycles later.
# So what leaves the bottom row of a 2D op of slot t meets the 1D op of slot t + rows*L.
#
#   2D   qk e     sum = (e = 0 ? 0 : sum) + K*Q          poly k  next step of the exponential's polynomial; the last gives w
#        max      down = max(down, sum or, hidden, -inf)  sum     down = down + w
#        sub      sum - RM', which comes down the column  av f    down = down + w*V
#   1D   rmax     RM' from RM and what arrives            spd     split only: RD = RD*PRM
#        psub, ppoly k    PRM = 2^(RM - RM')              spnv f  split only: RNV[f] = RNV[f]*PRM
#        rd       RD = RD*PRM + arriving; split: RD + arriving        rnv f   RNV[f], likewise
#
# A tile that finishes executes rnv (out[f] = RNV[f]/RD into O) and, in its slot with ``divide``, starts the reciprocal of RD;
# all its other micro-ops are none.

OPS_2D = ("none", "qk", "max", "sub", "poly", "sum", "av")
OPS_1D = ("none", "rmax", "psub", "ppoly", "spd", "rd", "spnv", "rnv")
RETURN = 1
"""Cycles from RM' in a lane to its arrival at the top of the column, so that sub comes L + RETURN after rmax at the earliest."""
STATE = 2
"""Cycles that a word of state spends in its memory: a 1D op reads what another wrote L + STATE slots before, no earlier."""
RECIPROCAL = 28
"""Cycles from the slot that starts the reciprocal of RD to the first that may use it: serial, two bits of a quotient a cycle."""
SETTLE = 10
"""With column skew and L, cycles from a tile's last slot until all that it did is seen by the other units."""
STATE_RM, STATE_RD, STATE_OTHERS = 0, 1, 2
"""Words of state of a tile of queries: RM, RD, then RNV[0], RNV[1], ..."""

MOST_SHIFT = 24
"""Fraction bits of an int8 score."""

INDEX_BITS, STAGE_BITS = 12, 5
ENTRY: Layout = (("op2", 4), ("index2", INDEX_BITS), ("stage2", STAGE_BITS), ("op1", 4), ("index1", INDEX_BITS),
                 ("stage1", STAGE_BITS), ("divide", 1))  # fmt: skip
"""What starts in one slot of the period: of the tiles that entered so many periods ago (their stage).  index: e, f or k."""
ENTRY_BYTES = 8
ENTRIES = INSTRUCTION_BYTES // ENTRY_BYTES
"""Slots in one instruction of the schedule's stream."""


def schedule_words(entries: tuple[dict[str, int], ...]) -> bytes:
    """The instructions that hold these slots, the last one padded with slots in which nothing starts."""
    words = b"".join(pack(ENTRY, entry)[:ENTRY_BYTES] for entry in entries)
    return words + bytes(-len(words) % INSTRUCTION_BYTES)


def schedule_entries(words: bytes) -> tuple[dict[str, int], ...]:
    """The slots in whole instructions."""
    return tuple(unpack(ENTRY, words[at : at + ENTRY_BYTES]) for at in range(0, len(words), ENTRY_BYTES))


# --- Commands -------------------------------------------------------------------------------------------------------
#
# load fills Q, K, V and M, exec runs the arrays, store writes words of O as they are.  A fourth stream is no unit's: one
# `configure`, then the schedule's slots, ENTRIES to an instruction, `period` of them.

BUFFERS = ("Q", "K", "V", "M")
"""What a load fills; a store names buffer 0 and writes O."""
STREAMS = ("load", "exec", "store", "schedule")
_ISA = Isa(ISA_VERSION, {
    # `count` tiles, one a period: queries q, q + e, ... of Q, state words state, state + f + 2, ..., results o, o + f, ..., with
    # the bank of K and V that is in use.  first: RM is -inf, RD and RNV are 0; finish: RNV/RD goes to O; masked: by word
    # `pattern` of M.  swap_*: after its last tile has entered, later ones take the next bank (kv: of K and of V).
    "attend": (*HEAD, ("first", 1), ("finish", 1), ("masked", 1), ("swap_q", 1), ("swap_kv", 1), ("swap_m", 1), ("swap_o", 1),
               ("count", 16), ("q", ADDRESS_BITS), ("state", ADDRESS_BITS), ("o", ADDRESS_BITS), ("pattern", ADDRESS_BITS)),
    # e, f: sizes of a query's and a value's vector; shift: fraction bits of an int8 score; out_shift: of its requantisation.
    "configure": (*HEAD, ("period", 13), ("stages", STAGE_BITS), ("e", INDEX_BITS), ("f", INDEX_BITS), ("shift", 6), ("out_shift", 6)),
})  # fmt: skip
OPCODES, LAYOUTS = _ISA.opcodes, _ISA.layouts
instruction, decode = _ISA.instruction, _ISA.decode
