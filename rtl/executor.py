"""The exec unit: reads X and Y, streams them through the array, adds the sums into Z."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import ADDRESS_BITS
from archmodel.records.engines.systolic import LAYOUTS, SUM_BITS, Hardware
from archmodel.records.program import INSTRUCTION_BYTES

from .array import Array, delayed
from .floating import added, wire
from .sequencer import seen

EXEC = data.StructLayout(dict(LAYOUTS["exec"]))


class Folds(wiring.Component):
    """Counts inner x outer folds and keeps a base address for each of ``names``; `advance` goes to the next fold."""

    def __init__(self, names: str) -> None:
        self.names = names
        super().__init__({
            "command": In(INSTRUCTION_BYTES * 8), "start": In(1), "advance": In(1),
            **{name: Out(ADDRESS_BITS) for name in names},
            "again": Out(1), "ending": Out(1), "final": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        run = seen(EXEC, self.command)
        inner, outer = Signal(16, name="inner"), Signal(16, name="outer")
        row_ends = Signal()
        m.d.comb += [row_ends.eq(inner == run.inner - 1), self.ending.eq(outer == run.outer - 1), self.final.eq(row_ends & self.ending),
                     self.again.eq(outer != 0)]  # fmt: skip
        for name in self.names:
            row = Signal(ADDRESS_BITS, name=f"{name}_row")
            at, next_row = getattr(self, name), Signal(ADDRESS_BITS, name=f"{name}_next_row")
            m.d.comb += next_row.eq(row + getattr(run, f"{name}1"))
            with m.If(self.start):
                m.d.sync += [at.eq(getattr(run, name)), row.eq(getattr(run, name))]
            with m.Elif(self.advance):
                m.d.sync += [at.eq(Mux(row_ends, next_row, at + getattr(run, f"{name}0"))), row.eq(Mux(row_ends, next_row, row))]
        with m.If(self.start):
            m.d.sync += [inner.eq(0), outer.eq(0)]
        with m.Elif(self.advance):
            m.d.sync += [inner.eq(Mux(row_ends, 0, inner + 1)), outer.eq(outer + row_ends)]
        return m


class Executor(wiring.Component):
    """Executes one exec command at a time; the buffers stand outside.

    Operand-stationary: a first slot of ``rows`` cycles preloads fold 0; then, slot by slot of max(rows, t) cycles, a fold
    streams and the next one preloads.  Output-stationary: the same slots, without the first.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        hw = hardware
        super().__init__({
            "issue": In(1), "issued": In(INSTRUCTION_BYTES * 8), "finished": Out(1),
            "swap_x": Out(1), "swap_y": Out(1), "swap_z": Out(1),
            "x_address": Out(ADDRESS_BITS), "x_data": In(hw.rows * hw.x_bits),
            "y_address": Out(ADDRESS_BITS), "y_data": In(hw.cols * hw.y_bits),
            "z_read": Out(1), "z_address": Out(ADDRESS_BITS), "z_data": In(hw.cols * SUM_BITS),
            "z_write": Out(1), "z_write_address": Out(ADDRESS_BITS), "z_write_data": Out(hw.cols * SUM_BITS),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        self.command, self.mode = Signal(INSTRUCTION_BYTES * 8, name="command"), Signal(name="mode")
        self.run = seen(EXEC, self.command)
        with m.If(self.issue):
            m.d.sync += self.command.eq(self.issued)
        m.d.comb += self.mode.eq(self._outputs(self.command))
        m.submodules.array = array = Array(hw)
        m.d.comb += array.mode.eq(self.mode)
        begins = self._stream(m, array)
        self._collect(m, array, delayed(m, begins, hw.rows + hw.cols - 1, "begin"))
        m.d.comb += [
            self.swap_x.eq(self.finished & self.run.swap_x), self.swap_y.eq(self.finished & self.run.swap_y),
            self.swap_z.eq(self.finished & self.run.swap_z),
        ]  # fmt: skip
        return m

    def _outputs(self, command: Any) -> Any:
        """Whether ``command`` runs output-stationary."""
        if self.hardware.has_operand_stationary and self.hardware.has_output_stationary:
            return seen(EXEC, command).output
        return Const(int(self.hardware.has_output_stationary), 1)

    def _folds(self, m: Module, name: str, addresses: str, advance: Signal) -> Folds:
        m.submodules[name] = folds = Folds(addresses)
        m.d.comb += [folds.command.eq(Mux(self.issue, self.issued, self.command)), folds.start.eq(self.issue), folds.advance.eq(advance)]
        return folds

    def _stream(self, m: Module, array: Array) -> Signal:
        """The slots; returns the pulse from which `_collect` counts: a fold's first X, or the cycle after its last."""
        hw, run = self.hardware, self.run
        preloading, streaming, count = Signal(name="preloading"), Signal(name="streaming"), Signal(ADDRESS_BITS, name="count")
        next_x, next_y = Signal(name="next_x"), Signal(name="next_y")
        xs = self._folds(m, "x_folds", "x", next_x)
        ys = self._folds(m, "y_folds", "y", next_y)
        first, last, valid, slot_ends = (Signal(name=name) for name in ("first_now", "last_now", "valid_now", "slot_ends"))
        m.d.comb += [
            first.eq(streaming & (count == 0)), valid.eq(streaming & (count < run.t)), last.eq(streaming & (count == run.t - 1)),
            slot_ends.eq(Mux(streaming, (count >= run.t - 1) & (xs.final | (count >= hw.rows - 1)), preloading & (count == hw.rows - 1))),
            next_x.eq(streaming & slot_ends), next_y.eq(slot_ends),
            self.x_address.eq(xs.x + count),
            self.y_address.eq(Mux(self.mode, ys.y + count, ys.y + (hw.rows - 1) - count)),
        ]  # fmt: skip
        m.d.sync += count.eq(Mux(slot_ends, 0, count + (preloading | streaming)))
        with m.If(preloading & slot_ends):
            m.d.sync += [preloading.eq(0), streaming.eq(1)]
        with m.If(streaming & slot_ends & xs.final):
            m.d.sync += streaming.eq(0)
        with m.If(self.issue):
            m.d.sync += [preloading.eq(~self._outputs(self.issued)), streaming.eq(self._outputs(self.issued)), count.eq(0)]
        capture = (preloading | streaming) & (count == hw.rows - 1)
        self._feed(m, array, xs.ending, ys.ending, count)
        m.d.sync += [array.valid.eq(valid), array.first.eq(first), array.last.eq(last), array.capture.eq(capture)]
        after_last = Signal()
        m.d.sync += after_last.eq(last)
        return Mux(self.mode, after_last, first)

    def _feed(self, m: Module, array: Array, x_ending: Signal, y_ending: Signal, count: Signal) -> None:
        """Words of X and Y as they come from the buffers; of floating point, zeros where a row is idle."""
        hw, idle = self.hardware, self.run.idle
        if not hw.is_float:
            m.d.comb += [array.x.eq(self.x_data), array.y.eq(self.y_data)]
            return
        x_idle, y_idle = Signal(8, name="x_idle"), Signal(name="y_idle")
        m.d.sync += [x_idle.eq(Mux(x_ending, idle, 0)), y_idle.eq(y_ending & (count < idle))]
        lanes = [self.x_data[r * hw.x_bits : (r + 1) * hw.x_bits] for r in range(hw.rows)]
        m.d.comb += [array.x.eq(Cat(*(Mux(x_idle > hw.rows - 1 - r, 0, lane) for r, lane in enumerate(lanes)))),
                     array.y.eq(Mux(y_idle, 0, self.y_data))]  # fmt: skip

    def _collect(self, m: Module, array: Array, begin: Signal) -> None:
        """Reads Z a cycle ahead of the sums, adds, writes back."""
        hw, run = self.hardware, self.run
        count = Signal(ADDRESS_BITS, name="collected")
        going, active, ends = Signal(name="going"), Signal(name="active"), Signal(name="ends")
        zs = self._folds(m, "z_folds", "z", ends)
        length = Mux(self.mode, hw.rows, run.t)
        m.d.comb += [active.eq(begin | going), ends.eq(active & (count == length - 1)),
                     self.z_read.eq(active), self.z_address.eq(zs.z + count)]  # fmt: skip
        m.d.sync += [count.eq(Mux(ends, 0, count + active)), going.eq(active & ~ends)]
        accumulate, complete = Signal(name="accumulate"), Signal(name="complete")
        m.d.sync += [
            self.z_write.eq(active), self.z_write_address.eq(self.z_address),
            accumulate.eq(Mux(zs.again, run.acc_rest, run.acc_first)), complete.eq(ends & zs.final),
        ]  # fmt: skip
        lanes = []
        for c in range(hw.cols):
            lane = slice(c * SUM_BITS, (c + 1) * SUM_BITS)
            sums, before = array.sums[lane].as_signed(), Mux(accumulate, self.z_data[lane].as_signed(), 0)
            if hw.is_float:
                lanes.append(wire(m, f"total{c}", added(m, f"total{c}", sums.as_unsigned(), before.as_unsigned())))
                continue
            total = Signal(signed(SUM_BITS), name=f"total{c}")
            m.d.comb += total.eq(sums + before)
            lanes.append(total)
        m.d.comb += [self.z_write_data.eq(Cat(*lanes)), self.finished.eq(self.z_write & complete)]
