"""What a plain engine refuses of a tree, in words: what is too small, out of place, missing."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError
from archmodel.records.engines.plain import Axis
from archmodel.records.mapping import Compute, Loop, Node, Parallel, Storage
from tests.engines.plain.small import A3, cost, graph_of, levels_of, tree_of

GRAPH = graph_of({"m": 40, "n": 30, "k": 20}, "c[m,n] = mul+add a[m,k] b[k,n]")
KEPT = ("a in buffer", "b in buffer", "c in buffer")
POINTS = ("for m 1", "for n 1", "for k 1", "a in register", "b in register", "c in register", "c")


def refusal_of(tree: Node, **changes: dict[str, object]) -> str:
    with pytest.raises(SpecError) as error:
        cost(GRAPH, tree, levels_of(A3, **changes))
    return str(error.value)


@pytest.mark.parametrize(("tree", "message"), [
    (tree_of(*KEPT, *POINTS[3:]),
     "mapping of c: register must hold 2,600 words and has 64; 2,536 more would do"),
    (tree_of(*KEPT, "for m 2 on rows", *POINTS), "mapping of c: m 20 are spread over rows, which has 16; 20 would do"),
    (tree_of(*KEPT, "for m 10 on rows", "for n 5 on rows", *POINTS),
     "mapping of c: m 4 x n 6 are spread over rows, which has 16; 24 would do"),
    (tree_of("a in buffer", "c in buffer", *POINTS),
     "mapping of c: b skips buffer, which it may not: expected a storage node, or bypass: true of buffer"),
    (tree_of(*KEPT, *POINTS[:4], "c in register", "c"),
     "mapping of c: b skips register, which it may not: expected a storage node, or bypass: true of register"),
    (tree_of("for x 2", *KEPT, *POINTS), "mapping: a loop over 'x', expected a rank of its Einsums: k, m, n"),
    (tree_of("d in buffer", *KEPT, *POINTS), "mapping: 'd' stays in buffer, expected a tensor of its Einsums: a, b, c"),
    (tree_of("a in cache", *KEPT, *POINTS), "mapping of c: a stays in 'cache', expected one of dram, buffer, register"),
    (tree_of(*KEPT, "for m 4 on layers", *POINTS), "mapping: a loop over m is spread over 'layers', expected one of rows, cols"),
    (tree_of("for m 4 on rows", *KEPT, *POINTS),
     "mapping of c: a stays in buffer below the loop over m on rows, expected it above: the axis is between buffer and register"),
    (tree_of(*KEPT, *POINTS[:4], "for m 1 on rows", *POINTS[4:]),
     "mapping: a loop over m is spread over rows below a in register, expected it above: the axis is between buffer and register"),
    (tree_of("a in buffer", "for m 2", "a in buffer", *KEPT[1:], *POINTS),
     "mapping of c: a stays in buffer twice on one path, expected it once"),
    (tree_of("a in register", *KEPT[1:], *POINTS[3:]),
     "mapping of c: b stays in buffer below a in register, which is further in: expected levels from the outside inwards"),
    (tree_of("for m 4", "a in dram", *KEPT, *POINTS),
     ("mapping of c: a stays in dram below a loop or a node, expected it at the top: the outermost level holds everything all the time")),
    (Storage("a", "buffer", Parallel((Compute("c", "array"), Compute("d", "array")))),
     "mapping of c: found a Parallel, expected loops, storage nodes, Sequences and leaves: bodies run one after another here"),
    (Loop("m", 4, Compute("c", "array", "lanes")), "mapping of c: a leaf with a unit, expected neither unit nor lag"),
    (tree_of(bodies=(Compute("c", "array"), Compute("c", "array"))), "mapping of c: it has two leaves, expected one"),
])  # fmt: skip
def test_a_tree_that_is_not_legal(tree: Node, message: str) -> None:
    assert refusal_of(tree) == message


def test_a_node_of_the_outermost_level_at_the_top_says_nothing_new() -> None:
    assert cost(GRAPH, tree_of("a in dram", "c in dram", *KEPT, *POINTS)) == cost(GRAPH, tree_of(*KEPT, *POINTS))


def test_a_level_holds_what_it_says() -> None:
    tree = tree_of(*KEPT, *POINTS)
    said = "mapping: b (activation) stays in register, which holds one of a, weight"
    assert refusal_of(tree, register={"holds": ("a", "weight")}) == said
    skipping = tree_of(*KEPT, "for m 1", "for n 1", "for k 1", "a in register", "c")
    assert cost(GRAPH, skipping, levels_of(A3, register={"holds": ("a",)})).energy_pj > 0


def test_a_tile_that_is_filled_beside_compute_takes_its_words_twice() -> None:
    tree = tree_of(*KEPT, *POINTS)
    need = 40 * 20 + 20 * 30 + 40 * 30
    assert dict(cost(GRAPH, tree, levels_of(A3, buffer={"words": need})).room)["buffer"] == need
    assert refusal_of(tree, buffer={"words": need - 1}) == (
        "mapping of c: buffer must hold 2,600 words and has 2,599; 1 more would do")  # fmt: skip
    assert refusal_of(tree, buffer={"words": 2 * need - 1, "buffering": "double"}) == (
        "mapping of c: buffer must hold 5,200 words and has 5,199; 1 more would do")  # fmt: skip


def test_the_outermost_level_must_hold_all_operands() -> None:
    assert refusal_of(tree_of(*KEPT, *POINTS), dram={"words": 1000}) == (
        "mapping of c: dram must hold 2,600 words and has 1,000; 1,600 more would do")  # fmt: skip


@pytest.mark.parametrize(("axis", "message"), [
    (Axis("rows", 16, ranks=("n",)), "mapping of c: rank k is spread over rows, which takes n"),
    (Axis("rows", 16, reduces=False), "mapping of c: rank k is reduced and spread over rows, which adds nothing up"),
])  # fmt: skip
def test_an_axis_takes_what_it_says(axis: Axis, message: str) -> None:
    assert refusal_of(tree_of(*KEPT, "for k 2 on rows", *POINTS), buffer={"axes": (axis,)}) == message


def test_a_node_that_nobody_uses_is_refused() -> None:
    two = graph_of({"m": 4}, "y[m] = copy x[m]", "z[m] = copy w[m]")
    tree = tree_of(bodies=(tree_of("x in buffer", "y in buffer", "w in buffer", "y"), tree_of("w in buffer", "z in buffer", "z")))
    with pytest.raises(SpecError, match=r"^mapping: w stays in buffer, and no Einsum below that node uses it$"):
        cost(two, tree, levels_of(A3, register={"bypass": True}))
