"""Words, energy and cycles of a plain engine against what was counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest

from archmodel import evaluate, load_machine
from archmodel.records.engines.plain import Axis, Operation, Params
from archmodel.records.mapping import Mapping
from archmodel.workload.gemm import gemm_graph
from tests.engines.plain.small import A3, cost, graph_of, level, levels_of, tree_of, words

ONCE = tree_of("a in buffer", "b in buffer", "c in buffer", "for k 4 on rows", "for m 32 on cols", "for k 1 on cols", "a in register",
               "for n 1", "b in register", "for m 1", "c in register", "gemm")  # fmt: skip
"""64x64x64 with each tensor once through the buffer: 64 parts of k and 2 of m side by side, a row of a in each element."""


def test_the_worked_example_of_the_published_cases() -> None:
    """Every tensor passes DRAM and buffer once; sums over PEs leave as one word; the first sum in each PE is read nowhere."""
    found = cost(gemm_graph(64, 64, 64), ONCE)
    assert dict(found.energy_by) == {"dram": 2_457_600, "buffer": 147_456, "register": 1_060_864, "mac": 262_144}
    assert (found.energy_pj, found.cycles) == (3_928_064, 2048)
    size, points = 64 * 64, 64**3
    assert words(found) == {
        ("dram", "a"): (size, 0), ("dram", "b"): (size, 0), ("dram", "c"): (0, size),
        ("buffer", "a"): (size, size), ("buffer", "b"): (size, size), ("buffer", "c"): (size, size),
        ("register", "a"): (points, size), ("register", "b"): (points, 2 * size),
        ("register", "c"): (points - 64 * size + 64 * size, points),
    }  # fmt: skip
    assert dict(found.room) == {"dram": 3 * size, "buffer": 3 * size, "register": 32 + 1 + 1}


def test_evaluate_says_the_same_and_multiplies_by_repeats() -> None:
    machine, graph = load_machine("plain-a3"), gemm_graph(64, 64, 64)
    result = evaluate(graph, Mapping(graph.name, machine.name, (ONCE,)), machine)
    assert (result.cycles, result.energy.value if result.energy else None) == (2048, 3_928_064)
    assert dict(result.ops[0].bytes) == {"dram": 12_288, "buffer": 24_576, "register": 4 * 64**3 + 12_288}
    assert (result.ops[0].bound_by, result.provenance, result.ops[0].macs) == ("array", "closed form", 64**3)


def test_a_last_tile_is_counted_as_it_is() -> None:
    """9 in tiles of 6, then 3: 2 + 1 pieces of k, and 5, then 3: 2 + 2; a tile of C comes back for each piece but the first."""
    graph = graph_of({"m": 4, "n": 5, "k": 9}, "c[m,n] = mul+add a[m,k] b[k,n]")
    pieces = {}
    for outer in (6, 5):
        tree = tree_of(f"for k {outer}", "a in buffer", "b in buffer", "for k 3", "c in buffer", "a in register", "b in register",
                       "c in register", "c")  # fmt: skip
        got = words(cost(graph, tree))
        pieces[outer] = got["dram", "c"][1] // 20
        assert got["dram", "c"] == (20 * (pieces[outer] - 1), 20 * pieces[outer])
        assert got["buffer", "c"] == (20 * pieces[outer] * 2 - 20, 20 * (pieces[outer] - 1) + 20 * pieces[outer])
        assert got["dram", "a"] == (36, 0)
        assert got["dram", "b"] == (45, 0)
    assert pieces == {6: 3, 5: 4}


def test_multicast_is_one_read_and_many_writes() -> None:
    """7 columns of n in tiles of 2 on 4 elements of cols: a is read once for all four; b goes to one each."""
    graph = graph_of({"m": 3, "n": 7, "k": 2}, "c[m,n] = mul+add a[m,k] b[k,n]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for n 2 on cols", "a in register", "b in register", "c in register", "c")
    got = words(cost(graph, tree))
    assert (got["buffer", "a"], got["register", "a"]) == ((6, 6), (42, 4 * 6))
    assert (got["buffer", "b"], got["register", "b"]) == ((14, 14), (42, 14))
    assert got["buffer", "c"] == (21, 21)
    assert got["register", "c"] == (42 - 21 + 21, 42)


def test_the_largest_instance_decides_what_is_read_once_for_all() -> None:
    """7 in tiles of 5 on two elements, then tiles of 2: the first takes 3 pieces, the second 1; a shared word is read 3 times."""
    graph = graph_of({"m": 3, "n": 7, "k": 2}, "c[m,n] = mul+add a[m,k] b[k,n]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for n 5 on cols", "for n 2", "a in register", "b in register",
                   "c in register", "c")  # fmt: skip
    got = words(cost(graph, tree))
    assert got["buffer", "a"][0] == 6 * 3
    assert got["register", "a"][1] == 6 * (3 + 1)
    assert cost(graph, tree).cycles == 3 * 2 * 5


def test_a_sum_that_comes_back_goes_to_every_element_that_shares_it() -> None:
    """k in two steps of 8, each over 4 elements: the second step brings C to all four, which leave one word again."""
    graph = graph_of({"m": 3, "n": 2, "k": 16}, "c[m,n] = mul+add a[m,k] b[k,n]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for k 8", "for k 2 on rows", "a in register", "b in register",
                   "c in register", "c")  # fmt: skip
    got = words(cost(graph, tree))
    assert got["buffer", "c"] == (6 + 6, 2 * 6)
    first = 4 * 6
    assert got["register", "c"] == (96 - first + 2 * 4 * 6, 96 + 4 * 6)


def test_what_skips_the_registers_is_charged_outside_them() -> None:
    """Without registers and buffer a word shared by 256 elements is read of DRAM once, and a sum over them is written once."""
    graph = gemm_graph(64, 64, 64)
    free = levels_of(A3, buffer={"bypass": True}, register={"bypass": True})
    tree = tree_of("for m 16", "for n 16", "for m 1 on rows", "for n 1 on cols", "c in register", "gemm")
    got = words(cost(graph, tree, free))
    assert got["dram", "a"] == got["dram", "b"] == (64**3 // 16, 0)
    assert ("buffer", "a") not in got and ("register", "a") not in got
    assert got["dram", "c"] == (0, 4096)
    tree = tree_of("for k 16", "for k 1 on rows", "for m 4 on cols", "a in register", "gemm")
    got = words(cost(graph, tree, free))
    assert got["dram", "c"] == (4096 * 4 - 4096, 4096 * 4)


def test_elements_take_their_exact_share_of_words() -> None:
    graph = graph_of({"m": 4, "n": 2, "k": 2}, "c[m,n] = mul+add a[m,k] b[k,n]", bits=12)
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "a in register", "b in register", "c in register", "c")
    found = cost(graph, tree, levels_of(A3, dram={"word_bits": 32}))
    assert {row.tensor: row.reads + row.writes for row in found.traffic if row.level == "dram"} == {"a": 3, "b": 1.5, "c": 3}
    assert dict(found.room) == {"dram": 7.5, "buffer": 30, "register": 30}


@pytest.mark.parametrize(("changes", "cycles"), [
    ({"bandwidth": 6}, 16), ({"bandwidth": 2}, 18), ({"read_bandwidth": 1, "write_bandwidth": 8}, 20),
    ({"read_bandwidth": 8, "write_bandwidth": Fraction(1, 2)}, 32), ({"bandwidth": 2, "buffering": "single"}, 34),
])  # fmt: skip
def test_a_level_moves_its_words_beside_compute_or_after_it(changes: dict[str, object], cycles: int) -> None:
    """16 points; DRAM gives 16 + 4 words and takes 16."""
    graph = graph_of({"m": 4, "n": 4}, "c[m,n] = add a[m,n] b[m]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "a in register", "b in register", "c in register", "c")
    found = cost(graph, tree, levels_of(A3, dram=changes))
    assert math.ceil(found.cycles) == cycles


def test_only_the_busiest_instance_bounds_the_time() -> None:
    """7 columns on 4 elements in tiles of 2: the first element fills 2 of b's columns and all of a."""
    graph = graph_of({"m": 3, "n": 7, "k": 2}, "c[m,n] = mul+add a[m,k] b[k,n]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for n 2 on cols", "a in register", "b in register", "c in register", "c")
    found = cost(graph, tree, levels_of(A3, register={"write_bandwidth": 1}))
    assert dict(found.moving) == {"register": 6 + 4 + 12}


