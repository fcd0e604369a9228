"""FlashAttention-4: bounds in exact cycles, the share of emulated exponentials, and the table of errors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from archmodel import evaluate
from archmodel.dispatch import makespan
from archmodel.records.base import SpecError
from archmodel.records.machine import Machine
from archmodel.records.mapping import Loop, Node, Parallel, Sequence, Storage, nodes
from sims.report.grid import grid
from sims.studies.fa4 import bounds, graphs, machines, trees
from sims.studies.fa4.bounds import CASES, Case, busy
from sims.studies.fa4.graphs import Shape
from sims.studies.fa4.machines import TILES, backward, forward, machine, one_sm, roofline, with_rate
from sims.studies.fa4.measured import CAUSES, LINES, SCHEDULE, SPILL
from sims.studies.fa4.predicted import DOUBTS, NEAR, near_by_clock, outside
from sims.studies.fa4.share import ROW, best, tile_cycles
from sims.studies.fa4.study import study
from sims.studies.record import Study, cells, headings

PAGE = Path(__file__).parents[2] / "docs" / "studies" / "fa4.md"
CUBE = Shape(128, 128, 1)
NEAR_POINTS, THEN_POINTS = 10, 10
"""Of 42: within 15 % of what was measured, and so far off only until a measured cause is counted."""


@cache
def computed() -> Study:
    return study()


def with_params(whole: Machine, **changes: object) -> Machine:
    """The machine with other parameters of its SM."""
    engine = whole.engine("sm")
    return replace(whole, engines=(replace(engine, params=replace(engine.params, **changes)),))


class TestBounds:
    @pytest.mark.parametrize(("name", "way", "d", "cycles", "bound"), [
        ("b200", "forward", 128, (1024, 1024, 768), "mma = exp"),
        ("b200", "forward", 64, (512, 1024, 384), "exp"),
        ("b200", "forward", 192, (1280, 1024, 1024), "mma"),
        ("b300", "forward", 128, (1024, 512, 768), "mma"),
        ("b300", "forward", 64, (512, 512, 384), "alu"),
        ("b200", "backward", 128, (2560, 1024, 3328), "smem"),
    ])  # fmt: skip
    def test_of_a_tile(self, name: str, way: str, d: int, cycles: tuple[int, int, int], bound: str) -> None:
        found = busy(Case(name, way, Shape(d, min(d, 128), 1)))
        assert (found.mma, found.exp, found.smem) == cycles
        assert found.bound == bound

    def test_are_the_paper_s_wherever_it_has_them_but_for_the_pair_s_shared_memory(self) -> None:
        for case in CASES:
            found = busy(case)
            for name, ours, published in zip(("mma", "exp", "smem"), (found.mma, found.exp, found.smem), case.published, strict=True):
                if published is not None and (case.name, name) != ("b200-pair", "smem"):
                    assert ours == published, f"{case.name} {case.way} {case.shape}: {name}"

    def test_shared_memory_is_what_the_tree_re_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tensor core of half the columns reads the queries twice: a fault planted in the machine is seen in the traffic."""
        engine = machine("b200").engine("sm").params
        narrow = with_params(machine("b200"), cols=(64, *engine.cols[1:]), operations=("mma mul+add 2", *engine.operations[1:]))
        monkeypatch.setattr(bounds, "machine", {"b200": narrow}.__getitem__)
        found = busy(Case("b200", "forward", CUBE))
        assert (found.mma, found.smem) == (1024, 768 + 256)

    def test_a_slower_exponential_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = with_rate(machine("b200"), "mufu exp2 1", "mufu exp2 2")
        monkeypatch.setattr(bounds, "machine", {"b200": slow}.__getitem__)
        found = busy(Case("b200", "forward", CUBE))
        assert (found.exp, found.bound) == (2048, "exp")

    def test_a_pair_halves_what_it_shares(self) -> None:
        one, pair = (busy(Case(name, "backward", Shape(128, 128, 1, keys=keys))) for name, keys in (("b200", 128), ("b200-pair", 256)))
        assert one.smem - pair.smem == 4 * 128 + 512, "half of four operands, and half of dQ's way through shared memory"
        assert pair.mma == one.mma


