"""SCALE-Sim's stall-free cycles and ours: against its own output, and against the cycle model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archmodel.engines.systolic.cycle import run
from archmodel.engines.systolic.lower import Bases, lower
from archmodel.engines.systolic.scale_sim import scale_sim_cycles, stall_free_cycles
from archmodel.engines.systolic.tiling import Tiling
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

PRINTED = (
    # m, n, k, rows, cols, {dataflow: cycles}.  SCALE-Sim v3, measured by running it: "compute cycles" of its report.
    (64, 64, 64, 32, 32, {"os": 503, "ws": 631, "is": 631}),
    (512, 512, 512, 32, 32, {"os": 146943, "ws": 155135, "is": 155135}),
    (128, 512, 256, 32, 32, {"os": 20351, "ws": 28415, "is": 19391}),
    (100, 300, 70, 32, 32, {"os": 5279, "ws": 5819, "is": 4727}),
)
COUNTED = (
    # The same, as the number of cycles: one more than the index of the last one, which it prints.
    (64, 64, 128, 32, 32, {"os": 760, "ws": 1264, "is": 1264}),
    (20, 17, 33, 8, 8, {"os": 423, "ws": 630, "is": 585}),
    (20, 17, 33, 4, 16, {"os": 510, "ws": 756, "is": 702}),
)


@pytest.mark.parametrize("m, n, k, rows, cols, cycles", PRINTED)
def test_what_scale_sim_prints(m: int, n: int, k: int, rows: int, cols: int, cycles: dict[str, int]) -> None:
    assert {flow: int(scale_sim_cycles(m, n, k, rows, cols, flow)) for flow in cycles} == cycles


@pytest.mark.parametrize("m, n, k, rows, cols, cycles", COUNTED)
def test_what_scale_sim_counts(m: int, n: int, k: int, rows: int, cols: int, cycles: dict[str, int]) -> None:
    assert {flow: 1 + int(scale_sim_cycles(m, n, k, rows, cols, flow)) for flow in cycles} == cycles


def test_arrays_of_shapes_arrays_and_dataflows() -> None:
    """One call over columns gives what single calls give."""
    table = [(m, n, k, rows, cols, flow) for m, n, k, rows, cols, cycles in PRINTED + COUNTED for flow in cycles]
    columns = [np.array(column) for column in zip(*table, strict=True)]
    for function in (scale_sim_cycles, stall_free_cycles):
        assert function(*columns).tolist() == [int(function(*row)) for row in table]


def test_arguments_broadcast() -> None:
    found = scale_sim_cycles(np.array([64, 512]), 64, 64, 32, 32, np.array([["ws"], ["os"], ["is"]]))
    assert found.shape == (3, 2)
    assert found[:, 0].tolist() == [631, 503, 631]


def table() -> list[str]:
    """The rows of the table in docs/timing.md: every run, what SCALE-Sim prints, what our hardware takes, and why."""
    lines = ["| m x n x k | array | dataflow | folds | SCALE-Sim prints | count | drain | overlap | our hardware |",
             "|---|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for m, n, k, rows, cols, cycles in PRINTED + COUNTED:
        for flow in ("ws", "is", "os"):
            l_size, t, y_size = {"ws": (k, m, n), "is": (k, n, m), "os": (m, k, n)}[flow]
            folds, drain = -(-l_size // rows) * -(-y_size // cols), rows if flow == "os" else 0
            overlap = (folds - 1) * (2 * rows - drain + cols - 2 + t - max(rows, t))
            printed = cycles[flow] - ((m, n, k, rows, cols, cycles) in COUNTED)
            ours = int(stall_free_cycles(m, n, k, rows, cols, flow))
            assert ours == printed + 4 + drain - overlap
            figures = (f"{folds:,}", f"{printed:,}", "+4", f"+{drain}", f"-{overlap:,}", f"{ours:,}")
            lines.append(f"| {m} x {n} x {k} | {rows}x{cols} | {flow} | " + " | ".join(figures) + " |")
    return lines


def test_the_table_in_the_docs_is_what_the_code_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "timing.md").read_text()
    assert "\n".join(table()) in text


def hardware(rows: int, cols: int, flow: str) -> Hardware:
    return Hardware(rows, cols, (flow,), "int8", "int8", 1, 16, 2, 1 << 18, 1 << 18, 1 << 18, 1 << 10, 512)


@pytest.mark.parametrize("flow", ["ws", "is", "os"])
def test_ours_is_the_exec_command_of_the_cycle_model(flow: str) -> None:
    """A Program whose one tile is the whole GEMM has one exec command, and it takes as long."""
    rng = np.random.default_rng(20)
    for _ in range(400):
        rows, cols = (int(v) for v in rng.integers(2, 33, 2))
        m, n, k = (int(v) for v in 1 + np.floor(np.exp(rng.uniform(0, np.log(200), 3))))
        array = hardware(rows, cols, flow)
        program = lower(Tiling(m, n, k, m, n, k, flow), array, Bases(0, 0, 0, 0, 0))
        execs = [event for event in run(program, array, Port(3, 1)).trace if event.unit == "exec"]
        assert [event.end - event.start for event in execs] == [stall_free_cycles(m, n, k, rows, cols, flow)], (m, n, k, rows, cols)


@pytest.mark.parametrize("flow", ["ws", "is", "os"])
def test_one_fold_takes_what_the_hardware_adds(flow: str) -> None:
    """Issue, read of the operands and addition into Z are three cycles, the count is one, a drain is ``rows``."""
    drain = 16 if flow == "os" else 0
    for t in (1, 7, 16, 100):
        sizes = {"ws": (t, 5, 9), "is": (5, t, 9), "os": (9, 5, t)}[flow]
        assert stall_free_cycles(*sizes, 16, 8, flow) == scale_sim_cycles(*sizes, 16, 8, flow) + 1 + 3 + drain


def test_many_folds_take_less_than_scale_sim_says() -> None:
    """Our folds overlap, SCALE-Sim's follow each other end to end."""
    rng = np.random.default_rng(21)
    sizes = rng.integers(1, 2000, (3, 5000))
    rows, cols = rng.integers(2, 257, (2, 5000))
    flow = np.array(["ws", "is", "os"])[rng.integers(0, 3, 5000)]
    theirs, ours = scale_sim_cycles(*sizes, rows, cols, flow), stall_free_cycles(*sizes, rows, cols, flow)
    least = sizes.prod(axis=0) / (rows * cols)
    assert (ours >= least).all() and (theirs >= least).all()
    several = ours > 4 * (2 * rows + cols + 1)
    assert several.sum() > 1000
    assert (ours < theirs)[several].mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, 2, 3, 4, 4, "rs"), "stall-free cycles: dataflow rs, expected ws, is or os"),
        ((1, 2, 3, 4, 4, np.array(["ws", "weight"])), "stall-free cycles: dataflow weight, expected ws, is or os"),
        ((np.array([4, 0]), 2, 3, 4, 4, "ws"), "stall-free cycles: m is 0, expected at least 1"),
        ((1, 2, -3, 4, 4, "ws"), "stall-free cycles: k is -3, expected at least 1"),
        ((1, 2, 3, 0, 4, "ws"), "stall-free cycles: rows is 0, expected at least 1"),
    ],
)
@pytest.mark.parametrize("function", [scale_sim_cycles, stall_free_cycles])
def test_refusals(function: object, arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(SpecError) as caught:
        function(*arguments)  # type: ignore[operator]
    assert str(caught.value) == text
