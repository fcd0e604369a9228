"""What one mapping does otherwise than another on the plain machine: each decision, and what it saves by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import evaluate, load_machine
from archmodel.engines.plain.cost import cost_of
from archmodel.records.mapping import Compute, Mapping, Node, Storage
from archmodel.records.result import Result
from archmodel.workload.gemm import gemm_graph
from mapper.differences import Change, differences
from mapper.shape import Held, Shape, shape_of, tree_of

GRAPH = gemm_graph(64, 64, 64)
EINSUM = GRAPH.einsums[0]
MACHINE = load_machine("plain-a3")
PARAMS = MACHINE.engine("array").params
WHOLE = (("k", 64), ("m", 64), ("n", 64))
SMALL = (("k", 4), ("m", 2), ("n", 4))


def shape(buffer: str = "abc", register: str = "abc", rows: tuple[tuple[str, int], ...] = (("k", 4),), small: object = SMALL) -> Shape:
    """Everything in the buffer, tiles of ``small`` in registers, n on the columns."""
    levels = ("dram", ()), ("buffer", tuple(Held(name, WHOLE) for name in buffer)), ("register", tuple(Held(n, small) for n in register))  # type: ignore[arg-type]
    return Shape(levels, (("rows", rows), ("cols", (("n", 4),))))


def made(found: Shape) -> tuple[Mapping, Result]:
    mapping = Mapping(GRAPH.name, MACHINE.name, (tree_of(EINSUM, found, PARAMS, "array"),))
    return mapping, evaluate(GRAPH, mapping, MACHINE)


def test_a_tree_is_the_tree_of_its_shape() -> None:
    tree = tree_of(EINSUM, shape(), PARAMS, "array")
    found = shape_of(EINSUM, tree, PARAMS)
    assert found == shape()
    assert tree_of(EINSUM, found, PARAMS, "array") == tree


def test_equal_mappings_have_no_difference() -> None:
    assert differences(GRAPH, MACHINE, made(shape()), made(shape())) == []


def saved(one: Shape, other: Shape) -> float:
    return float(cost_of(GRAPH, made(one)[0].trees[0], PARAMS).energy_pj - cost_of(GRAPH, made(other)[0].trees[0], PARAMS).energy_pj)


def changes(one: Shape, other: Shape) -> list[Change]:
    [found] = differences(GRAPH, MACHINE, made(one), made(other))
    assert found.einsums == ("gemm",)
    assert found.energy_pj == saved(one, other)
    return list(found.changes)


@pytest.mark.parametrize(
    ("other", "what", "mine", "best"),
    [
        (shape(register="cab"), "order at register", "a > b > c", "c > a > b"),
        (shape(rows=(("m", 4),)), "spread on rows", "k by 4", "m by 4"),
        (shape(small=(("k", 4), ("m", 1), ("n", 4))), "tiles at register",
         "a k 4, m 2, n 4; b k 4, m 2, n 4; c k 4, m 2, n 4", "a k 4, m 1, n 4; b k 4, m 1, n 4; c k 4, m 1, n 4"),
    ],
    ids=["order", "axis", "tiles"],
)  # fmt: skip
def test_one_difference_saves_all_by_itself(other: Shape, what: str, mine: str, best: str) -> None:
    [found] = changes(shape(), other)
    assert (found.what, found.mine, found.best) == (what, mine, best)
    assert found.energy_pj == saved(shape(), other)


def test_what_is_not_legal_by_itself_has_no_figure() -> None:
    full = shape(small=(("k", 4), ("m", 4), ("n", 4)))
    crowded = shape(small=(("k", 4), ("m", 10), ("n", 4)), rows=(("m", 10),))  # 40 + 16 + 40 words in 64
    mapping = replace(made(full)[0], trees=(tree_of(EINSUM, full, PARAMS, "array"),))
    assert cost_of(GRAPH, mapping.trees[0], PARAMS)
    with pytest.raises(ValueError, match="register must hold 96 words and has 64"):
        made(crowded)


def test_trees_of_several_einsums_have_no_shape() -> None:
    from archmodel.records.mapping import Sequence

    tree: Node = Storage("a", "buffer", Sequence((Compute("gemm", "array"), Compute("other", "array"))))
    assert shape_of(EINSUM, tree, PARAMS) is None
