"""On a machine that counts as published: attention by itself, in granules of whole rows, or in one pass, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.cascade.graph import graph_of
from archmodel.load import load_cascade
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Choice, Mapping, leaves

MACHINE = """
name: like-fusemax
convention: published
node: 45 nm
clocks: {core: 1 GHz}
memories:
  buffer: {technology: sram, size: 16 MiB}
  dram: {technology: hbm2e, size: 1 TiB, bandwidth: 400 GB/s}
engines:
  chip:
    type: units
    clock: core
    buffer: buffer
    port: dram
    units: [array, lanes]
    rows: [256, 1]
    cols: [256, 256]
    operations: [OPERATIONS]
"""
LANES = "lanes max 1, lanes exp 7, lanes add 1, lanes mul 1, lanes div 1"
PLAIN = f"array mul+add 1, {LANES}"
WIDE = f"array max 1, array exp 7, array add 1, {PLAIN}"
LAYERS = f"{PLAIN}, lanes copy 1, lanes rsqrt 1, lanes silu 1, lanes rope 1, lanes square 1"
ENGINE_OF_ATTENTION = """
name: attention-engine
convention: published
node: 45 nm
clocks: {core: 1 GHz}
memories:
  buffer: {technology: sram, size: 1 MiB}
  dram: {technology: hbm2e, size: 1 TiB, bandwidth: 400 GB/s}
engines:
  chip: {type: attention, clock: core, buffer: buffer, port: dram, rows: 16, cols: 16, format: bf16, degree: 6}
"""


def _machine(folder: Path, operations: str = WIDE, text: str = MACHINE) -> Machine:
    file = folder / "machine.yaml"
    file.write_text(text.replace("OPERATIONS", operations))
    return load_machine(str(file))


def _sized(machine: Machine, size: int) -> Machine:
    return replace(machine, memories=tuple(replace(item, size_bytes=size) if item.name == "buffer" else item for item in machine.memories))


def _cascade(name: str = "three-pass", **ranks: int) -> Graph:
    cascade = load_cascade(name)
    return graph_of(replace(cascade, ranks=tuple((rank, ranks.get(rank, extent)) for rank, extent in cascade.ranks)))


def _ways(mapping: Mapping) -> dict[str, Choice]:
    assert mapping.certificate is not None
    return {choice.way: choice for choice in mapping.certificate.choices}


def test_one_pass_wins_where_the_array_does_softmax(tmp_path: Path) -> None:
    """1,024 queries and keys in 4 x 4 tiles.  By hand: the lanes take, for a tile, RM 1 + PRM 7 + SPD 1 + RD 1 + SPNV 64 + RNV 64 = 138
    cycles, FuseMax's own figure, and for each of the 4 tiles of queries 64 divisions; all scores in one pass are 16 x 138 + 4 x 64."""
    graph, machine = _cascade(), _machine(tmp_path)
    mapping = search(graph, machine)
    ways = _ways(mapping)
    assert [name for name, choice in ways.items() if choice.chosen] == ["one-pass"]
    assert ways["one-pass"].cycles == 16 * 138 + 4 * 64
    assert ways["one-pass"].bytes == 4 * 1024 * 64  # Q, K, V and AV, once each
    row, alone = ways["row-granular"], ways["unfused"]
    assert row.why.endswith("% slower") and alone.why.endswith("% slower")
    assert row.cycles and alone.cycles and alone.cycles > row.cycles >= 1024 * 1024 // 256  # the lanes' divisions, at least
    result = evaluate(graph, mapping, machine)
    assert result.cycles == ways["one-pass"].cycles and len(result.ops) == 1


def test_rows_win_where_corrections_cost_more_than_divisions(tmp_path: Path) -> None:
    """On FLAT's units only the lanes do softmax.  By hand, for 16 tiles of 256 x 256 scores: rows take 1 + 7 + 1 + 1 cycles a score on
    256 lanes; one pass saves the last, a division, and corrects 10 + 2 f cycles a tile and divides f a tile of queries at the end."""
    machine = _machine(tmp_path, PLAIN)
    rows = 16 * 256 * (1 + 7 + 1 + 1)
    for width, chosen in ((64, "one-pass"), (128, "row-granular")):
        mapping = search(_cascade(e=width, f=width), machine)
        ways = _ways(mapping)
        assert ways["row-granular"].cycles == rows
        assert ways["one-pass"].cycles == 16 * (256 * (1 + 7 + 1) + 10 + 2 * width) + 4 * width
        assert [name for name, choice in ways.items() if choice.chosen] == [chosen]
        assert all(choice.why.endswith("% slower") for choice in ways.values() if not choice.chosen)
    assert not mapping.rewrites and len(mapping.trees) == 1 and {end.lag for end in leaves(mapping.trees[0])} == {0, 1, 2}


