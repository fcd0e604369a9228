"""What constraints leave: each rule as a predicate, what it doesn't speak of, and rules that hold together."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel.records.base import SpecError
from archmodel.records.constraints import (
    AxisRule,
    Constraints,
    EngineRule,
    GroupRule,
    KeepRule,
    OrderRule,
    Rule,
    TileRule,
    TreeRule,
)
from archmodel.records.mapping import Compute, Sequence
from mapper.allowed import Allowed, allowed, may_share

SIZES = np.arange(1, 13)


def left(*rules: Rule) -> list[int]:
    """Of sizes 1 to 12 of rank m, of extent 11, what a tile of A may have at the buffer."""
    return [int(size) for size in SIZES[Allowed(rules).tiles("buffer", "A", "m", SIZES, 11)]]


def test_tiles_have_sizes_bounds_and_multiples() -> None:
    assert left() == list(range(1, 13))
    assert left(TileRule("*", "buffer", "m", only=(4, 9))) == [4, 9]
    assert left(TileRule("*", "buffer", "m", least=3, most=5)) == [3, 4, 5]
    assert left(TileRule("*", "buffer", "m", multiple=4)) == [4, 8, 11, 12]  # the whole extent is no multiple, and may be held
    assert left(TileRule("*", "buffer", "m", multiple=4), TileRule("*", "buffer", "m", tensor="A", most=8)) == [4, 8]
    for other in ({"level": "register"}, {"rank": "k"}, {"tensor": "B"}):
        assert left(TileRule(**{"einsum": "*", "level": "buffer", "rank": "m", **other}, only=(4,))) == list(range(1, 13))


def test_orders_begin_with_what_is_allowed() -> None:
    one = Allowed((OrderRule("*", "buffer", ((("C",)), ("A", "B")), (("C", "B"),)),))
    orders = [names for names in ("ABC", "ACB", "BAC", "BCA", "CAB", "CBA", "AB", "A", "") if one.order("buffer", names, "ABC")]
    assert orders == ["ABC", "CAB", "AB"]
    assert one.order("register", "BAC", "ABC") and one.order("buffer", "mnk", "kmn") and one.order("buffer", "BA", "AB") is False
    assert one.order("buffer", "DB", "BD")  # an Einsum that has neither A nor C


def test_an_axis_has_its_ranks_and_counts() -> None:
    only = Allowed((AxisRule("*", "rows", ("m", "k"), counts=(("m", 4),)),))
    assert only.axis("rows", {"m": 4, "k": 2, "n": 1}) and only.axis("rows", {"m": 4, "k": 1, "n": 1})
    assert not only.axis("rows", {"m": 2, "k": 2, "n": 1}) and not only.axis("rows", {"m": 4, "k": 1, "n": 2})
    assert only.axis("cols", {"n": 16}) and only.axis("rows", {"k": 16})  # an Einsum without m has no pieces of it
    banned = Allowed((AxisRule("*", "rows", forbidden=("k",)),))
    assert banned.axis("rows", {"m": 16, "k": 1}) and not banned.axis("rows", {"k": 2})


def test_what_is_held_is_what_rules_of_residence_say() -> None:
    rules = Allowed((KeepRule("*", "A", "buffer", False), KeepRule("*", "A", "register", True), TileRule("*", "buffer", "m", "B", (1,))))
    assert rules.keeps("A", "buffer") is False and rules.keeps("A", "register") is True and rules.keeps("B", "buffer") is None


def test_patterns_say_which_einsums() -> None:
    rules = (EngineRule("attn.*", ("array",)), KeepRule("ffn.down", "x", "buffer", True), GroupRule(("ffn.up", "ffn.mul"), True))
    found = {name: allowed(Constraints(rules), name) for name in ("attn.qk", "ffn.down", "ffn.up", "norm")}
    assert [len(found[name].rules) for name in found] == [1, 1, 1, 0] and not found["norm"]
    assert found["attn.qk"].engine("array") and not found["attn.qk"].engine("vector") and found["norm"].engine("vector")


def test_groups_stay_together_or_apart() -> None:
    tree = Sequence((Compute("e", "x"), Compute("f", "x")))
    both = Constraints((GroupRule(("a", "b"), True), GroupRule(("c", "d"), False), TreeRule(tree)))
    assert all(may_share(both, names) for names in (("a", "b"), ("a", "b", "c"), ("c",), ("e", "f"), ("g",)))
    assert not any(may_share(both, names) for names in (("a",), ("a", "c"), ("c", "d"), ("e",), ("e", "f", "g")))
    assert may_share(None, ("a",)) and allowed(both, "e").tree() is not None


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: TileRule("*", "buffer", "m", only=(4, 0)), "tile of m at buffer: 0, expected at least 1"),
        (lambda: TileRule("*", "buffer", "m", least=8, most=4), "tile of m at buffer: from 8 to 4, expected the smaller one first"),
        (lambda: GroupRule(("a", "a"), True), "group of a, a: expected at least 2 Einsums"),
    ],
)
def test_rules_that_leave_nothing_are_refused(build: object, said: str) -> None:
    with pytest.raises(SpecError) as error:
        build()  # type: ignore[operator]
    assert str(error.value) == said
