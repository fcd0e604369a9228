"""Which trees the attention engine executes: those of a placement, and no others; each refusal names its rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import load_machine
from archmodel.engines.attention import hardware_of, supports, tile_keys
from archmodel.engines.attention.tree import (
    Placement,
    from_tree,
    group,
    instances,
    layouts,
    most_tiles,
    queries,
    query_name,
    to_tree,
    turned,
)
from archmodel.onepass import OnePass, one_passes
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Rewrite, leaves, nodes
from archmodel.rewriting import rewritten
from archmodel.workload.operators import Bits
from archmodel.workload.zoo import zoo_model

MACHINE = load_machine("edge-attention", sets=["engines.attention.count=4"])
ENGINE = MACHINE.engine("attention")
HARDWARE = hardware_of(MACHINE, ENGINE)


def _one_pass(name: str = "llama-3.1-8b", tokens: int = 100, tile: int = 16, bits: Bits | None = None) -> tuple[Graph, OnePass]:
    graph = rewritten(zoo_model(name).prefill(tokens, bits=bits), (Rewrite("attn.qk", "one-pass", tile),))
    (found,) = one_passes(graph)
    return graph, found


GRAPH, FOUND = _one_pass()
PLACED = Placement(3, "", 400, 400)


def _changed(node: Node, old: type, change: dict[str, object], number: int = 0) -> Node:
    """The tree with fields of its ``number``-th node of a type changed."""
    target = [item for item in nodes(node) if isinstance(item, old)][number]

    def copy(at: Node) -> Node:
        if at is target:
            return replace(at, **change)  # type: ignore[arg-type]
        if isinstance(at, Compute):
            return at
        if hasattr(at, "bodies"):
            return replace(at, bodies=tuple(copy(item) for item in at.bodies))
        return replace(at, body=copy(at.body))  # type: ignore[union-attr]

    return copy(node)


@pytest.mark.parametrize("placed", [
    PLACED, Placement(1, "batch", 400, 400), Placement(7, "queries", 112, 112), Placement(10, "", 400, 160),
    Placement(1, "queries", 112, 48),
])
def test_a_tree_means_its_placement(placed: Placement) -> None:
    tree = to_tree(FOUND, ENGINE, HARDWARE, placed)
    assert from_tree(FOUND, tree, ENGINE, HARDWARE) == placed
    mapping = Mapping("g", "m", (tree,))
    assert from_plain(Mapping, to_plain(mapping)) == mapping


def test_the_tree_binds_every_step_and_says_how_old_its_tile_is() -> None:
    slow = replace(HARDWARE, mac_latency=4)
    ends = leaves(to_tree(FOUND, ENGINE, slow, PLACED))
    assert {end.einsum for end in ends} == {step.name for step in FOUND.steps.values()} and len(ends) == 12
    units = {end.einsum.removeprefix("attn.qk").lstrip("."): (end.unit, end.lag) for end in ends}
    assert units[""] == ("array", 0) and units["rnv"][0] == units["av"][0] == units["rm"][0] == "lanes"
    assert units["slnv"][1] >= units["sln"][1] >= units["lm"][1] >= 0 and units["slnv"][1] >= 1


def test_queries_of_a_group_are_packed_position_by_position() -> None:
    assert (query_name(FOUND), queries(FOUND), group(FOUND), instances(FOUND)) == ("s.g", 400, 4, 8)
    graph = rewritten(zoo_model("deepseek-v3").decode(3, 100), (Rewrite("attn.qk", "one-pass", 16),))
    (latent,) = one_passes(graph)
    assert (query_name(latent), queries(latent), group(latent), instances(latent)) == ("s.k.g", 128, 128, 3)


def test_what_lies_where() -> None:
    laid, end = layouts(GRAPH, FOUND, ENGINE, HARDWARE, 64)
    at = {layout.tensor: (layout.lane, layout.lanes, layout.index, layout.base_bytes) for layout in laid}
    assert at["attn.q.scaled"] == ("s.g", 16, "e", 64)
    assert at["attn.k.cache.tiles"] == ("p1.p0", 16, "e", 64 + 8 * 25 * 128 * 16)
    assert at["attn.heads"] == ("s.g", 16, "v", 64 + 8 * (25 + 2 * 7) * 128 * 16)
    assert end == 64 + 8 * (25 + 2 * 7 + 25) * 128 * 16
    assert turned(GRAPH, FOUND) == ("attn.q.scaled", "attn.heads")
    graph, expanded = _one_pass("deepseek-v3")
    assert turned(graph, expanded) == ("attn.q.scaled", "attn.k.tiles", "attn.v.tiles", "attn.heads")


@pytest.mark.parametrize(
    ("old", "change", "number", "text"),
    [
        (Loop, {"tile": 8}, 3, r"loop s\.g by 8, where attention needs loop s\.g by 16"),
        (Loop, {"tile": 40}, 1, r"a pass over 40 s\.g, expected a multiple of 16, the columns of attention"),
        (Loop, {"spatial": "lanes"}, 5, r"loop s\.g by 1 over lanes, where attention needs loop s\.g by 1 over cols"),
        (Loop, {"tile": 176}, 1, r"a pass over the keys serves 11 tiles of queries, expected 1 to 10: what attention holds, and there are"),
        (Compute, {"unit": "lanes"}, 0, r"attn\.qk on attention\.lanes, 0 tiles behind, where attention needs attn\.qk on attention\.arr"),
        (Compute, {"lag": 7}, 5, r"attn\.qk\.slnv on attention\.array, 7 tiles behind, where attention needs attn\.qk\.slnv on "),
    ],
    ids=["tile", "pass", "rows", "too many", "unit", "age"],
)  # fmt: skip
def test_trees_that_the_engine_does_not_execute(old: type, change: dict[str, object], number: int, text: str) -> None:
    tree = _changed(to_tree(FOUND, ENGINE, HARDWARE, PLACED), old, change, number)
    with pytest.raises(SpecError, match=rf"^mapping of attn\.qk: {text}"):
        from_tree(FOUND, tree, ENGINE, HARDWARE)


@pytest.mark.parametrize(
    ("placed", "text"),
    [
        (Placement(1, "keys", 400, 400), r"copies share rank keys, expected batch or s\.g"),
        (Placement(1, "queries", 200, 200), r"copies take 200 of 400 queries, expected all or a multiple of 16: whole passes of whole "),
        (Placement(2, "", 400, 48), r"Programs take 48 of 400 queries, expected all or a multiple of 32: whole passes of whole positions"),
        (Placement(1, "queries", 96, 96), r"slices of 96 make 5, and there are 4 copies"),
    ],
    ids=["rank", "position", "Programs", "copies"],
)  # fmt: skip
def test_splits_that_there_are_not(placed: Placement, text: str) -> None:
    tree = to_tree(FOUND, ENGINE, HARDWARE, placed if placed.split != "keys" else replace(placed, split="batch"))
    if placed.split == "keys":
        tree = _changed(tree, Loop, {"rank": "keys"})
    with pytest.raises(SpecError, match=rf"^mapping of attn\.qk: {text}"):
        from_tree(FOUND, tree, ENGINE, HARDWARE)


def test_steps_side_by_side_are_not_steps_in_turn() -> None:
    tree = to_tree(FOUND, ENGINE, HARDWARE, PLACED)
    (both,) = (node for node in nodes(tree) if isinstance(node, Parallel))
    text = r"^mapping of attn\.qk: attn\.qk\.lm on attention\.array, 0 tiles behind, where attention needs attn\.qk on "
    with pytest.raises(SpecError, match=text):
        from_tree(FOUND, _changed(tree, Parallel, {"bodies": both.bodies[1:] + both.bodies[:1]}), ENGINE, HARDWARE)


def _refusal(found: OnePass, graph: Graph, engine: Engine = ENGINE) -> str | None:
    return supports(graph, found.steps["RNV"], engine)


def test_what_it_supports() -> None:
    assert tile_keys(ENGINE) == 16 and _refusal(FOUND, GRAPH) is None
    assert supports(GRAPH, GRAPH.einsums[0], ENGINE) == (
        f"{GRAPH.einsums[0].name} is no step of a one-pass attention, the work of attention (attention)")  # fmt: skip
    graph, found = _one_pass(tile=32)
    assert _refusal(found, graph) == "attn.qk takes 32 keys at a time, and attention has 16 rows of them"
    graph, found = _one_pass(bits=Bits(8, 8, 4))
    assert _refusal(found, graph) == "attn.k.cache.tiles has 4 bits and attention takes keys of 8 (int8)"
    wide = load_machine("edge-attention", sets=["engines.attention.format=bf16"]).engine("attention")
    assert _refusal(FOUND, GRAPH, wide) == "attn.q.scaled has 8 bits and attention takes queries of 16 (bf16)"


def test_a_buffer_without_room() -> None:
    assert most_tiles(FOUND, HARDWARE) == 10
    assert most_tiles(FOUND, replace(HARDWARE, k_words=127)) == 0
    assert most_tiles(FOUND, replace(HARDWARE, s_words=129)) == 0
