"""The roofline: counted operations, and no operator above the roofs of its engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sims.report.roofline import operations, operations_per_cycle, points, roofs
from sims.report.saved import Saved

from .saving import decoded, product


def test_two_operations_a_multiply_add_and_the_bytes_of_the_result() -> None:
    found = product(64, 256, 512)
    (point,) = points(found)
    assert point.operations == 2 * 64 * 256 * 512
    assert point.bytes == dict(found.result.ops[0].bytes)["dram"]
    assert point.intensity == point.operations / point.bytes
    assert point.rate == pytest.approx(point.operations * found.machine.clocks[0].hz / found.result.cycles)


def test_the_peak_of_an_array_and_of_lanes() -> None:
    machine = decoded("gpt2").machine
    array, vector = machine.engine("array"), machine.engine("vector")
    assert operations_per_cycle(array) == 2 * 128 * 128 * 16
    assert operations_per_cycle(vector) == 128 * 16
    roof = next(roof for roof in roofs(machine) if roof.engine == "array")
    assert (roof.peak, roof.bandwidth) == (524288 * 995e6, 2039e9)
    assert roof.ridge == roof.peak / roof.bandwidth


def above(found: Saved) -> list[str]:
    """Operators above a roof of their engine."""
    over = {roof.engine: roof for roof in roofs(found.machine)}
    limits = {p.op.name: min(over[p.op.engine].peak, over[p.op.engine].bandwidth * p.intensity) for p in points(found)}
    return [p.op.name for p in points(found) if p.rate > limits[p.op.name] * (1 + 1e-9)]


@pytest.mark.parametrize("machine", ["cloud", "edge-npu"])
def test_no_operator_is_above_its_roof(machine: str) -> None:
    found = decoded("gpt2", machine)
    assert len(points(found)) == len(found.result.ops)
    assert not above(found)
    few = {op.name: max(1, op.cycles // 1000) for op in found.result.ops}
    ops = tuple(replace(op, cycles=few[op.name], causes=(("compute", few[op.name]),), port_cycles=0) for op in found.result.ops)
    fast = replace(found.result, ops=ops)
    assert above(replace(found, result=fast)), "the check would see operators that are too fast"


def test_elementwise_work_counts_lane_operations() -> None:
    found = decoded("gpt2")
    op = next(op for op in found.result.ops if op.engine == "vector")
    assert op.macs == 0
    assert operations(op, found.machine) == op.ideal_cycles * 128 * 16
