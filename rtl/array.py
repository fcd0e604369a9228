"""The array: rows x cols instances of one processing element, with the skew in front and the deskew behind."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Instance, Module, ResetSignal, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import SUM_BITS, Hardware

from .pe import NAME


def delayed(m: Module, signal: Any, cycles: int, name: str, reset_less: bool = False) -> Any:
    """``signal``, ``cycles`` later."""
    for i in range(cycles):
        later = Signal.like(signal, name=f"{name}_{i}", reset_less=reset_less)
        m.d.sync += later.eq(signal)
        signal = later
    return signal


class Array(wiring.Component):
    """X and Y words of one cycle meet as a wavefront; the word of sums comes out aligned.

    A word of X entering in cycle t gives its word of sums (operand-stationary) in cycle t + rows + cols - 1; the last X
    of an output-stationary fold in cycle t gives the first of ``rows`` words in cycle t + rows + cols.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        super().__init__({
            "mode": In(1),
            "x": In(hardware.rows * hardware.x_bits), "valid": In(1), "first": In(1), "last": In(1),
            "y": In(hardware.cols * hardware.y_bits), "capture": In(1),
            "sums": Out(hardware.cols * SUM_BITS),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        flags = Signal(3)
        m.d.comb += flags.eq(Cat(self.valid, self.first, self.last))
        rows = [self._lane(m, self.x, r, hw.x_bits, r, "x_skew") for r in range(hw.rows)]
        marks = [delayed(m, flags, r, f"mark_skew{r}") for r in range(hw.rows)]
        columns = [self._lane(m, self.y, c, hw.y_bits, c, "y_skew") for c in range(hw.cols)]
        captures = [self.capture]
        for c in range(1, hw.cols):
            captures.append(delayed(m, captures[-1], 1, f"capture{c}"))
        sums: list[Any] = [Signal(signed(SUM_BITS), name=f"top{c}") for c in range(hw.cols)]
        inserts: list[Any] = [None] * hw.cols
        for r in range(hw.rows):
            x, mark = rows[r], marks[r]
            for c in range(hw.cols):
                wires = self._pe(m, r, c, x, mark, columns[c], captures[c], inserts[c], sums[c])
                x, mark, columns[c], inserts[c], sums[c] = wires
        aligned = [delayed(m, sums[c], hw.cols - 1 - c, f"deskew{c}", reset_less=True) for c in range(hw.cols)]
        m.d.comb += self.sums.eq(Cat(*aligned))
        return m

    def _lane(self, m: Module, word: Any, index: int, bits: int, skew: int, name: str) -> Any:
        lane = Signal(signed(bits), name=f"{name}{index}")
        m.d.comb += lane.eq(word[index * bits : (index + 1) * bits])
        return delayed(m, lane, skew, f"{name}{index}", reset_less=True)

    def _pe(self, m: Module, r: int, c: int, x: Any, mark: Any, y: Any, capture: Any, insert: Any, total: Any) -> Any:
        """One processing element; returns what leaves it: x, mark, y, insert, sum."""
        hw, where = self.hardware, f"{r}_{c}"
        x_out, y_out = Signal(signed(hw.x_bits), name=f"x_{where}"), Signal(signed(hw.y_bits), name=f"y_{where}")
        mark_out, insert_out = Signal(3, name=f"mark_{where}"), Signal(name=f"insert_{where}")
        sum_out = Signal(signed(SUM_BITS), name=f"sum_{where}")
        # The top row has its result one cycle after its last X, which is when its mark leaves to the right.
        insert_in = mark_out[0] & mark_out[2] if insert is None else insert
        m.submodules[f"pe_{where}"] = Instance(
            NAME, i_clk=ClockSignal(), i_rst=ResetSignal(), i_mode=self.mode, i_x_in=x, o_x_out=x_out,
            i_valid_in=mark[0], i_first_in=mark[1], i_last_in=mark[2],
            o_valid_out=mark_out[0], o_first_out=mark_out[1], o_last_out=mark_out[2],
            i_y_in=y, o_y_out=y_out, i_capture=capture, i_insert_in=insert_in, o_insert_out=insert_out,
            i_sum_in=total, o_sum_out=sum_out,
        )  # fmt: skip
        return x_out, mark_out, y_out, insert_out, sum_out
