"""Planted faults of the attention engine in every layer but the hardware itself, which ``mutants`` breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from archmodel.engines import sequencing
from archmodel.engines.attention import arithmetic, closed_form, cycle, datapath, timing
from archmodel.engines.attention.arithmetic import FixedPoint, FloatingPoint
from archmodel.records.commands import UNITS
from archmodel.records.engines.attention import decode, instruction
from archmodel.records.program import INSTRUCTION_BYTES, Program

from ..faults import MEMORY_FAULTS, Fault
from . import golden, jobs

Fields = dict[str, int]


def _after(function: Callable[..., Any], extra: int) -> Callable[..., Any]:
    return lambda *given: function(*given) + extra


def _attends(change: Callable[[Fields], Fields]) -> tuple[Any, str, Any]:
    """Lowering that gets some fields of the attends wrong."""
    right, size, unit = jobs.lower, INSTRUCTION_BYTES, UNITS.index("exec")

    def lower(*given: Any) -> Program:
        program = right(*given)
        streams = list(program.streams)
        code = [decode(streams[unit][at : at + size]) for at in range(0, len(streams[unit]), size)]
        streams[unit] = b"".join(instruction(name, **{**f, **(change(f) if name == "attend" else {})}) for name, f in code)
        return replace(program, streams=tuple(streams))

    return (jobs, "lower", lower)


def _upwards(self: Any, fields: Any, state: Any) -> Any:
    """Columns that add from the bottom up."""
    rows = self.words["V"].shape[2]
    for buffer in "KV":
        self.words[buffer][:] = self.words[buffer][:, :, ::-1]
    shape = (*self.words["M"].shape[:2], rows, -1)
    self.words["M"][:] = self.words["M"].reshape(shape)[:, :, ::-1].reshape(self.words["M"].shape)
    found = RIGHT_TILE(self, fields, state)
    for buffer in "KV":
        self.words[buffer][:] = self.words[buffer][:, :, ::-1]
    self.words["M"][:] = self.words["M"].reshape(shape)[:, :, ::-1].reshape(self.words["M"].shape)
    return found


def _never_scaled(self: Any, state: Any, prm: Any, arriving: Any) -> Any:
    """Sums that forget that the maximum has moved."""
    one = 0x3F80 if isinstance(self, FloatingPoint) else 1 << 16
    return RIGHT_SCALED[type(self)](self, state, np.full_like(prm, one), arriving)


def _values_of_hidden_keys(self: Any, down: Any, w: Any, v: Any, hidden: Any) -> Any:
    return RIGHT_VALUE(self, down, w, v, np.zeros_like(hidden))


def _at_once(self: Any, allowed: int, tiles: int) -> None:
    """A closed form that knows of no boundaries of periods."""
    self.begun = max(allowed, self.next)
    self.next = self.begun + tiles * self.period
    self.empty = self.next + (self.stages - 1) * self.period


def _cut_off(rnv: Any, bias: Any, factor: Any, shift: Any) -> Any:
    """A result that is rounded down."""
    return np.clip((rnv + bias) * factor >> shift, -128, 127)


def _without_mask(q: Any, k: Any, v: Any, seen: Any, *more: Any) -> Any:
    return RIGHT_GOLDEN(q, k, v, np.ones_like(seen), *more)


def _last_keys_first(q: Any, k: Any, v: Any, seen: Any, *more: Any) -> Any:
    return RIGHT_GOLDEN(q, k[::-1], v[::-1], seen[:, ::-1], *more)


RIGHT_TILE, RIGHT_GOLDEN, RIGHT_VALUE = datapath.Datapath._tile, golden.golden, FloatingPoint.add_value
RIGHT_SCALED: dict[type, Callable[..., Any]] = {FloatingPoint: FloatingPoint.scaled, FixedPoint: FixedPoint.scaled}

FAULTS = (
    *MEMORY_FAULTS,
    Fault("cycle model", "issue takes four cycles", ((sequencing, "ISSUE", 4),)),
    Fault("cycle model", "tiles enter amid a period", ((cycle.Arrays, "ready", sequencing.Unit.ready),)),
    Fault("cycle model", "a tile leaves a cycle early", ((timing, "attend_cycles", _after(timing.attend_cycles, -1)),)),
    Fault("cycle model", "a command waits for the one before", ((cycle.Arrays, "takes_next", sequencing.Unit.takes_next),)),
    Fault("cycle model", "store a cycle longer", ((timing, "store_cycles", _after(timing.store_cycles, 1)),)),
    Fault("closed form", "starts a cycle early", ((closed_form, "START", 2),)),
    Fault("closed form", "store a cycle shorter", ((closed_form, "store_cycles", _after(closed_form.store_cycles, -1)),)),
    Fault("closed form", "tiles enter amid a period", ((closed_form._Clock, "_begin", _at_once),)),
    Fault("datapath", "sums never rescaled", ((FixedPoint, "scaled", _never_scaled),)),
    Fault("datapath", "results rounded down", ((arithmetic, "requantise", _cut_off),)),
    Fault("datapath", "hidden keys count", ((FixedPoint, "hidden", lambda self, seen, score: np.zeros_like(seen)),)),
    Fault("golden", "every key is seen", ((jobs, "golden", _without_mask),)),
    Fault("lowering", "K and V never turn their bank", (_attends(lambda f: {"swap_kv": 0}),)),
    Fault("lowering", "every tile goes on with old state", (_attends(lambda f: {"first": 0}),)),
    Fault("lowering", "pattern 0 for all", (_attends(lambda f: {"pattern": 0}),)),
    Fault("lowering", "nothing masked", (_attends(lambda f: {"masked": 0}),)),
    Fault("lowering", "doesn't wait for the load", (_attends(lambda f: {"wait": 0}),)),
    Fault("lowering", "token to the store missing", (_attends(lambda f: {"signal": f.get("signal", 0) & ~4}),)),
)

FLOAT_FAULTS = (
    Fault("datapath", "columns add from the bottom up", ((datapath.Datapath, "_tile", _upwards),)),
    Fault("datapath", "values of hidden keys count", ((FloatingPoint, "add_value", _values_of_hidden_keys),)),
    Fault("datapath", "a score of minus infinity counts", ((FloatingPoint, "hidden", lambda self, seen, score: ~seen),)),
    Fault("golden", "last keys first", ((jobs, "golden", _last_keys_first),)),
)
"""Those of floating point; what integers share with it is broken above."""
