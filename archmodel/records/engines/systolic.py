"""Systolic engine: parameters, the hardware they resolve to, and the layout of its commands.

Names of the two operand streams and of the result, whatever the dataflow:

    X   words of ``rows`` elements, enter the array from the left
    Y   words of ``cols`` elements, enter from the top
    Z   words of ``cols`` accumulators, leave at the bottom
    P   words of ``cols`` output parameters (bias, multiplier, shift; or bias, scale, unused), read on the way out

    dataflow   stays in the PE   X lane, index   Y lane, index   Z lane, index
    ws         B[k,n]            A: k, m         B: n, k         n, m
    is         A[m,k]            B: k, n         A: m, k         m, n
    os         C[m,n]            A: m, k         B: n, k         n, m
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Annotated

from ..base import OneOf, SpecError, Within, check_fields
from ..commands import ADDRESS_BITS, HEAD, Isa
from ..formats import FLOATS, Format, format_of

TYPE = "systolic"
ISA_VERSION = 2
DATAFLOWS = ("ws", "is", "os")
MAX_BANK_WORDS = 1 << 18
MAX_OUTSTANDING = 255
Share = Annotated[int, Within(1, 1 << 20)]
OUTPUT_PARAMETER_BYTES = 12
"""Per channel: int32 bias, uint31 multiplier, uint6 shift in a word of its own; of a floating-point engine fp32 bias, fp32
scale, and a word that nobody reads."""
SUM_BITS = 32
"""An accumulator: int32, or fp32."""


@dataclass(frozen=True)
class Params:
    """What a machine's description says of a systolic engine.

    rows          of processing elements: elements of a word that enters from the left
    cols          of processing elements: elements of a word that enters from the top
    dataflows     that the array can switch between: what stays in it is the weight (ws), the input (is), the output (os)
    act           number format of activations and of requantised results
    weight        number format of weights: integers beside int8, floating point beside floating point
    port_bytes    bytes of one beat of the memory port; divides every buffer word
    outstanding   requests (each one buffer word) in flight at the port
    buffering     banks of every buffer: 1, or 2 (double buffering)
    buffer_split  shares of the buffer for X, Y, Z and P, in any unit
    program_words instructions that each of the three sequencers holds
    overflow      refuse products so deep that a 32-bit accumulator could overflow, or let it wrap
    """

    rows: Annotated[int, Within(2, 256)]
    cols: Annotated[int, Within(2, 256)]
    dataflows: tuple[Annotated[str, OneOf(DATAFLOWS)], ...] = ("ws",)
    act: Annotated[str, OneOf(("int8", *FLOATS))] = "int8"
    weight: Annotated[str, OneOf(("int4", "int8", *FLOATS))] = "int8"
    port_bytes: Annotated[int, Within(1, 256)] = 16
    outstanding: Annotated[int, Within(1, MAX_OUTSTANDING)] = 16
    buffering: Annotated[int, Within(1, 2)] = 2
    buffer_split: tuple[Share, Share, Share, Share] = (3, 3, 8, 2)
    program_words: Annotated[int, Within(16, 4096)] = 512
    overflow: Annotated[str, OneOf(("refuse", "wrap"))] = "refuse"

    def __post_init__(self) -> None:
        check_fields(self, "systolic engine")
        if not self.dataflows:
            raise SpecError("systolic engine: found no dataflow, expected some of ws, is, os")
        if len(set(self.dataflows)) < len(self.dataflows):
            raise SpecError(f"systolic engine: dataflows {', '.join(self.dataflows)}, expected each once")
        if len(self.buffer_split) != 4:
            raise SpecError("systolic engine: buffer_split needs four shares")
        if format_of(self.act).is_float != format_of(self.weight).is_float:
            raise SpecError(f"systolic engine: act {self.act} beside weight {self.weight}, expected two integer formats or two of "
                            f"{', '.join(FLOATS)}")  # fmt: skip
        if len({self.operands(flow) for flow in self.dataflows}) > 1:
            others = ", ".join(flow for flow in self.dataflows if flow != "is")
            raise SpecError(f"systolic engine: act {self.act} and weight {self.weight}, expected one format where dataflow is stands "
                            f"beside ws or os; dataflows: [{others}] would do")  # fmt: skip
        whole = gcd(*(bits * lanes for bits, lanes, _ in self.words()))
        for bits, lanes, what in self.words():
            if bits * lanes % (8 * self.port_bytes):
                raise SpecError(f"systolic engine: port_bytes {self.port_bytes} does not divide the {what} word "
                                f"of {bits * lanes / 8:g} bytes, expected {_beats(whole)}")  # fmt: skip

    def operands(self, dataflow: str) -> tuple[str, str]:
        """Formats of X and Y."""
        return (self.weight, self.act) if dataflow == "is" else (self.act, self.weight)

    def words(self) -> tuple[tuple[int, int, str], ...]:
        """(bits, lanes, name) of every word that crosses the memory port."""
        x, y = (format_of(name).bits for name in self.operands(self.dataflows[0]))
        return ((x, self.rows, "X"), (y, self.cols, "Y"), (SUM_BITS, self.cols, "Z"),
                (format_of(self.act).bits, self.cols, f"{self.act} result"), (8 * OUTPUT_PARAMETER_BYTES, self.cols, "P"))  # fmt: skip


@dataclass(frozen=True)
class Hardware:
    """All that the generated hardware depends on; ``Params`` with the buffer's depths worked out in words per bank."""

    rows: int
    cols: int
    dataflows: tuple[str, ...]
    x_format: str
    y_format: str
    port_bytes: int
    outstanding: int
    banks: int
    x_words: int
    y_words: int
    z_words: int
    p_words: int
    program_words: int

    @property
    def x(self) -> Format:
        return format_of(self.x_format)

    @property
    def y(self) -> Format:
        return format_of(self.y_format)

    @property
    def result(self) -> Format:
        """Of requantised results: that of the activations."""
        return self.y if self.dataflows == ("is",) else self.x

    @property
    def is_float(self) -> bool:
        return self.x.is_float

    @property
    def x_bits(self) -> int:
        return self.x.bits

    @property
    def y_bits(self) -> int:
        return self.y.bits

    @property
    def has_operand_stationary(self) -> bool:
        return "ws" in self.dataflows or "is" in self.dataflows

    @property
    def has_output_stationary(self) -> bool:
        return "os" in self.dataflows

    def beats(self, buffer: str) -> int:
        """Beats of the memory port in one word: of X, Y, Z, P or Q (a requantised Z word)."""
        bits = {"X": self.x_bits * self.rows, "Y": self.y_bits * self.cols, "Z": SUM_BITS * self.cols,
                "Q": self.result.bits * self.cols, "P": 8 * OUTPUT_PARAMETER_BYTES * self.cols}[buffer]  # fmt: skip
        return bits // (8 * self.port_bytes)

    def depth(self, buffer: str) -> int:
        return {"X": self.x_words, "Y": self.y_words, "Z": self.z_words, "P": self.p_words}[buffer]


