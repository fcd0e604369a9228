"""The paper's figures 6 to 12 redrawn: bars are ours, marks are published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..record import Chart
from . import points as model
from .published import LENGTHS, MODELS, NAMES, VARIANTS, pareto, published, published_layer

Value = Callable[[str, str, str], float | None]
PAIRS = [(name, length) for name in MODELS for length in LENGTHS]
LABELS = [f"{name} {length}" for name, length in PAIRS]


def charts() -> tuple[Chart, ...]:
    """In the paper's order."""
    return (
        _bars("fig6a", "Utilisation of the 1D array (figure 6a)", VARIANTS, "share of the time",
              lambda *key: model.attention(*key).utilisation("lanes"), _field("util_1d")),
        _bars("fig6b", "Utilisation of the 2D array (figure 6b)", VARIANTS, "share of the time",
              lambda *key: model.attention(*key).utilisation("array"), _field("util_2d")),
        _by_einsum(),
        _bars("fig8", "Attention: speed-up over unfused (figure 8)", VARIANTS[1:], "times as fast", _speed, _published_speed),
        _bars("fig9", "Attention: energy over unfused (figure 9)", VARIANTS[1:], "share of unfused", _energy, _published_energy),
        _bars("fig10", "One layer: speed-up over unfused (figure 10)", VARIANTS[1:], "times as fast", _layer_speed, _published_layer_speed),
        _bars("fig11", "One layer: energy over unfused (figure 11)", VARIANTS[1:], "share of unfused", _layer_energy,
              _published_layer_energy),
        _pareto(),
    )  # fmt: skip


def _bars(name: str, title: str, variants: tuple[str, ...], unit: str, ours: Value, said: Value) -> Chart:
    data: list[dict[str, Any]] = []
    for place, variant in enumerate(variants):
        colour = f"series:{place}"
        data.append({"type": "bar", "name": NAMES[variant], "x": LABELS, "y": [ours(variant, *pair) for pair in PAIRS],
                     "offsetgroup": variant, "marker": {"color": colour}})  # fmt: skip
    for place, variant in enumerate(variants):
        known = [(label, value) for label, pair in zip(LABELS, PAIRS, strict=True) if (value := said(variant, *pair)) is not None]
        named = {"name": "published"} if place == 0 else {}  # one entry in the key for all of them
        data.append({"type": "scatter", "mode": "markers", **named, "x": [label for label, _ in known],
                     "y": [value for _, value in known], "offsetgroup": variant, "hovertemplate": "published %{y}<extra></extra>",
                     "marker": {"color": "ink", "symbol": "line-ew-open", "size": 8}})  # fmt: skip
    layout = {"barmode": "group", "scattermode": "group", "yaxis": {"title": {"text": unit}}, "xaxis": {"tickangle": -60}}
    return Chart(name, title, "Bars are ours, strokes on them the published points that we have.", tuple(data), layout)


def _field(name: str) -> Value:
    return lambda variant, model_, length: published(variant, model_, length, name)


def _by_einsum() -> Chart:
    """BERT's 2D array by Einsum, variants side by side."""
    shown = [(variant, length) for variant in VARIANTS[1:] for length in LENGTHS]
    names = ("QK", "LM", "SLN", "SLD", "SLNV", "AV")
    data = []
    for place, einsum in enumerate(names):
        found = [{mine: share for unit, mine, share in model.attention(variant, "BERT", length).busy if unit == "array"}.get(einsum, 0.0)
                 for variant, length in shown]  # fmt: skip
        data.append({"type": "bar", "name": einsum, "x": [f"{NAMES[variant]} {length}" for variant, length in shown], "y": found,
                     "marker": {"color": f"series:{place}"}})  # fmt: skip
    layout = {"barmode": "stack", "yaxis": {"title": {"text": "share of the time"}}, "xaxis": {"tickangle": -60}}
    return Chart("fig7", "BERT: the 2D array by Einsum (figure 7)", "All of it ours.", tuple(data), layout)


def _speed(variant: str, name: str, length: str) -> float:
    return model.attention("unfused", name, length).seconds / model.attention(variant, name, length).seconds


def _energy(variant: str, name: str, length: str) -> float:
    return model.attention(variant, name, length).energy_pj / model.attention("unfused", name, length).energy_pj


def _layer(variant: str, name: str, length: str) -> tuple[float, float]:
    """Seconds and picojoules of one layer."""
    parts = (model.attention(variant, name, length), model.linear(variant, name, length))
    return sum(part.seconds for part in parts), sum(part.energy_pj for part in parts)


def _layer_speed(variant: str, name: str, length: str) -> float:
    return _layer("unfused", name, length)[0] / _layer(variant, name, length)[0]


def _layer_energy(variant: str, name: str, length: str) -> float:
    return _layer(variant, name, length)[1] / _layer("unfused", name, length)[1]


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or below is None else above / below


def _published_speed(variant: str, name: str, length: str) -> float | None:
    return _ratio(published("unfused", name, length, "seconds"), published(variant, name, length, "seconds"))


def _published_energy(variant: str, name: str, length: str) -> float | None:
    return _ratio(published(variant, name, length, "energy_pj"), published("unfused", name, length, "energy_pj"))


def _published_layer_speed(variant: str, name: str, length: str) -> float | None:
    return _ratio(published_layer("unfused", name, length, "seconds"), published_layer(variant, name, length, "seconds"))


def _published_layer_energy(variant: str, name: str, length: str) -> float | None:
    return _ratio(published_layer(variant, name, length, "energy_pj"), published_layer("unfused", name, length, "energy_pj"))


def _pareto() -> Chart:
    """Time against the paper's area."""
    data: list[dict[str, Any]] = []
    for place, name in enumerate(dict.fromkeys(which for which, _ in pareto())):
        sides = [side for which, side in pareto() if which == name]
        area = [pareto()[name, side]["area_um2"] / 1e6 for side in sides]
        data.append({"type": "scatter", "mode": "lines+markers", "name": name, "x": area,
                     "y": [model.array_of(name, side).seconds for side in sides], "text": [f"{side} x {side}" for side in sides],
                     "line": {"color": f"series:{place}"}, "marker": {"color": f"series:{place}"}})  # fmt: skip
        data.append({"type": "scatter", "mode": "markers", "name": f"{name}, published", "x": area,
                     "y": [pareto()[name, side]["seconds"] for side in sides],
                     "marker": {"color": "ink", "symbol": "circle-open"}})  # fmt: skip
    layout = {"xaxis": {"type": "log", "title": {"text": "published area, mm2"}}, "yaxis": {"type": "log", "title": {"text": "seconds"}}}
    return Chart("fig12", "Time against area, 256K (figure 12)", "Lines are ours, at the paper's areas.", tuple(data), layout)
