"""Wires: how long they are, from the areas that they span of blocks."""

from __future__ import annotations

import math

from archmodel.records.figure import Figure

HALF_PERIMETER = 2.0
"""Sides of a square from corner to corner along its edges: the longest straight way between two of its points."""


def side_mm(area_um2: Figure) -> Figure:
    """Millimetres of the side of a square of that area."""
    low, high = (None if bound is None else math.sqrt(bound) / 1e3 for bound in (area_um2.low, area_um2.high))
    return Figure(math.sqrt(area_um2.value) / 1e3, low, high, area_um2.provenance, area_um2.sources)


def across(side: Figure) -> Figure:
    """The way from one block of a square to another: a side; none where they abut, at most half the perimeter."""
    high = None if side.high is None else HALF_PERIMETER * side.high
    return Figure(side.value, 0.0, high, side.provenance, side.sources)
