"""Trees of a mapping: what they mean, that they survive text, and which ones an array refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from archmodel import evaluate, load_model, search
from archmodel.engines.systolic.tiling import RANKS, Tiling, quantum
from archmodel.engines.systolic.tree import Placement, from_tree, place, slice_size, to_tree
from archmodel.load import record_from_yaml, record_to_yaml
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Storage, nodes

from .helpers import edge, gemm_graph, gemm_of, generator, integers, mapped


def plain(placement: Placement) -> tuple[object, ...]:
    """A placement as something that compares."""
    last = placement.last and vars(placement.last)
    return vars(placement.tiling), placement.split, placement.rounds, placement.full, last


def test_a_tree_means_the_placement_that_it_was_made_of() -> None:
    """Random shapes, tiles, orders, dataflows and ways of sharing between copies, ragged ones included."""
    rng, ragged, splits = generator(1), 0, set()
    for _ in range(1500):
        copies = int(rng.integers(1, 6))
        engine = replace(edge().engine("array"), count=copies)
        batch, m, n, k = int(rng.integers(1, 5)), *integers(rng, 3, 300)
        graph = gemm_graph((batch, m, n, k), bits=int(rng.choice([8, 32])))
        split = str(rng.choice(["m", "n", "batch"])) if copies > 1 else ""
        split = "m" if split == "batch" and batch == 1 else split
        size = {"m": m, "n": n, "k": k}
        if split in size:
            size[split] = slice_size(size[split], copies, 16)
        flow, order = str(rng.choice(["ws", "is", "os"])), tuple(str(r) for r in rng.permutation(RANKS))
        grain = {rank: quantum(flow, rank, engine.params) for rank in RANKS}
        tile = {rank: min(size[rank], grain[rank] * int(rng.integers(1, 2 + size[rank] // grain[rank]))) for rank in RANKS}
        tiling = Tiling(*(size[r] for r in RANKS), *(tile[r] for r in RANKS), flow, order, graph.tensor["c00"].bits == 8)  # type: ignore[arg-type]
        placed = place(gemm_of(graph), split, copies, tiling)
        again = from_tree(graph, graph.einsums[0], to_tree(graph, graph.einsums[0], engine, tiling, split), engine)
        assert plain(again) == plain(placed)
        splits.add(split)
        ragged += placed.last is not None
    assert splits == {"", "m", "n", "batch"}
    assert ragged > 200


def test_slices_add_up_to_the_rank() -> None:
    rng = generator(2)
    for _ in range(2000):
        size, copies, grain = (*integers(rng, 1, 5000), int(rng.integers(1, 20)), int(rng.choice([1, 8, 16])))
        graph = gemm_graph((1, size, 16, 16))
        piece = slice_size(size, copies, grain)
        placed = place(gemm_of(graph), "m", copies, Tiling(piece, 16, 16, piece, 16, 16))
        assert placed.full * piece + (placed.last.m if placed.last else 0) == size
        assert placed.full + (placed.last is not None) <= copies
        assert piece % grain == 0 or piece == size


@pytest.mark.parametrize("stage", ["prefill", "decode"])
def test_a_mapping_survives_text(stage: str) -> None:
    model = load_model("mixtral-8x7b")
    graph = model.prefill(64) if stage == "prefill" else model.decode(batch=4, context=100)
    mapping = search(graph, edge("memories.dram.size=128 GiB", "engines.array.count=4"))
    again = record_from_yaml(Mapping, record_to_yaml(mapping))
    assert again == mapping
    assert record_to_yaml(again) == record_to_yaml(mapping)
    assert len(again.trees) == len(graph.einsums)


GRAPH = gemm_graph((1, 100, 96, 64))
MACHINE = edge()
TILING = Tiling(100, 96, 64, 20, 32, 64, "ws", ("n", "m", "k"), True)


def tree_of(graph: Graph = GRAPH, tiling: Tiling = TILING, machine: Machine = MACHINE, split: str = "") -> Node:
    return to_tree(graph, graph.einsums[0], machine.engine("array"), tiling, split)


def edited(tree: Node, what: object, **changes: object) -> Node:
    """``tree`` with fields changed in the first node that ``what`` accepts."""
    if what(tree):  # type: ignore[operator]
        return replace(tree, **changes)  # type: ignore[arg-type]
    assert not isinstance(tree, Compute), "no such node"
    return replace(tree, body=edited(tree.body, what, **changes))


def loop(rank: str, spatial: str = "") -> object:
    return lambda node: isinstance(node, Loop) and (node.rank, node.spatial) == (rank, spatial)


def storage(tensor: str, level: str) -> object:
    return lambda node: isinstance(node, Storage) and (node.tensor, node.level) == (tensor, level)


def without(tree: Node, what: object) -> Node:
    if what(tree):  # type: ignore[operator]
        return tree.body  # type: ignore[union-attr]
    return replace(tree, body=without(tree.body, what))  # type: ignore[union-attr]


def test_a_tree_by_hand() -> None:
    """The tree of a weight-stationary product: in memory, then loops with each buffer at its own depth, then the array."""
    shown = [(n.rank, n.tile, n.spatial) if isinstance(n, Loop) else (n.tensor, n.level) if isinstance(n, Storage) else n.engine
             for n in nodes(tree_of())]  # fmt: skip
    assert shown == [
        ("a00", "dram"), ("b00", "dram"), ("c00", "dram"),
        ("n", 32, ""), ("m", 20, ""), ("c00", "buffer"), ("k", 64, ""), ("b00", "buffer"), ("a00", "buffer"),
        ("k", 1, "rows"), ("n", 1, "cols"), "array",
    ]  # fmt: skip


def mapping_of(tree: Node) -> Mapping:
    return mapped(GRAPH, tree, MACHINE)


@pytest.mark.parametrize("tile_m", [1, 7, 33, 50])
def test_another_legal_tile_is_evaluated(tile_m: int) -> None:
    """A user may edit a mapping: another tile is priced as what it is, at both fidelities."""
    tree = edited(tree_of(), loop("m"), tile=tile_m)
    results = [evaluate(GRAPH, mapping_of(tree), MACHINE, fidelity) for fidelity in ("analytic", "cycle")]
    assert results[0].cycles == results[1].cycles
    assert results[0].cycles != evaluate(GRAPH, mapping_of(tree_of()), MACHINE).cycles


@pytest.mark.parametrize("order", list(permutations(RANKS)))
@pytest.mark.parametrize("flow", ["ws", "is", "os"])
def test_another_order_and_dataflow_are_evaluated(order: tuple[str, str, str], flow: str) -> None:
    tree = tree_of(tiling=Tiling(100, 96, 64, 32, 32, 32, flow, order, True))
    results = [evaluate(GRAPH, mapping_of(tree), MACHINE, fidelity).cycles for fidelity in ("analytic", "cycle")]
    assert results[0] == results[1]


def test_storage_of_one_depth_may_stand_in_any_order() -> None:
    tree = tree_of()
    swapped = without(tree, storage("a00", "dram"))
    swapped = replace(swapped, body=Storage("a00", "dram", swapped.body))  # type: ignore[union-attr]
    assert swapped != tree
    assert evaluate(GRAPH, mapping_of(swapped), MACHINE).cycles == evaluate(GRAPH, mapping_of(tree), MACHINE).cycles


def test_a_tile_beyond_its_rank_is_the_rank() -> None:
    large = edited(tree_of(), loop("k"), tile=4096)
    assert evaluate(GRAPH, mapping_of(large), MACHINE).cycles == evaluate(GRAPH, mapping_of(tree_of()), MACHINE).cycles


REFUSED = {
    "a rank twice": (
        edited(tree_of(), loop("m"), rank="n"),
        "mapping of g00: loops in time over ['n', 'n', 'k'], expected each of m, n, k once"),
    "an unknown rank": (
        edited(tree_of(), loop("m"), rank="z"),
        "mapping of g00: loops in time over ['n', 'z', 'k'], expected each of m, n, k once"),
    "rows over m": (
        edited(tree_of(), loop("k", "rows"), rank="n"),
        "mapping of g00: rows x cols run over n x n, expected k x n (ws), k x m (is) or m x n (os)"),
    "no rows": (
        without(tree_of(), loop("k", "rows")),
        "mapping of g00: rows x cols run over None x n, expected k x n (ws), k x m (is) or m x n (os)"),
    "rows by two": (
        edited(tree_of(), loop("k", "rows"), tile=2),
        "mapping of g00: loop k by 2 over rows, where array needs loop k by 1 over rows"),
    "an unknown axis": (
        Loop("m", 1, tree_of(), "chips"),
        "mapping of g00: loop m by 1 over chips, where array needs a00 stays in dram"),
    "a tensor not stored": (
        without(tree_of(), storage("c00", "buffer")),
        "mapping of g00: loop k by 64, where array needs c00 stays in buffer"),
    "a tensor stored elsewhere": (
        edited(tree_of(), storage("b00", "buffer"), level="dram"),
        "mapping of g00: b00 stays in dram, where array needs b00 stays in buffer"),
    "a tensor stored too far out": (
        Storage("b00", "buffer", without(tree_of(), storage("b00", "buffer"))),  # type: ignore[arg-type]
        "mapping of g00: b00 stays in buffer, where array needs b00 stays in dram"),
    "a batch that isn't": (
        Loop("batch", 1, tree_of()),
        "mapping of g00: loop batch by 1, where array needs a00 stays in dram"),
    "copies over k": (
        Loop("k", 16, tree_of(), "copies"),
        "mapping of g00: copies share rank k, expected batch, m or n"),
    "copies in the middle of a word": (
        tree_of(tiling=Tiling(100, 50, 64, 20, 32, 64, "ws", ("n", "m", "k"), True), split="n"),
        "mapping of g00: copies take slices of 50 along n, expected a multiple of 16 or the whole rank (96)"),
    "a slice larger than its rank": (
        tree_of(tiling=Tiling(100, 10**30, 64, 20, 32, 64, "ws", ("n", "m", "k"), True), split="n"),
        f"mapping of g00: copies take slices of {10**30} along n, expected a multiple of 16 or the whole rank (96)"),
    "more slices than copies": (
        tree_of(tiling=Tiling(10, 96, 64, 10, 32, 64, "ws", ("n", "m", "k"), True), split="m"),
        "mapping: slices of 10 along m make 10, and there are 1 copies"),
    "a tile of part of a word": (
        edited(tree_of(), loop("n"), tile=20),
        "mapping of g00: tiling: tile_n is 20, expected a multiple of 16 or the whole rank (96)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("fidelity", ["analytic", "cycle"])
def test_refused(name: str, fidelity: str) -> None:
    tree, text = REFUSED[name]
    with pytest.raises(SpecError) as caught:
        evaluate(GRAPH, mapping_of(tree), MACHINE, fidelity)
    assert str(caught.value) == text


def test_a_tile_that_fits_no_buffer() -> None:
    graph = gemm_graph((1, 4096, 96, 64))
    tree = tree_of(graph, Tiling(4096, 96, 64, 4096, 96, 64, "ws", ("n", "m", "k"), True))
    with pytest.raises(SpecError) as caught:
        evaluate(graph, mapping_of(tree), MACHINE)
    assert str(caught.value) == (
        "mapping of g00: tiling: the tile fits no buffer: X needs 16384 words and a bank has 2560, "
        "Z needs 24576 words and a bank has 1120"
    )


def test_a_dataflow_that_the_array_lacks() -> None:
    machine = edge("engines.array.dataflows=[ws]")
    tree = tree_of(tiling=Tiling(100, 96, 64, 32, 32, 32, "os", ("n", "m", "k"), True))
    with pytest.raises(SpecError) as caught:
        evaluate(GRAPH, mapping_of(tree), machine)
    assert str(caught.value) == "mapping of g00: tiling: dataflow os, and this array has ws"


def test_a_product_on_the_vector_engine() -> None:
    with pytest.raises(SpecError) as caught:
        evaluate(GRAPH, mapping_of(Compute("g00", "vector")), MACHINE)
    assert str(caught.value) == "mapping of g00: a matrix product is no work for vector (vector)"


def test_a_mapping_of_something_else() -> None:
    with pytest.raises(SpecError) as caught:
        evaluate(GRAPH, Mapping("other", "edge-npu", ()), MACHINE)
    assert str(caught.value) == "mapping: it is of other on edge-npu, expected one of gemms on edge-npu"
    with pytest.raises(SpecError) as caught:
        evaluate(GRAPH, Mapping("gemms", "edge-npu", ()), MACHINE)
    assert str(caught.value) == "mapping of gemms: g00 is in only one of the mapping and graph gemms"


@pytest.mark.parametrize("tile", [0, -4])
def test_a_tile_of_nothing_is_no_loop(tile: int) -> None:
    with pytest.raises(SpecError, match=f"^mapping: a loop over m has a tile of {tile}, expected at least 1$"):
        edited(tree_of(), loop("m"), tile=tile)
