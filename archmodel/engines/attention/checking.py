"""Is this a schedule?  Decided from the micro-ops alone, without knowing how their slots were found.

What holds of a table here is all that the hardware relies on: it looks at nothing while it executes one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archmodel.records.base import SpecError
from archmodel.records.commands import MIN_CYCLES
from archmodel.records.engines.attention import ENTRIES, OPS_1D, OPS_2D, RECIPROCAL, RETURN, schedule_entries

from .schedule import WORDS, Op, Schedule, Shape, wanted

Slots = dict[tuple[str, int], int]
"""The slot of each micro-op."""
Order = tuple[tuple[str, int], tuple[str, int], int]
"""Two micro-ops and how many slots the second comes after the first, at least."""


def from_words(words: bytes, period: int, stages: int) -> Schedule:
    """The schedule in the instructions behind ``configure``.  Raises SpecError for slots that hold none."""
    entries = schedule_entries(words)
    if len(entries) != -(-period // ENTRIES) * ENTRIES or any(any(entry.values()) for entry in entries[period:]):
        raise SpecError(f"schedule: {len(entries)} slots for a period of {period}, expected {period}, and empty ones up to a whole "
                        "instruction")  # fmt: skip
    divides = [at + entry["stage1"] * period for at, entry in enumerate(entries) if entry["divide"]]
    if len(divides) != 1:
        raise SpecError(f"schedule: it divides in {len(divides)} slots, expected 1")
    return Schedule(period, stages, _ops(entries, period, "2", OPS_2D), _ops(entries, period, "1", OPS_1D), divides[0])


def _ops(entries: tuple[dict[str, int], ...], period: int, side: str, names: tuple[str, ...]) -> tuple[Op, ...]:
    """The micro-ops of one array.  Raises SpecError for a code that is none."""
    found = []
    for at, entry in enumerate(entries):
        code, element, stage = (entry[f"{key}{side}"] for key in ("op", "index", "stage"))
        if code >= len(names):
            raise SpecError(f"schedule: micro-op {code} in slot {at}, expected at most {len(names) - 1}")
        if code:
            found.append(Op(names[code], element, at + stage * period))
        elif element or stage:
            raise SpecError(f"schedule: slot {at} starts nothing and names element {element} of stage {stage}, expected 0 of 0")
    return tuple(sorted(found, key=lambda op: op.slot))


def check_schedule(schedule: Schedule, of: Shape) -> None:
    """Raises SpecError unless every tile may enter ``period`` slots after the one before, and every result is there when it is used."""
    period, stages = schedule.period, schedule.stages
    if period < max(MIN_CYCLES, RECIPROCAL):
        raise SpecError(f"schedule: a period of {period} slots, expected at least {max(MIN_CYCLES, RECIPROCAL)}")
    if not 1 <= stages <= of.tiles:
        raise SpecError(f"schedule: {stages} tiles in flight, expected 1 to {of.tiles}")
    for ops, expected, what in zip((schedule.two, schedule.one), wanted(of), ("2D", "1D"), strict=True):
        _once(Counter((op.name, op.element) for op in ops), expected)
        _apart(ops, period, what)
    _moved(schedule, of)
    slots = {(op.name, op.element): op.slot for op in (*schedule.two, *schedule.one)}
    last = max(slots.values())
    if min(slots.values()) < 0 or last + of.tail > stages * period:
        raise SpecError(f"schedule: slots {min(slots.values())} to {last}, expected 0 to {stages * period - of.tail}: all that a tile does "
                        "is done when it leaves")  # fmt: skip
    for up, down in (("max", "rmax"), ("sum", "rd"), ("av", "rnv")):
        for index in range(of.f if up == "av" else 1):
            if slots[down, index] != slots[up, index] + of.lift:
                raise SpecError(f"schedule: {down} {index} in slot {slots[down, index]}, and {up} {index} of slot {slots[up, index]} "
                                f"arrives in slot {slots[up, index] + of.lift}")  # fmt: skip
    for first, second, least in (*_within(of), *_reuse(of, period)):
        if slots[second] < slots[first] + least:
            raise SpecError(f"schedule: {second[0]} {second[1]} in slot {slots[second]}, expected {slots[first] + least} or later: "
                            f"{first[0]} {first[1]} stands in slot {slots[first]}")  # fmt: skip
    _divide(schedule, slots, of)


def _once(found: Counter[tuple[str, int]], expected: Counter[tuple[str, int]]) -> None:
    for name, index in (found - expected) + (expected - found):
        raise SpecError(f"schedule: {name} {index} stands there {found[name, index]} times, expected {expected[name, index]}")


def _apart(ops: tuple[Op, ...], period: int, what: str) -> None:
    """Raises SpecError where micro-ops of tiles that are periods apart fall into one slot."""
    held: dict[int, Op] = {}
    for op in ops:
        if (other := held.setdefault(op.slot % period, op)) is not op:
            raise SpecError(f"schedule: the {what} micro-ops {other.name} {other.element} and {op.name} {op.element} stand in slots "
                            f"{other.slot} and {op.slot}, which meet with a period of {period}")  # fmt: skip


def _moved(schedule: Schedule, of: Shape) -> None:
    """Raises SpecError where the buffers would have to move more words at once than they can."""
    moved: Counter[int] = Counter()
    for op in (*schedule.two, *schedule.one):
        moved[op.slot % schedule.period] += WORDS.get(op.name, 0)
    place, words = max(moved.items(), key=lambda item: (item[1], -item[0]))
    if 0 < of.buffer_words < words:
        raise SpecError(f"schedule: {words} words of the buffers in slot {place} of the period, expected at most {of.buffer_words}")


def _within(of: Shape) -> Iterator[Order]:
    """What one micro-op of a tile needs of another."""
    step, last = of.latency, of.degree - 1
    yield from ((("qk", e), ("qk", e + 1), step) for e in range(of.e - 1))
    yield ("qk", of.e - 1), ("max", 0), step
    yield ("rmax", 0), ("sub", 0), step + RETURN
    yield ("rmax", 0), ("psub", 0), step
    for begin, name in (("sub", "poly"), ("psub", "ppoly")):
        yield (begin, 0), (name, 0), step
        yield from (((name, k), (name, k + 1), step) for k in range(last))
    yield ("poly", last), ("sum", 0), step
    for f in range(of.f):
        yield ("poly", last), ("av", f), step
        yield ("ppoly", last), ("spnv" if of.split else "rnv", f), step
    yield ("ppoly", last), ("spd" if of.split else "rd", 0), step


def _reuse(of: Shape, period: int) -> Iterator[Order]:
    """Words of state: written by a micro-op of a tile, read by a later one or by the tile a period behind."""
    yield ("rmax", 0), ("rmax", 0), of.reuse - period
    for index, scale, add in ((0, "spd", "rd"), *((f, "spnv", "rnv") for f in range(of.f))):
        if of.split:
            yield (scale, index), (add, index), of.reuse
        yield (add, index), (scale if of.split else add, index), of.reuse - period


def _divide(schedule: Schedule, slots: Slots, of: Shape) -> None:
    """A finishing tile reads the denominator of a period ago and has its reciprocal before the first numerator leaves."""
    at, earliest = schedule.divide, slots["rd", 0] + of.reuse - schedule.period
    if at not in [op.slot for op in schedule.one if op.name in ("rmax", "spd", "rd")]:
        raise SpecError(f"schedule: it divides in slot {at}, expected that of rmax, spd or rd")
    if at < earliest:
        raise SpecError(f"schedule: it divides in slot {at}, expected {earliest} or later: the denominator is not there")
    first = min(slots["rnv", f] for f in range(of.f))
    if first < at + RECIPROCAL:
        raise SpecError(f"schedule: a numerator leaves in slot {first}, expected {at + RECIPROCAL} or later: it divides in slot {at}")
