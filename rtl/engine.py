"""What every engine has around its datapath: the ports, the header, the sequencers' programs and the one memory port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import OPCODES, UNITS
from archmodel.records.program import hardware_id

from .mover import LENGTH_BITS, Loader, Storer
from .sequencer import LANES, WORD, Sequencer


def ports(port_bytes: int, header: int) -> dict[str, Any]:
    """Those of an engine whose beats have ``port_bytes``, by name; ``Engine`` says what they do."""
    beat = 8 * port_bytes
    return {
        "program_write": In(1), "program_unit": In(header.bit_length()), "program_address": In(16), "program_lane": In(3),
        "program_data": In(WORD), "start": In(1), "done": Out(1), "refused": Out(1),
        "request_valid": Out(1), "request_ready": In(1), "request_write": Out(1), "request_address": Out(32),
        "request_length": Out(LENGTH_BITS), "request_data": Out(beat),
        "read_valid": In(1), "read_ready": Out(1), "read_data": In(beat), "written": In(1),
        "trace_start": Out(len(UNITS)), "trace_end": Out(len(UNITS)),
    }  # fmt: skip


class Engine(wiring.Component):
    """An engine without its datapath; ``header`` is the value of `program_unit` that writes the header, behind those of streams.

    program_*   the host writes instructions, 32 bits at a time, while the engine is idle
    start       one cycle; the run begins in it
    refused     rises in the cycle after `start`, instead of a run, when the header names other hardware
    done        no program runs
    request_*   memory port: reads (one handshake a word) and writes (one a beat), addresses in beats
    read_*      beats of reads, in order; the engine always takes them
    written     response to a word written
    trace_*     per unit (load, exec, store): a command starts; the last cycle before its token is visible
    overrun     (attention) since `start` a slot of the schedule moved more words than `buffer_words`
    """

    def __init__(self, hardware: Any, isa: int, header: int, **extra: Any) -> None:
        self.hardware, self.isa, self.header = hardware, isa, header
        super().__init__({**ports(hardware.port_bytes, header), **extra})

    def _start(self, m: Module) -> Signal:
        """Start, if the header of the program names this hardware."""
        header = Array([Signal(WORD, name=f"header{i}") for i in range(3)])
        with m.If(self.program_write & (self.program_unit == self.header)):
            m.d.sync += header[self.program_lane[:2]].eq(self.program_data)
        mine, starts = Signal(name="mine"), Signal(name="starts")
        expected = hardware_id(self.hardware)
        m.d.comb += [mine.eq((header[0] == expected & 0xFFFFFFFF) & (header[1] == expected >> 32) & (header[2] == self.isa)),
                     starts.eq(self.start & self.done & mine)]  # fmt: skip
        with m.If(self.start):
            m.d.sync += self.refused.eq(~mine)
        return starts

    def _sequence(self, m: Module, starts: Signal, sequencers: Sequence[Sequencer], units: Sequence[Any]) -> None:
        """Each unit behind its sequencer, tokens between the sequencers."""
        for index, (sequencer, unit) in enumerate(zip(sequencers, units, strict=True)):
            m.submodules[f"{UNITS[index]}_sequencer"] = sequencer
            m.d.comb += [
                sequencer.start.eq(starts), unit.issue.eq(sequencer.issue & (sequencer.head.opcode != OPCODES["sync"])),
                unit.issued.eq(sequencer.command), sequencer.finished.eq(unit.finished),
                self.trace_start[index].eq(sequencer.issue), self.trace_end[index].eq(sequencer.end),
                sequencer.tokens_in.eq(Cat(*(other.tokens_out[index] for other in sequencers))),
            ]  # fmt: skip
        self._programs(m, sequencers)
        m.d.comb += self.done.eq(Cat(*(s.done for s in sequencers)).all())

    def _programs(self, m: Module, sequencers: Sequence[Sequencer]) -> None:
        for index, sequencer in enumerate(sequencers):
            mine = self.program_write & (self.program_unit == index)
            m.d.comb += [
                sequencer.write.eq(Cat(*(mine & (self.program_lane == lane) for lane in range(LANES)))),
                sequencer.write_address.eq(self.program_address), sequencer.write_data.eq(self.program_data),
            ]  # fmt: skip

    def _port(self, m: Module, load: Sequencer, store: Sequencer, loader: Loader, storer: Storer) -> None:
        """One move at a time; a store goes before a load that could start in the same cycle."""
        m.d.comb += [
            store.allow.eq(~load.moving), load.allow.eq(~store.moving & ~store.wants_port),
            self.request_write.eq(storer.request), self.request_valid.eq(loader.request | storer.request),
            self.request_address.eq(Mux(storer.request, storer.address, loader.address)),
            self.request_length.eq(Mux(storer.request, storer.length, loader.length)), self.request_data.eq(storer.request_data),
            loader.accepted.eq(self.request_ready), storer.accepted.eq(self.request_ready),
            self.read_ready.eq(1), loader.response.eq(self.read_valid), loader.response_data.eq(self.read_data),
            storer.response.eq(self.written), loader.base.eq(load.base), storer.base.eq(store.base),
        ]  # fmt: skip
