"""The control registers of the systolic engine behind AXI4-Lite: said once, for the decoder, the documents and the tests."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.commands import UNITS

MAP_VERSION = 1
IDENTITY = int.from_bytes(b"AMSY", "little")
ADDRESS_BITS = 19
"""Bytes of the whole map: 512 KiB."""
WINDOW_BYTES = 1 << 17
"""For 4096 instructions of 32 bytes, the most that a sequencer may hold."""

ACCESS = {
    "ro": "read",
    "rw": "read and write",
    "wo": "write, all four bytes at once",
    "w1": "write 1 to act; reads 0",
    "w1c": "read; write 1 to clear",
}


@dataclass(frozen=True)
class Field:
    """``bits`` of a register from bit ``low`` on; ``access`` is a key of ACCESS."""

    name: str
    low: int
    bits: int
    access: str
    text: str


@dataclass(frozen=True)
class Register:
    """32 bits at byte ``offset``; bits of no field read 0 and ignore what is written.

    idle  a write is refused while the engine is busy
    """

    name: str
    offset: int
    fields: tuple[Field, ...]
    idle: bool = False

    @property
    def readable(self) -> bool:
        return any(field.access != "wo" for field in self.fields)

    @property
    def writable(self) -> bool:
        return any(field.access != "ro" for field in self.fields)


@dataclass(frozen=True)
class Window:
    """The program of one sequencer: ``size`` bytes from ``offset`` on, written a word at a time while the engine is idle."""

    name: str
    offset: int
    size: int
    text: str


def _whole(name: str, offset: int, access: str, text: str, idle: bool = False) -> Register:
    return Register(name, offset, (Field("VALUE", 0, 32, access, text),), idle)


EVENTS = (
    ("DONE", "a Program has ended"),
    ("REFUSED", "a start was refused: the Program's header names other hardware, or another version of the instructions"),
    ("READ_ERROR", "the memory answered a read with an error; what was computed since is worth nothing"),
    ("WRITE_ERROR", "the memory answered a write with an error; the result in memory is not complete"),
)
"""What STATUS keeps until it is cleared, from bit 1 on; each can interrupt."""

REGISTERS = (
    _whole("ID", 0x000, "ro", f"{IDENTITY:#010x}, which is AMSY in memory"),
    Register("VERSION", 0x004, (
        Field("MAP", 0, 16, "ro", f"version of this map, {MAP_VERSION}"), Field("ISA", 16, 16, "ro", "version of the instructions"))),
    _whole("HARDWARE_LOW", 0x008, "ro", "hash of the engine's parameters, bits 31 to 0; a Program carries the same"),
    _whole("HARDWARE_HIGH", 0x00C, "ro", "bits 63 to 32 of it"),
    Register("SHAPE", 0x010, (
        Field("PORT_BYTES", 0, 8, "ro", "bytes of one beat of the memory port, the unit of a Program's addresses"),
        Field("ADDRESS_BITS", 8, 8, "ro", "bits of an address at the memory port"),
        Field("PROGRAM_WORDS", 16, 16, "ro", "instructions that each sequencer holds"))),
    Register("CONTROL", 0x014, (Field("START", 0, 1, "w1", "starts the Program"),), idle=True),
    Register("STATUS", 0x018, (
        Field("BUSY", 0, 1, "ro", "a Program runs"), *(Field(name, bit, 1, "w1c", text) for bit, (name, text) in enumerate(EVENTS, 1)))),
    Register("INTERRUPT_ENABLE", 0x01C, tuple(
        Field(name, bit, 1, "rw", f"`irq` is high while STATUS.{name} is") for bit, (name, _) in enumerate(EVENTS, 1))),
    Register("INTERRUPT_STATUS", 0x020, tuple(
        Field(name, bit, 1, "ro", f"STATUS.{name} is high and enabled") for bit, (name, _) in enumerate(EVENTS, 1))),
    _whole("CYCLES_LOW", 0x024, "ro", "cycles of the Program from its start on, bits 31 to 0; stands still when it has ended"),
    _whole("CYCLES_HIGH", 0x028, "ro", "bits 63 to 32 of it"),
    _whole("MEMORY_BASE_LOW", 0x030, "rw", "byte address of the Program's beat 0, bits 31 to 0; those inside a beat read 0", idle=True),
    _whole("MEMORY_BASE_HIGH", 0x034, "rw", "bits 63 to 32 of it; those beyond SHAPE.ADDRESS_BITS read 0", idle=True),
    _whole("PROGRAM_HARDWARE_LOW", 0x040, "wo", "the hash in the Program's header, bits 31 to 0", idle=True),
    _whole("PROGRAM_HARDWARE_HIGH", 0x044, "wo", "bits 63 to 32 of it", idle=True),
    _whole("PROGRAM_ISA", 0x048, "wo", "the version of the instructions in the Program's header", idle=True),
)  # fmt: skip
WINDOWS = tuple(
    Window(f"{unit.upper()}_PROGRAM", (index + 1) * WINDOW_BYTES, WINDOW_BYTES, f"instructions of the {unit} unit, 32 bytes each")
    for index, unit in enumerate(UNITS)
)
OFFSET = {register.name: register.offset for register in REGISTERS} | {window.name: window.offset for window in WINDOWS}
"""Byte offset of every register and window by name."""
EVENT_BIT = {name: bit for bit, (name, _) in enumerate(EVENTS, 1)}
"""Bit of each event in STATUS, INTERRUPT_ENABLE and INTERRUPT_STATUS."""


def markdown() -> str:
    """The map as two tables."""
    lines = ["| offset | register | bits | field | access | |", "|---|---|---|---|---|---|"]
    for register in REGISTERS:
        for field in register.fields:
            high = field.low + field.bits - 1
            bits = f"{high}:{field.low}" if field.bits > 1 else str(field.low)
            access = ACCESS[field.access] + ("; writes only while idle" if register.idle else "")
            lines.append(f"| `{register.offset:#05x}` | {register.name} | {bits} | {field.name} | {access} | {field.text} |")
    lines += ["", "| offset | window | bytes | |", "|---|---|---|---|"]
    lines += [f"| `{window.offset:#07x}` | {window.name} | {window.size} | {window.text} |" for window in WINDOWS]
    return "\n".join(lines) + "\n"
