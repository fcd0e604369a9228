"""What mappers count differently of one tree: results that leave a tile, first visits, operands that stay at the compute unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.records.engines.plain import COUNTINGS
from tests.engines.plain.small import A3, cost, graph_of, tree_of, words

GRAPH = graph_of({"m": 4, "n": 2, "k": 6}, "c[m,n] = mul+add a[m,k] b[k,n]")
TREE = tree_of("for k 3", "a in buffer", "b in buffer", "c in buffer", "for m 1", "a in register", "c in register", "for n 1",
               "b in register", "for k 1", "c")  # fmt: skip
"""Two parts of k: c comes back once, 8 elements; the loop over n, then k, changes everything in the registers but c."""


def counted(counting: str) -> dict[tuple[str, str], tuple[int, int]]:
    return words(cost(GRAPH, TREE, replace(A3, counting=counting)))


def test_accelforge_reads_what_leaves_and_nothing_on_a_first_visit() -> None:
    got = counted("accelforge")
    assert got["dram", "c"] == (8, 16)
    assert got["buffer", "c"] == (16 + 8, 16 + 8)
    assert got["register", "c"] == (48 - 8 + 16, 48 + 8)


def test_timeloop_does_not_read_what_leaves() -> None:
    plain, got = counted("accelforge"), counted("timeloop")
    drained = {"dram": 0, "buffer": 16, "register": 16}
    assert {key: (reads - drained[key[0]] * (key[1] == "c"), writes) for key, (reads, writes) in plain.items()} == got


def test_zigzag_brings_a_sum_on_its_first_visit_too() -> None:
    got = counted("zigzag")
    assert got["dram", "c"] == (16, 16)
    assert got["buffer", "c"] == (16 + 16, 16 + 16)
    assert got["register", "c"] == (48 + 16, 48 + 16)


def test_zigzag_brings_no_sum_that_is_visited_once() -> None:
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for m 1", "a in register", "for n 1", "c in register", "b in register",
                   "for k 1", "c")  # fmt: skip
    got = words(cost(GRAPH, tree, replace(A3, counting="zigzag")))
    assert (got["dram", "c"], got["buffer", "c"]) == ((0, 8), (8, 8))


@pytest.mark.parametrize(("inner", "reads"), [("for k 1", 48), ("for n 1", 24)])
def test_zigzag_reads_an_operand_again_only_when_a_loop_changes_it(inner: str, reads: int) -> None:
    """a[m,k] under a loop over n in time stays at the compute unit."""
    others = ["for k 1", "for n 1"]
    others.remove(inner)
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "a in register", "b in register", "c in register", "for m 1", *others,
                   inner, "c")  # fmt: skip
    assert words(cost(GRAPH, tree, replace(A3, counting="zigzag")))["register", "a"][0] == reads
    assert words(cost(GRAPH, tree, A3))["register", "a"][0] == 48


def test_every_convention_says_what_it_does() -> None:
    assert set(COUNTINGS) == {"accelforge", "timeloop", "zigzag"}
    assert len(set(COUNTINGS.values())) == 3
