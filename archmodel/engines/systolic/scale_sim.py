"""Cycles of a whole GEMM with no time for memory: as SCALE-Sim v3 prints them, and as our hardware takes them.

Both see C[m,n] += A[m,k] B[k,n] as ceil(l/rows) * ceil(y/cols) folds, each a stream of i words (roles as in ``tiling``).
SCALE-Sim lets the folds follow each other end to end and charges no drain of an output-stationary result; our array
preloads and drains one fold under the stream of another.  docs/timing.md explains the difference.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import DATAFLOWS, Hardware

from .closed_form import Array, Folds, exec_cycles
from .tiling import ROLES, Ints, ceil_div

Flows = Any
"""A dataflow, or an array of them: ws, is, os."""


class _Grid(NamedTuple):
    """What ``exec_cycles`` reads of the hardware."""

    rows: Ints
    cols: Ints


class _Runs(NamedTuple):
    """``l_folds`` x ``y_folds`` folds, each a stream of ``t`` words; ``output``: output-stationary."""

    l_folds: Array
    y_folds: Array
    t: Array
    output: npt.NDArray[np.bool_]


def scale_sim_cycles(m: Ints, n: Ints, k: Ints, rows: Ints, cols: Ints, flow: Flows) -> Array:
    """The stall-free cycles that SCALE-Sim v3 prints: the index of the last cycle, one less than their number.

    All arguments broadcast.  Raises SpecError for an unknown dataflow or a size below 1.
    """
    runs = _runs(m, n, k, rows, cols, flow)
    rows = np.asarray(rows, dtype=np.int64)
    fill = np.where(runs.output, rows, 2 * rows) + np.asarray(cols, dtype=np.int64) - 2
    return runs.l_folds * runs.y_folds * (fill + runs.t) - 1


def stall_free_cycles(m: Ints, n: Ints, k: Ints, rows: Ints, cols: Ints, flow: Flows) -> Array:
    """The cycles of our hardware for the same run: one exec command over the whole GEMM, its operands in the buffers.

    Equal to the duration of that command in the cycle model.  Arguments and errors as of ``scale_sim_cycles``.
    """
    runs = _runs(m, n, k, rows, cols, flow)
    grid = _Grid(np.asarray(rows, dtype=np.int64), np.asarray(cols, dtype=np.int64))
    return np.asarray(exec_cycles(Folds(runs.l_folds, runs.y_folds, runs.t), cast(Hardware, grid)))


def _runs(m: Ints, n: Ints, k: Ints, rows: Ints, cols: Ints, flow: Flows) -> _Runs:
    for name, value in (("m", m), ("n", n), ("k", k), ("rows", rows), ("cols", cols)):
        least = int(np.min(value))
        if least < 1:
            raise SpecError(f"stall-free cycles: {name} is {least}, expected at least 1")
    flows = np.asarray(flow)
    of = {name: flows == name for name in DATAFLOWS}
    unknown = ~np.logical_or.reduce(list(of.values()))
    if unknown.any():
        raise SpecError(f"stall-free cycles: dataflow {flows[unknown].flat[0]!s}, expected ws, is or os")
    extents = {"m": m, "n": n, "k": k}
    l_size, t, y_size = (_by_flow(of, role, extents) for role in range(3))
    return _Runs(ceil_div(l_size, rows), ceil_div(y_size, cols), t, of["os"])


def _by_flow(of: dict[str, Any], role: int, extents: dict[str, Ints]) -> Array:
    """For each run the extent of the rank that has ``role`` in its dataflow."""
    ws, is_, os = (np.asarray(extents[ROLES[name][role]], dtype=np.int64) for name in ("ws", "is", "os"))
    return np.where(of["ws"], ws, np.where(of["is"], is_, os))
