"""The control registers, decoded from ``registers.REGISTERS``; and the run that they describe: busy, events, cycles."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.engines.systolic import ISA_VERSION, Hardware
from archmodel.records.program import INSTRUCTION_BYTES, hardware_id

from .registers import (
    ADDRESS_BITS,
    EVENT_BIT,
    EVENTS,
    IDENTITY,
    MAP_VERSION,
    REGISTERS,
    WINDOW_BYTES,
    WINDOWS,
    Field,
    Register,
)
from .sequencer import LANES, WORD
from .systolic import HEADER

WORD_BYTES = WORD // 8
FULL = (1 << WORD_BYTES) - 1


class Control(wiring.Component):
    """Between an AXI4-Lite subordinate's register side and the engine's program port, start and done."""

    def __init__(self, hardware: Hardware, address_bits: int) -> None:
        self.hardware, self.address_bits = hardware, address_bits
        super().__init__({
            "write": In(1), "write_address": In(ADDRESS_BITS), "write_data": In(WORD), "strobe": In(WORD_BYTES), "write_ok": Out(1),
            "read_address": In(ADDRESS_BITS), "answer": Out(WORD), "read_ok": Out(1),
            "program_write": Out(1), "program_unit": Out(2), "program_address": Out(16), "program_lane": Out(3), "program_data": Out(WORD),
            "start": Out(1), "done": In(1), "refused": In(1), "read_error": In(1), "write_error": In(1),
            "base": Out(address_bits), "irq": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.kept: dict[tuple[str, str], Signal] = {}
        self.events, self.cycles = Cat(Signal(name=f"event_{name.lower()}") for name, _ in EVENTS), Signal(64, name="cycles")
        written = {register.name: self._select(m, register) for register in REGISTERS}
        sources = self._sources(m)
        for register in REGISTERS:
            self._fields(m, register, written[register.name], sources)
        self._reads(m, sources)
        self._program(m, Cat(written[name] for name in written if name.startswith("PROGRAM_")).any())
        self._run(m)
        return m

    def _select(self, m: Module, register: Register) -> Signal:
        """High in the cycle in which the register is written, which it then accepts."""
        here, whole = Signal(name=f"writes_{register.name.lower()}"), any(field.access == "wo" for field in register.fields)
        if register.writable:
            m.d.comb += here.eq(self.write & (self.write_address[2:] == register.offset >> 2) & (self.done if register.idle else 1)
                                & ((self.strobe == FULL) if whole else 1))  # fmt: skip
            with m.If(here):
                m.d.comb += self.write_ok.eq(1)
        return here

    def _sources(self, m: Module) -> dict[tuple[str, str], Any]:
        """What each field reads that keeps nothing of its own."""
        name, hw = hardware_id(self.hardware), self.hardware
        constants = {
            ("ID", "VALUE"): IDENTITY, ("VERSION", "MAP"): MAP_VERSION, ("VERSION", "ISA"): ISA_VERSION,
            ("HARDWARE_LOW", "VALUE"): name & 0xFFFFFFFF, ("HARDWARE_HIGH", "VALUE"): name >> 32,
            ("SHAPE", "PORT_BYTES"): hw.port_bytes, ("SHAPE", "ADDRESS_BITS"): self.address_bits,
            ("SHAPE", "PROGRAM_WORDS"): hw.program_words, ("CONTROL", "START"): 0,
        }  # fmt: skip
        live = {("STATUS", "BUSY"): ~self.done, ("CYCLES_LOW", "VALUE"): self.cycles[:32], ("CYCLES_HIGH", "VALUE"): self.cycles[32:]}
        return {**constants, **live}

    def _fields(self, m: Module, register: Register, written: Signal, sources: dict[tuple[str, str], Any]) -> None:
        lanes = Cat(bit.replicate(8) for bit in self.strobe)
        for field in register.fields:
            key, part = (register.name, field.name), slice(field.low, field.low + field.bits)
            if field.access == "rw":
                sources[key] = self.kept[key] = kept = Signal(field.bits, name=f"{register.name}_{field.name}".lower())
                wanted = (kept & ~lanes[part]) | (self.write_data[part] & lanes[part])
                with m.If(written):
                    m.d.sync += kept.eq(wanted & self._exists(register, field))
            elif field.access == "w1c":
                sources[key] = self.kept[key] = kept = Signal(field.bits, name=f"{register.name}_{field.name}".lower())
                clear = self.write_data[part] & lanes[part] & written
                m.d.sync += kept.eq((kept & ~clear) | self.events[EVENT_BIT[field.name] - 1])
            elif field.access == "w1":
                m.d.comb += self.start.eq(written & (self.write_data[part] & lanes[part]).any())

    def _exists(self, register: Register, field: Field) -> int:
        """Bits that a kept field has in this hardware: a base begins on a beat and ends with the address."""
        if register.name == "MEMORY_BASE_LOW":
            return 0xFFFFFFFF & -self.hardware.port_bytes
        if register.name == "MEMORY_BASE_HIGH":
            return (1 << self.address_bits - 32) - 1
        return (1 << field.bits) - 1

    def _reads(self, m: Module, sources: dict[tuple[str, str], Any]) -> None:
        for name, _ in EVENTS:
            sources["INTERRUPT_STATUS", name] = self.kept["STATUS", name] & self.kept["INTERRUPT_ENABLE", name]
        m.d.comb += self.irq.eq(Cat(sources["INTERRUPT_STATUS", name] for name, _ in EVENTS).any())
        m.d.comb += self.base.eq(Cat(self.kept["MEMORY_BASE_LOW", "VALUE"], self.kept["MEMORY_BASE_HIGH", "VALUE"]))
        with m.Switch(self.read_address[2:]):
            for register in REGISTERS:
                if register.readable:
                    with m.Case(register.offset >> 2):
                        m.d.comb += self.read_ok.eq(1)
                        for field in register.fields:
                            value = sources[register.name, field.name]
                            m.d.comb += self.answer[field.low : field.low + field.bits].eq(value)

    def _program(self, m: Module, header: Any) -> None:
        """A word of a program through its window, or of the header, to the engine's program port."""
        first, size = WINDOWS[0].offset, WINDOW_BYTES.bit_length() - 1
        window, in_window = Signal(range(len(WINDOWS) + 1), name="window"), Signal(name="in_window")
        place = self.write_address[INSTRUCTION_BYTES.bit_length() - 1 : size]
        m.d.comb += [
            window.eq(self.write_address[size:]),
            in_window.eq(self.write & (window >= first >> size) & (place < self.hardware.program_words) & (self.strobe == FULL)
                         & self.done),
            self.program_write.eq(in_window | header), self.program_unit.eq(Mux(in_window, window - 1, HEADER)),
            self.program_address.eq(place), self.program_lane.eq(self.write_address[2 : 2 + LANES.bit_length() - 1]),
            self.program_data.eq(self.write_data),
        ]  # fmt: skip
        with m.If(in_window):
            m.d.comb += self.write_ok.eq(1)

    def _run(self, m: Module) -> None:
        """Events, and the cycles since the start: in the cycle in which the engine is done, what the cycle model says."""
        was_busy, was_started = Signal(name="was_busy"), Signal(name="was_started")
        m.d.sync += [was_busy.eq(~self.done), was_started.eq(self.start)]
        happened = {"DONE": was_busy & self.done, "REFUSED": was_started & self.refused,
                    "READ_ERROR": self.read_error, "WRITE_ERROR": self.write_error}  # fmt: skip
        m.d.comb += [self.events[bit - 1].eq(happened[name]) for name, bit in EVENT_BIT.items()]
        m.d.sync += self.cycles.eq(Mux(self.start, Const(1), self.cycles + ~self.done))
