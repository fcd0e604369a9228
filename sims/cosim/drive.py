"""Runs Programs on generated hardware: one simulator a process call, thousands of jobs a simulator."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.engines.sequencing import Event, Run
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.base import SpecError
from archmodel.records.commands import UNITS
from archmodel.records.program import Program

from .build import OPTIMISE, simulator
from .sides import generator_of, kind_of, side_of

PATIENCE = 20_000
"""Cycles without any movement after which the watchdog ends a run, beyond those that are right (``patience_of``)."""
EVENTS = 1 << 20
"""Starts and ends of commands that a trace holds where the caller doesn't know how many there will be."""
TRACE_SLACK = 1 << 10
"""Events that faulty hardware may have beyond the model's and still be shown with them."""
STREAMS = 4
"""Of one Program, at most."""
_U64, _U32, _P = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p


class _Job(ctypes.Structure):
    _fields_ = [
        ("header", _P), ("streams", _P * STREAMS), ("lengths", _U32 * STREAMS), ("stream_count", _U32),
        ("memory", _P), ("memory_beats", _U64), ("base", _U64),
        ("port_bytes", _U32), ("latency", _U32), ("interval", _U32), ("stall_length", _U32),
        ("stall_request", _P), ("stall_response", _P), ("max_cycles", _U64), ("patience", _U64),
        ("events", _P), ("event_capacity", _U64), ("event_count", _U64), ("cycles", _U64),
    ]  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """What the hardware did: ``status`` is done, refused, stuck (watchdog), too long, bad address, trace full,
    bus rule (behind AXI: a rule of the bus broken), or overrun (more buffer words in a cycle than the hardware says it takes)."""

    status: str
    cycles: int
    trace: tuple[Event, ...]


STATUS = ("done", "refused", "stuck", "too long", "bad address", "trace full", "bus rule", "overrun")


def capacity(model: Run) -> int:
    """Events that a trace must hold to show all of the model's commands, and TRACE_SLACK too many."""
    return 2 * len(model.trace) + TRACE_SLACK if model.trace else EVENTS


def patience_of(program: Program, hardware: Any, port: Port, stalls: Stalls | None = None) -> int:
    """Cycles in which sound hardware may show nothing: its longest exec, a request on its way, a stall; and some more."""
    longest: int = side_of(program.engine).longest(program, hardware)
    return PATIENCE + port.latency + longest + (len(stalls.request) if stalls else 0)


class Engine:
    """One simulated engine, reset once; its state outlives a Program as the hardware's does.

    top   the module of ``verilog`` to drive: the engine itself (None), or the engine behind AXI (``rtl.systolic_axi``)
    base  byte address at which the memory of the next runs lies, behind AXI
    """

    def __init__(self, hardware: Any, verilog: str | None = None, waves: Path | None = None, optimise: str = OPTIMISE,
                 top: str | None = None) -> None:  # fmt: skip
        self.hardware, self.base = hardware, 0
        generator = generator_of(kind_of(hardware))
        library = simulator(verilog or generator.emit(hardware), top or generator.TOP, waves is not None, optimise)
        self._library = ctypes.CDLL(str(library))
        self._library.engine_open.restype = _P
        for name in ("engine_close", "engine_reset", "engine_run"):
            getattr(self._library, name).argtypes = [_P] if name != "engine_run" else [_P, _P]
        self._library.engine_write.argtypes = [_P, ctypes.c_int, ctypes.c_int, ctypes.c_int, _U32]
        self._handle = self._library.engine_open(str(waves or "").encode())

    def close(self) -> None:
        if self._handle:
            self._library.engine_close(self._handle)
            self._handle = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Hold reset for two cycles; the memory behind the port forgets its requests too."""
        self._library.engine_reset(self._handle)

    def write(self, unit: int, address: int, lane: int, value: int) -> None:
        """One cycle of the program port."""
        self._library.engine_write(self._handle, unit, address, lane, value)

    def run(self, program: Program, port: Port, memory: npt.NDArray[np.uint8], stalls: Stalls | None = None,
            max_cycles: int = 1 << 40, patience: int | None = None, events: int | None = None) -> Observed:  # fmt: skip
        """Execute ``program``; ``memory`` is changed in place.

        patience  of the watchdog; None for what ``patience_of`` says
        events    starts and ends that the trace holds (None: EVENTS): one more ends the run as "trace full", and none is dropped
        """
        if memory.size % self.hardware.port_bytes or not memory.flags.c_contiguous:
            raise SpecError("memory: expected a contiguous array of whole beats")
        header = np.array([program.hardware & 0xFFFFFFFF, program.hardware >> 32, program.isa], dtype=np.uint32)
        streams = [np.frombuffer(stream, dtype=np.uint32) for stream in program.streams]
        events = EVENTS if events is None else events
        log = np.zeros(events, dtype=np.uint64)
        patterns = [np.frombuffer(p, dtype=np.uint8) for p in ((stalls.request, stalls.response) if stalls else (b"\0", b"\0"))]
        job = _Job(
            header=header.ctypes.data, streams=(_P * STREAMS)(*(s.ctypes.data for s in streams)),
            lengths=(_U32 * STREAMS)(*program.lengths()), stream_count=len(streams),
            memory=memory.ctypes.data, memory_beats=memory.size // self.hardware.port_bytes, base=self.base,
            port_bytes=self.hardware.port_bytes,
            latency=port.latency, interval=port.interval, stall_length=len(patterns[0]) if stalls else 0,
            stall_request=patterns[0].ctypes.data, stall_response=patterns[1].ctypes.data,
            max_cycles=max_cycles, patience=patience_of(program, self.hardware, port, stalls) if patience is None else patience,
            events=log.ctypes.data, event_capacity=events,
        )  # fmt: skip
        status = self._library.engine_run(self._handle, ctypes.byref(job))
        return Observed(STATUS[status], job.cycles, _trace(log[: job.event_count]))


def _trace(log: npt.NDArray[np.uint64]) -> tuple[Event, ...]:
    """Commands in order of start; the k-th end of a unit belongs to its k-th start.  What is missing is -1."""
    times, kinds = (log >> np.uint64(3)).astype(np.int64), (log & np.uint64(7)).astype(np.int64)
    events = []
    for index, unit in enumerate(UNITS):
        starts, ends = times[kinds == 2 * index], times[kinds == 2 * index + 1]
        count = max(len(starts), len(ends))
        starts, ends = (np.append(side, np.full(count - len(side), -1)) for side in (starts, ends))
        events += [Event(unit, int(s), int(e)) for s, e in zip(starts, ends, strict=True)]
    return tuple(sorted(events, key=lambda event: (event.start, UNITS.index(event.unit))))