def _beats(bits: int) -> str:
    """What port_bytes may be, where all words are multiples of ``bits``."""
    return "words of whole bytes" if bits % 8 else f"a divisor of {bits // 8}"


def resolve(params: Params, buffer_bytes: int) -> Hardware:
    """The hardware of an engine that owns a buffer of ``buffer_bytes``.  Raises SpecError when a bank holds no tile, or too much."""
    (x_bits, *_), (y_bits, *_) = params.words()[0], params.words()[1]
    word_bytes = (params.rows * x_bits // 8, params.cols * y_bits // 8, params.cols * 4, params.cols * OUTPUT_PARAMETER_BYTES)
    # Bytes of buffer for one more word in each bank are whole / share.
    wholes = [sum(params.buffer_split) * params.buffering * size for size in word_bytes]
    depths = [buffer_bytes * share // whole for share, whole in zip(params.buffer_split, wholes, strict=True)]
    # The smallest tile of each dataflow, so that every product has one that fits.
    tiles = {"ws": (1, params.rows, 1), "is": (params.cols, params.rows, params.cols), "os": (1, 1, params.rows)}
    least = (*(max(sizes) for sizes in zip(*(tiles[flow] for flow in params.dataflows), strict=True)), 1)
    for name, depth, minimum in zip("XYZP", depths, least, strict=True):
        if depth < minimum:
            raise SpecError(f"systolic engine: a buffer of {buffer_bytes} bytes gives {name} {depth} words a bank, "
                            f"and a {params.rows}x{params.cols} array needs {minimum}; enlarge the buffer or its share")  # fmt: skip
    largest = min(((MAX_BANK_WORDS + 1) * whole - 1) // share for share, whole in zip(params.buffer_split, wholes, strict=True))
    for name, depth in zip("XYZP", depths, strict=True):
        if depth > MAX_BANK_WORDS:
            raise SpecError(f"systolic engine: a buffer of {buffer_bytes} bytes gives {name} {depth} words a bank, expected at "
                            f"most {MAX_BANK_WORDS}; the largest usable buffer has {largest} bytes")  # fmt: skip
    x, y, z, p = depths
    return Hardware(params.rows, params.cols, tuple(sorted(params.dataflows)), *params.operands(params.dataflows[0]), params.port_bytes,
                    params.outstanding, params.buffering, x, y, z, p, params.program_words)  # fmt: skip


# --- Commands -------------------------------------------------------------------------------------------------------
#
# load fills X, Y, Z and P, exec runs the array, store writes words of Z, raw or requantised to the format of the activations.

BUFFERS = ("X", "Y", "Z", "P")
_ISA = Isa(ISA_VERSION, {
    # outer x inner folds, each a stream of `t` words; x0, y0, z0 step the base per inner and x1, y1, z1 per outer fold.
    # idle: bottom rows that the last outer folds leave without work (ws and is of floating point; 0 elsewhere).
    "exec": (*HEAD, ("output", 1), ("acc_first", 1), ("acc_rest", 1), ("swap_x", 1), ("swap_y", 1), ("swap_z", 1),
             ("t", ADDRESS_BITS), ("outer", 16), ("inner", 16),
             *((f"{b}{s}", ADDRESS_BITS) for b in "xyz" for s in ("", "0", "1")), ("idle", 8)),
})  # fmt: skip
OPCODES, LAYOUTS = _ISA.opcodes, _ISA.layouts
instruction, decode = _ISA.instruction, _ISA.decode
