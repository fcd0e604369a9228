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
from archmodel.records.engines.systolic import ISA_VERSION, LAYOUTS, OPCODES, OUTPUT_PARAMETER_BYTES, SUM_BITS, Hardware
from archmodel.records.formats import FP32
from archmodel.records.program import INSTRUCTION_BYTES, Layout, hardware_id
from rtl import registers, sram, systolic, systolic_axi

from .fields import FIELDS, INSTRUCTIONS
from .state import Content, contents, memories, state


def document(hardware: Hardware, port: Port, verilog: str, title: str) -> str:
    """Markdown: everything that somebody needs who drives the engine without archmodel."""
    modules = contents(verilog)
    parts = (
        f"# {systolic.TOP}\n\n{title}\n\nGenerated with the hardware, from the same records.",
        "## Parameters\n\n" + _parameters(hardware),
        "## Ports\n\nOne clock, `clk`; `rst` is synchronous and active high, and may come in any cycle.\n\n"
        + _ports(systolic.ports(hardware), systolic.Systolic),
        _memory_port(hardware, port), "## Numbers\n\n" + _numbers(hardware), _start(hardware), _instructions(),
        "## Registers\n\nEvery register; `#` stands for each of several numbers. The names are the same in every emission.\n\n"
        + _state(modules, systolic.TOP),
        f"## Memories\n\nEach is one instance of `{sram.NAME}`, the module to replace by a foundry's macro or a device's block RAM.\n\n"
        + table(("held by", "of a kind", "words", "bits of a word"),
                ((f"`{name}`", count, depth, width) for (name, depth, width), count in memories(modules, sram.NAME))),
    )  # fmt: skip
    around = (_axi(hardware, modules),) if systolic_axi.TOP in modules else ()
    return "\n\n".join((*parts, *around)) + "\n"


def _state(modules: dict[str, Content], top: str, without: str = "") -> str:
    """A table of the registers under ``top``, those of the module ``without`` and below it left out."""
    rows = ((f"`{module}`", f"`{register}`", count, bits) for (module, register), count, bits in state(modules, top, without))
    return table(("module", "register", "of a kind", "bits of all"), rows)


def _axi(hardware: Hardware, modules: dict[str, Content]) -> str:
    """The top with AXI around the engine: its ports, its control registers, its own state."""
    return "\n\n".join((
        f"# {systolic_axi.TOP}\n\nThe same engine, its memory port an AXI4 manager, its control an AXI4-Lite subordinate. One clock, "
        "`aclk`; `aresetn` is synchronous and active low. The AXI side adds no cycle to a Program.",
        "## AXI ports\n\n" + _ports(systolic_axi.ports(hardware), systolic_axi.SystolicAxi),
        "## Control registers\n\n" + registers.markdown().rstrip(),
        f"## AXI state\n\nRegisters beside those of `{systolic.TOP}`.\n\n" + _state(modules, systolic_axi.TOP, systolic.TOP),
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


def _parameters(hardware: Hardware) -> str:
    names = (field.name for field in fields(hardware))
    plain = to_plain(hardware)
    rows = [(f"`{name}`", ", ".join(plain[name]) if isinstance(plain[name], list) else plain[name]) for name in names]
    sizes = [(f"beats of a word of {name}", hardware.beats(name)) for name in "XYZPQ"]
    text = "X enters the array from the left, Y from the top, Z leaves at the bottom, P is read on the way out; Q is a requantised word."
    return table(("parameter", "value"), (*rows, *sizes, ("hardware id", f"`{hardware_id(hardware):#018x}`"))) + f"\n\n{text}"


def _memory_port(hardware: Hardware, port: Port) -> str:
    return (
        "## Memory port\n\n"
        f"Addresses count beats of {hardware.port_bytes} bytes. A read is one handshake of `request_valid` and `request_ready` a word, "
        "`request_length` beats long; its beats come back in the order of the requests, and are always taken. A write is one "
        "handshake a beat, with `request_data`, and after the last beat of its word one pulse of `written`. No more than "
        f"{hardware.outstanding} words are outstanding. Any latency and any stall is allowed; the expected cycles of the testbench are "
        f"those of a memory that answers after {port.latency} cycles and moves a beat every {port.interval}."
    )  # fmt: skip


def _numbers(hardware: Hardware) -> str:
    """What the arithmetic does to every bit."""
    if not hardware.is_float:
        return (
            f"Operands are signed two's complement: X {hardware.x.name}, Y {hardware.y.name}. Sums have {SUM_BITS} bits and wrap. On the "
            "way out (sum + bias) times multiplier, exact in 64 bits, is shifted right, rounded half to even and saturated to "
            f"{hardware.result.name}."
        )
    out, sums = hardware.result, f"{FP32.nan:08X}"
    return (
        f"Operands: X {hardware.x.name}, Y {hardware.y.name}; sums, bias and scale: fp32. A processing element rounds its exact product "
        "plus the sum that enters it once, to nearest, ties to even. Sums begin with +0 and go down a column, top row first, or (os) "
        "through the stream; an idle row multiplies +0 by +0. What comes out is added to Z, or to +0 where nothing accumulates. On "
        f"the way out sum + bias, then its product with scale, are rounded to fp32, and that to {out.name}.\n\n"
        "Subnormals are numbers like others. The sum of opposite numbers is +0, of two -0 it is -0. Infinity minus infinity and zero "
        f"times infinity are NaN; every NaN that is made is {sums}, in {out.name} {out.nan:0{out.bits // 4}X}. Beyond the largest number "
        f"fp32 becomes infinite; {out.name} {'stays at its largest finite one, infinities too' if out.saturates else 'too'}."
    )


def _start(hardware: Hardware) -> str:
    return (
        "## Running a program\n\n"
        f"1. While `done` is high, write the header, `program_unit` {systolic.HEADER}: lane 0 and 1 the hardware id (low, high), "
        f"lane 2 the ISA version, {ISA_VERSION}.\n"
        f"2. Write the instructions, `program_unit` {', '.join(f'{index} {unit}' for index, unit in enumerate(UNITS))}: each of its "
        f"{INSTRUCTION_BYTES // 4} lanes of 32 bits, lane 0 the lowest, at `program_address` 0 and up, at most {hardware.program_words}.\n"
        "3. Hold `start` for one cycle, cycle 0. In cycle 1 `refused` is high if the header is not this hardware's.\n"
        "4. The program has run when `done` is high again. Programs run back to back; only the buffers outlive one."
    )


def _instructions() -> str:
    heads = table(("opcode", "instruction", ""), ((code, f"`{name}`", INSTRUCTIONS[name]) for name, code in OPCODES.items()))
    tables = [f"### {name}\n\n" + table(("bits", "field", "width", ""), _fields(layout)) for name, layout in LAYOUTS.items()]
    return (
        f"## Instructions\n\nISA version {ISA_VERSION}. An instruction has {8 * INSTRUCTION_BYTES} bits; those beyond its last field are "
        "zero. Word (o, i) of a move lies at memory beat base + address register + o x stride + i x (beats of a word) and at buffer "
        f"word sram + o x pitch + i. A lane of P is {OUTPUT_PARAMETER_BYTES // 4} words of 32 bits: bias, multiplier, shift; of "
        "floating point bias, scale, nothing.\n\n"
        + "\n\n".join((heads, *tables))
    )  # fmt: skip


def _fields(layout: Layout) -> Iterable[tuple[Any, ...]]:
    at = 0
    for name, bits in layout:
        yield f"{at + bits - 1}:{at}" if bits > 1 else at, f"`{name}`", bits, FIELDS[name]
        at += bits
