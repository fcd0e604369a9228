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
from archmodel.records.engines.systolic import (
    ADDRESS_REGISTERS,
    ISA_VERSION,
    LOOP_DEPTH,
    TYPE,
    UNITS,
    Hardware,
    decode,
)
from archmodel.records.program import INSTRUCTION_BYTES, Program, hardware_id

from .datapath import Datapath
from .timing import Timing

ISSUE = 3
"""Cycles from one issue to the next of a sequencer: fetch, decode, issue."""
CONTROL = 2
"""Cycles of a LOOP or END: fetch, decode."""

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
    Raises SpecError for a program of other hardware or one that deadlocks.
    """
    accepts(program, hardware)
    timing = Timing(hardware, port, stalls)
    data = (state or Datapath(hardware)) if memory is not None else None
    if data is not None:
        data.restart()
    units = [_Unit(name, _walk(stream)) for name, stream in zip(UNITS, program.streams, strict=True)]
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
    if stuck := [unit.name for unit in units if not unit.halted]:
        raise SpecError(f"program: deadlock, the {' and '.join(stuck)} unit waits for a token that never comes")
    trace.sort(key=lambda event: (event.start, UNITS.index(event.unit)))
    return Run(max(unit.time for unit in units), tuple(trace))


def accepts(program: Program, hardware: Hardware) -> None:
    """Raises SpecError unless ``program`` was made for this hardware and this ISA."""
    if program.engine != TYPE or program.isa != ISA_VERSION:
        raise SpecError(f"program: for engine {program.engine} ISA {program.isa}, expected {TYPE} ISA {ISA_VERSION}")
    if program.hardware != hardware_id(hardware):
        raise SpecError("program: it was made for other hardware parameters; lower the mapping again")
    if len(program.streams) != len(UNITS) or max(program.lengths()) > hardware.program_words:
        raise SpecError(f"program: streams of {list(program.lengths())} instructions, expected three of at most "
                        f"{hardware.program_words}")  # fmt: skip


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

    def finish(self, start: int, end: int, units: list[_Unit]) -> None:
        """Consume the tokens waited for, hand out those signalled, and fetch the next command."""
        fields = self.command[1]
        for bit, name in enumerate(UNITS):
            if fields["wait"] >> bit & 1:
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
def _decoded(stream: bytes) -> tuple[tuple[str, Fields], ...]:
    return tuple(decode(stream[i : i + INSTRUCTION_BYTES]) for i in range(0, len(stream), INSTRUCTION_BYTES))


def _walk(stream: bytes) -> Iterator[tuple[str, Fields, int]]:
    """(name, fields, control instructions before it) of each command in order of issue, with absolute addresses."""
    code, pc, control = _decoded(stream), 0, 0
    registers = (0,) * ADDRESS_REGISTERS
    stack: list[tuple[int, int, tuple[int, ...], tuple[int, ...]]] = []
    while True:
        if pc >= len(code):
            raise SpecError("program: a stream runs past its end, expected a halt")
        name, fields = code[pc]
        pc += 1
        if name == "loop":
            if len(stack) == LOOP_DEPTH or not fields["count"]:
                raise SpecError(f"program: a loop of {fields['count']} at depth {len(stack)}, expected at least 1 and "
                                f"at most {LOOP_DEPTH} deep")  # fmt: skip
            steps = tuple(fields[f"step{r}"] for r in range(ADDRESS_REGISTERS))
            stack.append((pc, fields["count"], steps, registers))
        elif name == "end":
            if not stack:
                raise SpecError("program: an end without its loop")
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

