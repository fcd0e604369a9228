"""Floating point as combinational logic: decode, multiply, add, round; for every format of ``archmodel.records.formats``.

A number on its way is a ``Number``: exact, not normalised.  ``total`` keeps as many bits below as a later rounding can ask
for, and one more that says whether there was anything below those.  ``rounded`` is the only place where bits are lost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from archmodel.records.formats import FP32, Format


class Number(NamedTuple):
    """(-1)^sign times ``significand``, whose top bit weighs 2^exponent; unless ``nan`` or ``infinite``.

    leading  zeros that a significand other than 0 may begin with where the exponent is above the least of fp32
    """

    sign: Any
    exponent: Any
    significand: Any
    nan: Any
    infinite: Any
    leading: int = 0


def wire(m: Module, name: str, value: Any) -> Signal:
    """``value`` as a signal of that name."""
    signal = Signal(Value.cast(value).shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


def decoded(m: Module, name: str, bits: Any, known: Format) -> Number:
    """The number that ``bits`` are."""
    mantissa, field = bits[: known.mantissa_bits], bits[known.mantissa_bits : known.bits - 1]
    normal, top = wire(m, f"{name}_normal", field.any()), field.all()
    exponent = wire(m, f"{name}_exponent", Mux(normal, field, 1) - known.bias)
    nan, infinite = (mantissa.any(), ~mantissa.any()) if known.has_infinity else (mantissa.all(), Const(0, 1))
    # A subnormal of a wide-ranging format lies at fp32's least exponent; the product of two may begin with all but one bit 0.
    return Number(bits[known.bits - 1], exponent, Cat(mantissa, normal), wire(m, f"{name}_nan", top & nan),
                  wire(m, f"{name}_infinite", top & infinite), known.mantissa_bits)  # fmt: skip


def product(m: Module, name: str, a: Number, b: Number) -> Number:
    """The exact product.  Infinity times zero is NaN."""
    zero = [~factor.significand.any() & ~factor.infinite for factor in (a, b)]
    nan = a.nan | b.nan | (a.infinite & zero[1]) | (b.infinite & zero[0])
    return Number(
        wire(m, f"{name}_sign", a.sign ^ b.sign), wire(m, f"{name}_exponent", a.exponent + b.exponent + 1),
        wire(m, f"{name}_significand", a.significand * b.significand), wire(m, f"{name}_nan", nan),
        wire(m, f"{name}_infinite", a.infinite | b.infinite), a.leading + b.leading + 1,
    )  # fmt: skip


def zero(sign: Any, known: Format) -> Number:
    """What, added, changes no number of that sign, and takes it to the least exponent of ``known`` if it lies below."""
    return Number(sign, Const(known.least_exponent), Const(0, 1), Const(0, 1), Const(0, 1))


def total(m: Module, name: str, a: Number, b: Number, guard: int) -> Number:
    """a + b, exact but for a last bit that stands for all below it.  Opposite infinities are NaN, opposite numbers +0.

    b      its exponent is at least that of the result's subnormals, where it must be if b is not normalised
    guard  bits kept below the longer significand: two more than the zeros that a may begin with
    """
    width = max(len(a.significand), len(b.significand)) + guard
    left, right = (Cat(Const(0, width - len(n.significand)), n.significand) for n in (a, b))
    swap = wire(m, f"{name}_swap", ~((a.exponent > b.exponent) & a.significand.any()))
    large, small = wire(m, f"{name}_large", Mux(swap, right, left)), wire(m, f"{name}_small", Mux(swap, left, right))
    above, below = (Mux(swap, b.exponent, a.exponent), Mux(swap, a.exponent, b.exponent))
    exponent = wire(m, f"{name}_above", above)
    distance = wire(m, f"{name}_distance", (exponent - below).as_unsigned())
    # Bits of the small one that fall off: its lowest `distance` bits.
    remaining = Signal(range(width + 1), name=f"{name}_remaining")
    m.d.comb += remaining.eq(Mux(distance < width, width - distance, 0))
    sticky = wire(m, f"{name}_sticky", (small & (Const((1 << width) - 1, width) >> remaining)).any())
    aligned = wire(m, f"{name}_aligned", Cat(sticky, small >> distance))
    differ = wire(m, f"{name}_differ", a.sign ^ b.sign)
    difference = wire(m, f"{name}_difference", Cat(Const(0, 1), large) - aligned)
    negative = wire(m, f"{name}_negative", differ & difference[-1])
    magnitude = Signal(width + 2, name=f"{name}_magnitude")
    m.d.comb += magnitude.eq(Mux(differ, Mux(negative, -difference, difference), Cat(Const(0, 1), large) + aligned))
    sign = Mux(a.infinite, a.sign, Mux(b.infinite, b.sign,
               Mux(magnitude.any(), Mux(swap, b.sign, a.sign) ^ negative, a.sign & b.sign)))  # fmt: skip
    return Number(wire(m, f"{name}_sign", sign), wire(m, f"{name}_exponent", exponent + 1), magnitude,
                  wire(m, f"{name}_nan", a.nan | b.nan | (a.infinite & b.infinite & differ)),
                  wire(m, f"{name}_infinite", a.infinite | b.infinite))  # fmt: skip


def rounded(m: Module, name: str, number: Number, known: Format) -> Value:
    """The bits of ``known`` nearest to ``number``, half to even.  Its exponent is at least ``known``'s least."""
    significand, exponent = number.significand, number.exponent
    width, digits = len(significand), known.mantissa_bits + 1
    spare = wire(m, f"{name}_spare", (exponent - known.least_exponent).as_unsigned())
    for power in reversed(range(ceil_log2(width))):
        step = 1 << power
        moves = wire(m, f"{name}_moves{step}", ~significand[width - step :].any() & (spare >= step))
        significand = wire(m, f"{name}_moved{step}", Mux(moves, Cat(Const(0, step), significand[: width - step]), significand))
        spare = wire(m, f"{name}_spare{step}", Mux(moves, spare - step, spare)[: len(spare)])
    kept, half, rest = significand[width - digits :], significand[width - digits - 1], significand[: width - digits - 1]
    up = wire(m, f"{name}_up", half & (rest.any() | kept[0]))
    # A subnormal has field 0.  A carry out of the mantissa is the next exponent, and out of the subnormals the first normal.
    field = wire(m, f"{name}_field", Mux(kept[-1], spare + 1, 0))
    packed = wire(m, f"{name}_packed", Cat(kept[: digits - 1], field) + up)
    most = known.largest if known.saturates else known.infinity
    over = wire(m, f"{name}_over", number.infinite | (packed > known.largest))
    finite = Mux(over, most, packed[: known.bits - 1])
    return Mux(number.nan, known.nan, Cat(finite[: known.bits - 1], number.sign))


