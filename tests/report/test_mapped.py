"""Traffic tensor by tensor adds up to the bytes of the result, on every kind of engine, changes of layout included."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import ceil

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.cost import default_costs
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from sims.report.mapped import Answer, shown, summary, to_json, traffic


def answer(graph: Graph, machine_name: str) -> Answer:
    machine, costs = load_machine(machine_name), default_costs()
    mapping = search(graph, machine, costs)
    return Answer(graph, machine, costs, Goal(), mapping, evaluate(graph, mapping, machine, costs=costs))


@pytest.mark.parametrize("machine", ["edge-npu", "edge-attention", "cloud"])
@pytest.mark.parametrize("stage", ["prefill", "decode"])
def test_rows_add_up_to_the_bytes_of_the_result(machine: str, stage: str) -> None:
    model = load_model("gpt2")
    found = answer(model.prefill(70) if stage == "prefill" else model.decode(batch=3, context=50), machine)
    moved: dict[str, Fraction] = defaultdict(Fraction)
    for row in traffic(found):
        assert row.unit == "bytes" and row.reads >= 0 and row.writes >= 0 and row.reads + row.writes
        moved[row.level] += row.reads + row.writes
    wanted: dict[str, int] = defaultdict(int)
    for op in found.result.ops:
        for memory, size in op.bytes:
            wanted[memory] += size
    assert {level: ceil(size) for level, size in moved.items()} == dict(wanted)


def test_weights_are_read_and_results_written() -> None:
    found = answer(load_model("gpt2").prefill(70), "edge-npu")
    rows = {(row.level, row.tensor): row for row in traffic(found)}
    weight = rows["dram", "ffn.down.weight"]
    assert weight.writes == 0 and weight.reads >= 12 * 768 * 3072
    assert rows["dram", "x.out"].writes >= 70 * 768
    assert summary(found)["traffic"][0].keys() == {"level", "tensor", "reads", "writes", "unit"}
    assert to_json(found, shown(found))["energy_by_level"]["dram"] > 0
