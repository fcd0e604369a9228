"""The walker against counts made by hand: what it says of a tree is what the others are measured by."""

from __future__ import annotations

from archmodel.records.engines.plain import Axis, Level, Params
from archmodel.records.graph import Einsum, Graph, Tensor
from archmodel.records.mapping import Compute, Loop, Node, Sequence, Storage

from .draw import STAGE
from .walk import busiest, cycles, energy_pj, totals, walk

BUFFER = Level("buffer", 6, 6, 4096, axes=(Axis("rows", 4), Axis("cols", 4)))
PES = Params((Level("dram", 200, 200), BUFFER, Level("register", 1, 1, 64)), 1)
TWO = Params((Level("dram", 10, 10), Level("buffer", 1, 1, 64, axes=(Axis("rows", 2),))), 1)


def tensor(name: str, ranks: str) -> Tensor:
    return Tensor(name, "activation", tuple(ranks), 8)


def gemm(m: int, n: int, k: int) -> Graph:
    product = Einsum("C", "drawn", "C", ("A", "B"), (("k", k), ("m", m), ("n", n)), "mul", "add")
    return Graph("drawn", STAGE, (tensor("A", "mk"), tensor("B", "kn"), tensor("C", "mn")), (product,), ())


def nest(*items: tuple[str, ...] | Node) -> Node:
    """("A", "buffer") keeps a tensor; ("m", 4) and ("m", 4, "rows") are loops; the last item is a node."""
    *outer, inside = items
    for item in reversed(outer):
        inside = Storage(*item, inside) if isinstance(item[1], str) else Loop(item[0], item[1], inside, *item[2:])
    return inside


POINT = Compute("C", "array")


def test_every_tensor_once_through_the_buffer() -> None:
    """64x64x64 of the mapper's cases at an eighth: k on 8 PEs, m on 2; A stays for 2 n at a time, then B for 4 m."""
    tree = nest(("A", "buffer"), ("B", "buffer"), ("C", "buffer"), ("k", 2, "cols"), ("k", 1, "rows"), ("m", 4, "rows"),
                ("A", "register"), ("n", 2), ("B", "register"), ("m", 1), ("C", "register"), POINT)  # fmt: skip
    done = walk(tree, gemm(8, 8, 8), PES)
    assert totals(done) == {
        ("dram", "A"): (64, 0), ("dram", "B"): (64, 0), ("dram", "C"): (0, 64),
        ("buffer", "A"): (64, 64), ("buffer", "B"): (64, 64), ("buffer", "C"): (64, 64),
        ("register", "A"): (512, 64), ("register", "B"): (512, 128), ("register", "C"): (512, 512),
    }  # fmt: skip
    assert energy_pj(done) == 200 * 192 + 6 * 384 + (4 * 512 + 64 + 128) + 512
    assert cycles(done) == 32
    assert done.peak == {"buffer": 192, "register": 4 + 2 + 2}


def test_a_sum_that_is_resumed_is_read_but_on_its_first_visit() -> None:
    tree = nest(("k", 1), ("A", "buffer"), ("B", "buffer"), ("C", "buffer"), POINT)
    done = walk(tree, gemm(2, 2, 3), TWO)
    assert totals(done)["dram", "C"] == (8, 12)
    assert totals(done)["buffer", "C"] == (12 - 4 + 12, 8 + 12)


def test_sums_of_several_instances_arrive_as_one() -> None:
    tree = nest(("C", "dram"), ("k", 2, "rows"), ("A", "buffer"), ("B", "buffer"), ("C", "buffer"), POINT)
    done = walk(Loop("m", 2, tree.body), gemm(2, 2, 4), TWO)
    assert totals(done)["dram", "C"] == (0, 4)
    assert totals(done)["buffer", "C"] == (8 + 8, 16)  # drained by both; each instance's first visit of each sum reads nothing


