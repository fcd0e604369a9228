"""Random Results, and the reading of printed tables."""

from __future__ import annotations

import random
import re
from decimal import Decimal

from archmodel.records.figure import PROVENANCES, Figure
from archmodel.records.result import OpResult, Result

CAUSES = ("compute", "fill and padding", "memory")
SPENT = ("mac", "buffers", "dram", "array: leakage")
CLOCKS = (1_000_000_000, 995_000_000, 333_333_333)


def figure(draw: random.Random) -> Figure:
    """A value of any size, in half of all cases with each of its bounds."""
    value = draw.choice([0.0, draw.random(), draw.uniform(0, 1e12), draw.uniform(0, 1e-9)])
    low, high = (value * draw.uniform(0.5, 1), value * draw.uniform(1, 2))
    return Figure(value, draw.choice([None, low]), draw.choice([None, high]), draw.choice(PROVENANCES))


def operator(draw: random.Random, name: str, clock_hz: int) -> OpResult:
    causes = tuple((cause, draw.choice([0, draw.randrange(100), draw.randrange(10**10)])) for cause in CAUSES if draw.random() < 0.8)
    spent = tuple((cause, figure(draw)) for cause in SPENT if draw.random() < 0.8) or (("mac", figure(draw)),)
    return OpResult(name, name.partition(".")[0], "array", clock_hz, sum(count for _, count in causes), 0, (), 1.0, "array",
                    draw.choice(PROVENANCES), causes, spent)  # fmt: skip


def result(draw: random.Random, one_clock: bool = False) -> Result:
    names = [f"{group}.{index}" for group in ("attention", "ffn", "norm") for index in range(6)]
    hz = draw.choice(CLOCKS)
    ops = tuple(operator(draw, name, hz if one_clock else draw.choice(CLOCKS)) for name in draw.sample(names, draw.randint(1, 18)))
    area = tuple((f"array: {part}", figure(draw)) for part in ("PEs", "buffers", "wires", "clock") if draw.random() < 0.8)
    return Result("m", "x", "decode", 4, 9, 4, 4, "analytic", hz, ops, area, (), 1.0, "ab", "0", 0, "none", ())


def tables(text: str) -> dict[str, list[list[Decimal]]]:
    """(A, B, B - A) of each row by the title of its table; the last row is the total."""
    found: dict[str, list[list[Decimal]]] = {}
    title = ""
    for line in text.splitlines():
        if line and set(line) == {"-"}:
            continue
        if re.search(r"(by |: the )", line) and not re.search(r"\d", line):
            title = line.strip()
        elif title and not line:
            title = ""
        elif title and (numbers := re.search(r" (\S+) +(\S+) +(\S+) +([0-9.,e+-]+)( +[a-z]+)?$", line)) and "B - A" not in line:
            found.setdefault(title, []).append([Decimal(number.replace(",", "")) for number in numbers.groups()[:3]])
    return found


def check_sums(text: str) -> int:
    """Rows checked: columns add up to their totals and every difference is B less A.  AssertionError where one doesn't."""
    checked = 0
    for title, rows in tables(text).items():
        *parts, total = rows
        for column in range(3):
            assert sum(part[column] for part in parts) == total[column], (title, column)
        assert all(b - a == difference for a, b, difference in rows), title
        checked += len(rows)
    totals = {(title.split()[0].rstrip(":"), tuple(rows[-1])) for title, rows in tables(text).items()}
    assert len(totals) == len({name for name, _ in totals}), "tables of one quantity have different totals"
    return checked
