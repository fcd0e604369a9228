"""One lane of the way out.

Integers: (value + bias) times multiplier, shifted, rounded half to even, saturated to int8.  Floating point: value + bias
and its product with the scale, each rounded to fp32, then converted.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES
from archmodel.records.formats import FP32, Format

from .floating import added, converted, decoded, product, wire


def quantised(m: Module, product: Signal, shift: Value) -> Value:
    """``product``, signed 64 bits, shifted right, rounded half to even and saturated to int8."""
    quotient = Signal(signed(64))
    rest, unit, half = Signal(64, name="rest"), Signal(64, name="unit"), Signal(64, name="half")
    rounded = Signal(signed(65))
    m.d.comb += [
        quotient.eq(product >> shift),
        rest.eq(product.as_unsigned() & (unit - 1)),
        unit.eq(1 << shift),
        half.eq(unit >> 1),
        rounded.eq(quotient + ((shift != 0) & ((rest > half) | ((rest == half) & quotient[0])))),
    ]  # fmt: skip
    return Mux(rounded > 127, 127, Mux(rounded < -128, -128, rounded))


class Requantizer(wiring.Component):
    """`result` belongs to the value of one enabled cycle earlier.

    parameters: int32 bias, then uint31 multiplier, then uint6 shift, each in 32 bits.
    """

    def __init__(self) -> None:
        super().__init__({"enable": In(1), "value": In(signed(32)), "parameters": In(8 * OUTPUT_PARAMETER_BYTES), "result": Out(signed(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bias, multiplier = self.parameters[:32].as_signed(), self.parameters[32:63]
        product, shift = Signal(signed(64), name="product"), Signal(6, name="shift")
        with m.If(self.enable):
            m.d.sync += [product.eq((self.value + bias) * multiplier), shift.eq(self.parameters[64:70])]
        m.d.comb += self.result.eq(quantised(m, product, shift))
        return m


class FloatRequantizer(wiring.Component):
    """`result` belongs to the value of one enabled cycle earlier.

    parameters: fp32 bias, then fp32 scale, then 32 bits that nobody reads.
    """

    def __init__(self, result: Format) -> None:
        self.format = result
        super().__init__({"enable": In(1), "value": In(32), "parameters": In(8 * OUTPUT_PARAMETER_BYTES), "result": Out(result.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        biased, scale = Signal(32, name="biased"), Signal(32, name="scale")
        total = wire(m, "total", added(m, "total", self.value, self.parameters[:32]))
        with m.If(self.enable):
            m.d.sync += [biased.eq(total), scale.eq(self.parameters[32:64])]
        exact = product(m, "product", decoded(m, "biased", biased, FP32), decoded(m, "scale", scale, FP32))
        scaled = wire(m, "scaled", converted(m, "scaled", exact, FP32))
        m.d.comb += self.result.eq(converted(m, "narrow", decoded(m, "wide", scaled, FP32), self.format))
        return m
