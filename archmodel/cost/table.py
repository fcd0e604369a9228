"""Energy, area and static power per action: rows of ``table.json``, and the fit of SRAM.

Control, pads, the circuits that drive a memory's pins and the distribution of the clock have no row and are in no figure.

Actions (energy, pJ)
    mac                      one multiplication of ``bits`` by ``by`` bits and one 32-bit addition
    int_add int_mul          one integer operation of ``bits`` bits (``by``: the second factor's width)
    add mul max exp div      one floating-point operation of ``bits`` bits; max counts as an addition
    requantise               bias, multiplication, shift and rounding of one accumulator
    register_write           ``bits`` flip-flops clocked
    register_read            ``bits`` of a register file: only in a user's own table
    sram_read sram_write     a word of ``bits`` bits of a memory of ``size_bytes``
    dram_read dram_write     ``bits`` bits of a memory of ``technology``
    wire                     ``bits`` bits moved one millimetre
Components (area, um2)
    int_add int_mul fp_add fp_mul        one operator
    register sram                        ``bits`` bits of storage; sram_cell are bitcells with their circuits, for bounds
    pe                                   multiplier, 32-bit adder and registers of a systolic element
    vector_lane                          multiplier, adder and four operand registers
    requantizer                          the multiplier of one column's
    control                              sequencers and movers of a systolic engine: only in a table made by ``archmodel synth``
Static power (W)
    leakage                  of logic whose cells have ``amount`` um2
    sram                     of ``amount`` bits
    dram_background          of ``amount`` bytes of a memory of ``technology``: standby and refresh
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

from archmodel.cost import sram
from archmodel.cost.reach import Row, along, at_node
from archmodel.records.base import SpecError, record_hash
from archmodel.records.figure import Figure, product, scaled, total

_ALIASES = {"add": "fp_add", "mul": "fp_mul", "max": "fp_add"}
_ACCUMULATOR_BITS = 32
_GIB = 1 << 30
UNITS = {"pj": "picojoules", "pj/mm": "picojoules a millimetre", "um2": "square micrometres", "w/um2": "watts a square micrometre",
         "w/bit": "watts a bit", "w/gib": "watts a GiB", "ratio": "a ratio"}  # fmt: skip
WIDE = ("mac", "int_add", "int_mul", "fp_add", "fp_mul", "bf16_add", "bf16_mul", "exp", "div", "requantise", "pe", "vector_lane",
        "requantizer", "max")  # fmt: skip
"""Operators, whose cost depends on their width otherwise than in proportion."""
ACTIONS = {
    "pj": (*WIDE[:10], "max", "register_write", "register_read", "sram_read", "sram_write", "dram_read", "dram_write", "link"),
    "pj/mm": ("wire",), "um2": (*WIDE[1:7], *WIDE[10:], "register", "sram", "sram_cell", "control"),
    "w/um2": ("leakage",), "w/bit": ("sram",), "w/gib": ("dram_background",), "ratio": ("placement",),
}  # fmt: skip
"""What may have a row in each unit."""


@dataclass(frozen=True, eq=False)
class Costs:
    """A table of rows; figures are cached, and all are plain floats, to be multiplied by whole arrays of counts.

    name  of the user's own table whose rows come before this project's, "" where there is none
    """

    rows: tuple[Row, ...]
    name: str = ""

    @functools.cached_property
    def label(self) -> str:
        """What tells this table from others: its name and the first digits of the SHA-256 of its rows."""
        return f"{self.name or 'archmodel'} {record_hash(self.rows)[:16]}"

    @functools.cache  # noqa: B019 - one table lives as long as the process
    def energy_pj(self, action: str, bits: int, node_nm: int, *, by: int | None = None, size_bytes: int | None = None,
                  technology: str | None = None) -> Figure:  # fmt: skip
        """Picojoules of one action on ``bits`` bits at a node.  Raises SpecError for an action without a row."""
        name = action if self.has(action, "pj") else _ALIASES.get(action, action)
        if name in ("mac", "requantise") and not self.has(name, "pj"):
            return self._composed(name, bits, node_nm, by)
        if name == "wire":
            return scaled(at_node(self._rows(name, "pj/mm"), node_nm), bits)
        if name.startswith("sram"):
            return self._sram_pj(name, bits, node_nm, size_bytes)
        rows = self._rows(name, "pj", technology)
        if name.startswith(("dram", "register", "link")):
            return scaled(at_node(rows, node_nm), bits / rows[0].bits)
        return along("bits", rows, _width(bits, by), node_nm)

    @functools.cache  # noqa: B019
    def area_um2(self, component: str, bits: int, node_nm: int, *, by: int | None = None) -> Figure:
        """Square micrometres of a component of ``bits`` bits at a node.  Raises SpecError for one without a row."""
        if component in WIDE and self.has(component, "um2"):
            return along("bits", self._rows(component, "um2"), _width(bits, by), node_nm)
        if component == "requantizer":
            return self.area_um2("int_mul", bits, node_nm)
        if component == "pe":
            other = bits if by is None else by
            return total((self.area_um2("int_mul", bits, node_nm, by=other),
                          self.area_um2("int_add", _ACCUMULATOR_BITS, node_nm),
                          self.area_um2("register", bits + 2 * other + _ACCUMULATOR_BITS, node_nm)))  # fmt: skip
        if component == "vector_lane":
            return total((self.area_um2("fp_mul", bits, node_nm), self.area_um2("fp_add", bits, node_nm),
                          self.area_um2("register", 4 * bits, node_nm)))  # fmt: skip
        if component == "sram" and not self.has(component, "um2"):
            return sram.area_um2(bits, node_nm, self._rows("sram_cell", "um2"))
        rows = self._rows(component, "um2")
        return scaled(at_node(rows, node_nm), bits / rows[0].bits)

    @functools.cache  # noqa: B019
    def static_w(self, what: str, amount: float, node_nm: int, *, technology: str | None = None) -> Figure:
        """Watts of ``amount`` of something at a node.  Raises SpecError for something without a row."""
        if what == "sram":
            return scaled(at_node(self._rows("sram", "w/bit"), node_nm), amount) if self.has("sram", "w/bit") else (
                sram.leakage_w(amount, node_nm))  # fmt: skip
        if what == "dram_background":
            return scaled(at_node(self._rows(what, "w/gib", technology), node_nm), amount / _GIB)
        return scaled(at_node(self._rows(what, "w/um2"), node_nm), amount)

    def placed(self, cells: Figure) -> Figure:
        """What placing and wiring logic adds to the area of its cells."""
        ratio = self._rows("placement", "ratio")[0].figure
        low, high = (None if bound is None else bound - 1 for bound in (ratio.low, ratio.high))
        return product(cells, replace(ratio, value=ratio.value - 1, low=low, high=high))

    def technologies(self) -> tuple[str, ...]:
        """The DRAM technologies that have a row."""
        return tuple(sorted({row.technology for row in self.rows if row.technology}))

    def _composed(self, name: str, bits: int, node_nm: int, by: int | None) -> Figure:
        adder = self.energy_pj("int_add", _ACCUMULATOR_BITS, node_nm)
        if name == "mac":
            return total((self.energy_pj("int_mul", bits, node_nm, by=by), adder))
        return total((self.energy_pj("int_mul", bits, node_nm), scaled(adder, 2.0)))

    def _sram_pj(self, action: str, bits: int, node_nm: int, size_bytes: int | None) -> Figure:
        if size_bytes is None:
            raise SpecError(f"cost of {action}: no size_bytes, expected that of the memory")
        if not self.has(action, "pj"):
            return sram.energy_pj(action, size_bytes, bits, node_nm)
        rows = self._rows(action, "pj")
        return scaled(along("size_bytes", rows, size_bytes, node_nm), bits / rows[0].bits)

    def has(self, action: str, unit: str) -> bool:
        """Whether there is a row, and not only a composition or a model."""
        return any(row.action == action and row.unit == unit for row in self.rows)

    def prices(self, action: str) -> bool:
        """Whether an operation has an energy."""
        return action in ("mac", "requantise") or self.has(action, "pj") or self.has(_ALIASES.get(action, action), "pj")

    def _rows(self, action: str, unit: str, technology: str | None = None) -> tuple[Row, ...]:
        named = tuple(row for row in self.rows if row.action == action and row.unit == unit)
        if not named:
            have = ", ".join(sorted({row.action for row in self.rows if row.unit == unit}))
            raise SpecError(f"cost table: no {unit} row for {action!r} (it has: {have})")
        found = tuple(row for row in named if row.technology in (None, technology))
        if not found:
            have = ", ".join(self.technologies())
            raise SpecError(f"cost table: no row for {action} of technology {technology!r} (it has: {have})")
        return found


@functools.cache
def default_costs() -> Costs:
    """The table of this project."""
    data = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
    return Costs(tuple(Row(**{**row, "sources": tuple(row["sources"])}) for row in data["rows"]))


def _width(bits: int, by: int | None) -> float:
    """The width of a square operator as large as ``bits`` x ``by``."""
    return bits if by is None or by == bits else math.sqrt(bits * by)
