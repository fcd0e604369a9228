"""A comparison as plain data: the keys of ``compare --json``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .comparison import Comparison
from .exact import Part, Quantity
from .inputs import Difference

KEYS = {"s": "seconds", "cycles": "cycles", "pJ": "energy_pj", "um2": "area_um2", "W": "static_w"}


def to_json(found: Comparison) -> dict[str, Any]:
    """Every part of every quantity.  ``exact`` is the difference as a fraction, of which ``difference`` is the nearest float."""
    plain: dict[str, Any] = {"kind": found.kind, "a": _said(found.a), "b": _said(found.b), "same": found.same,
                             "inputs": [difference_row(one) for one in found.inputs]}  # fmt: skip
    if found.follows:
        plain["follows"] = [{"name": item.name, "unit": item.unit, "a": item.a, "b": item.b} for item in found.follows]
    plain |= {KEYS[quantity.unit]: quantity_rows(quantity) for quantity in found.quantities}
    if found.factors:
        plain["seconds"]["by_factor"] = [{"factor": name, **fraction_row(value)} for name, value in found.factors.items()]
    return plain


def _said(side: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(("title", "command"), side, strict=False))


def difference_row(found: Difference) -> dict[str, Any]:
    path = f"{found.item}.{found.path}".strip(".")
    return {"part": found.part, "path": path, "a": found.a, "b": found.b}


def quantity_rows(quantity: Quantity) -> dict[str, Any]:
    """The whole and its parts; those of each list sum to it, exactly in the fractions that ``exact`` writes."""
    if quantity.why:
        return {"a": None, "b": None, "difference": None, "why": quantity.why}
    return {
        **_figures(quantity.whole),
        "by_group": [{"group": part.group, **_figures(part)} for part in quantity.by_group()],
        "by_cause": [{"cause": part.cause, **_figures(part)} for part in quantity.by_cause()],
        "parts": [{"operator": part.operator, "group": part.group, "cause": part.cause, **_figures(part)} for part in quantity.largest()],
    }


def fraction_row(value: Fraction) -> dict[str, Any]:
    return {"difference": _number(value), "exact": f"{value.numerator}/{value.denominator}"}


def _figures(part: Part) -> dict[str, Any]:
    return {"a": _number(part.a.value), "b": _number(part.b.value), **fraction_row(part.difference),
            "bounds": part.bounds, "provenance": part.provenance}  # fmt: skip


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)
