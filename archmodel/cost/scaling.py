"""Energy and area from one process node to another.

The model is A. Stillmaker and B. Baas, "Scaling equations for the accurate prediction of CMOS device performance from
180 nm to 7 nm", Integration 58 (2017): area by their table of factors, energy by their quadratic in the supply voltage
(high-performance devices below 65 nm).  The coefficients were compared between two independent transcriptions, and two
of the nodes with the example that the authors print in their erratum.  Voltages are the nominal ones of the Predictive
Technology Model, except 45 nm, where the cost table's own sources stand at 0.9 V.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_AREA = {180: 19.0, 130: 6.4, 90: 2.8, 65: 1.5, 45: 1.0, 32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.1, 7: 0.059}
"""Area at a node for 1 at 45 nm."""

_ENERGY = {
    180: (0.0, 24.64, -17.98), 130: (7.171, -6.709, 2.904), 90: (4.762, -4.781, 2.092), 65: (3.755, -4.398, 1.975),
    45: (1.018, -0.3107, 0.1539), 32: (0.8367, -0.4341, 0.1701), 20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024), 14: (0.2363, -0.09675, 0.02239), 10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}  # fmt: skip
"""a, b, c of a V^2 + b V + c, the relative energy of an operation at a supply of V volts."""

_VOLTS = {180: 1.8, 130: 1.3, 90: 1.2, 65: 1.1, 45: 0.9, 32: 0.9, 20: 0.9, 16: 0.85, 14: 0.8, 10: 0.75, 7: 0.7}


STEEPEST = 100.0
"""Natural logarithm of the farthest that a power law reaches; rows of a user's table may lie as steep as they like."""


def energy_factor(from_nm: int, to_nm: int, from_volts: float | None = None) -> tuple[float, str]:
    """Energy at ``to_nm`` (nominal voltage) for 1 at ``from_nm``, with its provenance."""
    if from_nm == to_nm:
        return 1.0, "published"
    return energy_at(to_nm) / energy_at(from_nm, from_volts), _provenance(from_nm, to_nm)


def energy_at(node_nm: int, volts: float | None = None) -> float:
    """The model's relative energy at a node: at a supply where the model has the node, else at nominal voltages around it."""
    if volts is not None and node_nm in _ENERGY:
        return relative_energy(node_nm, volts)
    return power_law({node: relative_energy(node, _VOLTS[node]) for node in _ENERGY}, node_nm)


def area_factor(from_nm: int, to_nm: int) -> tuple[float, str]:
    """Area at ``to_nm`` for 1 at ``from_nm``, with its provenance."""
    if from_nm == to_nm:
        return 1.0, "published"
    return power_law(_AREA, to_nm) / power_law(_AREA, from_nm), _provenance(from_nm, to_nm)


def wire_factor(from_nm: int, to_nm: int, from_volts: float | None = None) -> tuple[float, str]:
    """Energy of a bit on a millimetre of wire at ``to_nm`` for 1 at ``from_nm``: its capacitance stays, the supply goes in squared.

    That is how S. W. Keckler et al., IEEE Micro 31(5), 2011, project theirs.
    """
    volts = power_law(_VOLTS, to_nm) / (from_volts or power_law(_VOLTS, from_nm))
    return volts * volts, _provenance(from_nm, to_nm)


def relative_energy(node_nm: int, volts: float) -> float:
    """The published polynomial of a node that the model has, at a supply of ``volts``."""
    a, b, c = _ENERGY[node_nm]
    return a * volts * volts + b * volts + c


def power_law(points: Mapping[int, float], at: float) -> float:
    """The value at ``at`` on straight lines in log-log paper through ``points``, the outer ones prolonged.

    Points with one entry give a line of slope 1.
    """
    if at in points:
        return points[int(at)]
    keys = sorted(points)
    if len(keys) == 1:
        return points[keys[0]] * at / keys[0]
    right = min(max(sum(key < at for key in keys), 1), len(keys) - 1)
    x0, x1 = keys[right - 1], keys[right]
    slope = math.log(points[x1] / points[x0]) / math.log(x1 / x0)
    growth = slope * math.log(at / x0)
    return points[x0] * math.exp(min(max(growth, -STEEPEST), STEEPEST))


def _provenance(*nodes_nm: int) -> str:
    return "scaled" if all(min(_AREA) <= node <= max(_AREA) for node in nodes_nm) else "extrapolated"
