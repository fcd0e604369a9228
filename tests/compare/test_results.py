"""Two Results: parts sum exactly to the whole, in fractions, in JSON and in print; and B against A is the negative."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

import sims.compare.table as table
from archmodel.records.base import SpecError
from archmodel.records.result import OpResult, Result
from sims.compare.comparison import Comparison
from sims.compare.exact import NOTHING, Amount, Part, added
from sims.compare.results import ONLY, by_factor, quantities
from sims.compare.rounding import Row
from sims.compare.rows import to_json

from .results import check_sums, operator, result

SEEDS = range(60)


def pair(seed: int) -> tuple[Result, Result]:
    draw = random.Random(seed)
    one_clock = draw.random() < 0.5
    a = result(draw, one_clock)
    return a, draw.choice([result(draw, one_clock), replace(a, ops=a.ops[1:] or a.ops), a])


def compared(a: Result, b: Result) -> Comparison:
    return Comparison("results", ("a", "run a"), ("b", "run b"), False, (), quantities(a, b), by_factor(a, b))


def exact(result_: Result) -> dict[str, Fraction]:
    """The wholes, without any of the code under test."""
    return {
        "cycles": sum((Fraction(op.cycles * result_.clock_hz, op.clock_hz) for op in result_.ops), Fraction(0)),
        "time": sum((Fraction(op.cycles, op.clock_hz) for op in result_.ops), Fraction(0)),
        "energy": sum((Fraction(figure.value) for op in result_.ops for _, figure in op.energy_by), Fraction(0)),
        "area": sum((Fraction(figure.value) for _, figure in result_.area_by), Fraction(0)),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_sum_exactly_to_the_whole(seed: int) -> None:
    a, b = pair(seed)
    found, of_a, of_b = quantities(a, b), exact(a), exact(b)
    for quantity in found:
        name, wanted = quantity.name, of_b[quantity.name] - of_a[quantity.name]
        assert (quantity.whole.a.value, quantity.whole.b.value, quantity.whole.difference) == (of_a[name], of_b[name], wanted)
        for parts in (quantity.parts, quantity.by_group(), quantity.by_cause(), quantity.largest()):
            assert sum((part.difference for part in parts), Fraction(0)) == wanted
    assert sum(by_factor(a, b).values()) == of_b["time"] - of_a["time"]


@pytest.mark.parametrize("seed", SEEDS)
def test_json_sums_exactly_too(seed: int) -> None:
    a, b = pair(seed)
    plain = json.loads(json.dumps(to_json(compared(a, b)), allow_nan=False))
    for key in ("cycles", "seconds", "energy_pj", "area_um2"):
        whole = Fraction(plain[key]["exact"])
        for rows in ("by_group", "by_cause", "parts"):
            assert sum((Fraction(row["exact"]) for row in plain[key][rows]), Fraction(0)) == whole
        assert plain[key]["difference"] == float(whole)
    assert sum(Fraction(row["exact"]) for row in plain["seconds"]["by_factor"]) == Fraction(plain["seconds"]["exact"])


def test_printed_tables_add_up() -> None:
    checked = sum(check_sums(table.text(compared(*pair(seed)))) for seed in SEEDS)
    assert checked > 1000


def test_tables_rounded_entry_by_entry_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def each(pairs: list[tuple[Fraction, Fraction]], _wish: Row | None = None) -> tuple[list[Row], Row]:
        rows = [(round(a), round(b), round(b - a)) for a, b in pairs]
        a, b = (sum(pair[side] for pair in pairs) for side in (0, 1))
        return rows, (round(a), round(b), round(b - a))

    monkeypatch.setattr(table, "rounded", each)
    with pytest.raises(AssertionError):
        for seed in SEEDS:
            check_sums(table.text(compared(*pair(seed))))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_other_way_round_is_the_negative(seed: int) -> None:
    a, b = pair(seed)
    for forth, back in zip(quantities(a, b), quantities(b, a), strict=True):
        assert forth.whole.difference == -back.whole.difference
        swapped = {ONLY[0]: ONLY[1], ONLY[1]: ONLY[0]}
        mirror = {(part.operator, part.group, swapped.get(part.cause, part.cause)): part for part in back.parts}
        assert len(mirror) == len(forth.parts)
        for part in forth.parts:
            other = mirror[part.operator, part.group, part.cause]
            assert (part.difference, part.bounds, part.provenance) == (-other.difference, other.bounds, other.provenance)
    forth_by, back_by = by_factor(a, b), by_factor(b, a)
    assert [forth_by["cycles"], forth_by["clock"], forth_by[ONLY[0]]] == [-back_by["cycles"], -back_by["clock"], -back_by[ONLY[1]]]


def only(op: OpResult, **changed: Any) -> Result:
    return Result("m", "x", "decode", 4, 9, 4, 4, "analytic", op.clock_hz, (replace(op, **changed),), (), (), 1.0, "", "0", 0, "none", ())


def test_an_operator_of_one_side_is_one_part() -> None:
    draw = random.Random(1)
    a, b = only(operator(draw, "attn.q", 10**9)), only(operator(draw, "attn.k", 10**9))
    parts = quantities(a, b)[0].parts
    assert [(part.operator, part.cause) for part in parts] == [("attn.q", "only in A"), ("attn.k", "only in B")]
    assert [part.difference for part in parts] == [-a.cycles, b.cycles]


def test_a_change_of_clock_alone_is_no_change_of_cycles() -> None:
    op = operator(random.Random(2), "attn.q", 10**9)
    found = by_factor(only(op), only(op, clock_hz=5 * 10**8))
    assert found == {"cycles": 0, "clock": Fraction(op.cycles, 10**9), "only in A": 0, "only in B": 0}


def test_energy_that_is_not_known_says_why() -> None:
    op = operator(random.Random(3), "attn.q", 10**9)
    energy = quantities(only(op, energy_by=()), only(op))[2]
    assert energy.why == "A has no energy of attn.q"
    assert to_json(compared(only(op, energy_by=()), only(op)))["energy_pj"] == {
        "a": None, "b": None, "difference": None, "why": "A has no energy of attn.q"}  # fmt: skip
    bound = replace(only(op, energy_by=()), fidelity="bound")
    assert quantities(only(op), bound)[2].why == "B is at fidelity bound, which prices no energy"


@pytest.mark.parametrize(
    ("a", "b", "bounds"),
    [
        ((4, 3, 5), (5, 4, 6), "within"),
        ((4, 3, 5), (6, 5, 7), "within"),
        ((4, 3, 5), (7, 6, 8), "outside"),
        ((4, None, 5), (7, 6, None), "outside"),
        ((7, 6, None), (4, None, 5), "outside"),
        ((4, None, None), (7, 6, 8), "unknown"),
        ((4, 3, None), (7, 3, None), "within"),
        ((4, None, None), (4, None, None), "equal"),
    ],
)
def test_bounds(a: tuple[Any, ...], b: tuple[Any, ...], bounds: str) -> None:
    sides = [Amount(*(None if end is None else Fraction(end) for end in side), "published") for side in (a, b)]
    assert Part("o", "g", "c", *sides).bounds == bounds


def test_nothing_weakens_no_sum() -> None:
    one = Amount(Fraction(3), None, Fraction(4), "scaled")
    assert added([NOTHING, one, NOTHING]) == one
    assert added([]) == NOTHING


def test_an_operator_that_appears_twice_is_refused() -> None:
    op = operator(random.Random(4), "attn.q", 10**9)
    twice = replace(only(op), ops=(op, op))
    with pytest.raises(SpecError, match=r"B: operator attn\.q appears twice, expected a result that `archmodel run` wrote"):
        quantities(only(op), twice)
