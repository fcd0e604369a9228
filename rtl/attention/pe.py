"""One processing element: the micro-ops of the 2D array.

Operands K and V move right, one element a cycle; the query's operand and `down` move down, one every ``mac_latency`` cycles.
What a micro-op computes is there as many cycles later: in the context of its tile, or in `down_out`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.attention import STATE_BITS, Hardware

from ..array import delayed
from ..floating import wire
from .fixed import Fixed
from .floating import Floating
from .wires import TWO, element_layout

NAME = "archmodel_attention_pe"


def arithmetic(hardware: Hardware, shift: Any, out_shift: Any = 0) -> Fixed | Floating:
    return Floating(hardware) if hardware.is_float else Fixed(hardware, shift, out_shift)


class Contexts:
    """Registers of the tiles in flight; `now` holds those of the tile whose micro-op begins."""

    def __init__(self, m: Module, hardware: Hardware, context: Any, **widths: int) -> None:
        self._m, self._early, self._context = m, hardware.mac_latency - 1, context
        self.registers = {name: [Signal(bits, name=f"{name}{i}", reset_less=True) for i in range(hardware.tiles)]
                          for name, bits in widths.items()}  # fmt: skip
        self.now = SimpleNamespace(**{name: wire(m, f"{name}_now", Array(each)[context]) for name, each in self.registers.items()})

    def write(self, name: str, context: Any, enable: Any, value: Any) -> None:
        for index, register in enumerate(self.registers[name]):
            with self._m.If(enable & (context == index)):
                self._m.d.sync += register.eq(value)

    def keep(self, **results: tuple[Any, Any]) -> None:
        """(enable, value) of each register that a micro-op sets, so that it is there ``mac_latency`` cycles after the operands."""
        m, early = self._m, self._early
        context = delayed(m, wire(m, "context_now", self._context), early, "context", reset_less=True)
        for name, (enable, value) in results.items():
            enable = delayed(m, wire(m, f"sets_{name}", enable), early, f"sets_{name}")
            value = delayed(m, wire(m, f"next_{name}", value), early, f"next_{name}", reset_less=True)
            self.write(name, context, enable, value)


class ProcessingElement(wiring.Component):
    """`seen` says that its key is visible to its query; it counts with the micro-op max."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware, self.layout = hardware, element_layout(hardware)
        bits = hardware.element.bits
        super().__init__({
            "shift": In(6), "control_in": In(self.layout.size), "control_out": Out(self.layout.size), "seen": In(1),
            "x_in": In(bits), "x_out": Out(bits), "q_in": In(bits), "q_out": Out(bits),
            "down_in": In(STATE_BITS), "down_out": Out(STATE_BITS),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, latency = Module(), self.hardware.mac_latency
        unit = arithmetic(self.hardware, self.shift)
        control = self.layout(self.control_in)
        m.d.sync += [self.control_out.eq(self.control_in), self.x_out.eq(self.x_in)]
        m.d.comb += self.q_out.eq(delayed(m, self.q_in, latency, "q", reset_less=True))
        contexts = Contexts(m, self.hardware, control.context, score=STATE_BITS, hidden=1, power=unit.power_bits, weight=unit.weight_bits)
        op = SimpleNamespace(first=control.first, last=control.last, **{name: wire(m, name, control.op == TWO[name]) for name in TWO})
        held = contexts.now
        total, weight = unit.element(m, op, self.x_in, self.q_in, self.down_in, held)
        hidden = wire(m, "hidden", ~self.seen | (held.score == unit.lowest))
        level = wire(m, "level", Mux(hidden, unit.lowest, held.score))
        above = unit.larger(m, "above", level, self.down_in)
        down = wire(m, "down", Mux(op.sum | op.av, total, Mux(op.max & above, level, self.down_in))[:STATE_BITS])
        m.d.comb += self.down_out.eq(delayed(m, down, latency, "down", reset_less=True))
        contexts.keep(score=(op.qk, total), hidden=(op.max, hidden), power=(op.sub, unit.power(m, held.score, self.down_in)),
                      weight=(op.poly, weight))  # fmt: skip
        return m
