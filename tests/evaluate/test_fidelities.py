"""The fidelities of a whole model: bound below analytic, analytic equal to cycle."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from archmodel import SpecError, evaluate, load_cascade, load_machine, load_model, lower, search
from archmodel.cascade.graph import graph_of
from archmodel.engines.systolic import hardware_of, run
from archmodel.memory.port import port_of
from archmodel.records.graph import Graph
from archmodel.records.program import to_bytes
from archmodel.workload.gemm import gemm_graph
from archmodel.workload.zoo import zoo_names
from tests.mapper.helpers import edge

NO_DECODERS = ("bert-base-uncased", "vit-s-16", "m3vit-edge-moe", "m3vit-small")
DECODERS = [name for name in zoo_names() if name not in NO_DECODERS]


@pytest.mark.parametrize("machine", ["edge-npu", "cloud", "tpu-v1"])
@pytest.mark.parametrize("name", DECODERS)
def test_bound_is_never_above_analytic(name: str, machine: str) -> None:
    """With a memory that holds any of them; both stages."""
    model, which = load_model(name), load_machine(machine, sets=["memories.dram.size=4 TiB"])
    for graph in (model.prefill(512), model.decode(batch=4, context=1024)):
        outcome = evaluate(graph, search(graph, which), which)
        bound = evaluate(graph, None, which, "bound")
        assert 0 < bound.seconds <= outcome.seconds
        assert 0 <= outcome.bound_seconds * bound.clock_hz - bound.cycles < 1
        assert bound.macs == outcome.macs


@pytest.mark.parametrize("words", [{"m1": 64, "m0": 16}, {"m1": 4, "m0": 256}, {"m1": 64, "m0": 16, "p": 1}], ids=str)
def test_products_that_several_engines_take_are_bound_by_all_of_them(words: dict[str, int]) -> None:
    """Array and attention engine, 256 multiply-adds a cycle each; the tiles fit the attention engine in some."""
    graph, which = graph_of(load_cascade("one-pass", words)), load_machine("edge-attention")
    bound, outcome = evaluate(graph, None, which, "bound"), evaluate(graph, search(graph, which), which)
    assert bound.macs == 2 * 64 * words["m1"] * words["m0"] * words.get("p", 1024)
    assert bound.macs <= bound.cycles * (512 if words["m0"] == 16 else 256)
    assert bound.cycles <= outcome.cycles


def small(stage: str) -> Graph:
    """Small whole stages: all operators of a model, few enough tiles to run each of them."""
    model, kind = stage.split()
    return load_model(model).prefill(33) if kind == "prefill" else load_model(model).decode(batch=2, context=70)


@pytest.mark.parametrize("stage", ["gpt2 prefill", "gpt2 decode", "t5-small decode", "t5-small prefill", "gpt2-medium decode"])
@pytest.mark.parametrize("sets", [(), ("engines.array.buffering=1",), ("engines.array.count=3", "engines.array.rows=32")], ids=str)
def test_analytic_equals_cycle(stage: str, sets: tuple[str, ...]) -> None:
    """Every operator of a whole model in equally many cycles by formula and by execution."""
    graph, machine = small(stage), edge(*sets)
    mapping = search(graph, machine)
    formula, executed = (evaluate(graph, mapping, machine, fidelity) for fidelity in ("analytic", "cycle"))
    assert [(op.name, op.cycles) for op in formula.ops] == [(op.name, op.cycles) for op in executed.ops]
    assert (formula.fidelity, executed.fidelity) == ("analytic", "cycle")
    assert formula.cycles == executed.cycles
    assert formula.energy == executed.energy


def test_a_formula_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: one cycle in the start of a Program, and every product differs."""
    from archmodel.engines.systolic import closed_form

    graph, machine = small("gpt2 decode"), edge()
    mapping = search(graph, machine)
    monkeypatch.setattr(closed_form, "START", closed_form.START + 1)
    formula, executed = (evaluate(graph, mapping, machine, fidelity) for fidelity in ("analytic", "cycle"))
    pairs = [(a, b) for a, b in zip(formula.ops, executed.ops, strict=True) if a.engine == "array"]
    assert pairs and all(a.cycles > b.cycles for a, b in pairs)


