"""A user's own table of costs: rows that take the place of this project's, from a tree of located text.

A row stands for every row of the same action, unit and technology (of operators also: of the same width), whatever their
nodes.  An action of which this project only has a model, such as sram_read, is then priced by the user's rows alone.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from archmodel import units
from archmodel.cost.reach import Row
from archmodel.cost.scaling import energy_at
from archmodel.cost.table import ACTIONS, UNITS, WIDE, Costs
from archmodel.forms import Amount, Choice, Text, Whole
from archmodel.located import Findings, Node
from archmodel.records.base import SpecError, Within
from archmodel.records.figure import strength

MOST_BITS = 1 << 20
CALIBRATED = strength("calibrated")
"""What a table may claim at best; what is stronger says how cycles were found."""
LEAST, LARGEST = 1e-15, 1e15
"""Of a value in any unit."""


@dataclass(frozen=True)
class Number:
    """A plain decimal number from ``least`` to ``most``; ``unit`` follows it, and ``unknown`` may stand in its place."""

    least: float = LEAST
    most: float = LARGEST
    unit: str = ""
    may_miss: bool = False

    @property
    def expected(self) -> str:
        what = f"a number of {self.unit}, such as 0.8 {self.unit}," if self.unit else "a number"
        return f"{what} from {self.least:g} to {self.most:g}" + (", or unknown" if self.may_miss else "")

    def __call__(self, node: Node) -> float | None:
        text = node.value if isinstance(node.value, str) else ""
        if self.may_miss and text == "unknown":
            return None
        try:
            value = float(text[:40].removesuffix(self.unit).replace("_", "x"))
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most or self.unit not in text:
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return value


@dataclass(frozen=True)
class Trust:
    """A provenance that a figure of a table can have."""

    expected: str = "published, scaled, extrapolated, or calibrated on something"

    def __call__(self, node: Node) -> str:
        text = node.value if isinstance(node.value, str) else ""
        known = text in ("published", "scaled", "extrapolated") or text.startswith("calibrated on ")
        if not known or strength(text) < CALIBRATED:
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return text


def _fields(technologies: tuple[str, ...]) -> dict[str, Any]:
    """The form of every key of a row."""
    actions = tuple(dict.fromkeys(name for names in ACTIONS.values() for name in names))
    bound = Number(0.0, may_miss=True)
    return {
        "action": Choice(actions), "unit": Choice(tuple(UNITS)), "technology": Choice(technologies),
        "bits": Whole(Within(1, MOST_BITS)), "size": Amount(units.BYTES), "value": Number(), "low": bound, "high": bound,
        "node": Amount(units.LENGTH), "voltage": Number(0.1, 20.0, "V", may_miss=True),
        "condition": Text(), "source": Text(), "provenance": Trust(),
    }  # fmt: skip


NEEDED = ("action", "unit", "value", "low", "high", "condition", "source", "provenance")


def own_costs(tree: Node, name: str, base: Costs, findings: Findings) -> Costs:
    """``base`` with the rows of a user's table in place of its own."""
    parts = tree.value if isinstance(tree.value, dict) else {}
    for key, node in parts.items():
        if key != "rows":
            findings.add(node.key_place, key, "found an unknown key, expected rows")
    rows = parts["rows"].value if "rows" in parts else None
    if not isinstance(rows, list) or not rows:
        found = parts["rows"].shown() if "rows" in parts else "no rows"
        findings.add(tree.place, "rows", f"found {found}, expected a list of rows")
        return base
    read = [_row(node, f"rows[{index}]", base, findings) for index, node in enumerate(rows)]
    own = tuple(row for row in read if row is not None)
    replaced = {_slot(row) for row in own}
    return Costs((*own, *(row for row in base.rows if _slot(row) not in replaced)), name)


def _slot(row: Row) -> tuple[object, ...]:
    return row.action, row.unit, row.technology, row.bits if row.action in WIDE else None