def added(m: Module, name: str, a: Any, b: Any) -> Value:
    """The fp32 sum of fp32 ``a`` and ``b``."""
    numbers = [decoded(m, f"{name}_{side}", bits, FP32) for side, bits in (("a", a), ("b", b))]
    return rounded(m, name, total(m, name, numbers[0], numbers[1], guard=2), FP32)


def converted(m: Module, name: str, number: Number, known: Format) -> Value:
    """``number`` in another format."""
    return rounded(m, name, total(m, name, number, zero(number.sign, known), guard=2), known)


class MultiplyAdd(wiring.Component):
    """`result` is the exact product of `x` and `y` plus the fp32 `addend`, rounded to fp32 once."""

    def __init__(self, x: Format, y: Format) -> None:
        self.formats = x, y
        super().__init__({"x": In(x.bits), "y": In(y.bits), "addend": In(FP32.bits), "result": Out(FP32.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x, y = (decoded(m, name, bits, known) for name, bits, known in zip("xy", (self.x, self.y), self.formats, strict=True))
        exact = product(m, "product", x, y)
        whole = total(m, "sum", exact, decoded(m, "addend", self.addend, FP32), guard=exact.leading + 2)
        m.d.comb += self.result.eq(rounded(m, "sum", whole, FP32))
        return m
