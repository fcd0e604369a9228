"""The timeline: an order that the tensors allow, times that add up, and a trace in the form that Perfetto opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from archmodel import load_machine, load_model
from archmodel.cascade.graph import graph_of
from archmodel.load import load_cascade
from archmodel.records.graph import Graph
from sims.report import timeline as module
from sims.report.saved import Saved
from sims.report.timeline import causes, chrome_trace, execution_order, ordered, timeline

from .saving import decoded, product, saved

MODELS = ("llama-3.1-8b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-20b", "grok-1")


@pytest.fixture(scope="module")
def run() -> Saved:
    return decoded()


def late(graph: Graph, order: Sequence[str]) -> list[str]:
    """Tensors that somebody reads before they are wholly written."""
    place = {name: number for number, name in enumerate(order)}
    written = {tensor: max(place[writer.name] for writer in writers) for tensor, writers in module.writers_of(graph).items()}
    return [tensor for einsum in graph.einsums for tensor in einsum.inputs if written.get(tensor, -1) > place[einsum.name]]


@pytest.mark.parametrize("model", MODELS)
def test_whoever_reads_a_tensor_comes_after_its_writers(model: str) -> None:
    graph = load_model(model).decode(batch=4, context=512)
    order = execution_order(graph)
    assert sorted(order) == sorted(einsum.name for einsum in graph.einsums)
    assert not late(graph, order)
    assert late(graph, sorted(order)), "the check would see an order by name"


def test_a_circle_stands_together(run: Saved) -> None:
    first, *others = run.graph.einsums
    circle = replace(run.graph, einsums=(replace(first, inputs=(*first.inputs, first.output)), *others))
    assert execution_order(circle) == execution_order(run.graph), "a running sum is no circle"
    gemm = product(8, 8, 8).graph
    there = gemm.einsums[0]
    back = replace(there, name="back", output=there.inputs[0], inputs=(there.output,) * 2)
    tensors = tuple(replace(tensor, ranks=()) for tensor in gemm.tensors)
    assert execution_order(replace(gemm, tensors=tensors, einsums=(there, back))) == ["back", "gemm"]


def test_a_recurrence_runs_after_what_it_reads_and_before_what_reads_it() -> None:
    order = execution_order(graph_of(load_cascade("one-pass")))
    assert order[:3] == ["BQK", "LM", "RM"] and order[-1] == "AV"
    assert abs(order.index("SPD") - order.index("RD")) == abs(order.index("SPNV") - order.index("RNV")) == 1


def test_spans_cover_the_stage_without_gap_or_overlap(run: Saved) -> None:
    spans = timeline(run)
    assert sorted(span.op.name for span in spans) == sorted(op.name for op in run.result.ops)
    assert spans[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(spans))
    assert spans[-1].end == sum(Fraction(op.cycles, op.clock_hz) for op in run.result.ops)


def test_causes_fill_their_operator(run: Saved) -> None:
    for span in timeline(run):
        inside = causes(span)
        assert (inside[0][1], inside[-1][2]) == (span.start, span.end)
        assert {cause: (end - start) * span.op.clock_hz for cause, start, end in inside} == {c: n for c, n in span.op.causes if n}


def test_a_change_of_layout_stands_at_its_operator() -> None:
    found = saved(load_model("deepseek-v2-lite").prefill(128), load_machine("cloud"))
    names = [op.name for op in ordered(found)]
    assert len(names) == len(found.result.ops)
    place = {name: names.index(name) for name in ("relayout moe.in of moe.router", "moe.router", "relayout moe.logits of moe.router")}
    assert list(place.values()) == list(range(names.index("moe.router") - 1, names.index("moe.router") + 2))


def check_trace(trace: dict[str, Any]) -> None:
    """What the Trace Event Format asks of complete and metadata events, and of nesting on one thread.

    Source: Google, "Trace Event Format", sections JSON Object Format, Complete Events, Metadata Events.
    """
    assert isinstance(trace["traceEvents"], list)
    assert trace["displayTimeUnit"] in ("ms", "ns")
    named, open_until = set(), {}
    for event in trace["traceEvents"]:
        thread = (event["pid"], event["tid"])
        assert all(isinstance(number, int) for number in thread)
        assert isinstance(event["name"], str)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            named.add(thread)
            continue
        assert event["ph"] == "X"
        assert isinstance(event["cat"], str)
        first, length = event["ts"], event["dur"]
        assert first >= 0
        assert length >= 0
        assert thread in named, "a thread without a name"
        ends: list[float] = open_until.setdefault(thread, [])
        while ends and ends[-1] <= first + 1e-6:
            ends.pop()
        assert not ends or first + length <= ends[-1] + 1e-6, "events of a thread nest or follow one another"
        ends.append(first + length)


def test_the_trace_is_one_that_perfetto_opens(run: Saved) -> None:
    trace = json.loads(json.dumps(chrome_trace([run, product(64, 256, 512)]), allow_nan=False))
    check_trace(trace)
    events = trace["traceEvents"]
    assert {event["args"]["name"] for event in events if event["name"] == "process_name"} == {
        "mixtral-8x7b decode, batch 16, context 4,096, on cloud at fidelity analytic", "gemm-64x256x512, on edge-npu at fidelity analytic"}
    mine = [event for event in events if event["ph"] == "X" and event["pid"] == 1]
    assert sum(event["args"]["cycles"] for event in mine if event["cat"] != "cause") == run.result.cycles
    end = max(event["ts"] + event["dur"] for event in mine)
    assert end == pytest.approx(1e6 * run.result.seconds, abs=1e-3)


@pytest.mark.parametrize("fault", [{"ph": "B"}, {"tid": 99}, {"ts": -1.0}, {"dur": 1e9}, {"name": None}])
def test_a_trace_with_a_fault_is_seen(run: Saved, fault: dict[str, Any]) -> None:
    trace = chrome_trace([run])
    place = next(number for number, event in enumerate(trace["traceEvents"]) if event.get("cat") == "cause")
    trace["traceEvents"][place] |= fault
    with pytest.raises(AssertionError):
        check_trace(trace)
