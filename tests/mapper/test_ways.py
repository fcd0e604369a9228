"""Between attention Einsum by Einsum and fused, the faster way is chosen, and every other one is told why it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import archmodel.engines
import archmodel.records.engines
import mapper
from archmodel import evaluate, load_cascade, load_machine, load_model, search
from archmodel.cascade.graph import graph_of
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaf, leaves
from archmodel.rewriting import steps_of
from archmodel.workload.operators import Bits

RECORDS = '''
from dataclasses import dataclass
TYPE = "flash"

@dataclass(frozen=True)
class Params:
    cycles: int = 4
    keys: int = 16
'''
ENGINE = '''
from archmodel.onepass import one_pass_of
from archmodel.records.figure import Figure
from archmodel.records.result import OpResult

FUSES = True

def tile_keys(engine):
    return engine.params.keys

def supports(graph, einsum, engine):
    found = one_pass_of(graph, einsum)
    if found is None:
        return "no one-pass attention"
    return None if graph.tensor[found.key].bits == 8 else "only 8 bits"

def ideal_cycles(einsum, engine):
    return 1.0

def area(machine, engine, costs):
    return (("all", Figure(1.0, None, None, "published", ("a test",))),)

def evaluate(work):
    def row(e):
        cycles = work.engine.params.cycles * e.repeat
        return OpResult(e.name, e.group, work.engine.name, work.machine.clock_hz(work.engine.clock), cycles, 0, (("dram", 7),), 0.0,
                        "array", "closed form", (("compute", cycles),), (("all", Figure(1.0, None, None, "published")),), e.repeat)
    return {e.name: row(e) for e in work.einsums}
'''
SEARCHER = '''
from archmodel.onepass import one_pass_of
from archmodel.records.mapping import Compute, Parallel
from mapper.found import Found

class Searcher:
    def __init__(self, machine, engine, costs, goal):
        self.engine = engine

    def __call__(self, graph, einsum):
        steps = one_pass_of(graph, einsum).steps.values()
        return Found(Parallel(tuple(Compute(step.name, self.engine.name) for step in steps)), space=5, evaluated=2)
'''
MACHINE = """
base: edge-npu
engines: {flash: {type: flash, clock: core, cycles: CYCLES}}
"""
PLACES = ((archmodel.records.engines, RECORDS), (archmodel.engines, ENGINE), (mapper, SEARCHER))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An engine type `flash` that fuses attention in a given number of cycles, from files alone."""
    for package, text in PLACES:
        place = tmp_path / package.__name__
        place.mkdir()
        (place / "flash.py").write_text(text)
        package.__path__.append(str(place))
    yield tmp_path
    for package, _ in PLACES:
        package.__path__.remove(str(tmp_path / package.__name__))
        sys.modules.pop(f"{package.__name__}.flash", None)
    archmodel.engines.module_of.cache_clear()


def _machine(folder: Path, cycles: int) -> Machine:
    file = folder / "machine.yaml"
    file.write_text(MACHINE.replace("CYCLES", str(cycles)))
    return load_machine(str(file))


def _graph(**options: object) -> Graph:
    return load_model("gpt2").prefill(40, **options)


def _ways(mapping: Mapping) -> dict[str, tuple[bool, str]]:
    assert mapping.certificate is not None
    return {choice.way: (choice.chosen, choice.why) for choice in mapping.certificate.choices}


def test_a_faster_engine_takes_the_whole_block(folder: Path) -> None:
    machine, graph = _machine(folder, 10), _graph()
    mapping = search(graph, machine)
    (rewrite,) = mapping.rewrites
    assert (rewrite.einsum, rewrite.cascade, rewrite.tile) == ("attn.qk", "one-pass", 16)
    (tree,) = (tree for tree in mapping.trees if leaf(tree).engine == "flash")
    assert len(leaves(tree)) == len(steps_of("one-pass")) and leaf(tree).einsum == "attn.qk"
    ways = _ways(mapping)
    assert ways["one-pass"] == (True, "") and not ways["unfused"][0] and ways["unfused"][1].endswith("% slower")
    assert ways["row-granular"] == (False, "none of array, vector, flash keeps a row of scores between its products and its softmax")
    result = evaluate(graph, mapping, machine)
    rows = {op.name: op for op in result.ops}
    assert rows["attn.qk"].cycles == 10 * 12 and "attn.av" not in rows
    assert evaluate(graph, None, machine, "bound").seconds <= result.seconds
    assert from_plain(Mapping, to_plain(mapping)) == mapping


def test_the_certificate_counts_the_ways_that_lost(folder: Path) -> None:
    graph = _graph()
    fused, plain = (search(graph, _machine(folder, cycles)).certificate for cycles in (10, 1 << 40))
    alone = search(graph, load_machine("edge-npu")).certificate
    assert fused and plain and alone
    assert plain.value == alone.value and plain.space == alone.space + 5 and plain.evaluated == alone.evaluated + 2
    assert fused.space == plain.space and fused.evaluated == plain.evaluated


def test_a_slower_engine_gets_nothing(folder: Path) -> None:
    mapping = search(_graph(), _machine(folder, 1 << 40))
    assert not mapping.rewrites and all(leaf(tree).engine != "flash" for tree in mapping.trees)
    ways = _ways(mapping)
    assert ways["unfused"] == (True, "") and ways["one-pass"][1].endswith("% slower")


def test_a_block_that_the_engine_refuses_says_why(folder: Path) -> None:
    _machine(folder, 10)
    wide = load_machine(str(folder / "machine.yaml"), sets=["engines.array.act=bf16", "engines.array.weight=bf16"])
    mapping = search(_graph(bits=Bits(16, 16, 16)), wide)
    assert _ways(mapping)["one-pass"] == (False, "only 8 bits") and not mapping.rewrites


def test_without_a_rival_no_way_is_priced() -> None:
    proof = search(_graph(), load_machine("edge-npu")).certificate
    assert proof is not None
    assert [(item.way, item.chosen, item.cycles) for item in proof.choices] == [
        ("unfused", True, None), ("row-granular", False, None), ("one-pass", False, None)]  # fmt: skip
    assert proof.choices[2].why == "none of array, vector executes it"


def test_softmaxes_that_no_cascade_replaces_are_named() -> None:
    machine = load_machine("cloud", sets=["memories.dram.size=8 TB"])
    proof = search(load_model("grok-1").prefill(16), machine).certificate
    assert proof is not None
    assert [(item.block, item.way, item.why) for item in proof.choices if item.way == "one-pass"] == [
        ("attn.softcap", "one-pass", "attn.softcap stands between scores and softmax (tanh)")]  # fmt: skip


def test_a_mapping_of_another_block_is_refused(folder: Path) -> None:
    machine, graph = _machine(folder, 10), _graph()
    mapping = search(graph, machine)
    with pytest.raises(SpecError, match=r"^mapping of gpt2 prefill: attn\.(av|qk\.\w+|softmax\.\w+) is in only one of the mapping and "):
        evaluate(graph, Mapping(mapping.graph, mapping.machine, mapping.trees, mapping.layouts, mapping.relayouts), machine)


def test_a_cascade_in_one_pass_is_taken_whole_and_says_that_nothing_was_weighed() -> None:
    machine = load_machine("edge-attention")
    graph = graph_of(load_cascade("one-pass", {"m1": 8, "m0": 16, "p": 16}))
    proof = search(graph, machine).certificate
    assert proof is not None
    assert [(item.way, item.chosen, item.why) for item in proof.choices] == [
        ("unfused", False, "not weighed: it is in one pass already, and an engine takes that whole"), ("one-pass", True, "")]  # fmt: skip
