"""Reach: a published figure at another node, another width, another size.

Rows of one action at several nodes are all brought to the wanted node by the scaling model.  Between two of them the value is
the model's curve bent to meet both, beyond them the nearest row scaled; the bounds enclose every row so brought there, so
that where sources and model disagree the bounds show it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archmodel.cost.scaling import area_factor, energy_factor, power_law, wire_factor
from archmodel.records.figure import PROVENANCES, Figure, scaled, weakest


@dataclass(frozen=True)
class Row:
    """One published figure: ``value`` in ``unit`` for ``bits`` bits at ``node_nm`` (None: it does not scale with logic).

    sources  keys: that of the value, then those of the bounds
    """

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
    sources: tuple[str, ...]
    provenance: str

    @property
    def figure(self) -> Figure:
        return Figure(self.value, self.low, self.high, self.provenance, self.sources)


def at_node(rows: Sequence[Row], node_nm: int) -> Figure:
    """The figure at a node of rows that differ in nothing but theirs."""
    brought = [scaled(row.figure, *_factor(row, node_nm)) for row in rows]
    if len(rows) == 1:
        return brought[0]
    nodes = [row.node_nm or node_nm for row in rows]
    below = max((n for n in nodes if n <= node_nm), default=min(nodes))
    above = min((n for n in nodes if n >= node_nm), default=max(nodes))
    lower, upper = nodes.index(below), nodes.index(above)
    value = _between(rows[lower], rows[upper], node_nm) if below < above else brought[lower].value
    return _enclosing(value, brought, weakest((brought[lower].provenance, brought[upper].provenance)))


def along(axis: str, rows: Sequence[Row], at: float, node_nm: int | None) -> Figure:
    """The figure at ``at`` on an axis: that of its rows, or a power law through its neighbours.

    Between two places the neighbours and their bounds enclose it.  Beyond the rows there are no bounds, but for widths: a wider
    operator costs no less, and no more than the square of its width says.
    """
    places: dict[float, list[Row]] = {}
    for row in rows:
        places.setdefault(getattr(row, axis), []).append(row)
    points = {place: at_node(group, node_nm) if node_nm is not None else group[0].figure for place, group in places.items()}
    if at in points:
        return points[at]
    value = power_law({int(place): figure.value for place, figure in points.items()}, at)
    below, above = [place for place in points if place < at], [place for place in points if place > at]
    if below and above:
        near = (points[max(below)], points[min(above)])
        return _enclosing(value, near, weakest(("scaled", *(figure.provenance for figure in near))))
    sources = tuple(dict.fromkeys(source for figure in points.values() for source in figure.sources))
    if axis != "bits":
        return Figure(value, None, None, "extrapolated", sources)
    last = max(below) if below else min(above)
    ends = (1.0, (at / last) ** 2) if below else ((at / last) ** 2, 1.0)
    low, high = (None if bound is None else bound * end for bound, end in zip((points[last].low, points[last].high), ends, strict=True))
    return Figure(value, low, high, "extrapolated", sources)


def _factor(row: Row, node_nm: int) -> tuple[float, str]:
    """What brings a row to a node, with the provenance that this leaves."""
    if row.node_nm is None or row.node_nm == node_nm:
        return 1.0, PROVENANCES[0]
    if row.unit == "pj":
        return energy_factor(row.node_nm, node_nm, row.voltage)
    if row.unit == "um2":
        return area_factor(row.node_nm, node_nm)
    if row.unit == "pj/mm":
        return wire_factor(row.node_nm, node_nm, row.voltage)
    return 1.0, "extrapolated"


def _between(lower: Row, upper: Row, node_nm: int) -> float:
    """The value at a node between those of two rows, as far along as the scaling model is; without one, as the node is."""
    assert lower.node_nm and upper.node_nm, "two rows without node have the same place"
    whole, part = (math.log(_factor(lower, node)[0]) for node in (upper.node_nm, node_nm))
    if not whole:
        whole, part = (math.log(node / lower.node_nm) for node in (upper.node_nm, node_nm))
    return lower.value * float((upper.value / lower.value) ** (part / whole))


def _enclosing(value: float, figures: Sequence[Figure], provenance: str) -> Figure:
    """``value`` with bounds that enclose all figures with theirs."""
    low = min(figure.value if figure.low is None else figure.low for figure in figures)
    high = max(figure.value if figure.high is None else figure.high for figure in figures)
    sources = tuple(dict.fromkeys(source for figure in figures for source in figure.sources))
    return Figure(value, min(low, value), max(high, value), provenance, sources)