class TestShare:
    @pytest.mark.parametrize(("name", "d", "columns"), [
        ("b200", 64, 32), ("b200", 128, 1), ("b200", 192, 0), ("b300", 64, 0), ("b300", 128, 0)])  # fmt: skip
    def test_where_every_unit_finds_work(self, name: str, d: int, columns: int) -> None:
        assert best(machine(name), d, min(d, 128), False) == columns

    def test_the_search_finds_what_trying_all_finds(self) -> None:
        cycles = [tile_cycles(machine("b200"), 64, 64, emulated, True) for emulated in range(ROW + 1)]
        assert best(machine("b200"), 64, 64, True) == cycles.index(min(cycles)) == 54

    def test_at_the_optimum_both_units_are_as_busy(self) -> None:
        row = roofline(one_sm(machine("b200")), Shape(64, 64, 64), 32)
        by_unit = {unit: sum(cycles for mine, _, cycles in row.busy if mine == unit) for unit in ("mufu", "alu")}
        assert by_unit["mufu"] == pytest.approx(by_unit["alu"], rel=0.01)

    def test_a_dearer_polynomial_is_worth_less(self) -> None:
        assert best(with_rate(machine("b200"), "alu exp2 8", "alu exp2 16"), 64, 64, False) == 21

    def test_the_rate_of_the_polynomial_is_its_number_of_operations(self) -> None:
        lines = machine("b200").engine("sm").params.operations
        x = np.linspace(-20, 0, 20_001, dtype=np.float32)
        value, operations = emulated_exp2(x)
        assert f"alu exp2 {operations}" in lines
        assert np.max(np.abs(value / np.exp2(x.astype(np.float64)) - 1)) < 8.9e-5, "the paper says 8.8e-5"


def emulated_exp2(x: np.ndarray) -> tuple[np.ndarray, int]:
    """2**x as the kernel's polynomial has it, in fp32, and the operations of an ALU that it took."""
    done = 0

    def step(value: np.ndarray) -> np.ndarray:
        nonlocal done
        done += 1
        return value.astype(np.float32)

    magic = np.float32(2**23 + 2**22)
    clamped = step(np.maximum(x, np.float32(-127)))
    rounded = step(np.floor(clamped) + magic)
    whole = step(rounded - magic)
    part = step(clamped - whole)
    power = np.full_like(part, 0.07711908966302872)
    for coefficient in (0.22756439447402954, 0.6951461434364319, 1.0):
        power = step(power.astype(np.float64) * part + coefficient)
    shifted = power.view(np.int32) + (rounded.view(np.int32) << 23)
    return step(shifted.view(np.float32)), done


class TestKernel:
    def test_a_tile_waits_for_its_own_steps(self) -> None:
        """Scores, load, maximum, scale, exponentials, conversion, product; two tiles are as fast as one, but for the ALU at their end."""
        sm = one_sm(machine("b200"))
        chain = 512 + 420 + 128 + 1 + 128 + 1024 + 128 + 512
        assert forward(sm, Shape(128, 128, 9), 0, False).cycles - forward(sm, Shape(128, 128, 8), 0, False).cycles == chain
        ends = 2 * (128 + 128)
        assert forward(sm, Shape(128, 128, 8), 0, False).cycles == 8 * chain + ends

    def test_a_cta_alone_waits_for_its_queries_and_its_result(self) -> None:
        sm = one_sm(machine("b200"))
        moved = 3 * 128 * 128 + 2 * 128 * 128
        share = Fraction(2 * 1850 * 10**6 * 148, 8 * 10**12)
        few = Shape(128, 128, 8)
        extra = forward(sm, few, 0, True).cycles - forward(sm, few, 0, False).cycles
        assert extra in (int(moved * share), int(moved * share) + 1)

    def test_blocks_above_the_diagonal_are_skipped(self) -> None:
        whole = machine("b200")
        sm = one_sm(whole)
        jobs = [(forward(sm, Shape(128, 128, 2 * tile), 16, True).cycles, 5) for tile in range(1, 5)]
        assert machines.forward_seconds(whole, 128, 128, 1024, 5, True, 16) == makespan(jobs, 148) / 1850e6

    def test_the_backward_pass_is_bound_by_shared_memory_and_a_pair_by_what_it_waits_for(self) -> None:
        assert backward(one_sm(machine("b200")), Shape(128, 128, 64)).bound_by == "smem"
        assert backward(one_sm(machine("b200-pair")), Shape(128, 128, 64, keys=256)).bound_by == "mma"

    def test_another_clock_moves_as_much_in_a_cycle(self) -> None:
        assert machine("b200", 1755).memory("smem").bandwidth_bytes_per_second == 128 * 1755 * 10**6

    def test_a_product_before_its_softmax_is_refused(self) -> None:
        sm, graph = one_sm(machine("b200")), graphs.forward(CUBE, TILES)
        mapping = trees.forward(graph, sm, CUBE, TILES, 0)
        chain = next(node for node in nodes(mapping.trees[0]) if isinstance(node, Sequence) and len(node.bodies) == 6)
        with pytest.raises(SpecError, match=r"^mapping of growth\.a: it runs beside newmax\.a, whose RM\.a it reads"):
            evaluate(graph, replace(mapping, trees=(_with(mapping.trees[0], chain, Parallel(chain.bodies)),)), sm)


