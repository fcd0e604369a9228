"""The self-checking testbench and the files that it reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from archmodel.memory.port import Port
from archmodel.records.commands import UNITS
from rtl.mover import LENGTH_BITS

from ..cosim.drive import patience_of
from ..cosim.sides import generator_of, kind_of
from .document import streams_of
from .stimulus import Bytes, Stimulus

TEMPLATE = Path(__file__).with_name("testbench.v")
_HALF_SECOND_PS = 5 * 10**11


def testbench(stimulus: Stimulus, hardware: Any, port: Port, hz: int) -> dict[str, bytes]:
    """testbench.v and its four .hex files, by name."""
    top = generator_of(kind_of(hardware)).TOP
    text = TEMPLATE.read_text().replace("ARCHMODEL_TOP", top).replace("//PARAMETERS\n", _parameters(stimulus, hardware, port, hz))
    return {
        "testbench.v": text.replace("//SEGMENTS\n", _segments(stimulus)).encode(),
        "program.hex": _hex("32-bit words", _code(stimulus), 4),
        "memory.hex": _hex("the memory before the run, a beat a line", stimulus.memory, hardware.port_bytes),
        "expected.hex": _hex("the memory after the run, a beat a line", stimulus.expected, hardware.port_bytes),
        "cycles.hex": _cycles(stimulus),
    }


def _commands(stimulus: Stimulus, unit: str) -> list[tuple[int, int]]:
    return [(event.start, event.end) for event in stimulus.run.trace if event.unit == unit]


def _parameters(stimulus: Stimulus, hardware: Any, port: Port, hz: int) -> str:
    values = {
        "BEAT_BITS": 8 * hardware.port_bytes, "LENGTH_BITS": LENGTH_BITS, "LATENCY": port.latency, "INTERVAL": port.interval,
        "HALF_PERIOD_PS": max(1, round(_HALF_SECOND_PS / hz)), "BEATS": len(stimulus.memory) // hardware.port_bytes,
        "CODE_WORDS": 3 + 8 * sum(stimulus.program.lengths()), "COMMANDS": len(stimulus.run.trace),
        "LIMIT": stimulus.run.cycles + patience_of(stimulus.program, hardware, port),
    }  # fmt: skip
    lengths = dict(zip(streams_of(kind_of(hardware)), stimulus.program.lengths(), strict=True))
    values |= {f"{stream.upper()}_INSTRUCTIONS": lengths.get(stream, 0) for stream in (*UNITS, "schedule")}
    values |= {f"{unit.upper()}_COMMANDS": len(_commands(stimulus, unit)) for unit in UNITS}
    values |= {"HEADER": len(lengths), "UNIT_BITS": len(lengths).bit_length()}
    return "".join(f"  localparam {name} = {value};\n" for name, value in values.items())


def _segments(stimulus: Stimulus) -> str:
    """Functions between the port's addresses, in beats, and the lines of memory.hex."""
    to_index = [f"    if (address - 32'd{s.first} < 32'd{s.end - s.first}) index_of = address - 32'd{s.first} + 32'd{s.at};"
                for s in stimulus.segments]  # fmt: skip
    to_address = [f"    if (line >= 32'd{s.at}) address_of = line - 32'd{s.at} + 32'd{s.first};" for s in stimulus.segments]
    return "\n".join((
        "  function [31:0] index_of(input [31:0] address);  // of a beat's line in memory.hex", "  begin", "    index_of = NOWHERE;",
        *to_index, "  end", "  endfunction", "",
        "  function [31:0] address_of(input [31:0] line);", "  begin", "    address_of = NOWHERE;",
        *to_address, "  end", "  endfunction\n\n",
    ))  # fmt: skip


def _code(stimulus: Stimulus) -> Bytes:
    program = stimulus.program
    header = np.array([program.hardware & 0xFFFFFFFF, program.hardware >> 32, program.isa], dtype="<u4")
    return np.concatenate((header.view(np.uint8), *(np.frombuffer(stream, dtype=np.uint8) for stream in program.streams)))


def _cycles(stimulus: Stimulus) -> bytes:
    lines = ["// total cycles", f"{stimulus.run.cycles:x}"]
    for unit in UNITS:
        lines += [f"// {unit}: start and end of each command", *(f"{start:x} {end:x}" for start, end in _commands(stimulus, unit))]
    return _lines(lines)


def _hex(what: str, data: Bytes, word_bytes: int) -> bytes:
    """Little-endian words, one a line, as $readmemh reads them."""
    digits = np.ascontiguousarray(data.reshape(-1, word_bytes)[:, ::-1]).tobytes().hex()
    step = 2 * word_bytes
    return _lines([f"// {what}", *(digits[i : i + step] for i in range(0, len(digits), step))])


def _lines(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
