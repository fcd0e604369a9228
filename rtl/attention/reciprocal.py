"""A lane's serial divider: two bits of the quotient a cycle, restoring."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.attention import Hardware
from archmodel.records.formats import FP32

from ..floating import Number, decoded, rounded, total, wire, zero

RECIPROCAL_POWER = 30
"""Fixed point: the reciprocal of RD has weight_bits + 30 fraction bits."""
FIXED_BITS = 31
SIGNIFICAND = FP32.mantissa_bits + 1
QUOTIENT_BITS = SIGNIFICAND + 2


class Reciprocal(wiring.Component):
    """`done` is high in one cycle, at most 26 after `start`, and `result` belongs to it.

    Floating point: 1 / value rounded once, 0 of a zero or subnormal value.  Fixed point: floor(2^(weight_bits + 30) / value),
    at most 2^31 - 1, and 0 where the value is not above 0.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        # Numerator 2^power: its 1 is the first remainder, and the quotient's bits follow, one for each 0.
        power = 2 * SIGNIFICAND if hardware.is_float else hardware.weight_bits + RECIPROCAL_POWER
        self.cycles, self.odd = -(-power // 2), power % 2
        self.power = power
        super().__init__({"start": In(1), "value": In(32), "done": Out(1), "result": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal(32, name="kept")
        divisor = kept[:FIXED_BITS]
        if self.hardware.is_float:
            divisor = Cat(kept[: FP32.mantissa_bits], 1)
        rest, quotient = Signal(len(divisor), name="rest"), Signal(self.power + 2, name="quotient")
        left = Signal(range(self.cycles + 1), name="left")
        running = wire(m, "running", left != 0)
        remainder, bits = rest, list[Signal]()
        for digit in (1, 0):
            twice = wire(m, f"twice{digit}", Cat(0, remainder))
            takes = wire(m, f"takes{digit}", twice >= divisor)
            bits.insert(0, takes)
            remainder = wire(m, f"remainder{digit}", Mux(takes, twice - divisor, twice)[: len(divisor)])
        with m.If(self.start):
            m.d.sync += [kept.eq(self.value), left.eq(self.cycles), rest.eq(1), quotient.eq(0)]
        with m.Elif(running):
            m.d.sync += [left.eq(left - 1), rest.eq(remainder), quotient.eq(Cat(*bits, quotient))]
        ended = Signal(name="ended")
        m.d.sync += ended.eq(left == 1)
        m.d.comb += self.done.eq(ended)
        (self._float if self.hardware.is_float else self._fixed)(m, kept, quotient, rest)
        return m

    def _fixed(self, m: Module, kept: Signal, quotient: Signal, rest: Signal) -> None:
        whole = quotient >> self.odd
        most = (1 << FIXED_BITS) - 1
        m.d.comb += self.result.eq(Mux(kept.as_signed() <= 0, 0, Mux(whole > most, most, whole)))

    def _float(self, m: Module, kept: Signal, quotient: Signal, rest: Signal) -> None:
        """1 / (s * 2^e) with s from 1 below 2 is the quotient, from 1/2 to 1, times 2^-e."""
        number = decoded(m, "value", kept, FP32)
        finite = ~number.nan & ~number.infinite
        sticky = wire(m, "inverse_sticky", rest.any())
        inverse = Number(number.sign, wire(m, "inverse_exponent", -number.exponent),
                         wire(m, "inverse_significand", Mux(finite, Cat(sticky, quotient[:QUOTIENT_BITS]), 0)),
                         number.nan, 0, 1)  # fmt: skip
        whole = total(m, "inverse", inverse, zero(number.sign, FP32), guard=inverse.leading + 2)
        empty = ~kept[FP32.mantissa_bits : 31].any()
        m.d.comb += self.result.eq(Mux(empty, 0, rounded(m, "inverse", whole, FP32)))