def test_ragged_tiles_in_time_and_side_by_side() -> None:
    """Six of m on two instances: 4, 2 in time and then 2, 2, 2 side by side; or 3, 3 side by side and then 2, 1, 2, 1 in time."""
    keep = [("A", "buffer"), ("B", "buffer"), ("C", "buffer")]
    first = walk(nest(("m", 4), ("m", 2, "rows"), *keep, POINT), gemm(6, 1, 1), TWO)
    assert totals(first)["dram", "B"] == (2, 0)
    assert totals(first)["buffer", "B"] == (6, 3)
    assert cycles(first) == 4
    then = walk(nest(("m", 3, "rows"), ("m", 2), *keep, POINT), gemm(6, 1, 1), TWO)
    assert totals(then)["dram", "B"] == (2, 0)
    assert totals(then)["buffer", "B"] == (6, 4)
    assert cycles(then) == 3


def test_the_busiest_instance() -> None:
    tree = nest(("m", 2, "rows"), ("A", "buffer"), ("B", "buffer"), ("C", "buffer"), POINT)
    done = walk(tree, gemm(3, 1, 1), TWO)
    assert busiest(done, TWO.levels[1]) == (2 * 2 + 2, 2 + 1 + 2)  # operands and drain; fills and results


def pair(consumer: str = "mn") -> Graph:
    """T[m,n] = A[m,k] B[k,n] of extents m 2, n 4, k 2, then D[m,n] = T[m,n], or D[m,n,f] = T[m,n] W[n,f] where f is given."""
    first = Einsum("T", "drawn", "T", ("A", "B"), (("k", 2), ("m", 2), ("n", 4)), "mul", "add")
    inputs, ranks = (("T", "W"), (("f", 2), ("m", 2), ("n", 4))) if "f" in consumer else (("T",), (("m", 2), ("n", 4)))
    second = Einsum("D", "drawn", "D", inputs, ranks, "mul" if "f" in consumer else "copy")
    tensors = [tensor("A", "mk"), tensor("B", "kn"), tensor("D", consumer), tensor("T", "mn"), *([tensor("W", "nf")] * ("f" in consumer))]
    return Graph("drawn", STAGE, tuple(tensors), (first, second), ())


def test_what_is_passed_on_never_goes_home() -> None:
    first = nest(("A", "buffer"), ("B", "buffer"), Compute("T", "array"))
    second = nest(("D", "buffer"), Compute("D", "array"))
    done = walk(nest(("m", 1), ("T", "buffer"), Sequence((first, second))), pair(), TWO)
    assert ("dram", "T") not in totals(done)
    assert totals(done)["buffer", "T"] == (8 + 8, 16)  # sums taken up again, operands; two points each
    assert totals(done)["dram", "B"] == (16, 0)
    assert cycles(done) == 16 + 8


def test_what_is_made_again_is_paid_again() -> None:
    """f stands above T's residence, so T is made once for each f."""
    tree = nest(("f", 1), ("T", "buffer"), Sequence((Compute("T", "array"), Compute("D", "array"))))
    done = walk(tree, pair("mnf"), TWO)
    assert done.points == {"T": 2 * 16, "D": 16}
    assert totals(done)["dram", "A"] == (32, 0)
    assert totals(done)["buffer", "T"] == (16 + 16, 32)


def test_a_tile_lives_from_the_first_body_that_touches_it_to_the_last() -> None:
    first, second = nest(("A", "buffer"), Compute("T", "array")), nest(("D", "buffer"), Compute("D", "array"))
    straight = walk(nest(("T", "buffer"), ("B", "buffer"), Sequence((first, second))), pair(), TWO)
    assert straight.peak["buffer"] == max(8 + 8 + 4, 8 + 8)  # B is done with when the second body runs
    around = walk(nest(("B", "buffer"), ("m", 1), ("T", "buffer"), Sequence((first, second))), pair(), TWO)
    assert around.peak["buffer"] == max(4 + 8 + 2, 4 + 8 + 4)  # B stays for the next m
