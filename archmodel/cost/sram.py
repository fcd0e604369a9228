"""SRAM: energy, area and leakage by a fit to CACTI 7 (R. Balasubramonian et al., ACM TACO 14(2), 2017).

CACTI was run for macros of 4 KiB to 4 MiB, words of 32 to 256 bits, 128 words or more, at its five nodes, with its three
device types at 350 K, one read/write port, optimised for energy and area alike.  ``tests/cost/cacti.csv`` holds the points.
With S bytes and words of W bits, at 45 nm:

    read   a sqrt(S) + b W sqrt(S)                pJ
    write  c + d W + e sqrt(S) + f W sqrt(S)      pJ
    area   g 8 S + h W                            um2

times a factor of the node.  The coefficients are least squares of the relative error at high-performance devices; the bounds
are the least and the greatest ratio of any point, of any device type, to the fit.

A word wider than 256 bits lies in macros side by side.  Below 22 nm energy and leakage go with the square root of the node
and area with the node, the rules of hwcomponents-cacti (after IRDS 2022); they are extrapolations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archmodel.cost.reach import Row
from archmodel.cost.scaling import power_law
from archmodel.records.figure import Figure, scaled

SOURCES = ("cacti-7", "cacti-plugin")
WIDEST = 256
"""Bits of a macro's word."""
LEAST_BYTES, MOST_BYTES, LEAST_BITS = 4 << 10, 4 << 20, 32
LEAST_NODE, MOST_NODE = 22, 90


@dataclass(frozen=True)
class Fit:
    """``terms`` weigh 1, W, sqrt(S), W sqrt(S) and 8 S; ``nodes`` are factors; ``low`` and ``high`` ratios of points to the fit."""

    terms: tuple[float, float, float, float, float]
    nodes: dict[int, float]
    low: float
    high: float
    below: float
    """Power of the node that holds below the least."""

    def at(self, size_bytes: float, bits: float) -> float:
        root = math.sqrt(size_bytes)
        return sum(c * x for c, x in zip(self.terms, (1.0, bits, root, bits * root, 8 * size_bytes), strict=True))

    def factor(self, node_nm: int) -> float:
        if node_nm >= LEAST_NODE:
            return power_law(self.nodes, node_nm)
        return self.nodes[LEAST_NODE] * float(node_nm / LEAST_NODE) ** self.below


READ = Fit((0.0, 0.0, 0.03764, 0.0003801, 0.0), {90: 3.248, 65: 1.822, 45: 1.0, 32: 0.5448, 22: 0.282}, 0.387, 2.013, 0.5)
WRITE = Fit((0.3525, 0.01822, 0.01334, 0.0006495, 0.0), {90: 3.343, 65: 1.803, 45: 1.0, 32: 0.5302, 22: 0.2647}, 0.388, 1.677, 0.5)
AREA = Fit((0.0, 21.54, 0.0, 0.0, 0.3791), {90: 3.894, 65: 2.06, 45: 1.0, 32: 0.5222, 22: 0.2535}, 0.894, 1.417, 1.0)
LEAKAGE = {90: 4.39e-8, 65: 1.31e-7, 45: 1.18e-7, 32: 3.85e-8, 22: 1.75e-8}
"""Watts of a bit at 350 K, medians over the points of high-performance devices."""
LEAKAGE_LOW = {90: 2.20e-11, 65: 4.06e-11, 45: 1.91e-11, 32: 2.43e-11, 22: 7.14e-11}
LEAKAGE_HIGH = {90: 5.71e-8, 65: 1.73e-7, 45: 1.50e-7, 32: 5.06e-8, 22: 2.89e-8}
"""Least (low-standby devices) and greatest of all points."""
PUBLISHED_PJ = {45: {8192: 10.0, 32768: 20.0, 1 << 20: 100.0}, 7: {8192: 7.5, 32768: 8.5, 1 << 20: 14.0}}
"""Accesses of 64 bits to caches (Horowitz 2014, Jouppi et al. 2021, table 2): bounds reach to them where the fit's do not."""
PUBLISHED_SOURCES = {45: "horowitz-2014", 7: "jouppi-2021"}


def macros(size_bytes: float, bits: float) -> tuple[int, float, float]:
    """(how many lie side by side, bytes and bits of a word of each)."""
    count = max(1, math.ceil(bits / WIDEST))
    return count, size_bytes / count, bits / count


def energy_pj(action: str, size_bytes: float, bits: float, node_nm: int) -> Figure:
    """Picojoules of one word of ``bits`` bits read from or written to a memory of ``size_bytes``."""
    fit = WRITE if action == "sram_write" else READ
    count, size, width = macros(size_bytes, bits)
    value = count * fit.at(size, width) * fit.factor(node_nm)
    where = 7 if node_nm < LEAST_NODE else 45
    published = count * width / 64 * power_law(PUBLISHED_PJ[where], size) * READ.factor(node_nm) / READ.factor(where)
    inside = LEAST_BYTES <= size <= MOST_BYTES and width >= LEAST_BITS
    return Figure(value, min(fit.low * value, published), max(fit.high * value, published), _provenance(node_nm, inside),
                  (*SOURCES, PUBLISHED_SOURCES[where]))  # fmt: skip


def area_um2(bits: float, node_nm: int, cells: Sequence[Row]) -> Figure:
    """Square micrometres of ``bits`` bits in macros of 256 KiB; the bounds reach to bitcells of other sources and to arrays of them."""
    size = 256 << 10
    value = AREA.at(size, WIDEST) / (8 * size) * AREA.factor(node_nm)
    arrays = power_law({row.node_nm or node_nm: row.value for row in cells}, node_nm)
    alone = power_law({row.node_nm or node_nm: row.low or row.value for row in cells}, node_nm)
    sources = (*SOURCES, *(source for row in cells for source in row.sources))
    one = Figure(value, min(AREA.low * value, alone), max(AREA.high * value, arrays), _provenance(node_nm, True),
                 tuple(dict.fromkeys(sources)))  # fmt: skip
    return scaled(one, bits)


def leakage_w(bits: float, node_nm: int) -> Figure:
    """Watts that ``bits`` bits leak at 350 K."""
    value, low, high = (bits * _leakage(points, node_nm) for points in (LEAKAGE, LEAKAGE_LOW, LEAKAGE_HIGH))
    return Figure(value, low, high, _provenance(node_nm, True), SOURCES)


def _leakage(points: dict[int, float], node_nm: int) -> float:
    below = min(1.0, node_nm / LEAST_NODE)
    return power_law(points, min(max(node_nm, LEAST_NODE), MOST_NODE)) * float(below**0.5)


def _provenance(node_nm: int, inside: bool) -> str:
    return "scaled" if inside and LEAST_NODE <= node_nm <= MOST_NODE else "extrapolated"
