"""Fused trees by hand: cycles of units, what runs beside what, drains, traffic by reuse, shares, refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from archmodel import evaluate
from archmodel.load import load_costs
from archmodel.looptree.flow import steps_over
from archmodel.looptree.path import branches
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph, Tensor
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Peel, Sequence, Storage
from tests.looptree.small import (
    GRAPH,
    HIGHEST,
    PARAMS,
    POWER,
    SCORES,
    STAGE,
    held,
    machine,
    on_array,
    on_lanes,
    row,
    spread,
)

PLAIN = Loop("p", 8, Loop("p", 1, Sequence((
    Loop("m", 4, Loop("m", 1, on_array("qk"), "rows")), on_lanes("max"), on_lanes("power"))), "cols"))  # fmt: skip
"""Four tiles of 8 queries; scores on the array, the rest on the lanes."""
QK, MAX, POWERS = 4 * 3 * 16, 4 * 12, 4 * 12 * 7
"""Cycles: four tiles of queries, three of keys, 16 elements; twelve keys; seven cycles an exponential."""


def test_one_after_another_adds_up_by_unit() -> None:
    made = row(PLAIN)
    assert made.cycles == QK + MAX + POWERS
    assert made.busy == (("array", "qk", QK), ("lanes", "max", MAX), ("lanes", "power", POWERS))
    assert dict(made.causes) == {"compute": made.cycles, "drain": 0, "memory": 0}


def test_side_by_side_takes_as_long_as_the_longest() -> None:
    beside = Loop("p", 8, Loop("p", 1, Parallel((
        Loop("m", 4, Loop("m", 1, on_array("qk"), "rows")), Sequence((on_lanes("max", 1), on_lanes("power", 1))))), "cols"))  # fmt: skip
    assert row(beside).cycles == max(QK, MAX + POWERS)


def test_side_by_side_on_one_unit_takes_as_long_as_both() -> None:
    beside = Loop("p", 8, Loop("p", 1, Parallel((
        Loop("m", 4, Loop("m", 1, on_array("qk"), "rows")), on_lanes("max", 1), on_lanes("power", 2))), "cols"))  # fmt: skip
    assert row(beside).cycles == max(QK, MAX + POWERS)


def drained(lag: int) -> Node:
    """The maximum over the rows of the array, then the exponential of the same tile, or of one that is ``lag`` older."""
    return Loop("p", 8, Loop("p", 1, Sequence((
        Loop("m", 4, Loop("m", 1, Sequence((on_array("qk"), on_array("max"))), "rows")), on_lanes("power", lag))), "cols"))  # fmt: skip


def test_a_sum_over_rows_that_is_wanted_at_once_leaves_in_as_many_cycles() -> None:
    tiles, rows = 4, 4
    waiting, ahead = row(drained(0)), row(drained(1))
    assert dict(waiting.causes)["drain"] == tiles * rows
    assert dict(ahead.causes)["drain"] == 0
    assert waiting.cycles == ahead.cycles + tiles * rows == QK + 4 * 3 + POWERS + tiles * rows


def test_a_ragged_tile_takes_its_own_steps() -> None:
    tree = Loop("p", 24, Loop("p", 8, Loop("p", 1, Sequence((
        Loop("m", 5, Loop("m", 4, Loop("m", 1, on_array("qk"), "rows"))), on_lanes("max"), on_lanes("power"))), "cols")))  # fmt: skip
    assert {einsum: cycles for _, einsum, cycles in row(tree).busy}["qk"] == 4 * (2 + 2 + 1) * 16  # keys 4+1, 4+1, 2


def traffic(tree: Node) -> dict[str, int]:
    return dict(row(tree, machine()).bytes)


def test_what_no_node_keeps_moves_as_often_as_the_loops_outside_it_say() -> None:
    moved = traffic(PLAIN)
    q, k = 3 * 16 * 32, 4 * 16 * 12  # Q again for each tile of keys, K for each tile of queries
    s, x, y = 3 * 12 * 32, 2 * 32, 12 * 32  # scores written, read twice; the maximum written and read; exponentials written
    assert moved == {"dram": 2 * (q + k + s + x + y)}


def test_what_a_node_keeps_is_fetched_once_and_what_nobody_else_reads_never_leaves() -> None:
    kept = held(held(PLAIN, "K", level="buffer"), "S", "X")
    moved = traffic(kept)
    assert moved["dram"] == 2 * (3 * 16 * 32 + 16 * 12 + 12 * 32)
    assert moved["buffer"] == 2 * (16 * 12 + 4 * 16 * 12)


def test_a_result_leaves_the_memory_that_keeps_it() -> None:
    assert traffic(held(PLAIN, "S", "X", "Y", level="buffer"))["dram"] == traffic(held(PLAIN, "S", "X", level="buffer"))["dram"]


def test_a_node_under_a_loop_that_changes_nothing_of_its_tensor_fetches_again_only_if_another_loop_does() -> None:
    below = Loop("p", 8, Storage("K", "buffer", Loop("m", 4, Loop("p", 1, Loop("m", 1, on_array("qk"), "rows"), "cols"))))
    above = Loop("p", 8, Loop("m", 4, Storage("K", "buffer", Loop("p", 1, Loop("m", 1, on_array("qk"), "rows"), "cols"))))
    for tree, fetches in ((below, 1), (above, 4)):
        made = row(tree, machine(), replace(GRAPH, einsums=(SCORES,)))
        assert dict(made.bytes)["buffer"] == 2 * 16 * 12 * (fetches + 4)


def test_time_is_what_the_memory_needs_where_that_is_longer() -> None:
    made = row(PLAIN, machine(10**9))
    assert made.cycles == dict(made.bytes)["dram"] == made.port_cycles
    assert dict(made.causes) == {"compute": QK + MAX + POWERS, "drain": 0, "memory": made.cycles - QK - MAX - POWERS}
    assert made.bound_by == "dram"


def test_shares_of_a_peel_are_weighed_over_the_whole_rank() -> None:
    kept = held(PLAIN, "S", "X")
    all_kept, none_kept = traffic(kept)["dram"], traffic(PLAIN)["dram"]
    assert traffic(Peel("m", 3, PLAIN, kept))["dram"] == (3 * none_kept + 9 * all_kept) // 12
    assert row(Peel("m", 3, PLAIN, kept)).cycles == 9 * row(PLAIN).cycles // 12 > MAX + POWERS  # the longer share, the busiest unit


def test_shares_of_a_peel_on_two_units_run_beside_each_other() -> None:
    fast = replace(machine(None).engines[0].params, operations=("array mul+add 1", "array exp 7", "lanes max 1", "lanes exp 7"))
    share = Peel("m", 4, Loop("m", 4, Loop("m", 1, on_array("power"), "rows")), on_lanes("power"))
    tree = Loop("p", 8, Loop("p", 1, Sequence((Loop("m", 4, Loop("m", 1, on_array("qk"), "rows")), on_lanes("max"), share)), "cols"))
    made = row(tree, machine(None, params=fast))
    on_the_array, on_the_lanes = Fraction(4 * 3 * 7, 3), Fraction(4 * 12 * 7 * 2, 3)
    assert made.cycles == QK + MAX + max(on_the_array, on_the_lanes)


def test_weights_of_all_choices_sum_to_one() -> None:
    tree = Sequence((Peel("m", 3, on_array("qk"), on_lanes("qk")), Peel("p", 8, on_array("max"), on_lanes("max"))))
    found = list(branches(tree, {"m": 12, "p": 32}))
    assert [branch.weight for branch in found] == [Fraction(1, 16), Fraction(3, 16), Fraction(3, 16), Fraction(9, 16)]


def running(writer: int, reader: int, tiles: int = 4) -> Node:
    """A running maximum over tiles of keys, and a copy of the one before, ``tiles`` tiles of queries side by side."""
    body = Sequence((on_lanes("old", reader), on_lanes("new", writer)))
    return Loop("m", 1, Loop("p", 32 // tiles, Loop("p", 1, body, "cols")))


RUNNING = Graph("running", STAGE, (Tensor("N", "activation", ("p",), 16), Tensor("O", "activation", ("m", "p"), 16)), (
    Einsum("new", "toy", "N", ("O",), (("m", 12), ("p", 32)), "max"),
    Einsum("old", "toy", "O", ("N",), (("m", 12), ("p", 32)), "max")), ())  # fmt: skip


def test_a_state_may_lag_as_many_tiles_as_come_between() -> None:
    assert row(running(3, 0), graph=RUNNING).cycles == 2 * 12 * 4
    with pytest.raises(SpecError, match="mapping of old: it wants N 4 iterations after new began it, which lags 4 behind: expected a "
                                        "smaller lag of new, or more tiles between"):  # fmt: skip
        row(running(4, 0), graph=RUNNING)


def test_a_state_moves_once_a_tile() -> None:
    kept = Loop("m", 1, Loop("p", 8, Storage("O", "registers", Loop("p", 1, Sequence((on_lanes("old"), on_lanes("new"))), "cols"))))
    assert dict(row(Storage("N", "buffer", kept), machine(), RUNNING).bytes)["buffer"] == 2 * (12 * 32 + 12 * 32)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (Loop("p", 8, Loop("m", 1, Loop("p", 1, Sequence((on_array("qk"), on_lanes("max"), on_lanes("power"))), "cols"))),
         "mapping of power: it reads X of max within the loop over m, and it is complete only after that loop: "
         "expected it in another loop, later"),
        (Loop("n", 4, PLAIN), "mapping: a loop over 'n', expected a rank of its Einsums: e, m, p"),
        (held(PLAIN, "N"), "mapping: 'N' stays in registers, expected a tensor of its Einsums"),
        (Parallel((spread(on_array("qk")), Sequence((on_lanes("max"), on_lanes("power"))))),
         "mapping of max: it runs beside qk, whose S it reads: expected a lag above 0, found 0"),
        (Sequence((on_lanes("max"), on_lanes("power"), spread(on_array("qk")))),
         "mapping of max: it runs before qk, whose S it reads: expected a lag above 0, found 0"),
        (Sequence((spread(on_array("qk", 2)), on_lanes("max", 1), on_lanes("power", 2))),
         "mapping of max: it works on a younger tile than qk, whose S it reads: expected a lag above 2, found 1"),
        (Sequence((Compute("qk", "chip", "mesh"), on_lanes("max"), on_lanes("power"))),
         "mapping of qk: no unit 'mesh' in chip (it has: array, lanes)"),
        (Sequence((on_lanes("qk"), on_lanes("max"), on_lanes("power"))),
         "mapping of qk: unit lanes does no mul with add (it has: max, exp)"),
        (Sequence((Loop("p", 1, on_array("qk"), "cols"), on_lanes("max"), on_lanes("power"))),
         "mapping of qk: 32 side by side on the cols of unit array, which has 8"),
        (Sequence((Loop("p", 1, on_array("qk"), "copies"), on_lanes("max"), on_lanes("power"))),
         "mapping of qk: a loop over 'copies', expected rows or cols of a unit"),
        (held(PLAIN, "S", level="cache"), "mapping: S stays in 'cache', expected one of registers, dram, buffer"),
        (Sequence((PLAIN, on_lanes("max", 1))), "mapping of qk: an Einsum has two leaves, expected one, or a Peel between them"),
        (Peel("m", 12, PLAIN, held(PLAIN, "S")), "mapping: Peel takes 12 of rank m, which has 12 there"),
    ],
)  # fmt: skip
def test_what_is_no_legal_tree_is_refused(tree: Node, text: str) -> None:
    with pytest.raises(SpecError) as error:
        row(tree)
    assert str(error.value) == text


def test_a_tree_of_too_many_peels_is_refused_before_its_choices_multiply() -> None:
    tree: Node = PLAIN
    for size in range(1, 10):
        tree = Peel("m", size, held(PLAIN, "S"), tree)
    with pytest.raises(SpecError, match="mapping of qk: 9 Peels in one tree, expected at most 8"):
        row(tree)


def test_what_cannot_be_counted_so_is_refused() -> None:
    on = machine()
    mapping = Mapping(GRAPH.name, on.name, (PLAIN,))
    with pytest.raises(SpecError, match="fidelity cycle: toy-machine counts as published, which is analytic alone; take analytic, or "
                                        "convention hardware"):  # fmt: skip
        evaluate(GRAPH, mapping, on, "cycle")
    with pytest.raises(SpecError, match="machine toy-machine: convention published, and engine chip \\(units\\) has no port"):
        evaluate(GRAPH, mapping, machine(port=None))
    with pytest.raises(SpecError, match="mapping of max: repeat is 2, and 1 in qk fused with it"):
        evaluate(replace(GRAPH, einsums=(replace(HIGHEST, repeat=2), POWER, SCORES)), mapping, on)
    other = replace(GRAPH, einsums=(HIGHEST, replace(POWER, ranks=(("m", 13), ("p", 32))), SCORES))
    with pytest.raises(SpecError, match="mapping of power: rank m is 13, and 12 in an Einsum fused with it"):
        evaluate(other, mapping, on)


def test_an_operation_without_a_price_leaves_no_energy() -> None:
    unpriced = replace(PARAMS, actions=("lanes exp tetrate 1",))
    assert row(held(PLAIN, "S", "X"), machine(params=unpriced)).energy_by == ()


def test_energy_counts_actions_and_what_moves() -> None:
    causes = dict(row(held(PLAIN, "S", "X"), machine()).energy_by)
    assert set(causes) == {"mac", "max", "add", "dram read", "dram write"}
    mac = causes["mac"].value / (16 * 12 * 32 + 6 * 12 * 32)
    from archmodel.cost import default_costs

    assert mac == pytest.approx(default_costs().energy_pj("mac", 16, 45).value, rel=1e-12)




def test_registers_of_one_lane_are_counted_where_the_table_prices_reads(tmp_path: Path) -> None:
    table = tmp_path / "costs.yaml"
    table.write_text("rows:\n" + "".join(
        f"- {{action: {action}, unit: pj, bits: 16, value: {value}, low: unknown, high: unknown, node: 45 nm, condition: none, "
        "source: none, provenance: published}\n" for action, value in (("register_read", 2), ("register_write", 3))))  # fmt: skip
    on = machine(None)
    found = evaluate(GRAPH, Mapping(GRAPH.name, on.name, (PLAIN,)), on, "analytic", load_costs(table)).ops[0]
    lane = 4 * 12  # points of a maximum or an exponential; of the array's, four times as many over 16 elements
    assert dict(found.energy_by)["register_read"].value == 2 * (3 * QK + 2 * lane + 2 * lane)
    assert dict(found.energy_by)["register_write"].value == 3 * (3 * QK + 2 * lane + 3 * lane)
    assert "register_write" not in dict(row(PLAIN).energy_by)


LAST = Graph("last", STAGE, (Tensor("N", "activation", ("m", "p"), 16), Tensor("O", "activation", ("m", "p"), 16),
                            Tensor("Z", "activation", ("p",), 16)), (
    Einsum("end", "toy", "Z", ("N",), (("m", 1), ("p", 32)), "max"), Einsum("new", "toy", "N", ("O",), (("m", 12), ("p", 32)), "max"),
    Einsum("old", "toy", "O", ("N",), (("m", 12), ("p", 32)), "max")), ())  # fmt: skip
"""The same running maximum as cascades write it: with a place for each step, of which a reader takes the last."""


def test_a_state_may_have_a_place_for_each_step() -> None:
    body = Loop("m", 1, Loop("p", 8, Storage("O", "registers", Loop("p", 1, Sequence((on_lanes("old"), on_lanes("new"))), "cols"))))
    tree = held(Sequence((body, Loop("p", 8, Loop("p", 1, on_lanes("end"), "cols")))), "N", level="buffer")
    made = row(tree, machine(), LAST)
    assert made.cycles - dict(made.causes)["memory"] == 2 * 12 * 4 + 4
    assert dict(made.bytes) == {"buffer": 2 * (12 * 32 + 12 * 32 + 32), "dram": 2 * 32}
    with pytest.raises(SpecError, match="mapping of old: it wants N 4 iterations after new began it"):
        row(Sequence((running(4, 0), Loop("p", 8, Loop("p", 1, on_lanes("end", 4), "cols")))), graph=LAST)


def test_one_place_in_a_result_of_its_own_takes_no_last_step() -> None:
    """A model's head reads the last token alone: that makes no running state over tokens of what comes before it."""
    head = Einsum("head", "toy", "W", ("Z",), (("p", 1),), "max")
    beside = replace(LAST, tensors=(*LAST.tensors[:2], Tensor("W", "activation", ("p",), 16), LAST.tensors[2]),
                     einsums=(*LAST.einsums[:1], head, *LAST.einsums[1:]))  # fmt: skip
    (new,) = (einsum for einsum in LAST.einsums if einsum.name == "new")
    assert steps_over(beside, new) == steps_over(LAST, new) == {"m"}


def test_no_bound_is_above_a_tree_whose_units_work_side_by_side() -> None:
    beside = Loop("p", 8, Loop("p", 1, Parallel((
        Loop("m", 4, Loop("m", 1, on_array("qk"), "rows")), Sequence((on_lanes("max", 1), on_lanes("power", 1))))), "cols"))  # fmt: skip
    on = machine(10**15)
    assert evaluate(GRAPH, None, on, "bound").seconds <= row(beside, on).seconds
    assert evaluate(GRAPH, None, on, "bound").cycles == POWERS  # only the lanes do exponentials, maxima both


def test_a_leaf_need_not_name_the_only_unit() -> None:
    only = replace(PARAMS, units=("lanes",), rows=(1,), cols=(8,), operations=("lanes max 2",), actions=())
    tree = Loop("p", 8, Loop("p", 1, Compute("max", "chip"), "cols"))
    assert row(tree, machine(None, params=only), replace(GRAPH, einsums=(HIGHEST,))).cycles == 2 * MAX
