"""What the emitted testbench runs: a Program, the words of memory before and after it, and its cycles.

Data are drawn from a seed.  The words after the run are those of the cycle model's datapath.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.engines.sequencing import Run
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.commands import UNITS
from archmodel.records.machine import Memory, engine_records
from archmodel.records.program import Program

from ..cosim.evaluate import PATIENT_CYCLES
from ..cosim.sides import kind_of
from .engines import emission_of

MOST_INSTRUCTIONS = 1_000_000
"""Instructions executed, loops unrolled: the cycle model's time."""
MOST_BYTES = 64 << 20
"""Of memory that a Program touches: the testbench's files have four times as many."""
MOST_SEGMENTS = 16
NEAR_BEATS = 8
"""Gaps up to this long are part of a segment: its words must come out unchanged."""
ADDRESSES = 1 << 32
"""Beats that the port can address."""

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """Beats ``first`` up to ``end`` of the memory behind the port; they stand from ``at`` on in the image."""

    first: int
    end: int
    at: int


@dataclass(frozen=True, eq=False)
class Stimulus:
    """``memory`` and ``expected`` are the image, segment after segment, before and after the run."""

    program: Program
    segments: tuple[Segment, ...]
    memory: Bytes
    expected: Bytes
    run: Run
    seed: int


class Image:
    """The image under the engine's own addresses, for the datapath."""

    def __init__(self, data: Bytes, segments: tuple[Segment, ...], port_bytes: int) -> None:
        self.data, self._port_bytes = data, port_bytes
        self._first, self._at = (np.array([getattr(s, name) for s in segments], dtype=np.int64) for name in ("first", "at"))
        self.size = segments[-1].end * port_bytes

    def _where(self, addresses: Rows) -> Rows:
        beats = addresses // self._port_bytes
        segment = np.searchsorted(self._first, beats, side="right") - 1
        return addresses + (self._at - self._first)[segment] * self._port_bytes

    def __getitem__(self, addresses: Rows) -> Bytes:
        return self.data[self._where(addresses)]

    def __setitem__(self, addresses: Rows, values: Bytes) -> None:
        self.data[self._where(addresses)] = values


def stimulus(program: Program, hardware: Any, port: Port, behind: Memory, seed: int) -> Stimulus:
    """Run ``program`` on drawn data.

    behind  the memory behind the port
    Raises SpecError for a Program of other hardware, one that never ends, and one too large for a testbench.
    """
    kind = kind_of(hardware)
    cycle = import_module(f"archmodel.engines.{kind}.cycle")
    cycle.accepts(program, hardware)
    _refuse_long(program, cycle)
    timed = cycle.run(program, hardware, port)
    if timed.cycles > PATIENT_CYCLES:
        raise SpecError(f"program: {timed.cycles:,} cycles, expected at most {PATIENT_CYCLES:,} in a testbench; take a smaller product")
    moved = {name: _rows(program, hardware, name) for name in (*engine_records(kind).BUFFERS, "store")}
    segments = _segments(np.unique(np.concatenate(list(moved.values())), axis=0), hardware, behind)
    if not segments:
        raise SpecError("program: it moves no word, so there is nothing to compare")
    memory = _draw(moved, segments, hardware, seed)
    expected = memory.copy()
    data: Any = Image(expected, segments, hardware.port_bytes)
    return Stimulus(program, segments, memory, expected, cycle.run(program, hardware, port, data), seed)


def _refuse_long(program: Program, cycle: Any) -> None:
    longest = max(map(cycle.executed, program.streams[: len(UNITS)]))
    if longest > MOST_INSTRUCTIONS:
        raise SpecError(f"program: a stream executes {longest:,} instructions, expected at most {MOST_INSTRUCTIONS:,} in a "
                        "testbench; take a smaller product")  # fmt: skip


def _rows(program: Program, hardware: Any, what: str) -> Rows:
    """[first beat, beat after the last] of each row that is loaded into buffer ``what``, or stored; sorted."""
    found = [np.stack((begin := base + np.arange(rows, dtype=np.int64) * stride, begin + beats), axis=-1)
             for base, stride, rows, beats in sorted(set(_moves(program, hardware, what)))]  # fmt: skip
    return np.unique(np.concatenate((*found, np.empty((0, 2), dtype=np.int64))), axis=0)


def _moves(program: Program, hardware: Any, what: str) -> Iterator[tuple[int, int, int, int]]:
    """(base, stride, rows, beats of a row) of each move."""
    kind, unit = kind_of(hardware), "store" if what == "store" else "load"
    walk = import_module(f"archmodel.engines.{kind}.cycle").walk
    for name, fields, _ in walk(program.streams[UNITS.index(unit)]):
        if name == "halt":
            return
        if name == "move":
            buffer, beats = emission_of(kind).beats_of(hardware, unit, fields)
            if what in ("store", buffer):
                yield fields["base"], fields["stride"], fields["outer"], fields["inner"] * beats


def _merged(rows: Rows, near: int, most: int | None = None) -> Rows:
    """[first, end] of what the sorted ``rows`` cover: gaps up to ``near`` filled, and all but the ``most`` - 1 widest."""
    if not len(rows):
        return rows
    ends = np.maximum.accumulate(rows[:, 1])
    gaps = rows[1:, 0] - ends[:-1]
    widest = np.argsort(-gaps, kind="stable")[: None if most is None else most - 1]
    cuts = np.sort(widest[gaps[widest] > near])
    return np.stack((rows[np.append(0, cuts + 1), 0], ends[np.append(cuts, -1)]), axis=-1)


def _segments(rows: Rows, hardware: Any, behind: Memory) -> tuple[Segment, ...]:
    """The beats that are touched, near ones together.  Raises SpecError for a beat that the memory lacks, or too many."""
    parts, size = _merged(rows, NEAR_BEATS, MOST_SEGMENTS).tolist(), hardware.port_bytes
    have = min(behind.size_bytes, ADDRESSES * size)
    if parts and parts[-1][1] * size > have:
        raise SpecError(f"program: a move reaches byte {parts[-1][1] * size - 1} of {behind.name}, which has {have} bytes in reach")
    touched = sum(end - first for first, end in parts)
    if touched * size > MOST_BYTES:
        raise SpecError(f"program: it touches {touched * size:,} bytes of {behind.name}, expected at most {MOST_BYTES:,} in a "
                        "testbench; take a smaller product")  # fmt: skip
    starts = accumulate((end - first for first, end in parts), initial=0)
    return tuple(Segment(first, end, at) for (first, end), at in zip(parts, starts, strict=False))


def _draw(moved: dict[str, Rows], segments: tuple[Segment, ...], hardware: Any, seed: int) -> Bytes:
    """Random bytes everywhere, and in each buffer's words what belongs into them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    beats = sum(segment.end - segment.first for segment in segments)
    memory = rng.integers(0, 256, beats * hardware.port_bytes, dtype=np.uint8)
    image = Image(memory, segments, hardware.port_bytes)
    kind = kind_of(hardware)
    for name in engine_records(kind).BUFFERS:
        for first, end in _merged(moved[name], 0).tolist():
            drawn = emission_of(kind).draw(name, -(-(end - first) // hardware.beats(name)), hardware, rng)
            begin, size = first * hardware.port_bytes, (end - first) * hardware.port_bytes
            image[np.arange(begin, begin + size)] = drawn[:size]
    return memory
