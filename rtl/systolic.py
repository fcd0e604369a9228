"""The systolic engine: three sequencers, the load, exec and store unit, the buffers, the memory port."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, OUTPUT_PARAMETER_BYTES, Hardware

from . import engine, pe, sram, verilog
from .executor import Executor
from .mover import Loader, RequantisingStorer
from .sequencer import Sequencer

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
    """Those of the engine, by name; ``Engine`` says what they do."""
    return engine.ports(hardware.port_bytes, HEADER)


class Systolic(engine.Engine):
    def __init__(self, hardware: Hardware) -> None:
        super().__init__(hardware, ISA_VERSION, HEADER)

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        loader, executor, storer = Loader(hw, BUFFERS), Executor(hw), RequantisingStorer(hw)
        m.submodules.loader, m.submodules.executor, m.submodules.storer = loader, executor, storer
        load, execute, store = sequencers = [Sequencer(hw.program_words, registers) for registers in (len(BUFFERS), 0, 2)]
        starts = self._start(m)
        self._sequence(m, starts, sequencers, (loader, executor, storer))
        m.d.comb += execute.allow.eq(1)
        self._port(m, load, store, loader, storer)
        self._buffers(m, starts, loader, executor, storer)
        return m

    def _buffers(self, m: Module, starts: Signal, loader: Loader, executor: Executor, storer: RequantisingStorer) -> None:
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
