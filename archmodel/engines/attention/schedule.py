"""The schedule: when each micro-op of a tile starts, so that a tile may enter every ``period`` slots and none meets another.

Modulo scheduling: every micro-op of one tile is placed at a slot since the tile entered, in order of dependency, in the
first slot whose place modulo the period is free.  The hardware executes the table blindly, so ``checking`` proves one
without knowing how it was found.  The period begins at a bound below which none exists and rises until the tile fits; a
period at the bound is the shortest there is, one above it is only the shortest that this order of placing finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from archmodel.records.base import SpecError
from archmodel.records.commands import MIN_CYCLES
from archmodel.records.engines.attention import (
    MAX_SLOTS,
    OPS_1D,
    OPS_2D,
    RECIPROCAL,
    RETURN,
    SETTLE,
    STATE,
    Hardware,
    schedule_words,
)

WORDS = {"qk": 2, "max": 1, "av": 1, "rmax": 2, "spd": 2, "rd": 2, "spnv": 2, "rnv": 2}
"""Words that a micro-op moves between buffers and arrays: Q and K, M, V; of the lanes' state one read and one written."""


class Shape(NamedTuple):
    """All that a schedule depends on."""

    rows: int
    cols: int
    degree: int
    latency: int
    tiles: int
    split: bool
    buffer_words: int
    e: int
    f: int

    @property
    def lift(self) -> int:
        """Slots from a 2D micro-op to the 1D one that takes what leaves the bottom row."""
        return self.rows * self.latency

    @property
    def reuse(self) -> int:
        """Slots from a 1D micro-op that writes a word of state to one that reads it."""
        return self.latency + STATE

    @property
    def tail(self) -> int:
        """Slots from the last micro-op until the tile has left."""
        return self.cols + self.latency + SETTLE


def shape(hardware: Hardware, e: int, f: int) -> Shape:
    return Shape(hardware.rows, hardware.cols, hardware.degree, hardware.mac_latency, hardware.tiles, hardware.rescale == "split",
                 hardware.buffer_words, e, f)  # fmt: skip


class Op(NamedTuple):
    """A micro-op of a tile: its name in OPS_2D or OPS_1D, its index e, f or k, and its slot since the tile entered."""

    name: str
    element: int
    slot: int


@dataclass(frozen=True)
class Schedule:
    """``period`` slots from one tile to the next, ``stages`` periods until it has left; the slot in which a finishing tile divides."""

    period: int
    stages: int
    two: tuple[Op, ...]
    one: tuple[Op, ...]
    divide: int

    def words(self) -> bytes:
        """The instructions behind ``configure``."""
        entries: list[dict[str, int]] = [dict.fromkeys(_ENTRY, 0) for _ in range(self.period)]
        for ops, codes, side in ((self.two, OPS_2D, "2"), (self.one, OPS_1D, "1")):
            for name, index, slot in ops:
                stage, at = divmod(slot, self.period)
                entries[at] |= {f"op{side}": codes.index(name), f"index{side}": index, f"stage{side}": stage}
        entries[self.divide % self.period]["divide"] = 1
        return schedule_words(tuple(entries))


_ENTRY = ("op2", "index2", "stage2", "op1", "index1", "stage1", "divide")


def wanted(of: Shape) -> tuple[Counter[tuple[str, int]], Counter[tuple[str, int]]]:
    """The 2D and the 1D micro-ops of a tile, each once: (name, index)."""
    f_range, steps = range(of.f), range(of.degree)
    two = [*(("qk", e) for e in range(of.e)), ("max", 0), ("sub", 0), *(("poly", k) for k in steps), ("sum", 0)]
    two += [("av", f) for f in f_range]
    one = [("rmax", 0), ("psub", 0), *(("ppoly", k) for k in steps), ("rd", 0), *(("rnv", f) for f in f_range)]
    if of.split:
        one += [("spd", 0), *(("spnv", f) for f in f_range)]
    return Counter(two), Counter(one)


