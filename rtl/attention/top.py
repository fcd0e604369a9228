"""The attention engine: three sequencers, the load and the store unit, the schedule's table, the arrays, the buffers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Out

from archmodel.records.engines.attention import BUFFERS, ENTRY_BYTES, ISA_VERSION, STREAMS, Hardware

from .. import engine
from ..array import delayed
from ..mover import Loader, Storer
from ..sequencer import WORD, OverlappingSequencer, Sequencer
from ..sram import Sram
from .array import Arrays
from .buffers import Banks, turning
from .control import CONFIGURE, SLOT, Slots, Tiles

TOP = "archmodel_attention"
HEADER = len(STREAMS)
"""Value of `program_unit` that writes the header: hardware id low, high, ISA version in lanes 0, 1, 2."""
SCHEDULE = STREAMS.index("schedule")


def ports(hardware: Hardware) -> dict[str, Any]:
    """Those of the engine, by name; ``Engine`` says what they do."""
    return {**engine.ports(hardware.port_bytes, HEADER), "overrun": Out(1)}


class Attention(engine.Engine):
    def __init__(self, hardware: Hardware) -> None:
        super().__init__(hardware, ISA_VERSION, HEADER, overrun=Out(1))

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        loader, tiles, storer = Loader(hw, BUFFERS), Tiles(hw), Storer(hw, hw.bits("O"))
        m.submodules.loader, m.submodules.flight, m.submodules.storer = loader, tiles, storer
        words = hw.program_words
        load, execute, store = Sequencer(words, len(BUFFERS)), OverlappingSequencer(words), Sequencer(words, 1)
        starts = self._start(m)
        self._sequence(m, starts, (load, execute, store), (loader, tiles, storer))
        m.d.comb += [execute.allow.eq(tiles.allow), execute.working.eq(tiles.working), execute.signals.eq(tiles.signals),
                     tiles.restart.eq(starts)]  # fmt: skip
        self._port(m, load, store, loader, storer)
        m.submodules.slots, m.submodules.arrays = slots, arrays = Slots(hw), Arrays(hw)
        self._schedule(m, tiles, slots)
        m.d.comb += [slots.tiles.eq(tiles.tiles), arrays.two.eq(slots.two), arrays.step.eq(slots.step), arrays.one.eq(slots.one),
                     arrays.shift.eq(self.configure.shift), arrays.out_shift.eq(self.configure.out_shift)]  # fmt: skip
        self._operands(m, starts, loader, slots, arrays)
        self._results(m, starts, storer, slots, arrays)
        self._watch(m, starts, slots)
        return m

    def _schedule(self, m: Module, tiles: Tiles, slots: Slots) -> None:
        """`configure` in registers, the slots behind it in a table that is read a slot a cycle."""
        words = Signal(CONFIGURE.size, name="configure")
        self.configure = CONFIGURE(words)
        mine = self.program_write & (self.program_unit == SCHEDULE)
        for lane in range(CONFIGURE.size // WORD):
            with m.If(mine & (self.program_address == 0) & (self.program_lane == lane)):
                m.d.sync += words[lane * WORD : (lane + 1) * WORD].eq(self.program_data)
        m.d.comb += tiles.configure.eq(words)
        halves = ENTRY_BYTES * 8 // WORD
        place = Cat(self.program_lane[halves.bit_length() - 1 :], (self.program_address - 1)[:16])
        read = []
        for half in range(halves):
            bits = min(WORD, SLOT.size - half * WORD)
            m.submodules[f"table{half}"] = table = Sram(bits, self.hardware.slots)
            m.d.comb += [
                table.wen.eq(mine & (self.program_address != 0) & (self.program_lane[: halves.bit_length() - 1] == half)),
                table.waddr.eq(place), table.wdata.eq(self.program_data), table.ren.eq(1), table.raddr.eq(tiles.slot),
            ]  # fmt: skip
            read.append(table.rdata)
        m.d.comb += slots.entry.eq(Cat(*read))

    def _buffer(self, m: Module, name: str, starts: Signal, loader: Loader) -> Banks:
        """One that the load unit fills."""
        hw, index = self.hardware, BUFFERS.index(name)
        buffer = Banks(hw.bits(name), hw.depth(name), hw.banks_of(name))
        m.submodules[f"{name.lower()}_buffer"] = buffer
        m.d.comb += [
            buffer.wen.eq(loader.write[index]), buffer.waddr.eq(loader.word), buffer.wdata.eq(loader.data), buffer.ren.eq(1),
            buffer.wbank.eq(turning(m, f"{name.lower()}_filled", hw.banks_of(name), starts, loader.swap[index])),
        ]  # fmt: skip
        return buffer

    def _operands(self, m: Module, starts: Signal, loader: Loader, slots: Slots, arrays: Arrays) -> None:
        q, k, v, pattern = (self._buffer(m, name, starts, loader) for name in BUFFERS)
        takes_v, masked = Signal(name="takes_v"), Signal(name="masked")
        m.d.sync += [takes_v.eq(slots.v), masked.eq(slots.m_read)]
        for buffer in (k, v):
            m.d.comb += [buffer.raddr.eq(slots.x_address), buffer.rbank.eq(slots.x_bank)]
        m.d.comb += [
            q.raddr.eq(slots.q_address), q.rbank.eq(slots.q_bank), pattern.raddr.eq(slots.m_address), pattern.rbank.eq(slots.m_bank),
            arrays.q.eq(q.rdata), arrays.x.eq(Mux(takes_v, v.rdata, k.rdata)),
            arrays.seen.eq(pattern.rdata | (~masked).replicate(len(arrays.seen))),
        ]  # fmt: skip

    def _results(self, m: Module, starts: Signal, storer: Storer, slots: Slots, arrays: Arrays) -> None:
        """A word of results is whole when the last lane's is there."""
        hw = self.hardware
        m.submodules.o_buffer = o = Banks(hw.bits("O"), hw.depth("O"), hw.banks_of("O"))
        behind = hw.cols + hw.mac_latency
        where = delayed(m, Cat(slots.o_bank, slots.o_address[: len(o.waddr)]), behind, "o_where", reset_less=True)
        m.d.comb += [
            o.wen.eq(delayed(m, slots.o_write, behind, "o_write")), o.wbank.eq(where[0]), o.waddr.eq(where[1:]), o.wdata.eq(arrays.out),
            o.ren.eq(storer.read), o.raddr.eq(storer.z_word), storer.z_data.eq(o.rdata),
            o.rbank.eq(turning(m, "o_emptied", hw.banks_of("O"), starts, storer.swap_z)),
        ]  # fmt: skip

    def _watch(self, m: Module, starts: Signal, slots: Slots) -> None:
        limit = self.hardware.buffer_words
        if limit:
            m.d.sync += self.overrun.eq(~starts & (self.overrun | (slots.words > limit)))
