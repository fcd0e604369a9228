"""Energy and area per action: rows of ``table.json``, each with source, node, voltage, width and condition.

Only switching energy is known; leakage, clock tree, wiring and control have no row and are not in any figure.

Actions (energy, pJ)
    mac                      one multiplication of ``bits`` by ``by`` bits and one 32-bit addition
    int_add int_mul          one integer operation of ``bits`` bits (``by``: the second factor's width)
    add mul max exp div      one floating-point operation of ``bits`` bits; max counts as an addition
    requantise               bias, multiplication, shift and rounding of one accumulator
    register_write           ``bits`` flip-flops clocked
    sram_read sram_write     ``bits`` bits of a memory of ``size_bytes``
    dram_read dram_write     ``bits`` bits of a memory of ``technology``
Components (area, um2)
    int_add int_mul fp_add fp_mul        one operator
    register sram                        ``bits`` bits of storage
    pe                                   multiplier, 32-bit adder and registers of a systolic element
    vector_lane                          multiplier, adder and four operand registers
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path

from archmodel.cost.scaling import area_factor, energy_factor, power_law
from archmodel.records.base import SpecError
from archmodel.records.figure import Figure, scaled, total, weakest

_ALIASES = {"add": "fp_add", "mul": "fp_mul", "max": "fp_add"}
_ACCUMULATOR_BITS = 32


@dataclass(frozen=True)
class Row:
    """One published figure: ``value`` pJ or um2 for ``bits`` bits, at ``node_nm`` (None: does not scale with logic)."""

    action: str
    unit: str
    technology: str | None
    bits: int
    size_bytes: int | None
    value: float
    low: float | None
    high: float | None
    node_nm: int | None
    voltage: float | None
    condition: str
    source: str
    provenance: str


@dataclass(frozen=True, eq=False)
class Costs:
    """A table of rows; figures are cached, and all are plain floats, to be multiplied by whole arrays of counts."""

    rows: tuple[Row, ...]

    @functools.cache  # noqa: B019 - one table lives as long as the process
    def energy_pj(self, action: str, bits: int, node_nm: int, *, by: int | None = None, size_bytes: int | None = None,
                  technology: str | None = None) -> Figure:  # fmt: skip
        """Picojoules of one action on ``bits`` bits at a node.  Raises SpecError for an action without a row."""
        name = _ALIASES.get(action, action)
        if name == "mac":
            adder = self.energy_pj("int_add", _ACCUMULATOR_BITS, node_nm)
            return total((self.energy_pj("int_mul", bits, node_nm, by=by), adder))
        rows = self._rows(name, "pj", technology)
        if name.startswith("sram"):
            if size_bytes is None:
                raise SpecError(f"cost of {action}: no size_bytes, expected that of the memory")
            return scaled(_along("size_bytes", rows, size_bytes, node_nm), bits / rows[0].bits)
        if name.startswith(("dram", "register")):
            return scaled(_at_node(rows[0], node_nm), bits / rows[0].bits)
        return _along("bits", rows, _width(bits, by), node_nm)

    @functools.cache  # noqa: B019 - one table lives as long as the process
    def area_um2(self, component: str, bits: int, node_nm: int, *, by: int | None = None) -> Figure:
        """Square micrometres of a component of ``bits`` bits at a node.  Raises SpecError for one without a row."""
        if component == "pe":
            other = bits if by is None else by
            return total((self.area_um2("int_mul", bits, node_nm, by=other),
                          self.area_um2("int_add", _ACCUMULATOR_BITS, node_nm),
                          self.area_um2("register", bits + 2 * other + _ACCUMULATOR_BITS, node_nm)))  # fmt: skip
        if component == "vector_lane":
            return total((self.area_um2("fp_mul", bits, node_nm), self.area_um2("fp_add", bits, node_nm),
                          self.area_um2("register", 4 * bits, node_nm)))  # fmt: skip
        rows = self._rows(component, "um2", None)
        if component == "sram":
            return scaled(_along("node_nm", rows, node_nm, None), bits)
        if component == "register":
            return scaled(_at_node(rows[0], node_nm), bits)
        return _along("bits", rows, _width(bits, by), node_nm)

    def technologies(self) -> tuple[str, ...]:
        """The DRAM technologies that have a row."""
        return tuple(sorted({row.technology for row in self.rows if row.technology}))

    def _rows(self, action: str, unit: str, technology: str | None) -> tuple[Row, ...]:
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
    """The table of this project, sources written out."""
    data = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
    return Costs(tuple(Row(**row) for row in data["rows"]))


def _width(bits: int, by: int | None) -> float:
    """The width of a square operator as large as ``bits`` x ``by``."""
    return bits if by is None or by == bits else math.sqrt(bits * by)


def _at_node(row: Row, node_nm: int | None) -> Figure:
    """A row's figure at another node."""
    own = Figure(row.value, row.low, row.high, row.provenance, (row.source,))
    if row.node_nm is None or node_nm is None:
        return own
    if row.unit == "pj":
        return scaled(own, *energy_factor(row.node_nm, node_nm, row.voltage))
    return scaled(own, *area_factor(row.node_nm, node_nm))


def _along(axis: str, rows: tuple[Row, ...], at: float, node_nm: int | None) -> Figure:
    """The figure at ``at`` on an axis: a row's own, or a power law through its neighbours.

    Between two rows the bounds are the neighbours' values, widened by their own bounds; beyond the rows, unknown.
    """
    points = {getattr(row, axis): _at_node(row, node_nm) for row in rows}
    if at in points:
        return points[int(at)]
    value = power_law({key: figure.value for key, figure in points.items()}, at)
    below, above = [key for key in points if key < at], [key for key in points if key > at]
    sources = tuple(dict.fromkeys(source for figure in points.values() for source in figure.sources))
    worst = weakest([figure.provenance for figure in points.values()])
    if not below or not above:
        return Figure(value, None, None, "extrapolated", sources)
    left, right = points[max(below)], points[min(above)]
    low, high = (left, right) if left.value <= right.value else (right, left)
    return Figure(value, low.value if low.low is None else low.low, high.value if high.high is None else high.high,
                  weakest((worst, "scaled")), sources)  # fmt: skip
