"""Arithmetic of int8: sums of 32 bits that wrap, exponentials and weights in fixed point."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.utils import ceil_log2

from archmodel.records.engines.attention import Hardware
from archmodel.records.exponential import DOWN, FRACTION, P_FRACTION

from ..floating import wire
from ..requantizer import quantised

SPARE = FRACTION - P_FRACTION
"""Fraction bits that a coefficient has beyond a step of the polynomial."""
P_BITS = P_FRACTION + 2
"""A step of the polynomial, signed: |p| <= 1."""
HALF = 1 << P_FRACTION - 1
LARGEST_N = 63
N_BITS = 7
SUM = signed(32)


class Fixed:
    """What elements and lanes of one engine compute; `shift` and `out_shift` are signals that hold still."""

    lowest = 1 << 31
    power_bits = P_FRACTION + N_BITS

    def __init__(self, hardware: Hardware, shift: Any, out_shift: Any) -> None:
        self.hardware, self.shift, self.out_shift = hardware, shift, out_shift
        coefficients = DOWN[hardware.degree]
        self.begin, self.coefficients = coefficients[0] >> SPARE, tuple(c & 0xFFFFFFFF for c in coefficients[1:])
        self.weight_bits = max(P_BITS, hardware.weight_bits + hardware.threshold + 2)
        self.factor_bits = max(32, P_FRACTION + hardware.threshold + 2)

    # -- both ----------------------------------------------------------------------------------------------------------

    def larger(self, m: Module, name: str, a: Any, b: Any) -> Value:
        """Whether a is above b."""
        return wire(m, name, a.as_signed() > b.as_signed())

    def power(self, m: Module, score: Any, maximum: Any) -> Value:
        """RM' - score as n + f: f of 16 bits, then n from -threshold to 63."""
        difference = Signal(SUM, name="difference")
        steps = Signal(signed(32 + P_FRACTION), name="steps")
        m.d.comb += [difference.eq(maximum.as_signed() - score.as_signed()), steps.eq((difference << P_FRACTION) >> self.shift)]
        whole, least = steps[P_FRACTION:].as_signed(), -self.hardware.threshold
        n = Signal(signed(N_BITS), name="n")
        m.d.comb += n.eq(Mux(whole < least, least, Mux(whole > LARGEST_N, LARGEST_N, whole)))
        return Cat(steps[:P_FRACTION], n)

    def _step(self, m: Module, product: Any, coefficient: Any) -> Value:
        step = Signal(signed(P_BITS + P_FRACTION + 2), name="step")
        m.d.comb += step.eq(product + (coefficient.as_signed() << P_FRACTION - SPARE) + HALF)
        return step[P_FRACTION : P_FRACTION + P_BITS].as_signed()

    def _scaled(self, m: Module, p: Any, power: Any, bits: int, name: str) -> Value:
        """p * 2^-n, which has 16 fraction bits, with ``bits`` of them, rounded half up."""
        left = max(0, self.hardware.threshold + bits - P_FRACTION)
        none = P_FRACTION + 2 + left
        distance = Signal(signed(N_BITS + 2), name=f"{name}_distance")
        limited = Signal(range(none + 1), name=f"{name}_limited")
        wide = Signal(none + 1, name=f"{name}_wide")
        m.d.comb += [
            distance.eq(power[P_FRACTION:].as_signed() + (P_FRACTION - bits + left)),
            limited.eq(Mux(distance > none, none, distance.as_unsigned())),
            wide.eq(Cat(p[: P_FRACTION + 1]) << left),
        ]  # fmt: skip
        result = Signal(bits + self.hardware.threshold + 1, name=name)
        m.d.comb += result.eq((wide + ((1 << limited) >> 1)) >> limited)
        return result

    # -- an element ----------------------------------------------------------------------------------------------------

    def element(self, m: Module, op: Any, k: Any, q: Any, down: Any, held: Any) -> tuple[Any, Any]:
        """(sum, next p or w).  op: decoded micro-op and first, last; held: the context."""
        a = Signal(signed(self.weight_bits), name="a")
        b = Signal(signed(P_FRACTION + 1), name="b")
        with m.If(op.poly):
            m.d.comb += [a.eq(Mux(op.first, self.begin, held.weight.as_signed())), b.eq(held.power[:P_FRACTION])]
        with m.Elif(op.qk):
            m.d.comb += [a.eq(k.as_signed()), b.eq(q.as_signed())]
        with m.Else():
            m.d.comb += [a.eq(held.weight.as_signed()), b.eq(Mux(op.sum, 1, k.as_signed()))]
        product = Signal(signed(self.weight_bits + P_FRACTION + 1), name="product")
        total = Signal(SUM, name="total")
        m.d.comb += [product.eq(a * b), total.eq(Mux(op.qk, Mux(op.first, 0, held.score), down).as_signed() + product)]
        step = self._step(m, product, down)
        weight = self._scaled(m, step, held.power, self.hardware.weight_bits, "weight")
        return total, Mux(op.last, Mux(held.hidden, 0, weight), step)

    # -- a lane --------------------------------------------------------------------------------------------------------

    def exceeds(self, m: Module, local: Any, running: Any) -> Value:
        """Whether the maximum that arrives exceeds the running one by more than the threshold."""
        level = Signal(signed(35), name="level")
        m.d.comb += level.eq(running.as_signed() + (self.hardware.threshold << self.shift[: ceil_log2(32)]))
        return wire(m, "exceeds", local.as_signed() > level)

    def lane(self, m: Module, op: Any, state: Any, arriving: Any, coefficient: Any, held: Any) -> tuple[Any, Any, Any]:
        """(state, next p or PRM, result).  PRM has 16 fraction bits, the reciprocal is whole."""
        split = self.hardware.rescale == "split"
        a, b = Signal(signed(33), name="a"), Signal(signed(self.factor_bits), name="b")
        adds = op.add if split else 0
        m.d.comb += [a.eq(Mux(op.poly, Mux(op.begin, self.begin, held.factor.as_signed()), state.as_signed())),
                     b.eq(Mux(op.poly, held.power[:P_FRACTION], Mux(adds, 1 << P_FRACTION, held.factor.as_signed())))]  # fmt: skip
        product = Signal(signed(64), name="product")
        total = Signal(SUM, name="total")
        m.d.comb += [product.eq(a * b), total.eq(((product + HALF) >> P_FRACTION) + Mux(op.add, arriving.as_signed(), 0))]
        step = self._step(m, product, coefficient)
        hidden = held.running == self.lowest
        factor = Mux(op.last, Mux(hidden, 0, self._scaled(m, step, held.power, P_FRACTION, "rescale")), step)
        return total, factor, quantised(m, product, self.out_shift)