def least_period(of: Shape) -> int:
    """Slots below which no schedule of this shape exists, however many tiles are in flight."""
    two, one = ([WORDS.get(name, 0) for name, _ in ops] for ops in wanted(of))
    by_words = 0
    if of.buffer_words:  # what moves state shares no slot with a 2D micro-op that leaves it no words
        alone = sum(words + WORDS["rnv"] > of.buffer_words for words in two) + sum(words > 0 for words in one)
        by_words = max(alone, -(-sum((*two, *one)) // of.buffer_words))
    state = 2 * of.reuse if of.split else of.reuse  # a word of state is read, written and read again, with split twice
    return max(len(two), len(one), by_words, state, RECIPROCAL, MIN_CYCLES)


class _Full(Exception):
    """No slot of the period is free for a micro-op."""


class _Tile:
    """The micro-ops of one tile as they are placed; those of its neighbours stand a period apart."""

    def __init__(self, of: Shape, period: int, shy: bool) -> None:
        self.of, self.period, self.shy = of, period, shy
        self.two: dict[int, Op] = {}
        self.one: dict[int, Op] = {}
        self.words: Counter[int] = Counter()

    def _room(self, place: int, more: int) -> bool:
        return not self.of.buffer_words or self.words[place] + more <= self.of.buffer_words

    def _open_one(self, slot: int, name: str, beside: int = 0) -> bool:
        """Whether a 1D micro-op fits a slot, and as many more words."""
        place = slot % self.period
        return place not in self.one and self._room(place, WORDS.get(name, 0) + beside)

    def _open_two(self, slot: int, name: str, lifted: str) -> bool:
        place = slot % self.period
        if place in self.two or not self._room(place, WORDS.get(name, 0)):
            return False
        beside = 0 if self.of.lift % self.period else WORDS.get(name, 0)
        return not lifted or self._open_one(slot + self.of.lift, lifted, beside)

    def _put(self, side: dict[int, Op], op: Op) -> int:
        side[op.slot % self.period] = op
        self.words[op.slot % self.period] += WORDS.get(op.name, 0)
        return op.slot

    def put_two(self, earliest: int, name: str, index: int = 0, lifted: str = "") -> int:
        """Places a 2D micro-op, and the 1D one that takes its results; returns the slot."""
        for slot in range(earliest, earliest + self.period):
            if self._open_two(slot, name, lifted):
                if lifted:
                    self._put(self.one, Op(lifted, index, slot + self.of.lift))
                return self._put(self.two, Op(name, index, slot))
        raise _Full

    def put_one(self, earliest: int, name: str, index: int = 0) -> int:
        """Places a 1D micro-op; a shy one stays where no 2D micro-op could send it results, as long as there is such a slot."""
        slots = (slot for slot in range(earliest, earliest + self.period) if self._open_one(slot, name))
        if (first := next(slots, None)) is None:
            raise _Full
        if self.shy and not self._is_aside(first):
            first = next((slot for slot in slots if self._is_aside(slot)), first)
        return self._put(self.one, Op(name, index, first))

    def _is_aside(self, slot: int) -> bool:
        return (slot - self.of.lift) % self.period in self.two

    def place(self, delay: int) -> Schedule:
        """Everything, with the numerators ``delay`` slots later than they could.  Raises _Full."""
        of, step = self.of, self.of.latency
        slot = -step
        for e in range(of.e):
            slot = self.put_two(slot + step, "qk", e)
        rmax = self.put_two(slot + step, "max", lifted="rmax") + of.lift
        weight = self._chain(self.put_two(rmax + step + RETURN, "sub"), self.put_two, "poly")
        factor = self._chain(self.put_one(rmax + step, "psub"), self.put_one, "ppoly")
        rd = self._denominator(weight, factor)
        divide = min(op.slot for op in self.one.values() if op.name in WORDS and op.slot >= rd + of.reuse - self.period)
        ready = max(divide + RECIPROCAL, factor + (of.reuse if of.split else 0))
        slot = max(weight, ready - of.lift) + delay - 1
        for f in range(of.f):
            slot = self.put_two(slot + 1, "av", f, lifted="rnv")
        if -(-(slot + of.lift + of.tail) // self.period) > of.tiles:
            raise _Full
        if of.split:
            self._rescale(factor)
        two, one = (tuple(sorted(side.values(), key=lambda op: op.slot)) for side in (self.two, self.one))
        return Schedule(self.period, of.tiles, two, one, divide)

    def _denominator(self, weight: int, factor: int) -> int:
        """The sum of the weights, and in the lane its addition; split, also the multiplication, between a tile ago and that."""
        of = self.of
        if not of.split:
            return self.put_two(max(weight, factor - of.lift), "sum", lifted="rd") + of.lift
        scaled = self.put_one(max(factor, weight + of.lift + of.reuse - self.period), "spd")
        rd = self.put_two(max(weight, scaled + of.reuse - of.lift), "sum", lifted="rd") + of.lift
        if rd + of.reuse > scaled + self.period:
            raise _Full
        return rd

    def _chain(self, slot: int, put: Callable[[int, str, int], int], name: str) -> int:
        """The steps of the polynomial, each on the result of the one before; returns the slot from which theirs is there."""
        for k in range(self.of.degree):
            slot = put(slot + self.of.latency, name, k)
        return slot + self.of.latency

    def _rescale(self, factor: int) -> None:
        """Places the multiplication of each numerator between the factor and the addition, and after the addition a tile ago."""
        rnv = [op for op in self.one.values() if op.name == "rnv"]
        choices = {op.element: [slot for slot in range(max(factor, op.slot + self.of.reuse - self.period), op.slot - self.of.reuse + 1)
                              if self._open_one(slot, "spnv")] for op in rnv}  # fmt: skip
        for f, slot in _matched(choices, self.period).items():
            self._put(self.one, Op("spnv", f, slot))


def _matched(choices: dict[int, list[int]], period: int) -> dict[int, int]:
    """A slot for each index, out of its choices, all at different places of the period.  Raises _Full where there is none."""
    owner: dict[int, tuple[int, int]] = {}

    def seat(index: int, tried: set[int]) -> bool:
        for slot in choices[index]:
            place = slot % period
            if place not in tried:
                tried.add(place)
                if place not in owner or seat(owner[place][0], tried):
                    owner[place] = (index, slot)
                    return True
        return False

    for index in choices:
        if not seat(index, set()):
            raise _Full
    return dict(owner.values())


@lru_cache(maxsize=4096)
def _placed(of: Shape, period: int, shy: bool) -> Schedule | None:
    """A tile placed in the period, as if there were no columns: whether it leaves in time with some, its last slot says."""
    for delay in (0, of.f // 2, of.f, of.f + of.f // 2, 2 * of.f) if of.split else (0,):
        try:
            return _Tile(of, period, shy).place(delay)
        except _Full:
            continue
    return None


@lru_cache(maxsize=4096)
def schedule(of: Shape) -> Schedule:
    """The schedule of least period that is found; with one tile in flight, no tile enters before the last has left.

    Raises SpecError where the period is beyond every table.
    """
    narrow = of._replace(cols=0)
    alone = _placed(narrow, _endless(narrow), False)
    shortest = max(least_period(of), -(-_span(alone, of) // of.tiles) if alone else 0)
    for period in range(shortest, MAX_SLOTS + 1):
        for shy in (False, True):
            way = _placed(narrow, period, shy)
            if way and (stages := -(-_span(way, of) // period)) <= of.tiles:
                return replace(way, stages=stages)
    raise SpecError(f"attention engine: no schedule of at most {MAX_SLOTS} slots for head sizes {of.e} and {of.f}; "
                    "expected more tiles in flight, or smaller heads")  # fmt: skip


def _span(found: Schedule, of: Shape) -> int:
    """Slots from the entry of a tile until it has left."""
    return found.one[-1].slot + of.tail


def _endless(of: Shape) -> int:
    """A period so long that tiles never meet."""
    return (of.e + 4 * of.f + 2 * of.degree + 16) * of.latency + 4 * of.lift + of.tail + 4 * RECIPROCAL
