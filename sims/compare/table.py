"""A comparison for people: what differs, the wholes, and each difference part by part.

What is rounded here keeps its sums: every column of a table adds up to its total, and every difference is B less A.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archmodel.workload.operators import GROUPS

from ..report import units
from ..report.grid import grid, lines
from .comparison import Comparison
from .exact import EQUAL, EXACT, Part, Quantity, sum_of
from .inputs import LAYOUT, Difference
from .rounding import Row, rounded

DIGITS = 5
"""Significant digits of the larger whole."""
MOST_INPUTS, MOST_PARTS = 40, 12
"""Rows of the tables that a large model would make long; the JSON has all."""
WIDEST_PATH, WIDEST_VALUE = 42, 22
WIDEST = {"operator": 22, "group": 26, "cause": 26}
"""Characters of a cell, so that a table fits its 100 columns."""
MOST_CYCLES = 10**9
UNITS = {"s": units.TIME, "pJ": units.ENERGY, "um2": ((1e6, "mm2"), (1.0, "um2")), "W": ((1.0, "W"), (1e-3, "mW"), (1e-6, "uW"))}
ONE_TABLE = ("area", "standing power")
"""Quantities of a machine: one table of engines and their parts."""
COUNTS = (EQUAL, EXACT)
INDEPENDENT = (
    "A difference lies within the bounds where the intervals of A and B overlap, as if they were independent. "
    "Figures of the same source err together, so one within them may still be real."
)


def text(found: Comparison) -> str:
    """The whole answer."""
    head = lines([pair for name, side in (("A", found.a), ("B", found.b)) for pair in zip((name, ""), side, strict=False)])
    if found.same:
        return f"{head}A and B are the same: all of their records are equal\n"
    blocks = [head, inputs_table(found.inputs)]
    if found.follows:
        rows = [[item.name, item.unit, value_text(item.a), value_text(item.b)] for item in found.follows if item.a != item.b]
        blocks += [grid("what follows", ("", "unit", ">A", ">B"), rows)] if rows else []
    blocks.append(wholes_table(found.quantities))
    clocks = bool(found.factors.get("clock"))
    if clocks:
        blocks.append(factors_table(found))
    # Where clocks differ, cycles alone would mislead.
    skipped = "cycles" if clocks else "time"
    blocks += [table for quantity in found.quantities if quantity.name != skipped and not quantity.why for table in _tables(quantity)]
    return "\n".join(blocks)


def _tables(quantity: Quantity) -> list[str]:
    if not any(part.difference for part in quantity.parts):
        return []
    if quantity.name in ONE_TABLE:
        return [parts_table(f"{quantity.name} by part", quantity, quantity.largest(), {"operator": "engine", "cause": "part"})]
    place = {group: number for number, group in enumerate(GROUPS)}
    groups = sorted(quantity.by_group(), key=lambda part: (place.get(part.group, len(place)), part.group))
    return [
        parts_table(f"{quantity.name} by operator group", quantity, groups, {"group": "operators"}),
        parts_table(f"{quantity.name} by cause", quantity, quantity.by_cause(), {"cause": "cause"}),
        parts_table(f"{quantity.name}: the largest differences", quantity, quantity.largest(), {"operator": "operator", "cause": "cause"}),
    ]


def inputs_table(found: Sequence[Difference]) -> str:
    """The differing inputs; equal changes of several operators are one row, named after the first."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    sources = layouts = 0
    for one in found:
        if one.path.rpartition(".")[2] == "source":
            sources += 1
        elif one.item.startswith(LAYOUT):
            layouts += 1
        else:
            rows.setdefault((one.part, one.path, value_text(one.a), value_text(one.b)), []).append(one.item)
    shown = [[part, _where(items, path), a, b] for (part, path, a, b), items in rows.items()]
    left, shown = len(shown) - MOST_INPUTS, shown[:MOST_INPUTS]
    notes = [f"and {left:,} more; --json has all"] if left > 0 else []
    notes += [f"and {layouts:,} values of operands' layouts; --json has them"] if layouts else []
    notes += [f"and {sources:,} texts that only name a source; --json has them"] if sources > 1 else []
    notes += ["and 1 text that only names a source; --json has it"] if sources == 1 else []
    table = grid("what differs", ("", "input", "A", "B"), shown) if shown else "no input differs\n"
    return table + "".join(f"{note}\n" for note in notes)


def _where(items: list[str], path: str) -> str:
    more = f" +{len(items) - 1}" if len(items) > 1 else ""
    return _cut(f"{items[0]}{more}{': ' if items[0] and path else ''}{path}", WIDEST_PATH)


def value_text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        value = "there"
    if isinstance(value, list):
        value = " ".join(str(item) for item in value) or "none"
    return _cut(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value), WIDEST_VALUE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