def test_an_axis_that_may_not_share_reads_for_each_of_its_elements() -> None:
    graph = graph_of({"m": 3, "n": 8, "k": 2}, "c[m,n] = mul+add a[m,k] b[k,n]")
    tree = tree_of("a in buffer", "b in buffer", "c in buffer", "for n 2 on cols", "a in register", "b in register", "c in register", "c")
    axes = tuple(Axis(axis.name, axis.size, unicast=("a",)) for axis in A3.levels[1].axes)
    assert words(cost(graph, tree))["buffer", "a"][0] == 6
    assert words(cost(graph, tree, levels_of(A3, buffer={"axes": axes})))["buffer", "a"][0] == 4 * 6


def test_operators_cost_what_the_description_says() -> None:
    graph = graph_of({"m": 4}, "y[m] = exp x[m]")
    tree = tree_of("x in buffer", "y in buffer", "x in register", "y in register", "y")
    dear = replace(A3, operations=(Operation("exp", Fraction(5), Fraction(3)),), macs_per_cycle=Fraction(2))
    assert (cost(graph, tree).cycles, dict(cost(graph, tree).energy_by)["mac"]) == (4, 4)
    assert (cost(graph, tree, dear).cycles, dict(cost(graph, tree, dear).energy_by)["mac"]) == (6, 20)


def test_each_instance_takes_whole_cycles_and_copies_share_them() -> None:
    machine = load_machine("plain-a3", ["engines.array.macs_per_cycle=3", "engines.array.count=2"])
    graph = graph_of({"m": 4}, "y[m] = exp x[m]", repeat=5)
    tree = tree_of("x in buffer", "y in buffer", "x in register", "y in register", "y")
    (row,) = evaluate(graph, Mapping(graph.name, machine.name, (tree,)), machine).ops
    assert (row.cycles, row.energy.value if row.energy else None) == (3 * 2, 5 * 4 * (400 + 24 + 4 + 1))


def test_a_machine_of_one_level_reads_and_writes_it_each_point() -> None:
    graph = graph_of({"m": 2, "k": 3}, "z[m] = mul+add a[m,k] b[k]")
    assert words(cost(graph, tree_of("z"), Params((level("only"),), Fraction(1)))) == {
        ("only", "a"): (6, 0), ("only", "b"): (6, 0), ("only", "z"): (4, 6)}  # fmt: skip
