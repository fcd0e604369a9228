"""Sequencers and units of a cycle model, whatever the engine: the order of commands, their tokens, the port.

Units run concurrently, each behind a sequencer of its own.  A command starts when its unit takes one, the tokens that it
waits for are there and, for moves, the memory port is free (a store goes before a load); it ends when its own token becomes
visible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, CONTROL, ISSUE, LOOP_DEPTH, MOST_TOKENS, UNITS
from archmodel.records.program import INSTRUCTION_BYTES, Program, hardware_id

Fields = dict[str, int]
Command = tuple[str, Fields]
Decode = Callable[[bytes], Command]
"""An engine's own: (name, fields) of one instruction."""


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


def check_made_for(program: Program, engine: str, isa: int, hardware: object) -> None:
    """Raises SpecError for a program of another engine, ISA or hardware."""
    if program.engine != engine or program.isa != isa:
        raise SpecError(f"program: for engine {program.engine} ISA {program.isa}, expected {engine} ISA {isa}")
    if program.hardware != hardware_id(hardware):
        raise SpecError("program: it was made for other hardware parameters; lower the mapping again")


def check_stream(stream: bytes, decode: Decode, check: Callable[[str, Fields], None]) -> None:
    """Raises SpecError where a stream alone shows that it never ends, or by ``check`` of one of its commands."""
    depth = 0
    for name, fields in decoded(stream, decode):
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
            check(name, fields)
    else:
        raise SpecError("program: a stream runs past its end, expected a halt")
    if depth:
        raise SpecError(f"program: a halt inside {depth} loops, expected an end of each")


@dataclass
class Unit:
    """One unit with its sequencer; ``time`` is when it can next issue, and in the end when it is done."""

    name: str
    walk: Iterator[tuple[str, Fields, int]]
    time: int = 0
    last_start: int = 0
    halted: bool = False
    command: Command = ("", {})
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

    def finish(self, start: int, end: int, units: list[Unit]) -> None:
        """Consume the tokens waited for, hand out those signalled, and fetch the next command."""
        fields = self.command[1]
        for bit, name in enumerate(UNITS):
            if fields["wait"] >> bit & 1:
                self.refuse_uncounted(start)
                self.tokens[name].popleft()
            if fields["signal"] >> bit & 1:
                units[bit].tokens[self.name].append(end)
        self.time, self.last_start = self.takes_next(start, end), start
        self.fetch()
        if self.halted:
            self.time = max(self.time, end)

    def takes_next(self, start: int, end: int) -> int:
        """The cycle from which it takes another command than the present one."""
        return end


def run_units(units: list[Unit], execute: Callable[[Unit, int], int]) -> Run:
    """All commands in order of their start.  ``execute`` does one, given its unit and start, and returns its end.

    Raises SpecError for a program that deadlocks, and one with more tokens than are counted.
    """
    trace: list[Event] = []
    free = 0
    while pick := _next_to_start(units, free):
        start, unit = pick
        end = execute(unit, start)
        if unit.command[0] == "move":
            free = end
        trace.append(Event(unit.name, start, end))
        unit.finish(start, end, units)
    for unit in units:
        unit.refuse_uncounted()
    if stuck := [unit.name for unit in units if not unit.halted]:
        raise SpecError(f"program: deadlock, the {' and '.join(stuck)} unit waits for a token that never comes")
    trace.sort(key=lambda event: (event.start, UNITS.index(event.unit)))
    return Run(max(unit.time for unit in units), tuple(trace))


def _next_to_start(units: list[Unit], port_free: int) -> tuple[int, Unit] | None:
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
def decoded(stream: bytes, decode: Decode) -> tuple[Command, ...]:
    """(name, fields) of each instruction."""
    return tuple(decode(stream[i : i + INSTRUCTION_BYTES]) for i in range(0, len(stream), INSTRUCTION_BYTES))


def executed(stream: bytes, decode: Decode) -> int:
    """Instructions that a valid stream executes, loops counted out."""
    total, trips = 0, [1]
    for name, fields in decoded(stream, decode):
        total += trips[-1]
        if name == "loop":
            trips.append(trips[-1] * fields["count"])
        elif name == "end":
            trips.pop()
        elif name == "halt":
            break
    return total


def walk(stream: bytes, decode: Decode) -> Iterator[tuple[str, Fields, int]]:
    """(name, fields, control instructions before it) of each command of a valid stream in order of issue, with absolute addresses."""
    code, pc, control = decoded(stream, decode), 0, 0
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
