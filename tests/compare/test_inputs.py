"""The differing inputs: every path, grouped for people, and a mapping that its graph doesn't fit."""

from __future__ import annotations

from dataclasses import replace

from archmodel import evaluate, load_machine, search
from archmodel.records.base import record_hash
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph
from archmodel.workload.operators import Bits
from sims.compare.inputs import Difference, machine_differences, run_differences
from sims.compare.table import inputs_table
from sims.report.saved import Saved


def saved(m: int, machine: Machine) -> Saved:
    graph = gemm_graph(m, 64, 64, Bits())
    mapping = search(graph, machine)
    return Saved(evaluate(graph, mapping, machine), graph, machine, mapping, "archmodel run")


def test_each_part_of_a_run() -> None:
    found = run_differences(saved(8, load_machine("edge-npu")), saved(16, load_machine("edge-npu", ["clock=800 MHz"])))
    paths = {(one.part, one.item, one.path): (one.a, one.b) for one in found}
    assert paths["graph", "gemm", "ranks.m"] == (8, 16)
    assert paths["machine", "", "clocks.core"] == ("1 GHz", "800 MHz")
    assert paths["mapping", "gemm", "tile.m"] == (8, 16)
    assert len(paths) == len(found)


def test_the_same_run_differs_in_nothing() -> None:
    one = saved(8, load_machine("edge-npu"))
    assert run_differences(one, one) == ()


def test_a_bound_has_no_mapping_to_differ() -> None:
    one = saved(8, load_machine("edge-npu"))
    bare = Saved(replace(one.result, record_hash=record_hash((one.graph, one.machine, None))), one.graph, one.machine, None, "")
    assert {(found.part, found.item, found.b) for found in run_differences(one, bare)} >= {("mapping", "gemm", None)}


def test_nested_devices_have_paths() -> None:
    inner = load_machine("edge-npu")
    machines = [replace(inner, devices=(replace(inner, node_nm=nm),)) for nm in (16, 7)]
    assert machine_differences(*machines) == (Difference("machine", "", "devices.edge-npu.node", "16 nm", "7 nm"),)


def test_equal_changes_are_one_row() -> None:
    many = [Difference("graph", f"op{index}", "ranks.b", 1, 2) for index in range(3)] + [Difference("run", "", "batch", 1, 2)]
    lines = inputs_table([*many, Difference("machine", "", "memories.dram.source", "x", "y")]).splitlines()
    assert lines[3].split() == ["graph", "op0", "+2:", "ranks.b", "1", "2"]
    assert lines[4].split() == ["run", "batch", "1", "2"]
    assert lines[5] == "and 1 text that only names a source; --json has it"
    assert len(lines) == 6


def test_many_are_cut_and_said_to_be() -> None:
    many = [Difference("graph", "op", f"ranks.r{index}", 1, 2) for index in range(50)]
    assert inputs_table(many).splitlines()[-1] == "and 10 more; --json has all"