def test_a_buffer_below_one_row_refuses_rows(tmp_path: Path) -> None:
    machine, graph = _machine(tmp_path, PLAIN), _cascade()
    needed = 1024 + 130  # scores of a byte each; Q and AV of 64, GM and SD of one
    assert _ways(search(graph, _sized(machine, needed)))["row-granular"].cycles
    ways = _ways(search(graph, _sized(machine, needed - 1)))
    assert ways["row-granular"].why == (
        "one row of 1,024 scores takes 1,024 B and what is made beside it 130 B; buffer of chip has 1,153 B")  # fmt: skip
    assert ways["one-pass"].why.startswith("a tile of 256 keys and 256 queries takes ") and ways["unfused"].chosen


def test_a_granule_fits_with_all_that_is_in_flight(tmp_path: Path) -> None:
    """Three granules in flight where the buffer holds three rows, and one after another where it holds but one."""
    machine, graph = _machine(tmp_path, PLAIN), _cascade()
    one, three = (_ways(search(graph, _sized(machine, rows * 1154)))["row-granular"].cycles for rows in (1, 3))
    assert one and three and one > three


def test_what_is_one_pass_already(tmp_path: Path) -> None:
    graph, machine = _cascade("one-pass"), _machine(tmp_path)
    mapping = search(graph, machine)
    assert _ways(mapping)["one-pass"].chosen and evaluate(graph, mapping, machine).cycles == 16 * 138 + 4 * 64


def test_an_attention_engine_counted_as_published(tmp_path: Path) -> None:
    graph, machine = _cascade(m=256, p=256), _machine(tmp_path, text=ENGINE_OF_ATTENTION)
    mapping = search(graph, machine)
    assert all(choice.cycles for choice in _ways(mapping).values())
    assert evaluate(graph, mapping, machine).cycles == next(choice.cycles for choice in _ways(mapping).values() if choice.chosen)


def test_tiles_of_more_keys_than_rows_take_several_steps(tmp_path: Path) -> None:
    """A cascade of one's own has 256 keys a tile, the engine 16 rows: its array takes each step 16 times."""
    graph, machine = _cascade("one-pass", p=256), _machine(tmp_path, text=ENGINE_OF_ATTENTION)
    (row,) = evaluate(graph, search(graph, machine), machine).ops
    busy = {name: cycles for _, name, cycles in row.busy}
    assert busy["BQK"] == 4 * 16 * 16 * 64 and row.cycles >= sum(cycles for unit, _, cycles in row.busy if unit == "array")


def test_a_model_with_all_its_layers(tmp_path: Path) -> None:
    graph, machine = load_model("llama-3.1-8b").prefill(512), _machine(tmp_path, LAYERS)
    mapping = search(graph, machine)
    ways, result = _ways(mapping), evaluate(graph, mapping, machine)
    assert all(choice.cycles for choice in ways.values()) and sum(choice.chosen for choice in ways.values()) == 1
    proof = mapping.certificate
    assert proof is not None and proof.value == sum(op.cycles for op in result.ops)
    (scores,) = (einsum for einsum in graph.einsums if einsum.name == "attn.qk")
    inputs = 32 * (2 * 4096 * 512 + 2 * 1024 * 512)  # layers x (queries and results, keys and values), a byte each
    assert scores.repeat == 32 and (ways["one-pass"].bytes or 0) >= inputs
    assert (ways["one-pass"].bytes or 0) <= inputs + 32 * 3 * 2 * 1024 * 512  # keys and values again for each head of a group, at most


def test_an_operator_that_no_unit_has(tmp_path: Path) -> None:
    told = r"^machine like-fusemax: no unit for attn\.append_k, which is copy \(units: chip\.array, chip\.lanes\)$"
    with pytest.raises(SpecError, match=told):
        search(load_model("llama-3.1-8b").prefill(16), _machine(tmp_path, PLAIN))


@pytest.mark.parametrize(("goal", "asked"), [
    (Goal("energy"), "objective energy"),
    (Goal(limits=(Limit("power", 1.0),)), "limit power"),
    (Goal(nodes=5), "nodes"),
    (Goal(tiles="perfect"), "tiles perfect"),
])  # fmt: skip
def test_goals_that_are_not_searched_are_refused(tmp_path: Path, goal: Goal, asked: str) -> None:
    machine = _machine(tmp_path)
    with pytest.raises(SpecError) as caught:
        search(_cascade(), machine, goal=goal)
    assert str(caught.value) == (
        f"machine {machine.name}: {asked} on a machine whose convention is published, where only the fewest cycles are searched; "
        "expected objective latency without limits and budgets"
    )
