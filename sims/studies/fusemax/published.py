"""What the FuseMax artifact publishes: results, the choices of FLAT's authors, the paper's means."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .graphs import Shape
from .mappings import Flat

HERE = Path(__file__).parent
LENGTHS = {"1K": 1 << 10, "4K": 1 << 12, "16K": 1 << 14, "64K": 1 << 16, "256K": 1 << 18, "1M": 1 << 20}
MODELS = {"BERT": (768, 12, 64, 3072), "TrXL": (1024, 16, 64, 4096), "T5": (512, 8, 64, 2048), "XLM": (2048, 16, 128, 8192)}
"""Width, heads, elements of a head, hidden: FPSG-UIUC/micro24-fusemax-artifact, outputs/pregenerated/results/flat_validation.csv."""
VARIANTS = ("unfused", "flat", "cascade", "architecture", "binding")
NAMES = {"unfused": "unfused", "flat": "FLAT", "cascade": "+Cascade", "architecture": "+Architecture", "binding": "+Binding"}
MEANS = {
    ("attention speed-up", "flat"): 6.7226, ("attention energy", "flat"): 0.7875, ("end-to-end speed-up", "flat"): 5.3017,
    ("end-to-end energy", "flat"): 0.8335, ("attention speed-up", "unfused"): 10.052, ("attention energy", "unfused"): 0.7674,
    ("end-to-end speed-up", "unfused"): 7.6021, ("end-to-end energy", "unfused"): 0.821,
}  # fmt: skip
"""Arithmetic means over 24 points of +Binding over another, from the artifact's CSV files; the paper rounds them."""
ENERGY_WITHOUT_SPURIOUS = 0.7945
"""The mean attention energy over FLAT once the artifact's spurious reads of the buffer are taken out of both."""


@dataclass(frozen=True)
class Point:
    """One point of one variant; utilisation is None for linear layers."""

    seconds: float
    traffic_bytes: float
    energy_pj: float
    util_2d: float | None
    util_1d: float | None


def shape(model: str, length: str) -> Shape:
    return Shape(model, *MODELS[model], LENGTHS[length])


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@cache
def points() -> dict[tuple[str, str, str], Point]:
    """By variant, model and length; not every point is there."""
    found = {}
    for row in _rows("published.csv"):
        utils = [float(row[name]) if row[name] else None for name in ("util_2d", "util_1d")]
        found[row["variant"], row["model"], row["length"]] = Point(
            float(row["seconds"]), float(row["traffic_bytes"]), float(row["energy_pj"]), *utils)  # fmt: skip
    return found


def published(variant: str, model: str, length: str, field: str) -> float | None:
    """One figure, None where no point is there."""
    found = points().get((variant, model, length))
    return None if found is None else getattr(found, field)


def around(variant: str) -> str:
    """The linear layers that stand around a variant, which are its machine's."""
    return "linear-fusemax" if variant in ("architecture", "binding") else "linear-flat"


def published_layer(variant: str, model: str, length: str, field: str) -> float | None:
    """A figure of attention and the linear layers around it together."""
    attention, linear = published(variant, model, length, field), published(around(variant), model, length, field)
    return None if attention is None or linear is None else attention + linear


@cache
def flat_choices() -> dict[tuple[str, str], Flat]:
    """By model and length.  The spilled share is stated as a fraction; the nearest number of keys stands for it."""
    found = {}
    for row in _rows("flat_choices.csv"):
        keys = LENGTHS[row["length"]]
        granule = keys if row["granularity"] == "head" else int(row["rows"])
        found[row["model"], row["length"]] = Flat(granule, tuple(row["on_chip"].split()), round(float(row["spilled"]) * keys))
    return found


@cache
def pareto() -> dict[tuple[str, int], dict[str, float]]:
    """By model and side of the array, at 256K: seconds, traffic_bytes, seconds of both arrays, area_um2."""
    return {(row["model"], int(row["size"])): {name: float(value) for name, value in row.items() if name not in ("model", "size")}
            for row in _rows("pareto.csv")}  # fmt: skip
