"""The cycle model: executes a Program command by command, as the hardware does.

Three units run concurrently, each behind a sequencer of its own.  A command starts when its unit is idle, the tokens
that it waits for are there and, for moves, the memory port is free (a store goes before a load); it ends when its own
token becomes visible.  With data it also computes every output bit; without, only time passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, CONTROL, ISSUE, LOOP_DEPTH, MOST_TOKENS, UNITS
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, TYPE, Hardware, decode
from archmodel.records.program import INSTRUCTION_BYTES, Program, hardware_id

from .datapath import Datapath
from .timing import Timing

COMMANDS = {"load": ("sync", "move"), "exec": ("sync", "exec"), "store": ("sync", "move")}
"""What each unit executes."""
REGISTERS = {"load": ADDRESS_REGISTERS, "exec": 0, "store": 2}
"""Address registers of each sequencer."""

Fields = dict[str, int]


@dataclass(frozen=True)
class Event:
    """One command: the cycles in which it started and in which its token became visible."""

    unit: str
    start: int
    end: int


@dataclass(frozen=True)
class Run:
    cycles: int
    trace: tuple[Event, ...]
    """In order of start; of equal starts, load, exec, store."""


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
    units = [_Unit(name, walk(stream)) for name, stream in zip(UNITS, program.streams, strict=True)]
    trace: list[Event] = []
    free = 0
    while pick := _next_to_start(units, free):
        start, unit = pick
        name, fields = unit.command
        end = start + timing.cycles(unit.name, name, fields, start)
        if name == "move":
            free = end
        if data is not None:
            data.execute(unit.name, name, fields, memory)
        trace.append(Event(unit.name, start, end))
        unit.finish(start, end, units)
    for unit in units:
        unit.refuse_uncounted()
    if stuck := [unit.name for unit in units if not unit.halted]:
        raise SpecError(f"program: deadlock, the {' and '.join(stuck)} unit waits for a token that never comes")
    trace.sort(key=lambda event: (event.start, UNITS.index(event.unit)))
    return Run(max(unit.time for unit in units), tuple(trace))


def accepts(program: Program, hardware: Hardware) -> None:
    """Raises SpecError unless ``program`` was made for this hardware and ISA, and every command is one that it executes.

    What neither this nor the hardware sees is a race: units that nothing keeps from using the same words at once.
    """
    if program.engine != TYPE or program.isa != ISA_VERSION:
        raise SpecError(f"program: for engine {program.engine} ISA {program.isa}, expected {TYPE} ISA {ISA_VERSION}")
    if program.hardware != hardware_id(hardware):
        raise SpecError("program: it was made for other hardware parameters; lower the mapping again")
    if len(program.streams) != len(UNITS) or max(program.lengths()) > hardware.program_words:
        raise SpecError(f"program: streams of {list(program.lengths())} instructions, expected three of at most "
                        f"{hardware.program_words}")  # fmt: skip
    for unit, stream in zip(UNITS, program.streams, strict=True):
        _validate(unit, stream, hardware)


@lru_cache(maxsize=64)
def _validate(unit: str, stream: bytes, hardware: Hardware) -> None:
    """Raises SpecError where one stream alone shows that model and hardware would differ, or that it never ends."""
    depth = 0
    for name, fields in decoded(stream):
        if name == "halt":
            break
        if name == "loop":
            if depth == LOOP_DEPTH or not fields["count"]:
                raise SpecError(f"program: a loop of {fields['count']} at depth {depth}, expected at least 1 and at "
                                f"most {LOOP_DEPTH} deep")  # fmt: skip
            depth += 1
        elif name == "end":
            if not depth:
                raise SpecError("program: an end without its loop")
            depth -= 1
        else:
            _validate_command(unit, name, fields, hardware)
    else:
        raise SpecError("program: a stream runs past its end, expected a halt")
    if depth:
        raise SpecError(f"program: a halt inside {depth} loops, expected an end of each")


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


@dataclass
class _Unit:
    """One unit with its sequencer; ``time`` is when it can next issue, and in the end when it is done."""

    name: str
    walk: Iterator[tuple[str, Fields, int]]
    time: int = 0
    last_start: int = 0
    halted: bool = False
    command: tuple[str, Fields] = ("", {})
    tokens: dict[str, deque[int]] = field(default_factory=lambda: {name: deque() for name in UNITS})

    def __post_init__(self) -> None:
        self.fetch()

    def fetch(self) -> None:
        name, fields, control = next(self.walk)
        self.time = max(self.time, self.last_start + ISSUE + CONTROL * control)
        self.command, self.halted = (name, fields), name == "halt"

    def ready(self) -> int | None:
        """The cycle from which tokens and the unit itself allow the command, or None while a token is missing."""
        mask, at = self.command[1]["wait"], self.time
        for bit, name in enumerate(UNITS):
            if mask >> bit & 1:
                if not self.tokens[name]:
                    return None
                at = max(at, self.tokens[name][0])
        return at

    def refuse_uncounted(self, now: int | None = None) -> None:
        """Raises SpecError where more tokens than are counted lie here by the cycle ``now``, or in the end."""
        for name, tokens in self.tokens.items():
            if len(tokens) > MOST_TOKENS and (now is None or tokens[MOST_TOKENS] <= now):
                raise SpecError(f"program: more than {MOST_TOKENS} tokens from the {name} unit wait for the {self.name} unit, "
                                "which counts them in 8 bits")  # fmt: skip

    def finish(self, start: int, end: int, units: list[_Unit]) -> None:
        """Consume the tokens waited for, hand out those signalled, and fetch the next command."""
        fields = self.command[1]
        for bit, name in enumerate(UNITS):
            if fields["wait"] >> bit & 1:
                self.refuse_uncounted(start)
                self.tokens[name].popleft()
            if fields["signal"] >> bit & 1:
                units[bit].tokens[self.name].append(end)
        self.time, self.last_start = end, start
        self.fetch()


def _next_to_start(units: list[_Unit], port_free: int) -> tuple[int, _Unit] | None:
    """The command that starts first.  No command still unseen can be earlier: it would need a token from one of these."""
    best: tuple[int, int] | None = None
    for index in (2, 0, 1):
        unit = units[index]
        if unit.halted or (at := unit.ready()) is None:
            continue
        if unit.command[0] == "move":
            at = max(at, port_free)
        if best is None or at < best[0]:
            best = (at, index)
    return None if best is None else (best[0], units[best[1]])


@lru_cache(maxsize=64)
def decoded(stream: bytes) -> tuple[tuple[str, Fields], ...]:
    """(name, fields) of each instruction."""
    return tuple(decode(stream[i : i + INSTRUCTION_BYTES]) for i in range(0, len(stream), INSTRUCTION_BYTES))


def executed(stream: bytes) -> int:
    """Instructions that a valid stream executes, loops counted out."""
    total, trips = 0, [1]
    for name, fields in decoded(stream):
        total += trips[-1]
        if name == "loop":
            trips.append(trips[-1] * fields["count"])
        elif name == "end":
            trips.pop()
        elif name == "halt":
            break
    return total


def walk(stream: bytes) -> Iterator[tuple[str, Fields, int]]:
    """(name, fields, control instructions before it) of each command of a valid stream in order of issue, with absolute addresses."""
    code, pc, control = decoded(stream), 0, 0
    registers = (0,) * ADDRESS_REGISTERS
    stack: list[tuple[int, int, tuple[int, ...], tuple[int, ...]]] = []
    while True:
        name, fields = code[pc]
        pc += 1
        if name == "loop":
            steps = tuple(fields[f"step{r}"] for r in range(ADDRESS_REGISTERS))
            stack.append((pc, fields["count"], steps, registers))
        elif name == "end":
            begin, count, steps, entry = stack.pop()
            if count > 1:
                registers = tuple((r + s) & 0xFFFFFFFF for r, s in zip(registers, steps, strict=True))
                stack.append((begin, count - 1, steps, entry))
                pc = begin
            else:
                registers = entry
        else:
            if name == "move":
                fields = {**fields, "base": (fields["base"] + registers[fields["register"]]) & 0xFFFFFFFF}
            yield name, fields, control
            control = 0
            continue
        control += 1

