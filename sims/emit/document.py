"""The document of an emitted engine: ports, parameters, instructions, registers, memories; all from the records and the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from fnmatch import fnmatch
from inspect import getdoc
from typing import Any

from amaranth.lib.wiring import In

from archmodel.memory.port import Port
from archmodel.records.base import to_plain
from archmodel.records.commands import UNITS
from archmodel.records.machine import engine_records
from archmodel.records.program import INSTRUCTION_BYTES, Layout, hardware_id
from rtl import engine, registers, sram

from ..cosim.sides import generator_of, kind_of
from .engines import emission_of
from .fields import FIELDS, INSTRUCTIONS
from .state import Content, contents, memories, state


def document(hardware: Any, port: Port, verilog: str, title: str) -> str:
    """Markdown: everything that somebody needs who drives the engine without archmodel."""
    modules, kind = contents(verilog), kind_of(hardware)
    generator, emission = generator_of(kind), emission_of(kind)
    parts = (
        f"# {generator.TOP}\n\n{title}\n\nGenerated with the hardware, from the same records.",
        "## Parameters\n\n" + _parameters(hardware),
        "## Ports\n\nOne clock, `clk`; `rst` is synchronous and active high, and may come in any cycle.\n\n"
        + _ports(generator.ports(hardware), engine.Engine),
        _memory_port(hardware, port), "## Numbers\n\n" + emission.numbers(hardware), _start(hardware), _instructions(kind),
        "## Registers\n\nEvery register; `#` stands for each of several numbers. The names are the same in every emission.\n\n"
        + _state(modules, generator.TOP),
        f"## Memories\n\nEach is one instance of `{sram.NAME}`, the module to replace by a foundry's macro or a device's block RAM.\n\n"
        + table(("held by", "of a kind", "words", "bits of a word"),
                ((f"`{name}`", count, depth, width) for (name, depth, width), count in memories(modules, sram.NAME))),
    )  # fmt: skip
    around = (_axi(hardware, modules, emission.AXI, generator.TOP),) if emission.AXI and emission.AXI.TOP in modules else ()
    return "\n\n".join((*parts, *around)) + "\n"


def _state(modules: dict[str, Content], top: str, without: str = "") -> str:
    """A table of the registers under ``top``, those of the module ``without`` and below it left out."""
    rows = ((f"`{module}`", f"`{register}`", count, bits) for (module, register), count, bits in state(modules, top, without))
    return table(("module", "register", "of a kind", "bits of all"), rows)


def _axi(hardware: Any, modules: dict[str, Content], axi: Any, inner: str) -> str:
    """The top with AXI around the engine: its ports, its control registers, its own state."""
    return "\n\n".join((
        f"# {axi.TOP}\n\nThe same engine, its memory port an AXI4 manager, its control an AXI4-Lite subordinate. One clock, "
        "`aclk`; `aresetn` is synchronous and active low. The AXI side adds no cycle to a Program.",
        "## AXI ports\n\n" + _ports(axi.ports(hardware), axi.SystolicAxi),
        "## Control registers\n\n" + registers.markdown().rstrip(),
        f"## AXI state\n\nRegisters beside those of `{inner}`.\n\n" + _state(modules, axi.TOP, inner),
    ))  # fmt: skip


def table(heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _ports(ports: dict[str, Any], component: type) -> str:
    """A table of a component's ports; what they are for is said in its docstring."""
    meanings = _meanings(component)
    return table(("port", "direction", "bits", ""), (
        (f"`{name}`", "in" if member.flow == In else "out", member.shape, next((text for pattern, text in meanings.items()
         if fnmatch(name, pattern)), "")) for name, member in ports.items()
    ))  # fmt: skip


def _meanings(component: type) -> dict[str, str]:
    """Patterns of port names and what they are for, from lines such as ``read_*   beats of reads``."""
    lines = re.findall(r"(?m)^(\w[\w*, ]*?) {2,}(\S.*)$", getdoc(component) or "")
    return {name: text for names, text in lines for name in names.split(", ")}


def _parameters(hardware: Any) -> str:
    names = (field.name for field in fields(hardware))
    plain = to_plain(hardware)
    rows = [(f"`{name}`", ", ".join(plain[name]) if isinstance(plain[name], list) else plain[name]) for name in names]
    emission = emission_of(kind_of(hardware))
    sizes = [(f"beats of a word of {name}", hardware.beats(name)) for name in emission.NAMES]
    return table(("parameter", "value"), (*rows, *sizes, ("hardware id", f"`{hardware_id(hardware):#018x}`"))) + f"\n\n{emission.LETTERS}"


def _memory_port(hardware: Any, port: Port) -> str:
    return (
        "## Memory port\n\n"
        f"Addresses count beats of {hardware.port_bytes} bytes. A read is one handshake of `request_valid` and `request_ready` a word, "
        "`request_length` beats long; its beats come back in the order of the requests, and are always taken. A write is one "
        "handshake a beat, with `request_data`, and after the last beat of its word one pulse of `written`. No more than "
        f"{hardware.outstanding} words are outstanding. Any latency and any stall is allowed; the expected cycles of the testbench are "
        f"those of a memory that answers after {port.latency} cycles and moves a beat every {port.interval}."
    )  # fmt: skip


def _start(hardware: Any) -> str:
    kind = kind_of(hardware)
    header, isa = generator_of(kind).HEADER, engine_records(kind).ISA_VERSION
    return (
        "## Running a program\n\n"
        f"1. While `done` is high, write the header, `program_unit` {header}: lane 0 and 1 the hardware id (low, high), "
        f"lane 2 the ISA version, {isa}.\n"
        f"2. Write the instructions, `program_unit` {', '.join(f'{i} {stream}' for i, stream in enumerate(streams_of(kind)))}: each of its "
        f"{INSTRUCTION_BYTES // 4} lanes of 32 bits, lane 0 the lowest, at `program_address` 0 and up, at most {hardware.program_words}.\n"
        "3. Hold `start` for one cycle, cycle 0. In cycle 1 `refused` is high if the header is not this hardware's.\n"
        "4. The program has run when `done` is high again. Programs run back to back; only the buffers outlive one."
    )


def streams_of(kind: str) -> tuple[str, ...]:
    """Of a Program: those of the units, and what else an engine has."""
    streams: tuple[str, ...] = getattr(engine_records(kind), "STREAMS", UNITS)
    return streams


def _instructions(kind: str) -> str:
    records, emission = engine_records(kind), emission_of(kind)
    said, meanings = {**INSTRUCTIONS, **emission.INSTRUCTIONS}, {**FIELDS, **emission.FIELDS}
    heads = table(("opcode", "instruction", ""), ((code, f"`{name}`", said[name]) for name, code in records.OPCODES.items()))
    tables = [f"### {name}\n\n" + table(("bits", "field", "width", ""), _fields(layout, meanings))
              for name, layout in records.LAYOUTS.items()]  # fmt: skip
    return (
        f"## Instructions\n\nISA version {records.ISA_VERSION}. An instruction has {8 * INSTRUCTION_BYTES} bits; those beyond its last "
        "field are zero. Word (o, i) of a move lies at memory beat base + address register + o x stride + i x (beats of a word) and at "
        f"buffer word sram + o x pitch + i. {emission.layout_notes()}\n\n"
        + "\n\n".join((heads, *tables))
    )  # fmt: skip


def _fields(layout: Layout, meanings: dict[str, str]) -> Iterable[tuple[Any, ...]]:
    at = 0
    for name, bits in layout:
        yield f"{at + bits - 1}:{at}" if bits > 1 else at, f"`{name}`", bits, meanings[name]
        at += bits
