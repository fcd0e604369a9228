"""The cycle model: executes a Program command by command, as the hardware does.

Tiles enter the arrays at the boundaries of periods, one a period while a command has some left or the next one may issue;
while tiles are in flight and none enters, a period passes without; when the last has left, the next command begins in the
cycle in which it may.  With data it also computes every output bit; without, only time passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from archmodel.engines import sequencing
from archmodel.engines.sequencing import Fields, Run, Unit, check_made_for, check_stream, run_units
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, MIN_CYCLES, UNITS
from archmodel.records.engines.attention import (
    BUFFERS,
    ISA_VERSION,
    MOST_SHIFT,
    STATE_OTHERS,
    STREAMS,
    TYPE,
    Hardware,
    decode,
)
from archmodel.records.program import INSTRUCTION_BYTES, Program

from .checking import check_schedule, from_words
from .datapath import Datapath
from .schedule import Schedule, shape
from .timing import Timing

COMMANDS = {"load": ("sync", "move"), "exec": ("attend",), "store": ("sync", "move")}
"""What each unit executes."""
REGISTERS = {"load": ADDRESS_REGISTERS, "store": 1}
"""Address registers of each sequencer."""
WITHOUT_MEANING = ("requantise", "broadcast", "turn_z", "params")
"""Fields of a move that this engine doesn't know."""

decoded = partial(sequencing.decoded, decode=decode)
executed = partial(sequencing.executed, decode=decode)
walk = partial(sequencing.walk, decode=decode)


def run(program: Program, hardware: Hardware, port: Port, memory: npt.NDArray[np.uint8] | None = None,
        stalls: Stalls | None = None, state: Datapath | None = None) -> Run:  # fmt: skip
    """Execute ``program`` from its start pulse in cycle 0.

    memory  bytes behind the port, changed in place; None for timing only
    stalls  cycles in which the port doesn't move, counted from the start pulse
    state   buffers and lanes left by an earlier Program that ran on the same hardware
    Raises SpecError for a program that ``accepts`` refuses, one that deadlocks, and one with more tokens than are counted.
    """
    configure, schedule = accepts(program, hardware)
    timing = Timing(hardware, schedule.period, schedule.stages, port, stalls)
    data = (state or Datapath(hardware)) if memory is not None else None
    if data is not None:
        data.restart(configure)
    load, execute, store = (walk(stream) for stream in program.streams[:3])
    units = [Unit("load", load), Arrays("exec", execute, period=schedule.period), Unit("store", store)]

    def perform(unit: Unit, start: int) -> int:
        name, fields = unit.command
        if data is not None and memory is not None:
            data.execute(unit.name, name, fields, memory)
        return start + timing.cycles(unit.name, name, fields, start)

    return run_units(units, perform)


@dataclass
class Arrays(Unit):
    """The exec unit: takes the next command as soon as the last tile of this one has entered, at a boundary of periods."""

    period: int = MIN_CYCLES
    empty: int = 0
    """The cycle from which no tile is in flight."""

    def takes_next(self, start: int, end: int) -> int:
        self.empty = end
        return start + self.command[1]["count"] * self.period

    def ready(self) -> int | None:
        if (at := super().ready()) is None or at >= self.empty:
            return at
        return at + (self.last_start - at) % self.period


def accepts(program: Program, hardware: Hardware) -> tuple[Fields, Schedule]:
    """What a program says of its tiles: the fields of ``configure``, and the schedule.

    Raises SpecError unless it was made for this hardware and ISA, every command is one that it executes, and no two tiles of its
    schedule meet.  What neither this nor the hardware sees is a race: units that nothing keeps from using the same words at once.
    """
    check_made_for(program, TYPE, ISA_VERSION, hardware)
    if len(program.streams) != len(STREAMS) or max(program.lengths()[: len(UNITS)]) > hardware.program_words:
        raise SpecError(f"program: streams of {list(program.lengths())} instructions, expected three of at most "
                        f"{hardware.program_words} and the schedule")  # fmt: skip
    configure, schedule = _scheduled(program.streams[-1], hardware)
    for unit, stream in zip(UNITS, program.streams, strict=False):
        _validate(unit, stream, hardware, configure["e"], configure["f"])
    return configure, schedule


