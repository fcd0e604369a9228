"""Planted faults: a comparison that cannot fail is worth nothing, so each layer is broken in turn and must be caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from archmodel import floating
from archmodel.engines import moves, sequencing
from archmodel.engines.systolic import closed_form, datapath, timing
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.engines.systolic import BUFFERS, Hardware, decode, instruction
from archmodel.records.program import INSTRUCTION_BYTES, Program

from . import floats, jobs
from .compare import check
from .drive import Engine
from .mutants import FLOAT_MUTATIONS, MUTATIONS, choose
from .sides import kind_of, side_of

Fields = dict[str, int]
Target = tuple[Any, str, Any]
"""(module or class, attribute, what it becomes)"""


@dataclass(frozen=True)
class Fault:
    """``targets`` are patched while the fault is planted; a fault of layer rtl is a mutation of that name instead."""

    layer: str
    name: str
    targets: tuple[Target, ...] = ()


@contextmanager
def planted(fault: Fault, engine: Engine) -> Iterator[None]:
    """The fault is there inside, and gone afterwards."""
    with ExitStack() as stack:
        if fault.layer == "rtl":
            choose(engine, fault.name)
            stack.callback(choose, engine, None)
        for target, attribute, wrong in fault.targets:
            stack.enter_context(patch.object(target, attribute, wrong))
        yield
    engine.reset()


def caught_by(fault: Fault | None, engine: Engine, seeds: range, largest: int = 16, wild: int = 12) -> set[str]:
    """Names of the checks that fail in any of the random jobs of ``seeds``; every second one at a port that stalls.

    "wild cycles" when one of the first ``wild`` wild Programs differs.
    """
    side, failures = side_of(kind_of(engine.hardware)), set[str]()
    with planted(fault or Fault("none", "none"), engine):
        for seed in seeds:
            job = side.random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=largest)
            failures |= {*check(job, engine).failures}
        if not all(side.same_cycles(engine.hardware, engine, seed) for seed in range(wild)):
            failures.add("wild cycles")
    return failures


# --- Memory behind the port -------------------------------------------------------------------------------------------


def _with_port(change: Callable[[Port, Any, Any], tuple[Port, Any, Any]]) -> Target:
    right = Engine.run

    def run(self: Engine, program: Program, port: Port, memory: Any, stalls: Stalls | None = None, **more: Any) -> Any:
        port, other, stalls = change(port, memory, stalls)
        seen = right(self, program, port, other, stalls, **more)
        memory[:] = other
        return seen

    return (Engine, "run", run)


def _late(port: Port, memory: Any, stalls: Any) -> tuple[Port, Any, Any]:
    return Port(port.latency + 1, port.interval), memory, stalls


def _slow(port: Port, memory: Any, stalls: Any) -> tuple[Port, Any, Any]:
    return Port(max(port.latency, 5), 5), memory, stalls


def _shifted(port: Port, memory: Any, stalls: Any) -> tuple[Port, Any, Any]:
    return port, memory, stalls and Stalls(stalls.request, b"\0" + stalls.response[:-1])


def _flipped(port: Port, memory: Any, stalls: Any) -> tuple[Port, Any, Any]:
    other = memory.copy()
    other[memory.size // 3] ^= 0x10
    return port, other, stalls


# --- Arithmetic -------------------------------------------------------------------------------------------------------


def half_up(values: Any, bias: Any, multiplier: Any, shift: Any) -> Any:
    """Requantisation that rounds half up instead of half to even."""
    product, shift = (values + bias) * (multiplier & 0x7FFFFFFF), shift & 63
    up = (shift > 0) & ((product >> np.maximum(shift - 1, 0)) & 1 == 1)
    return np.clip((product >> shift) + up, -128, 127)


def unsaturated(values: Any, bias: Any, multiplier: Any, shift: Any) -> Any:
    """Requantisation that wraps where it should saturate."""
    product, shift = (values + bias) * (multiplier & 0x7FFFFFFF), shift & 63
    return (((product >> shift) + 128) & 255) - 128


def unbiased(values: Any, bias: Any, multiplier: Any, shift: Any) -> Any:
    """Requantisation that forgets the bias."""
    return datapath.requantise(values, bias * 0, multiplier, shift)


# --- Floating point ---------------------------------------------------------------------------------------------------


def upwards(self: Any, left: Any, right: Any, busy: int) -> Any:
    """A column that adds from the bottom up."""
    return RIGHT_FOLD(self, left[:, busy - 1 :: -1], right[busy - 1 :: -1], busy)


def flushed(x: Any, y: Any, addend: Any, *formats: Any) -> Any:
    """A multiply-add without subnormal results."""
    bits = RIGHT_MULTIPLY_ADD(x, y, addend, *formats)
    return np.where(bits & 0x7F800000, bits, bits & 0x80000000)


def backwards(tiling: Any, hardware: Hardware, a: Any, b: Any, *more: Any) -> Any:
    """A golden that adds from the last k on."""
    return RIGHT_GOLDEN(tiling, hardware, a[:, ::-1], b[::-1], *more)


def cut_off(values: Any, result: Any) -> Any:
    """A conversion to bf16 that drops the lower half."""
    del result
    return values.view(np.uint32).astype(np.int64) >> 16


RIGHT_FOLD, RIGHT_MULTIPLY_ADD, RIGHT_GOLDEN = datapath.Datapath._fold, floating.multiply_add, floats.golden


# --- Lowering ---------------------------------------------------------------------------------------------------------


def _with_program(unit: int, name: str, change: Callable[[Fields], Fields]) -> Target:
    """Lowering that gets some fields of the commands ``name`` of one unit wrong."""
    right = jobs.lower

    def lower(tiling: Any, hardware: Hardware, bases: Any) -> Program:
        program = right(tiling, hardware, bases)
        streams = list(program.streams)
        code = [streams[unit][i : i + INSTRUCTION_BYTES] for i in range(0, len(streams[unit]), INSTRUCTION_BYTES)]
        streams[unit] = b"".join(_changed(item, name, change) for item in code)
        return dataclasses.replace(program, streams=tuple(streams))

    return (jobs, "lower", lower)


def _changed(data: bytes, name: str, change: Callable[[Fields], Fields]) -> bytes:
    found, fields = decode(data)
    return instruction(found, **{**fields, **change(fields)}) if found == name else data


def _after(function: Callable[..., Any], extra: int) -> Callable[..., Any]:
    return lambda *given: function(*given) + extra


def _no_swap(buffer: str) -> Callable[[Fields], Fields]:
    return lambda fields: {"swap": 0} if fields["buffer"] == BUFFERS.index(buffer) else {}


MEMORY_FAULTS = (
    Fault("memory", "a cycle more latency", (_with_port(_late),)),
    Fault("memory", "five cycles between beats", (_with_port(_slow),)),
    Fault("memory", "stalls of responses a cycle late", (_with_port(_shifted),)),
    Fault("memory", "a bit flipped", (_with_port(_flipped),)),
)
FAULTS = (
    *(Fault("rtl", mutation.name) for mutation in MUTATIONS),
    *MEMORY_FAULTS,
    Fault("cycle model", "issue takes four cycles", ((sequencing, "ISSUE", 4),)),
    Fault("cycle model", "control takes twelve cycles", ((sequencing, "CONTROL", 12),)),
    Fault("cycle model", "sync takes two cycles", ((timing, "SYNC", 2),)),
    Fault("cycle model", "no shortest command", ((timing, "MIN_CYCLES", 0),)),
    Fault("cycle model", "store pipeline a stage longer", ((moves, "STORE_FILL", 5),)),
    Fault("cycle model", "drain forgotten", ((timing, "exec_cycles", _after(timing.exec_cycles, -1)),)),
    Fault("cycle model", "load a cycle longer", ((timing, "load_cycles", _after(timing.load_cycles, 1)),)),
    Fault("closed form", "starts a cycle early", ((closed_form, "START", 2),)),
    Fault("closed form", "sync is free", ((closed_form, "SYNC", 0),)),
    Fault("closed form", "store a cycle shorter", ((closed_form, "store_cycles", _after(closed_form.store_cycles, -1)),)),
    Fault("closed form", "first loads and last store forgotten", ((closed_form, "_ends", lambda *given: 0),)),
    Fault("datapath", "rounds half up", ((datapath, "requantise", half_up),)),
    Fault("datapath", "wraps instead of saturating", ((datapath, "requantise", unsaturated),)),
    Fault("datapath", "sums don't wrap", ((datapath, "_wrap", lambda values: np.clip(values, -(1 << 31), (1 << 31) - 1)),)),
    Fault("golden", "bias dropped", ((jobs, "requantise", unbiased),)),
    Fault("golden", "rounds half up", ((jobs, "requantise", half_up),)),
    Fault("lowering", "X never turns its bank", (_with_program(0, "move", _no_swap("X")),)),
    Fault("lowering", "row stride a beat too long", (_with_program(0, "move", lambda f: {"stride": f["stride"] + 1}),)),
    Fault("lowering", "first fold accumulates wrongly", (_with_program(1, "exec", lambda f: {"acc_first": 1 - f["acc_first"]}),)),
    Fault("lowering", "token to the store missing", (_with_program(1, "exec", lambda f: {"signal": 0}),)),
    Fault("lowering", "doesn't wait for the load", (_with_program(1, "exec", lambda f: {"wait": 0}),)),
    Fault("lowering", "broadcast inverted", (_with_program(2, "move", lambda f: {"broadcast": 1 - f["broadcast"]}),)),
)

FLOAT_FAULTS = (
    *(Fault("rtl", mutation.name) for mutation in FLOAT_MUTATIONS),
    Fault("datapath", "columns add from the bottom up", ((datapath.Datapath, "_fold", upwards),)),
    Fault("datapath", "subnormal sums flushed", ((floating, "multiply_add", flushed),)),
    Fault("datapath", "NaN as the processor has it", ((floating, "_patterns", lambda values: values.view(np.uint32).astype(np.int64)),)),
    Fault("datapath", "converted without rounding", ((floating, "_narrow", cut_off),)),
    Fault("golden", "adds from the last k on", ((floats, "golden", backwards),)),
    Fault("lowering", "idle rows not named", (_with_program(1, "exec", lambda f: {"idle": 0}),)),
)
"""Those of floating point."""
