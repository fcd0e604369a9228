"""One lane below a column: the micro-ops of the 1D array, and the state of the column's queries in a memory of its own.

`control_in` is a cycle ahead of the micro-op, whose word of state is read meanwhile.  Its result is there ``mac_latency``
cycles after its operands: in the context of its tile, on its way into the memory, or in `out`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.attention import STATE_BITS, Hardware

from ..array import delayed
from ..floating import wire
from ..sram import Sram
from .pe import Contexts, arithmetic
from .reciprocal import Reciprocal
from .wires import ONE, context_bits, lane_layout

NAME = "archmodel_attention_lane"


class Lane(wiring.Component):
    """`up` is RM' of the tile that `wanted` named a cycle before."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware, self.layout = hardware, lane_layout(hardware)
        super().__init__({
            "shift": In(6), "out_shift": In(6), "control_in": In(self.layout.size), "control_out": Out(self.layout.size),
            "arriving": In(STATE_BITS), "wanted": In(context_bits(hardware)), "up": Out(STATE_BITS), "out": Out(hardware.element.bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        unit = arithmetic(hw, self.shift, self.out_shift)
        control = self.layout(self.control_out)
        m.d.sync += self.control_out.eq(self.control_in)
        contexts = Contexts(m, hw, control.context, running=STATE_BITS, maximum=STATE_BITS, power=unit.power_bits, factor=unit.factor_bits)
        m.d.sync += self.up.eq(Array(contexts.registers["maximum"])[self.wanted])
        op, held = self._decoded(m, control), contexts.now
        state = Signal(STATE_BITS, name="state_now")
        coefficient = wire(m, "coefficient", Array([Const(c, STATE_BITS) for c in unit.coefficients])[control.step])
        total, factor, result = unit.lane(m, op, state, self.arriving, coefficient, held)
        maximum = wire(m, "maximum", Mux(unit.exceeds(m, self.arriving, state), self.arriving, state))
        contexts.keep(running=(op.rmax, state), maximum=(op.rmax, maximum), power=(op.psub, unit.power(m, held.running, held.maximum)),
                      factor=(op.poly, factor))  # fmt: skip
        word = self._memory(m, op, control, wire(m, "word", Mux(op.rmax, maximum, total)[:STATE_BITS]))
        m.d.comb += [state.eq(Mux(control.first, Mux(op.rmax, unit.lowest, 0), word)),
                     self.out.eq(delayed(m, wire(m, "result", result), hw.mac_latency, "result", reset_less=True))]  # fmt: skip
        self._divide(m, contexts, control, state)
        return m

    def _decoded(self, m: Module, control: Any) -> SimpleNamespace:
        """The micro-op: begin and last of the polynomial; add of what arrives; writes a word of state."""
        op = SimpleNamespace(**{name: wire(m, name, control.op == ONE[name]) for name in ONE})
        op.poly, op.begin, op.last = op.ppoly, control.step == 0, control.step == self.hardware.degree - 1
        op.finish = control.finish
        op.add = wire(m, "add", op.rd | (op.rnv & ~op.finish))
        op.writes = wire(m, "writes", op.rmax | op.spd | op.spnv | op.add)
        return op

    def _memory(self, m: Module, op: Any, control: Any, word: Any) -> Signal:
        """The state: read a cycle ahead of the micro-op, written ``mac_latency`` cycles behind it."""
        latency = self.hardware.mac_latency
        m.submodules.state = memory = Sram(STATE_BITS, self.hardware.s_words)
        m.d.comb += [
            memory.ren.eq(1), memory.raddr.eq(self.layout(self.control_in).address),
            memory.wen.eq(delayed(m, op.writes, latency, "write")),
            memory.waddr.eq(delayed(m, wire(m, "address", control.address), latency, "address", reset_less=True)),
            memory.wdata.eq(delayed(m, word, latency, "word", reset_less=True)),
        ]  # fmt: skip
        return memory.rdata

    def _divide(self, m: Module, contexts: Contexts, control: Any, state: Signal) -> None:
        """The reciprocal of RD takes the place of PRM, which a tile that finishes has none of."""
        m.submodules.reciprocal = reciprocal = Reciprocal(self.hardware)
        context = Signal.like(control.context, name="divided", reset_less=True)
        m.d.comb += [reciprocal.start.eq(control.divide), reciprocal.value.eq(state)]
        with m.If(control.divide):
            m.d.sync += context.eq(control.context)
        contexts.write("factor", context, reciprocal.done, reciprocal.result)
