"""The reference page of costs: presets beside published figures, every row of the table, every source."""

from __future__ import annotations

from collections.abc import Iterator

from archmodel.cost import Row, default_costs
from archmodel.cost.table import UNITS
from archmodel.sources import Source, source, sources

from .report.published import comparisons

INTRODUCTION = """\
# Costs: comparisons, rows, sources

How figures are made of these rows, and what they leave out, is said in [costs](../costs.md).
"""
COMPARED = """\
## Presets beside published figures

No constant was fitted to any of these. `<` is a limit that the publication gives, and the error that against the limit.
*within* says whether the published figure lies inside the model's bounds. Nothing comparable to `ecp5-tiny` as an ASIC, or to
the energy of `edge-npu` and `cloud` on a known stage, was found.
"""
ROWS = """\
## Rows

A bound that is empty is unknown to every source. SRAM is a fit (`archmodel/cost/sram.py`); `mac`, `pe`, `vector_lane` and
`requantise` are put together from operators and registers. The first source is the value's, the others are those of bounds.
"""
SOURCES = """\
## Sources

What was taken from each, and how it was checked.
"""


def cost_page() -> str:
    head = ("preset", "what", "published", "modelled", "bounds", "error", "within")
    rows = ("what", "unit", "bits", "value", "low", "high", "node", "volts", "condition", "sources")
    return "\n".join((
        INTRODUCTION, COMPARED, _table(head, _compared()), ROWS, _table(rows, map(_row, default_costs().rows)),
        "Units: " + ", ".join(f"`{unit}` {meaning}" for unit, meaning in UNITS.items()) + ".\n",
        SOURCES, _table(("key", "source", "used", "checked"), map(_source, sources().values())),
    ))  # fmt: skip


def _compared() -> Iterator[tuple[str, ...]]:
    for each in comparisons():
        sign = "< " if each.at_most else ""
        published = f"{sign}{each.published:.3g} {each.unit} ({source(each.key).year}: {each.how})"
        yield (each.preset, each.what, published, f"{each.modelled.value:.3g} {each.unit}",
               f"{_number(each.modelled.low)} to {_number(each.modelled.high)}", f"{100 * each.error:+.0f} %",
               "yes" if each.inside else "no")  # fmt: skip


def _row(row: Row) -> tuple[str, ...]:
    name = row.action if row.technology is None else f"{row.action} {row.technology}"
    node = "" if row.node_nm is None else f"{row.node_nm} nm"
    volts = "" if row.voltage is None else f"{row.voltage:g}"
    keys = ", ".join(f"`{key}`" for key in row.sources)
    return (f"`{name}`", row.unit, str(row.bits), _number(row.value), _number(row.low, ""), _number(row.high, ""), node, volts,
            f"{row.condition} ({row.provenance})", keys)  # fmt: skip


def _source(found: Source) -> tuple[str, ...]:
    return f"`{found.key}`", str(found), found.note, found.checked


def _number(value: float | None, missing: str = "unknown") -> str:
    return missing if value is None else f"{value:.3g}"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
