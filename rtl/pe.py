"""One processing element, for every dataflow.

The X operand moves right, the Y operand and the sums move down, each one element a cycle.

    operand-stationary (ws, is)   Y words pass by until `capture` takes this row's into `shadow`; the first X of a fold
                                  makes it the `active` one.  The sum that comes from above leaves below, product added.
    output-stationary (os)        X times Y adds up in `total`; with the last X it moves to `held`, and `insert` puts it
                                  into the stream of sums.  `insert` moves down one row every two cycles and sums one a
                                  cycle, so that the rows' results follow each other without a gap.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import SUM_BITS
from archmodel.records.formats import Format

from .floating import MultiplyAdd

NAME = "archmodel_pe"


class ProcessingElement(wiring.Component):
    """``operand`` and ``output`` say which dataflows it must serve; `mode` (1 is output-stationary) picks one of both.

    Integers and floating point differ in the multiply-add alone; sums are int32 or the bits of fp32.
    """

    def __init__(self, x: Format, y: Format, operand: bool, output: bool) -> None:
        self.operand, self.output, self.formats = operand, output, (x, y)
        x_bits, y_bits = x.bits, y.bits
        super().__init__({
            "mode": In(1),
            "x_in": In(signed(x_bits)), "x_out": Out(signed(x_bits)),
            "valid_in": In(1), "valid_out": Out(1), "first_in": In(1), "first_out": Out(1), "last_in": In(1), "last_out": Out(1),
            "y_in": In(signed(y_bits)), "y_out": Out(signed(y_bits)), "capture": In(1),
            "insert_in": In(1), "insert_out": Out(1),
            "sum_in": In(signed(SUM_BITS)), "sum_out": Out(signed(SUM_BITS)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += [
            self.x_out.eq(self.x_in), self.y_out.eq(self.y_in), self.valid_out.eq(self.valid_in),
            self.first_out.eq(self.first_in), self.last_out.eq(self.last_in),
        ]  # fmt: skip
        both = self.operand and self.output
        operand, addend = self.y_in, self.sum_in
        if self.operand:
            operand = self._stationary_operand(m)
        if self.output:
            addend = self._stationary_output()
        if both:
            operand = Mux(self.mode, self.y_in, operand)
            addend = Mux(self.mode, addend, self.sum_in)
        total = self._multiply_add(m, operand, addend)
        if self.output:
            drained = self._drain(m, total)
            m.d.sync += self.sum_out.eq(Mux(self.mode, drained, total) if both else drained)
        else:
            m.d.sync += self.sum_out.eq(total)
        return m

    def _multiply_add(self, m: Module, operand: object, addend: object) -> Signal:
        total = Signal(signed(SUM_BITS), name="total")
        if self.formats[0].is_float:
            m.submodules.multiply_add = unit = MultiplyAdd(*self.formats)
            m.d.comb += [unit.x.eq(self.x_in), unit.y.eq(operand), unit.addend.eq(addend), total.eq(unit.result)]
            return total
        product = Signal(signed(self.x_in.shape().width + self.y_in.shape().width), name="product")
        m.d.comb += [product.eq(self.x_in * operand), total.eq(addend + product)]
        return total

    def _stationary_operand(self, m: Module) -> Signal:
        shadow = Signal.like(self.y_in, name="shadow", reset_less=True)
        active = Signal.like(self.y_in, name="active", reset_less=True)
        current = Signal.like(self.y_in, name="current")
        m.d.comb += current.eq(Mux(self.first_in, shadow, active))
        m.d.sync += active.eq(current)
        with m.If(self.capture):
            m.d.sync += shadow.eq(self.y_in)
        return current

    def _stationary_output(self) -> object:
        self.accumulator = Signal(signed(SUM_BITS), reset_less=True)
        return Mux(self.first_in, 0, self.accumulator)

    def _drain(self, m: Module, total: Signal) -> object:
        held = Signal(signed(SUM_BITS), reset_less=True)
        insert_half = Signal()
        m.d.sync += [insert_half.eq(self.insert_in), self.insert_out.eq(insert_half)]
        with m.If(self.valid_in):
            m.d.sync += self.accumulator.eq(total)
            with m.If(self.last_in):
                m.d.sync += held.eq(total)
        return Mux(self.insert_in, held, self.sum_in)
