"""Schedules: every one that is found is proven, none shorter exists where the bound says so, and a wrong one is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from archmodel.engines.attention.checking import check_schedule
from archmodel.engines.attention.schedule import Op, Schedule, Shape, least_period, schedule
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import ENTRIES, MAX_SLOTS, OPS_1D, OPS_2D, schedule_entries

FUSED = Shape(rows=16, cols=16, degree=6, latency=1, tiles=4, split=False, buffer_words=0, e=64, f=64)
SPLIT = FUSED._replace(split=True)


@pytest.mark.parametrize("rows", [2, 8, 16, 256])
@pytest.mark.parametrize("latency", [1, 2, 4])
@pytest.mark.parametrize("tiles", [1, 2, 8])
@pytest.mark.parametrize("split", [False, True])
def test_every_schedule_that_is_found_is_one(rows: int, latency: int, tiles: int, split: bool) -> None:
    for words, degree, e, f in ((0, 6, 64, 64), (2, 3, 16, 24), (3, 1, 1, 1), (4, 8, 5, 40)):
        of = Shape(rows, rows + 3, degree, latency, tiles, split, words, e, f)
        found = schedule(of)
        check_schedule(found, of)
        assert found.period >= least_period(of)
        assert found.stages <= tiles


@pytest.mark.parametrize(("size", "fused", "split"), [(64, 137, 138), (128, 265, 266)])
@pytest.mark.parametrize("rows", [8, 16, 32, 256])
def test_the_period_is_what_the_arrays_need(size: int, fused: int, split: int, rows: int) -> None:
    """FuseMax's 137 cycles a tile of the 2D array and 138 of the 1D array at head size 64, 265 and 266 at 128 (arXiv 2406.10491)."""
    for of, least in ((FUSED, fused), (SPLIT, split)):
        of = of._replace(rows=rows, cols=rows, e=size, f=size, tiles=8)
        assert (schedule(of).period, least_period(of)) == (least, least)


@pytest.mark.parametrize(("tiles", "period"), [(1, 198), (2, 137), (4, 137)])
def test_one_tile_in_flight_waits_for_the_one_before(tiles: int, period: int) -> None:
    found = schedule(FUSED._replace(tiles=tiles))
    assert found.period == period
    assert found.stages * found.period > 171


@pytest.mark.parametrize(("words", "least"), [(2, 64 + 1 + 64 + 66), (3, 137), (4, 137)])
def test_a_limit_of_the_buffers_lengthens_the_period(words: int, least: int) -> None:
    of = FUSED._replace(buffer_words=words)
    assert least_period(of) == least
    assert least <= schedule(of).period <= least + 32


@pytest.mark.parametrize("split", [False, True])
def test_a_lift_of_whole_periods_counts_the_words_of_both(split: bool) -> None:
    """With as many rows as slots, av and rnv of a numerator fall into one slot, and take 3 words."""
    for of in (Shape(28, 16, 1, 1, 16, split, 2, e, f) for e in range(3, 12) for f in (4, 8)):
        check_schedule(schedule(of), of)


def test_no_table_holds_it() -> None:
    with pytest.raises(SpecError, match=rf"^attention engine: no schedule of at most {MAX_SLOTS} slots for head sizes 4000 and 4000; "
                                        "expected more tiles in flight, or smaller heads$"):  # fmt: skip
        schedule(FUSED._replace(e=4000, f=4000))


