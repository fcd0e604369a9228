"""The cycle model: executes a Program command by command, as the hardware does.

With data it also computes every output bit; without, only time passes.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from archmodel.engines import sequencing
from archmodel.engines.sequencing import Fields, Run, Unit, check_made_for, check_stream, run_units
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, UNITS
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, TYPE, Hardware, decode
from archmodel.records.program import Program

from .datapath import Datapath
from .timing import Timing

COMMANDS = {"load": ("sync", "move"), "exec": ("sync", "exec"), "store": ("sync", "move")}
"""What each unit executes."""
REGISTERS = {"load": ADDRESS_REGISTERS, "exec": 0, "store": 2}
"""Address registers of each sequencer."""

decoded = partial(sequencing.decoded, decode=decode)
executed = partial(sequencing.executed, decode=decode)
walk = partial(sequencing.walk, decode=decode)


def run(program: Program, hardware: Hardware, port: Port, memory: npt.NDArray[np.uint8] | None = None,
        stalls: Stalls | None = None, state: Datapath | None = None) -> Run:  # fmt: skip
    """Execute ``program`` from its start pulse in cycle 0.

    memory  bytes behind the port, changed in place; None for timing only
    stalls  cycles in which the port doesn't move, counted from the start pulse
    state   buffers left by an earlier Program that ran on the same hardware
    Raises SpecError for a program that ``accepts`` refuses, one that deadlocks, and one with more tokens than are counted.
    """
    accepts(program, hardware)
    timing = Timing(hardware, port, stalls)
    data = (state or Datapath(hardware)) if memory is not None else None
    if data is not None:
        data.restart()
    units = [Unit(name, walk(stream)) for name, stream in zip(UNITS, program.streams, strict=True)]

    def execute(unit: Unit, start: int) -> int:
        name, fields = unit.command
        if data is not None:
            data.execute(unit.name, name, fields, memory)
        return start + timing.cycles(unit.name, name, fields, start)

    return run_units(units, execute)


def accepts(program: Program, hardware: Hardware) -> None:
    """Raises SpecError unless ``program`` was made for this hardware and ISA, and every command is one that it executes.

    What neither this nor the hardware sees is a race: units that nothing keeps from using the same words at once.
    """
    check_made_for(program, TYPE, ISA_VERSION, hardware)
    if len(program.streams) != len(UNITS) or max(program.lengths()) > hardware.program_words:
        raise SpecError(f"program: streams of {list(program.lengths())} instructions, expected three of at most "
                        f"{hardware.program_words}")  # fmt: skip
    for unit, stream in zip(UNITS, program.streams, strict=True):
        _validate(unit, stream, hardware)


@lru_cache(maxsize=64)
def _validate(unit: str, stream: bytes, hardware: Hardware) -> None:
    """Raises SpecError where one stream alone shows that model and hardware would differ, or that it never ends."""
    check_stream(stream, decode, lambda name, fields: _validate_command(unit, name, fields, hardware))


def _validate_command(unit: str, name: str, fields: Fields, hardware: Hardware) -> None:
    if name not in COMMANDS[unit]:
        raise SpecError(f"program: {name} in the stream of the {unit} unit, which executes {' and '.join(COMMANDS[unit])}")
    if name == "move":
        _validate_move(unit, fields, hardware)
    if name == "exec":
        _validate_exec(fields, hardware)


def _validate_move(unit: str, fields: Fields, hardware: Hardware) -> None:
    inner, outer, buffer = fields["inner"], fields["outer"], BUFFERS[fields["buffer"]]
    if not inner or not outer:
        raise SpecError(f"program: a move of {outer} x {inner} words, expected at least 1 x 1")
    if fields["register"] >= REGISTERS[unit]:
        raise SpecError(f"program: address register {fields['register']} in the {unit} unit, which has {REGISTERS[unit]}")
    if unit == "store" and buffer != "Z":
        raise SpecError(f"program: a store of {buffer}, expected Z")
    if unit == "load" and fields["requantise"]:
        raise SpecError("program: a load that requantises; only a store does")
    if unit == "load" and buffer == "Z" and fields["turn_z"]:
        raise SpecError("program: turn_z in a load of Z, expected swap")
    _window(buffer, fields["sram"] + (outer - 1) * fields["pitch"] + inner, hardware)
    if fields["requantise"]:
        _window("P", fields["params"] + (-(-inner // hardware.cols) if fields["broadcast"] else outer), hardware)


def _validate_exec(fields: Fields, hardware: Hardware) -> None:
    outer, inner, t, output = (fields[name] for name in ("outer", "inner", "t", "output"))
    if not outer or not inner or not t:
        raise SpecError(f"program: an exec of {outer} x {inner} folds of {t} words, expected at least 1 x 1 of 1")
    if not (hardware.has_output_stationary if output else hardware.has_operand_stationary):
        raise SpecError(f"program: an exec with output {output} on hardware for {', '.join(hardware.dataflows)}")
    if fields["idle"] and (output or not hardware.is_float or fields["idle"] >= hardware.rows):
        raise SpecError(f"program: an exec that leaves {fields['idle']} rows idle, expected fewer than {hardware.rows}, and none unless "
                        "operands of floating point stay in the array")  # fmt: skip
    for name, words in (("x", t), ("y", t if output else hardware.rows), ("z", hardware.rows if output else t)):
        last = fields[name] + (inner - 1) * fields[f"{name}0"] + (outer - 1) * fields[f"{name}1"]
        _window(name.upper(), last + words, hardware)
    length = hardware.rows if output else t
    steps = [fields["z0"]] * (inner > 1) + [fields["z1"] - (inner - 1) * fields["z0"]] * (outer > 1)
    if length - 1 in steps and length == max(hardware.rows, t):
        raise SpecError("program: a fold begins at the word of Z that the one before has yet to write")


def _window(buffer: str, end: int, hardware: Hardware) -> None:
    if end > hardware.depth(buffer):
        raise SpecError(f"program: a command reaches word {end - 1} of {buffer}, which has {hardware.depth(buffer)} words a bank")
