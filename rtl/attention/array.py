"""The 2D array of elements and the lanes below it, with the skews around them.

With T the cycle in which the first element executes a micro-op: its control is there in T - 1, its operands in T.  Element
(r, c) executes it in T + r*L + c and lane c its own in T + c; the word of results is whole cols - 1 + L after T.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.attention import STATE_BITS, Hardware

from ..array import delayed
from ..floating import wire
from . import lane, pe
from .wires import TWO, context_bits, element_layout, lane_layout


class Arrays(wiring.Component):
    """two, one: control of the 2D and of the 1D micro-op; step: of the polynomial in the elements; seen: which keys are visible."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware, hw = hardware, hardware
        bits = hw.element.bits
        self.two_layout, self.one_layout = element_layout(hw), lane_layout(hw)
        super().__init__({
            "shift": In(6), "out_shift": In(6), "two": In(self.two_layout.size), "step": In(3), "one": In(self.one_layout.size),
            "x": In(hw.rows * bits), "q": In(hw.cols * bits), "seen": In(hw.rows * hw.cols), "out": Out(hw.cols * bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        bits, latency = hw.element.bits, hw.mac_latency
        two, step = Signal.like(self.two, name="two_now"), Signal(3, name="step_now")
        m.d.sync += [two.eq(self.two), step.eq(self.step)]
        ups = [Signal(STATE_BITS, name=f"up{c}") for c in range(hw.cols)]
        queries: list[Any] = [self._part(m, self.q, bits, c, "q", c) for c in range(hw.cols)]
        row: Any = two
        downs: list[Any] = [None] * hw.cols
        wanted: list[Any] = [self.two_layout(self.two).context]
        for r in range(hw.rows):
            x, seen = self._part(m, self.x, bits, r, "x", r * latency), self._part(m, self.seen, hw.cols, r, "seen", r * latency)
            row = delayed(m, row, latency if r else 0, f"two_skew{r}")
            control = row
            for c in range(hw.cols):
                if r == 0:
                    wanted.append(self.two_layout(control).context)
                    downs[c] = self._top(m, c, control, delayed(m, step, c, f"step{c}"), ups[c])
                control, x, queries[c], downs[c] = self._element(m, r, c, control, x, seen[0], queries[c], downs[c])
                seen = delayed(m, seen[1:], 1, f"seen{r}_{c}", reset_less=True)
        results = self._lanes(m, downs, wanted, ups)
        aligned = [delayed(m, result, hw.cols - 1 - c, f"deskew{c}", reset_less=True) for c, result in enumerate(results)]
        m.d.comb += self.out.eq(Cat(*aligned))
        return m

    def _part(self, m: Module, word: Any, bits: int, index: int, name: str, skew: int) -> Any:
        """Part ``index`` of a word, ``skew`` cycles later."""
        part = wire(m, f"{name}{index}", word[index * bits : (index + 1) * bits])
        return delayed(m, part, skew, f"{name}_skew{index}", reset_less=True)

    def _top(self, m: Module, c: int, control: Any, step: Any, up: Signal) -> Any:
        """What begins its way down column c: a coefficient, a lane's RM', or where a maximum or a sum begins."""
        unit = pe.arithmetic(self.hardware, 0)
        op = self.two_layout(control).op
        coefficient = Array([Const(value, STATE_BITS) for value in unit.coefficients])[step]
        return wire(m, f"top{c}", Mux(op == TWO["poly"], coefficient, Mux(op == TWO["sub"], up, Mux(op == TWO["max"], unit.lowest, 0))))

    def _element(self, m: Module, r: int, c: int, control: Any, x: Any, seen: Any, q: Any, down: Any) -> tuple[Any, Any, Any, Any]:
        """One processing element; returns what leaves it: control, x, q, down."""
        where, bits = f"{r}_{c}", self.hardware.element.bits
        control_out, x_out = Signal(self.two_layout.size, name=f"control_{where}"), Signal(bits, name=f"x_{where}")
        q_out, down_out = Signal(bits, name=f"q_{where}"), Signal(STATE_BITS, name=f"down_{where}")
        m.submodules[f"pe_{where}"] = Instance(
            pe.NAME, i_clk=ClockSignal(), i_rst=ResetSignal(), i_shift=self.shift, i_control_in=control, o_control_out=control_out,
            i_seen=seen, i_x_in=x, o_x_out=x_out, i_q_in=q, o_q_out=q_out, i_down_in=down, o_down_out=down_out,
        )  # fmt: skip
        return control_out, x_out, q_out, down_out

    def _lanes(self, m: Module, arriving: list[Any], wanted: list[Any], ups: list[Signal]) -> list[Signal]:
        """The lanes, each with what its column sends down; returns their results."""
        control, results = self.one, []
        for c in range(self.hardware.cols):
            control_out = Signal(self.one_layout.size, name=f"one_{c}")
            result = Signal(self.hardware.element.bits, name=f"result{c}")
            m.submodules[f"lane_{c}"] = Instance(
                lane.NAME, i_clk=ClockSignal(), i_rst=ResetSignal(), i_shift=self.shift, i_out_shift=self.out_shift,
                i_control_in=control, o_control_out=control_out, i_arriving=arriving[c],
                i_wanted=wire(m, f"wanted{c}", wanted[c][: context_bits(self.hardware)]), o_up=ups[c], o_out=result,
            )  # fmt: skip
            control = control_out
            results.append(result)
        return results
