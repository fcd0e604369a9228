"""Arithmetic of bf16: fp32 sums, exponentials by multiply-adds that round to bf16 between two of them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from archmodel.records.engines.attention import Hardware
from archmodel.records.exponential import F_BITS, UP
from archmodel.records.formats import BF16, FP32

from ..floating import MultiplyAdd, added, wire

N_BITS = 8
STEPS = N_BITS + F_BITS
"""A power of two in steps of 2^-8: signed, of so many bits."""
ONE_BF16, ONE_FP32 = BF16.bias << BF16.mantissa_bits, FP32.bias << FP32.mantissa_bits
SIGN = 1 << 31


class Floating:
    """What elements and lanes of one engine compute.  p, w and PRM are bf16; a power is f, n and whether it is none."""

    lowest = FP32.infinity | SIGN
    power_bits = STEPS + 1
    weight_bits = BF16.bits
    factor_bits = FP32.bits

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        first, *rest = UP[hardware.degree]
        self.begin, self.coefficients = first >> FP32.bits - BF16.bits, tuple(rest)

    # -- both ----------------------------------------------------------------------------------------------------------

    def larger(self, m: Module, name: str, a: Any, b: Any) -> Value:
        """Whether a is above b in the total order of patterns."""
        return wire(m, name, _order(a) > _order(b))

    def power(self, m: Module, score: Any, maximum: Any) -> Value:
        """score - RM', rounded to fp32, then to steps of 2^-8, half up, and saturated."""
        return self._steps(m, wire(m, "difference", added(m, "difference", score, maximum ^ SIGN)))

    def _steps(self, m: Module, value: Any) -> Value:
        mantissa, field, sign = value[: FP32.mantissa_bits], value[FP32.mantissa_bits : 31], value[31]
        # Half steps, of which 2^(STEPS + 1) are beyond all n: floor(value * 2^9), then (halves + 1) >> 1.
        beyond = FP32.bias + N_BITS - 1
        spare = FP32.mantissa_bits - F_BITS - 1
        distance = Signal(5, name="distance")
        significand = wire(m, "significand", Cat(mantissa, field.any()))
        m.d.comb += distance.eq(Mux(field < FP32.bias - F_BITS - 2, 31, spare + FP32.bias - field))
        lost = wire(m, "lost", (significand & ((1 << distance) - 1)).any())
        halves, steps = Signal(signed(STEPS + 2), name="halves"), Signal(signed(STEPS + 2), name="steps")
        size = wire(m, "size", (significand >> distance)[: STEPS + 1] + (sign & lost))
        m.d.comb += [halves.eq(Mux(sign, -size, size)), steps.eq((halves + 1) >> 1)]
        most = (1 << STEPS - 1) - 1
        kept = Mux(sign, Mux(field >= beyond, -most - 1, steps), Mux((field >= beyond) | (steps > most), most, steps))
        return Cat(wire(m, "kept", kept[:STEPS]), wire(m, "no_number", field.all() & mantissa.any()))

    def _weight(self, m: Module, p: Any, power: Any, hidden: Any) -> Value:
        """p * 2^n: below the smallest normal number +0, beyond the largest infinity."""
        exponent = Signal(signed(N_BITS + 2), name="exponent")
        m.d.comb += exponent.eq(p[BF16.mantissa_bits : 15] + power[F_BITS:STEPS].as_signed())
        finite = Mux(exponent < 1, 0, Mux(exponent > 254, BF16.infinity, Cat(p[: BF16.mantissa_bits], exponent[:8])))
        return wire(m, "weight", Mux(hidden, 0, Mux(power[STEPS], BF16.nan, finite)))

    # -- an element ----------------------------------------------------------------------------------------------------

    def element(self, m: Module, op: Any, k: Any, q: Any, down: Any, held: Any) -> tuple[Any, Any]:
        """(sum, next p or w).  op: decoded micro-op and first, last; held: the context."""
        m.submodules.multiply_add = unit = MultiplyAdd(BF16, BF16)
        with m.If(op.qk):
            m.d.comb += [unit.x.eq(k), unit.y.eq(q), unit.addend.eq(Mux(op.first, 0, held.score))]
        with m.Elif(op.poly):
            m.d.comb += [unit.x.eq(Mux(op.first, self.begin, held.weight)), unit.y.eq(fraction(m, held.power[:F_BITS])),
                         unit.addend.eq(down)]  # fmt: skip
        with m.Else():
            m.d.comb += [unit.x.eq(held.weight), unit.y.eq(Mux(op.sum, ONE_BF16, Mux(held.hidden, 0, k))), unit.addend.eq(down)]
        p = narrow(m, "p", unit.result)
        return unit.result, Mux(op.last, self._weight(m, p, held.power, held.hidden), p)

    # -- a lane --------------------------------------------------------------------------------------------------------

    def exceeds(self, m: Module, local: Any, running: Any) -> Value:
        """Whether the maximum that arrives exceeds the running one by more than the threshold."""
        level = running
        if self.hardware.threshold:
            level = wire(m, "level", added(m, "level", running, Const(_single(self.hardware.threshold), 32)))
        return self.larger(m, "exceeds", local, level)

    def lane(self, m: Module, op: Any, state: Any, arriving: Any, coefficient: Any, held: Any) -> tuple[Any, Any, Any]:
        """(state, next p or PRM, result).  p and PRM stand as fp32."""
        m.submodules.multiply_add = unit = MultiplyAdd(FP32, FP32)
        adds = op.add if self.hardware.rescale == "split" else 0
        # A product alone is one plus a zero of its own sign.
        zero = Mux(op.finish, SIGN, 0)
        with m.If(op.poly):
            m.d.comb += [unit.x.eq(Mux(op.begin, self.begin << 16, held.factor)), unit.y.eq(fraction(m, held.power[:F_BITS]) << 16),
                         unit.addend.eq(coefficient)]  # fmt: skip
        with m.Else():
            m.d.comb += [unit.x.eq(state), unit.y.eq(Mux(adds, ONE_FP32, held.factor)), unit.addend.eq(Mux(op.add, arriving, zero))]
        p = narrow(m, "p", unit.result)
        factor = Mux(op.last, self._weight(m, p, held.power, held.running == self.lowest), p)
        return unit.result, Cat(Const(0, 16), factor[:16]), p


def fraction(m: Module, f: Any) -> Value:
    """The bf16 of f * 2^-8, exactly."""
    result = Signal(BF16.bits, name="fraction")
    for top in range(F_BITS):
        with m.If(f[top]):
            field = BF16.bias - F_BITS + top
            m.d.comb += result.eq(Cat((f << F_BITS - 1 - top)[: BF16.mantissa_bits], Const(field, 8)))
    return result


def narrow(m: Module, name: str, value: Any) -> Value:
    """The bf16 nearest to an fp32 that is the only NaN or none, half to even: with one range of exponents, a sum of integers."""
    return wire(m, name, ((value + 0x7FFF + value[16])[:32] >> 16)[:16])


def _order(bits: Any) -> Value:
    """Unsigned integers in the order of the fp32 that patterns stand for."""
    return Mux(bits[31], ~bits, bits ^ SIGN)


def _single(value: int) -> int:
    """The fp32 of a small positive integer."""
    exponent = value.bit_length() - 1
    return (FP32.bias + exponent << FP32.mantissa_bits) + (value << FP32.mantissa_bits - exponent) - (1 << FP32.mantissa_bits)