def test_the_table_says_the_same() -> None:
    found = schedule(SPLIT)
    entries = schedule_entries(found.words())
    assert len(entries) == -(-found.period // ENTRIES) * ENTRIES
    assert all(not any(entry.values()) for entry in entries[found.period :])
    for side, names, ops in (("2", OPS_2D, found.two), ("1", OPS_1D, found.one)):
        read = [Op(names[entry[f"op{side}"]], entry[f"index{side}"], at + found.period * entry[f"stage{side}"])
                for at, entry in enumerate(entries) if entry[f"op{side}"]]  # fmt: skip
        assert sorted(read) == sorted(ops)
    assert [at for at, entry in enumerate(entries) if entry["divide"]] == [found.divide % found.period]


def at(*places: tuple[str, int, int]) -> Callable[[Schedule], Schedule]:
    """A schedule with some micro-ops elsewhere: (name, index, slot)."""
    new = {(name, index): slot for name, index, slot in places}

    def change(right: Schedule) -> Schedule:
        two, one = (tuple(op._replace(slot=new.get((op.name, op.element), op.slot)) for op in side) for side in (right.two, right.one))
        return replace(right, two=two, one=one)

    return change


ALONE, ALONE_SPLIT = FUSED._replace(tiles=1), SPLIT._replace(tiles=1)
WRONG = [
    (FUSED, lambda s: replace(s, period=20), "a period of 20 slots, expected at least 28"),
    (FUSED, lambda s: replace(s, stages=5), "5 tiles in flight, expected 1 to 4"),
    (FUSED, lambda s: replace(s, two=s.two[1:]), "qk 0 stands there 0 times, expected 1"),
    (FUSED, lambda s: replace(s, one=(*s.one, s.one[0])), "rmax 0 stands there 2 times, expected 1"),
    (FUSED, lambda s: replace(s, one=(*s.one, Op("spd", 0, 120))), "spd 0 stands there 1 times, expected 0"),
    (FUSED, at(("qk", 63, 64)), "the 2D micro-ops qk 63 and max 0 stand in slots 64 and 64, which meet with a period of 137"),
    (FUSED, lambda s: at(("rmax", 0, s.one[-1].slot - 137))(s), "the 1D micro-ops rmax 0 and rnv 63 stand in slots"),
    (FUSED, lambda s: replace(s, stages=1), r"slots 0 to \d+, expected 0 to 110: all that a tile does is done when it leaves"),
    (ALONE, at(("qk", 0, -1)), "slots -1 to 171, expected 0 to 171: all that a tile does is done when it leaves"),
    (ALONE, at(("max", 0, 65)), "rmax 0 in slot 80, and max 0 of slot 65 arrives in slot 81"),
    (ALONE, at(("rd", 0, 106)), "rd 0 in slot 106, and sum 0 of slot 89 arrives in slot 105"),
    (ALONE, at(("av", 7, 90)), "rnv 7 in slot 115, and av 7 of slot 90 arrives in slot 106"),
    (ALONE, at(("qk", 5, 90)), "qk 6 in slot 6, expected 91 or later: qk 5 stands in slot 90"),
    (ALONE, at(("qk", 63, 90)), "max 0 in slot 64, expected 91 or later: qk 63 stands in slot 90"),
    (ALONE, at(("sub", 0, 81)), "sub 0 in slot 81, expected 82 or later: rmax 0 stands in slot 80"),
    (ALONE, at(("psub", 0, 79)), "psub 0 in slot 79, expected 81 or later: rmax 0 stands in slot 80"),
    (ALONE, at(("sub", 0, 90)), "poly 0 in slot 83, expected 91 or later: sub 0 stands in slot 90"),
    (ALONE, at(("poly", 3, 91)), "poly 4 in slot 87, expected 92 or later: poly 3 stands in slot 91"),
    (ALONE, at(("poly", 5, 90)), "sum 0 in slot 89, expected 91 or later: poly 5 stands in slot 90"),
    (ALONE, at(("av", 0, 70), ("rnv", 0, 88)), "rnv 0 in slot 88, and av 0 of slot 70 arrives in slot 86"),
    (ALONE, at(("av", 0, 70), ("rnv", 0, 86), ("ppoly", 4, 100)), "ppoly 5 in slot 87, expected 101 or later"),
    (ALONE, at(("av", 0, 80), ("rnv", 0, 96)), "av 0 in slot 80, expected 89 or later: poly 5 stands in slot 88"),
    (ALONE, at(("ppoly", 5, 107)), "rd 0 in slot 105, expected 108 or later: ppoly 5 stands in slot 107"),
    (ALONE, at(("ppoly", 5, 106), ("sum", 0, 156), ("rd", 0, 172)), "slots 0 to 172, expected 0 to 171"),
    (ALONE, at(("av", 0, 90), ("rnv", 0, 106)), "a numerator leaves in slot 106, expected 108 or later: it divides in slot 80"),
    (ALONE, lambda s: replace(s, divide=81), "it divides in slot 81, expected that of rmax, spd or rd"),
    (FUSED._replace(rows=64), lambda s: replace(s, divide=128), "it divides in slot 128, expected"),
    (ALONE_SPLIT, lambda s: at(("spd", 0, slot_of(s, "rd", 0) - 2), ("spnv", 49, slot_of(s, "spd", 0)))(s),
     "rd 0 in slot 105, expected 106 or later: spd 0 stands in slot 103"),
    (ALONE_SPLIT, lambda s: at(("spnv", 9, 0))(s), "spnv 9 in slot 0, expected 88 or later: ppoly 5 stands in slot 87"),
    (SPLIT, lambda s: at(("spnv", 9, slot_of(s, "spnv", 9) - 138))(s), "spnv 9 in slot -?[0-9]+, expected [0-9]+ or later"),
    (FUSED._replace(buffer_words=2), lambda s: at(("av", 0, slot_of(s, "qk", 0) + s.period))(s), "the 2D micro-ops"),
    (FUSED._replace(buffer_words=2), lambda s: at(("rmax", 0, 1))(s), "4 words of the buffers in slot 1 of the period, expected at most 2"),
]  # fmt: skip


def slot_of(found: Schedule, name: str, index: int) -> int:
    return next(op.slot for op in (*found.two, *found.one) if (op.name, op.element) == (name, index))


@pytest.mark.parametrize(("of", "change", "text"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_one_is_refused(of: Shape, change: Callable[[Schedule], Schedule], text: str) -> None:
    right = schedule(of)
    check_schedule(right, of)
    with pytest.raises(SpecError, match=f"^schedule: {text}"):
        check_schedule(change(right), of)
