"""Program: what ``lower`` makes of a mapping, and what the cycle model and the hardware both execute.

A program has one stream of 256-bit instructions for each unit of its engine (units run concurrently and meet by tokens).
Its bytes are canonical and little-endian:

    offset  size  field
    0       4     magic "AMPG"
    4       2     format version (1)
    6       2     ISA version of the engine
    8       8     first 8 bytes of the SHA-256 of the engine's hardware record
    16      8     engine type, its first 8 letters, ASCII, zero padded
    24      4     number of streams n
    28      4n    instructions in each stream
    ...           the instructions, 32 bytes each, stream after stream
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable
from collections.abc import Mapping as Fields
from dataclasses import dataclass
from typing import Any

from .base import SpecError, record_hash

MAGIC = b"AMPG"
FORMAT_VERSION = 1
INSTRUCTION_BYTES = 32
ENGINE_LETTERS = 8
MAX_STREAMS = 16
MAX_INSTRUCTIONS = 1 << 20

Layout = tuple[tuple[str, int], ...]
"""(field, bits) from bit 0 upwards."""


@dataclass(frozen=True)
class Program:
    engine: str
    isa: int
    hardware: int
    streams: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if any(len(stream) % INSTRUCTION_BYTES for stream in self.streams):
            raise SpecError("program: a stream is not a whole number of 32-byte instructions")

    def lengths(self) -> tuple[int, ...]:
        """Instructions in each stream."""
        return tuple(len(stream) // INSTRUCTION_BYTES for stream in self.streams)


def hardware_id(hardware: Any) -> int:
    """64 bits of the hash of an engine's hardware record; the generated hardware holds the same number."""
    return int(record_hash(hardware)[:16], 16)


def to_bytes(program: Program) -> bytes:
    name = program.engine[:ENGINE_LETTERS].encode("ascii")
    head = struct.pack("<4sHHQ8sI", MAGIC, FORMAT_VERSION, program.isa, program.hardware, name, len(program.streams))
    return head + struct.pack(f"<{len(program.streams)}I", *program.lengths()) + b"".join(program.streams)


def from_bytes(data: bytes, engines: Iterable[str] = ()) -> Program:
    """The program in ``data``, of the one of ``engines`` that its letters begin.

    Raises SpecError on anything that ``to_bytes`` doesn't write.
    """
    if len(data) < 28 or data[:4] != MAGIC:
        raise SpecError("program: it does not begin with the magic AMPG; expected a file written by archmodel")
    _, version, isa, hardware, name, count = struct.unpack_from("<4sHHQ8sI", data)
    if version != FORMAT_VERSION:
        raise SpecError(f"program: format version {version}, expected {FORMAT_VERSION}")
    if not re.fullmatch(rb"\w+\0*", name):
        raise SpecError(f"program: engine type {name!r}, expected ASCII letters, digits and _, zero padded")
    if not 0 < count <= MAX_STREAMS or len(data) < 28 + 4 * count:
        raise SpecError(f"program: {count} streams in {len(data)} bytes, expected 1 to {MAX_STREAMS}")
    lengths = struct.unpack_from(f"<{count}I", data, 28)
    if max(lengths) > MAX_INSTRUCTIONS or len(data) != 28 + 4 * count + sum(lengths) * INSTRUCTION_BYTES:
        raise SpecError(f"program: {len(data)} bytes do not fit its {count} streams of {list(lengths)} instructions")
    streams, at = [], 28 + 4 * count
    for length in lengths:
        streams.append(data[at : at + length * INSTRUCTION_BYTES])
        at += length * INSTRUCTION_BYTES
    letters = name.rstrip(b"\0").decode("ascii")
    engine = next((kind for kind in engines if kind[:ENGINE_LETTERS] == letters), letters)
    return Program(engine, isa, hardware, tuple(streams))


def fingerprint(program: Program) -> str:
    return hashlib.sha256(to_bytes(program)).hexdigest()


def pack(layout: Layout, fields: Fields[str, int]) -> bytes:
    """One instruction.  A negative value is its two's complement; one that does not fit raises SpecError."""
    word = at = 0
    for name, bits in layout:
        value = fields[name]
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            raise SpecError(f"program: field {name} is {value}, which does not fit {bits} bits")
        word |= (value & ((1 << bits) - 1)) << at
        at += bits
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def unpack(layout: Layout, instruction: bytes) -> dict[str, int]:
    """Fields of one instruction, unsigned; bits beyond the layout must be zero."""
    word, fields = int.from_bytes(instruction, "little"), {}
    for name, bits in layout:
        fields[name] = word & ((1 << bits) - 1)
        word >>= bits
    if word:
        raise SpecError("program: an instruction has bits set beyond its last field")
    return fields