def _with(tree: Node, old: Node, new: Node) -> Node:
    """The tree with another node in place of one."""
    if tree is old:
        return new
    if isinstance(tree, Sequence | Parallel):
        return replace(tree, bodies=tuple(_with(body, old, new) for body in tree.bodies))
    return replace(tree, body=_with(tree.body, old, new)) if isinstance(tree, Loop | Storage) else tree


class TestStudy:
    def test_the_error_table(self) -> None:
        """How many points are explained, and every miss with a cause."""
        rows = computed().table("bands").records()
        assert len(rows) == 42
        near = [row for row in rows if abs(float(row["error"] or 0)) <= NEAR]
        then = [row for row in rows if row["error then"] is not None and abs(float(row["error then"])) <= NEAR]
        assert (len(near), len(then)) == (NEAR_POINTS, THEN_POINTS)
        for row in rows:
            assert (row["cause"] in CAUSES) == (row not in near), row
            assert (row["error then"] is not None) == (row["cause"] in (SPILL, SCHEDULE)), row

    def test_what_rests_on_the_guess_of_a_clock_is_said(self) -> None:
        assert near_by_clock() == (4, 0)
        said = "4 of them rest on a guess, that those runs were locked to 1,755 MHz: at 1,850 MHz none of these would be"
        assert said in computed().notes

    def test_ours_is_never_below_what_was_measured(self) -> None:
        """A model of what the SM allows that a kernel beats would be wrong."""
        assert all(float(row["error"] or 0) >= 0 for row in computed().table("bands").records())

    @pytest.mark.parametrize(("head", "causal", "tokens", "error"), [("128", "no", 8192, 0.11), ("128", "yes", 8192, 0.08)])
    def test_the_best_runs_are_met(self, head: str, causal: str, tokens: int, error: float) -> None:
        at = {"MHz": 1850, "pass": "forward", "head": head, "causal": causal, "tokens": tokens}
        (row,) = [row for row in computed().table("bands").records() if at.items() <= row.items()]
        assert float(row["error"] or 0) == pytest.approx(error, abs=0.005)

    def test_b300_gains_most_where_exponentials_bind(self) -> None:
        gains = [float(row["per cycle"] or 0) for row in computed().table("gain").records()]
        assert gains == sorted(gains, reverse=True)
        assert gains[0] > 1.2

    def test_the_kernel_s_shares_stand_beside_ours(self) -> None:
        assert [row["kernel %"] for row in computed().table("shares").records()] == [12.5, 18.75, 12.5, 18.75, 6.25, 0, 0, 0]

    def test_doubtful_constants_are_those_of_the_machine(self) -> None:
        lines = machine("b200").engine("sm").params.operations
        assert all(line in lines for _, line, _ in DOUBTS[1:])
        rows = computed().table("doubts").records()
        assert max(abs(float(row["change"] or 0)) for row in rows) == pytest.approx(0.2235, abs=1e-3), "the wait for tensor memory"

    def test_no_constant_belongs_to_a_point(self) -> None:
        """All lines of a machine at a clock are predicted from one description."""
        assert {line.gpu for line in LINES} == {"b200", "b200-pair", "b300"}
        assert {line.mhz for line in LINES} == {0, 1755, 1800}

    @pytest.mark.parametrize(("value", "far"), [(90, -0.1), (100, 0.0), (150, 0.0), (220, 0.1)])
    def test_the_distance_from_a_band(self, value: float, far: float) -> None:
        assert outside(value, 100, 200) == pytest.approx(far)

    @pytest.mark.parametrize("name", ["bounds", "shares", "gain", "bands", "doubts"])
    def test_the_page_shows_what_the_study_prints(self, name: str) -> None:
        table = computed().table(name)
        assert grid(table.title, headings(table), cells(table)).rstrip() in PAGE.read_text(encoding="utf-8")