@pytest.mark.parametrize(("layer", "n"), [("gate_up", 28672), ("lm_head", 128256)])
def test_the_largest_layers_of_llama(layer: str, n: int) -> None:
    """At 2,048 tokens on the edge preset: a Program of a few KiB, executed command by command."""
    machine, graph = edge(), gemm_graph(2048, n, 4096)
    mapping = search(graph, machine)
    program = lower(graph, mapping, machine, "gemm")
    size = len(to_bytes(program))
    assert size < 64 * 1024
    engine, began = machine.engine("array"), time.process_time()
    done = run(program, hardware_of(machine, engine), port_of(machine, engine))
    print(f"{layer}: {size} bytes, {len(done.trace)} commands, {time.process_time() - began:.1f} s", file=sys.stderr)
    assert done.cycles == evaluate(graph, mapping, machine).ops[0].cycles
    assert done.cycles > 2048 * n * 4096 // 256


def test_overflow_is_refused_with_the_shortfall() -> None:
    graph, machine = load_model("mixtral-8x7b").decode(batch=16, context=4096), edge()
    need = sum(size for _, size in graph.resident)
    parts = " + ".join(f"{kind} {size:,}" for kind, size in graph.resident)
    text = (f"machine edge-npu: mixtral-8x7b needs {need:,} bytes ({parts}) and dram holds 17,179,869,184; "
            f"{need - 2**34:,} bytes are missing: take a larger memory, narrower bits, a smaller batch or a shorter context "
                "(no batch fits, the fewest devices that fit are 4, split tensor=4)")  # fmt: skip
    for refused in (lambda: search(graph, machine), lambda: evaluate(graph, None, machine, "bound")):
        with pytest.raises(SpecError) as caught:
            refused()
        assert str(caught.value) == text


@pytest.mark.parametrize(("text", "message"), [
    ("base: edge-npu\ndevices: {left: {base: edge-npu}}\n",
     "machine m: found devices (left), expected engines of its own alone; devices that differ are not modelled yet"),
    ("node: 7 nm\n", "machine m: found no engine, expected at least one"),
])  # fmt: skip
def test_what_cannot_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A machine's devices would be left out of time, energy and area without a word."""
    (tmp_path / "m.yaml").write_text(text)
    graph, machine = load_model("gpt2").decode(batch=1, context=64), load_machine(tmp_path / "m.yaml")
    for refused in (lambda: search(graph, machine), lambda: evaluate(graph, None, machine, "bound")):
        with pytest.raises(SpecError) as caught:
            refused()
        assert str(caught.value) == message


def test_what_just_fits_is_not_refused() -> None:
    graph = load_model("gpt2").decode(batch=1, context=64)
    need = sum(size for _, size in graph.resident)
    evaluate(graph, None, edge(f"memories.dram.size={need} B"), "bound")
    with pytest.raises(SpecError, match=" 1 bytes are missing"):
        evaluate(graph, None, edge(f"memories.dram.size={need - 1} B"), "bound")


@pytest.mark.parametrize(
    ("fidelity", "text"),
    [("exact", "fidelity 'exact': expected bound, analytic or cycle (rtl is that of sims.cosim)"),
     ("analytic", "fidelity analytic: no mapping, expected the one that search finds (only bound needs none)"),
     ("cycle", "fidelity cycle: no mapping, expected the one that search finds (only bound needs none)")],
)  # fmt: skip
def test_refusals(fidelity: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        evaluate(load_model("gpt2").prefill(8), None, edge(), fidelity)
    assert str(caught.value) == text


def test_expected_routing_is_for_the_bound_alone() -> None:
    graph, machine = load_model("mixtral-8x7b").decode(batch=2, context=64, routing="expected"), edge("memories.dram.size=1 TiB")
    assert evaluate(graph, None, machine, "bound").seconds > 0
    with pytest.raises(SpecError) as caught:
        evaluate(graph, search(load_model("mixtral-8x7b").decode(batch=2, context=64), machine), machine)
    assert str(caught.value) == ("fidelity analytic: routing 'expected' has no integer tokens per expert, expected uniform, balanced "
                                 "or worst (or fidelity bound)")  # fmt: skip


def test_hash_tells_designs_apart() -> None:
    graph, machine = load_model("gpt2").decode(batch=1, context=64), edge()
    mapping = search(graph, machine)
    first = evaluate(graph, mapping, machine)
    assert first.record_hash == evaluate(graph, mapping, machine).record_hash
    assert first == evaluate(graph, mapping, machine)
    assert first.record_hash != evaluate(graph, mapping, edge("clocks.core=900 MHz")).record_hash