@lru_cache(maxsize=64)
def _scheduled(stream: bytes, hardware: Hardware) -> tuple[Fields, Schedule]:
    name, fields = decode(stream[:INSTRUCTION_BYTES]) if stream else ("nothing", {})
    if name != "configure":
        raise SpecError(f"program: the schedule begins with {name}, expected configure")
    period, e, f, shift = (fields[key] for key in ("period", "e", "f", "shift"))
    if not 1 <= period <= hardware.slots or not e or not f or shift > MOST_SHIFT:
        raise SpecError(f"program: a period of {period}, heads of {e} and {f}, a shift of {shift}; expected a period of 1 to "
                        f"{hardware.slots}, heads of at least 1, a shift of at most {MOST_SHIFT}")  # fmt: skip
    schedule = from_words(stream[INSTRUCTION_BYTES:], period, fields["stages"])
    check_schedule(schedule, shape(hardware, e, f))
    return fields, schedule


@lru_cache(maxsize=64)
def _validate(unit: str, stream: bytes, hardware: Hardware, e: int, f: int) -> None:
    """Raises SpecError where one stream alone shows that model and hardware would differ, or that it never ends."""

    def check(name: str, fields: Fields) -> None:
        if name not in COMMANDS[unit]:
            raise SpecError(f"program: {name} in the stream of the {unit} unit, which executes {' and '.join(COMMANDS[unit])}")
        if name == "move":
            _validate_move(unit, fields, hardware)
        if name == "attend":
            _validate_attend(fields, hardware, e, f)

    check_stream(stream, decode, check)


def _validate_move(unit: str, fields: Fields, hardware: Hardware) -> None:
    inner, outer = fields["inner"], fields["outer"]
    if not inner or not outer:
        raise SpecError(f"program: a move of {outer} x {inner} words, expected at least 1 x 1")
    if fields["register"] >= REGISTERS[unit]:
        raise SpecError(f"program: address register {fields['register']} in the {unit} unit, which has {REGISTERS[unit]}")
    if unit == "store" and fields["buffer"]:
        raise SpecError(f"program: a store of buffer {fields['buffer']}, expected 0, which is O")
    if named := next((name for name in WITHOUT_MEANING if fields[name]), None):
        raise SpecError(f"program: {named} in a move, expected 0: this engine moves words as they are")
    _window(BUFFERS[fields["buffer"]] if unit == "load" else "O", fields["sram"] + (outer - 1) * fields["pitch"] + inner, hardware)


def _validate_attend(fields: Fields, hardware: Hardware, e: int, f: int) -> None:
    count = fields["count"]
    if not count:
        raise SpecError("program: an attend of 0 tiles, expected at least 1")
    for name, size in (("state", f + STATE_OTHERS), ("o", f)):
        if fields[name] % size:
            raise SpecError(f"program: an attend with {name} {fields[name]}, expected a multiple of {size}: tiles in flight share a word "
                            "only where they are the same tile of queries")  # fmt: skip
    _window("S", fields["state"] + count * (f + STATE_OTHERS), hardware)
    if fields["finish"]:
        _window("O", fields["o"] + count * f, hardware)
        return
    for buffer, end in (("Q", fields["q"] + count * e), ("K", e), ("V", f), ("M", fields["masked"] * (fields["pattern"] + 1))):
        _window(buffer, end, hardware)


def _window(buffer: str, end: int, hardware: Hardware) -> None:
    if end > hardware.depth(buffer):
        raise SpecError(f"program: a command reaches word {end - 1} of {buffer}, which has {hardware.depth(buffer)} words a bank")