class Scale:
    """The unit of a quantity's tables, and the step to which they are rounded."""

    def __init__(self, quantity: Quantity) -> None:
        most = max(abs(quantity.whole.a.value), abs(quantity.whole.b.value))
        self.unit, self.decimals, size = quantity.unit, 0, Fraction(1)
        if quantity.unit == "cycles":
            power = next(power for power in range(0, 99, 3) if most < MOST_CYCLES * 10**power)
            self.unit, size = f"10^{power} cycles" if power else "cycles", Fraction(10**power)
        else:
            table = UNITS[quantity.unit]
            number, self.unit = next((pair for pair in table if most >= pair[0]), table[-1])
            size = Fraction(str(number))
            self.decimals = max(0, DIGITS - len(str(int(most / size))))
        self.step = size / 10**self.decimals
        self.whole = self._steps([(quantity.whole.a.value, quantity.whole.b.value)])[1]

    def rounded(self, pairs: Sequence[tuple[Fraction, Fraction]]) -> tuple[list[Row], Row]:
        """Rows and total of (A, B) pairs that sum to the quantity's whole, in steps."""
        return self._steps(pairs, self.whole)

    def changes(self, values: Sequence[Fraction]) -> tuple[list[int], int]:
        """The same of values that sum to its difference."""
        rows, total = self._steps([(Fraction(0), value) for value in values], (0, self.whole[2], self.whole[2]))
        return [row[2] for row in rows], total[2]

    def _steps(self, pairs: Sequence[tuple[Fraction, Fraction]], wish: Row | None = None) -> tuple[list[Row], Row]:
        return rounded([(a / self.step, b / self.step) for a, b in pairs], wish)

    def text(self, steps: int, sign: bool = False) -> str:
        whole, rest = divmod(abs(steps), 10**self.decimals)
        digits = f"{whole:,}" + (f".{rest:0{self.decimals}d}" if self.decimals else "")
        return ("-" if steps < 0 else "+" if sign and steps > 0 else "") + digits


def wholes_table(quantities: Sequence[Quantity]) -> str:
    """A line each: A, B, the difference, whether it lies inside the bounds, and the provenance of the weaker."""
    rows, notes = [], []
    for quantity in quantities:
        if quantity.why:
            notes.append(f"{quantity.name} is not compared: {quantity.why}\n")
            continue
        whole, scale = quantity.whole, Scale(quantity)
        numbers = _numbers((whole.a.value, whole.b.value), scale.whole, scale)
        rows.append([quantity.name, scale.unit, *numbers, whole.bounds, whole.provenance])
    if any(quantity.whole.bounds not in COUNTS for quantity in quantities):
        notes.append(lines([("note", INDEPENDENT)]))
    return grid("the wholes", ("", "unit", ">A", ">B", ">B - A", ">B/A", "bounds", "provenance"), rows) + "".join(notes)


def parts_table(title: str, quantity: Quantity, parts: Sequence[Part], names: dict[str, str]) -> str:
    """A row for each part, named by its fields ``names`` under these headings, and the total; the least of many are one row."""
    most = len(parts) if len(parts) <= MOST_PARTS + 1 else MOST_PARTS
    shown, rest = parts[:most], parts[most:]
    scale, blank = Scale(quantity), [""] * (len(names) - 1)
    labels = [[*(_cut(getattr(part, name), WIDEST[name]) for name in names), part.bounds] for part in shown]
    pairs = [(part.a.value, part.b.value) for part in shown]
    if rest:
        labels.append([f"{len(rest)} others", *blank, ""])
        pairs.append((sum_of(part.a for part in rest), sum_of(part.b for part in rest)))
    rows, total = scale.rounded(pairs)
    whole = quantity.whole
    table = [[*label, *_numbers(pair, row, scale), verdict] for (*label, verdict), pair, row in zip(labels, pairs, rows, strict=True)]
    table.append(["total", *blank, *_numbers((whole.a.value, whole.b.value), total, scale), whole.bounds])
    columns = [*names.values(), f">A {scale.unit}", ">B", ">B - A", ">B/A", "bounds"]
    if whole.bounds in COUNTS:
        table, columns = [row[:-1] for row in table], columns[:-1]
    return grid(title, columns, table, last_is_total=True)


def factors_table(found: Comparison) -> str:
    """The difference in time by what of time = cycles / clock changed."""
    scale = Scale(next(quantity for quantity in found.quantities if quantity.name == "time"))
    changed = [(name, value) for name, value in found.factors.items() if value]
    rows, total = scale.changes([value for _, value in changed])
    table = [[name, scale.text(row, sign=True)] for (name, _), row in zip(changed, rows, strict=True)]
    return grid("time by factor", ("time = cycles / clock", f">B - A {scale.unit}"), [*table, ["total", scale.text(total, sign=True)]],
                last_is_total=True)  # fmt: skip


def _numbers(pair: tuple[Fraction, Fraction], row: Row, scale: Scale) -> list[str]:
    a, b = pair
    return [scale.text(row[0]), scale.text(row[1]), scale.text(row[2], sign=True), _ratio(b / a) if a else "-"]


def _ratio(value: Fraction) -> str:
    return units.number(float(value)) if not value or Fraction(1, 10**4) <= value < 10**6 else f"{float(value):.1e}"