def _row(node: Node, at: str, base: Costs, findings: Findings) -> Row | None:
    before = len(findings.lines)
    if not isinstance(node.value, dict):
        findings.add(node.place, at, f"found {node.shown()}, expected a row")
        return None
    forms, got = _fields(base.technologies()), {}
    for key, part in node.value.items():
        if key not in forms:
            findings.add(part.key_place, f"{at}.{key}", f"found an unknown key, expected one of {', '.join(forms)}")
            continue
        try:
            got[key] = forms[key](part)
        except SpecError as error:
            findings.add(part.place, f"{at}.{key}", str(error))
    for key in NEEDED:
        if key not in node.value:
            findings.add(node.place, at, f"found no {key}, expected {forms[key].expected}")
    if len(findings.lines) == before:
        _agrees(node, at, got, base, findings)
    return None if len(findings.lines) > before else _made(got)


def _agrees(node: Node, at: str, got: dict[str, Any], base: Costs, findings: Findings) -> None:
    """Checks what one key asks of the others."""
    action, unit = got["action"], got["unit"]
    assert isinstance(node.value, dict)
    if action not in ACTIONS[unit]:
        right = " or ".join(name for name, actions in ACTIONS.items() if action in actions)
        findings.add(node.value["unit"].place, f"{at}.unit", f"found {unit!r}, expected {right} of {action}")
    low, high = got["low"], got["high"]
    if not (low or 0.0) <= got["value"] <= (math.inf if high is None else high):
        shown = f"low {_shown(low)}, value {got['value']:g}, high {_shown(high)}"
        findings.add(node.value["value"].place, f"{at}.value", f"found {shown}, expected them in ascending order")
    dram = action.startswith("dram")
    if got.get("voltage") and "node" in got and not energy_at(got["node"], got["voltage"]) > 0:
        findings.add(node.value["voltage"].place, f"{at}.voltage", f"found {got['voltage']:g} V, expected a supply at which the scaling "
                     f"model has an energy at {got['node']} nm")  # fmt: skip
    for key in ("condition", "source"):
        if not got[key].strip():
            findings.add(node.value[key].place, f"{at}.{key}", "found nothing, expected text")
    sized = action in ("sram_read", "sram_write")
    for key, needed, what in (("technology", dram, f"one of {', '.join(base.technologies())}"), ("size", sized, "a size"),
                              ("node", not dram and unit != "ratio", "a process node")):  # fmt: skip
        if needed and key not in got:
            findings.add(node.place, at, f"found no {key}, expected {what} of {action}")
        if not needed and key in got:
            findings.add(node.value[key].place, f"{at}.{key}", f"found it, expected none of {action}")


def _shown(bound: float | None) -> str:
    return "unknown" if bound is None else f"{bound:g}"


def _made(got: dict[str, Any]) -> Row:
    return Row(got["action"], got["unit"], got.get("technology"), got.get("bits", 1), got.get("size"), got["value"], got["low"],
               got["high"], got.get("node"), got.get("voltage"), got["condition"], (got["source"],), got["provenance"])  # fmt: skip


def plain_of(rows: tuple[Row, ...]) -> dict[str, Any]:
    """A table as plain data that reads back as the same rows."""
    return {"rows": [_plain(row) for row in rows]}


def _plain(row: Row) -> dict[str, Any]:
    own = dataclasses.asdict(row)
    found = {key: own[key] for key in ("action", "unit", "technology", "bits") if own[key] is not None}
    size = {} if row.size_bytes is None else {"size": f"{row.size_bytes} B"}
    node = {} if row.node_nm is None else {"node": f"{row.node_nm} nm"}
    bounds = {key: "unknown" if own[key] is None else own[key] for key in ("low", "high")}
    volts = "unknown" if row.voltage is None else f"{row.voltage:g} V"
    return {**found, **size, "value": row.value, **bounds, **node, "voltage": volts, "condition": row.condition,
            "source": "; ".join(row.sources), "provenance": row.provenance}  # fmt: skip
