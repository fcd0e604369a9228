"""The systolic engine: three sequencers, the load, exec and store unit, the buffers, the memory port."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, OPCODES, OUTPUT_PARAMETER_BYTES, Hardware
from archmodel.records.program import hardware_id

from . import pe, sram, verilog
from .executor import Executor
from .mover import LENGTH_BITS, Loader, Storer
from .sequencer import LANES, WORD, Sequencer

TYPE = "systolic"
TOP = "archmodel_systolic"
HEADER = 3
"""Value of `program_unit` that writes the header: hardware id low, high, ISA version in lanes 0, 1, 2."""


class Buffer(wiring.Component):
    """Banks of words, each behind the wrapper; one side fills, one side uses, and each turns to its next bank."""

    def __init__(self, width: int, depth: int, banks: int, readers: int = 1, writers: int = 1) -> None:
        self.width, self.depth, self.banks, self.readers, self.writers = width, depth, banks, readers, writers
        self.address = sram.address_bits(depth)
        ports: dict[str, Any] = {"restart": In(1)}
        for i in range(writers):
            ports |= {f"wen{i}": In(1), f"waddr{i}": In(self.address), f"wdata{i}": In(width), f"wswap{i}": In(1)}
        for i in range(readers):
            ports |= {f"ren{i}": In(1), f"raddr{i}": In(self.address), f"rdata{i}": Out(width), f"rswap{i}": In(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        banks = [sram.Sram(self.width, self.depth) for _ in range(self.banks)]
        for index, bank in enumerate(banks):
            m.submodules[f"bank{index}"] = bank
        writers = [self._pointer(m, "wswap", i) for i in range(self.writers)]
        readers = [self._pointer(m, "rswap", i) for i in range(self.readers)]
        for index, bank in enumerate(banks):
            for i in range(self.writers):
                with m.If(getattr(self, f"wen{i}") & (writers[i] == index)):
                    m.d.comb += [bank.wen.eq(1), bank.waddr.eq(getattr(self, f"waddr{i}")), bank.wdata.eq(getattr(self, f"wdata{i}"))]
            for i in range(self.readers):
                with m.If(getattr(self, f"ren{i}") & (readers[i] == index)):
                    m.d.comb += [bank.ren.eq(1), bank.raddr.eq(getattr(self, f"raddr{i}"))]
        for i in range(self.readers):
            data = getattr(self, f"rdata{i}")
            m.d.comb += data.eq(Mux(readers[i], banks[1].rdata, banks[0].rdata) if self.banks == 2 else banks[0].rdata)
        return m

    def _pointer(self, m: Module, name: str, index: int) -> Any:
        """The bank that one side works on."""
        if self.banks == 1:
            return Const(0, 1)
        pointer = Signal(name=f"{name[0]}bank{index}")
        with m.If(self.restart):
            m.d.sync += pointer.eq(0)
        with m.Elif(getattr(self, f"{name}{index}")):
            m.d.sync += pointer.eq(~pointer)
        return pointer


def ports(hardware: Hardware) -> dict[str, Any]:
    """Those of the engine, by name; ``Systolic`` says what they do."""
    beat = 8 * hardware.port_bytes
    return {
        "program_write": In(1), "program_unit": In(2), "program_address": In(16), "program_lane": In(3), "program_data": In(WORD),
        "start": In(1), "done": Out(1), "refused": Out(1),
        "request_valid": Out(1), "request_ready": In(1), "request_write": Out(1), "request_address": Out(32),
        "request_length": Out(LENGTH_BITS), "request_data": Out(beat),
        "read_valid": In(1), "read_ready": Out(1), "read_data": In(beat), "written": In(1),
        "trace_start": Out(len(UNITS)), "trace_end": Out(len(UNITS)),
    }  # fmt: skip


class Systolic(wiring.Component):
    """The whole engine.

    program_*   the host writes instructions, 32 bits at a time, while the engine is idle
    start       one cycle; the run begins in it
    refused     rises in the cycle after `start`, instead of a run, when the header names other hardware
    done        no program runs
    request_*   memory port: reads (one handshake a word) and writes (one a beat), addresses in beats
    read_*      beats of reads, in order; the engine always takes them
    written     response to a word written
    trace_*     per unit (load, exec, store): a command starts; the last cycle before its token is visible
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        super().__init__(ports(hardware))

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        loader, executor, storer = Loader(hw), Executor(hw), Storer(hw)
        m.submodules.loader, m.submodules.executor, m.submodules.storer = loader, executor, storer
        sequencers = [Sequencer(hw.program_words, registers) for registers in (len(BUFFERS), 0, 2)]
        starts = self._start(m)
        units: tuple[Any, ...] = (loader, executor, storer)
        for index, (sequencer, unit) in enumerate(zip(sequencers, units, strict=True)):
            m.submodules[f"{UNITS[index]}_sequencer"] = sequencer
            m.d.comb += [
                sequencer.start.eq(starts), unit.issue.eq(sequencer.issue & (sequencer.head.opcode != OPCODES["sync"])),
                unit.issued.eq(sequencer.command), sequencer.finished.eq(unit.finished),
                self.trace_start[index].eq(sequencer.issue), self.trace_end[index].eq(sequencer.end),
                sequencer.tokens_in.eq(Cat(*(other.tokens_out[index] for other in sequencers))),
            ]  # fmt: skip
        self._programs(m, sequencers)
        self._port(m, sequencers, loader, storer)
        self._buffers(m, starts, loader, executor, storer)
        m.d.comb += [self.done.eq(Cat(*(s.done for s in sequencers)).all()),
                     loader.base.eq(sequencers[0].base), storer.base.eq(sequencers[2].base)]  # fmt: skip
        return m

    def _start(self, m: Module) -> Signal:
        """Start, if the header of the program names this hardware."""
        header = Array([Signal(WORD, name=f"header{i}") for i in range(3)])
        with m.If(self.program_write & (self.program_unit == HEADER)):
            m.d.sync += header[self.program_lane[:2]].eq(self.program_data)
        mine, starts = Signal(name="mine"), Signal(name="starts")
        expected = hardware_id(self.hardware)
        m.d.comb += [mine.eq((header[0] == expected & 0xFFFFFFFF) & (header[1] == expected >> 32) & (header[2] == ISA_VERSION)),
                     starts.eq(self.start & self.done & mine)]  # fmt: skip
        with m.If(self.start):
            m.d.sync += self.refused.eq(~mine)
        return starts

    def _programs(self, m: Module, sequencers: list[Sequencer]) -> None:
        for index, sequencer in enumerate(sequencers):
            mine = self.program_write & (self.program_unit == index)
            m.d.comb += [
                sequencer.write.eq(Cat(*(mine & (self.program_lane == lane) for lane in range(LANES)))),
                sequencer.write_address.eq(self.program_address), sequencer.write_data.eq(self.program_data),
            ]  # fmt: skip

    def _port(self, m: Module, sequencers: list[Sequencer], loader: Loader, storer: Storer) -> None:
        """One move at a time; a store goes before a load that could start in the same cycle."""
        load, execute, store = sequencers
        m.d.comb += [
            store.allow.eq(~load.moving), load.allow.eq(~store.moving & ~store.wants_port), execute.allow.eq(1),
            self.request_write.eq(storer.request), self.request_valid.eq(loader.request | storer.request),
            self.request_address.eq(Mux(storer.request, storer.address, loader.address)),
            self.request_length.eq(Mux(storer.request, storer.length, loader.length)), self.request_data.eq(storer.request_data),
            loader.accepted.eq(self.request_ready), storer.accepted.eq(self.request_ready),
            self.read_ready.eq(1), loader.response.eq(self.read_valid), loader.response_data.eq(self.read_data),
            storer.response.eq(self.written),
        ]  # fmt: skip

    def _buffers(self, m: Module, starts: Signal, loader: Loader, executor: Executor, storer: Storer) -> None:
        hw = self.hardware
        m.submodules.x = x = Buffer(hw.rows * hw.x_bits, hw.x_words, hw.banks)
        m.submodules.y = y = Buffer(hw.cols * hw.y_bits, hw.y_words, hw.banks)
        m.submodules.z = z = Buffer(hw.cols * 32, hw.z_words, hw.banks, readers=2, writers=2)
        m.submodules.p = p = Buffer(hw.cols * 8 * OUTPUT_PARAMETER_BYTES, hw.p_words, hw.banks)
        for index, buffer in enumerate((x, y, z, p)):
            m.d.comb += [buffer.restart.eq(starts), buffer.wen0.eq(loader.write[index]), buffer.waddr0.eq(loader.word),
                         buffer.wdata0.eq(loader.data), buffer.wswap0.eq(loader.swap[index])]  # fmt: skip
        m.d.comb += [
            x.ren0.eq(1), x.raddr0.eq(executor.x_address), executor.x_data.eq(x.rdata0), x.rswap0.eq(executor.swap_x),
            y.ren0.eq(1), y.raddr0.eq(executor.y_address), executor.y_data.eq(y.rdata0), y.rswap0.eq(executor.swap_y),
            z.ren0.eq(executor.z_read), z.raddr0.eq(executor.z_address), executor.z_data.eq(z.rdata0), z.rswap0.eq(executor.swap_z),
            z.wen1.eq(executor.z_write), z.waddr1.eq(executor.z_write_address), z.wdata1.eq(executor.z_write_data),
            z.wswap1.eq(executor.swap_z),
            z.ren1.eq(storer.read), z.raddr1.eq(storer.z_word), storer.z_data.eq(z.rdata1), z.rswap1.eq(storer.swap_z),
            p.ren0.eq(storer.read), p.raddr0.eq(storer.p_word), storer.p_data.eq(p.rdata0), p.rswap0.eq(storer.swap_p),
        ]  # fmt: skip


def emit(hardware: Hardware) -> str:
    """Verilog of the engine: the memory wrapper, one processing element, the top module with all else."""
    element = pe.ProcessingElement(hardware.x, hardware.y, hardware.has_operand_stationary, hardware.has_output_stationary)
    return "\n".join((sram.VERILOG, verilog.convert(element, pe.NAME), verilog.convert(Systolic(hardware), TOP)))
