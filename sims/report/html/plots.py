"""Plots as plain data for plotly.js: traces and what is special of each layout; colours and sizes are report.js's.

Every string that came from outside is escaped: plotly.js reads a few HTML tags in labels.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archmodel.records.figure import Figure, total
from archmodel.records.result import OpResult

from .. import units
from ..occupancy import Live, Tiles, live, steps, tiles
from ..roofline import Roof, points, roofs
from ..saved import Saved
from ..table import grouped
from ..timeline import Span, causes, timeline

Trace = dict[str, Any]
ROW = 26
"""Pixels of a bar in a plot of horizontal bars."""


@dataclass(frozen=True)
class Plot:
    """``id`` of the element it is drawn in; ``height`` without the legend, in pixels."""

    id: str
    height: int
    data: list[Trace]
    layout: dict[str, Any]


def plots(number: int, saved: Saved) -> list[Plot]:
    """Of the result with this number, in the page's order; none that would be empty."""
    spans = timeline(saved)
    made = [_roofline(saved), _time(saved), _energy(saved), _area(saved), _timeline(spans), _activations(live(saved, spans), spans),
            _buffers(tiles(saved, spans), spans)]  # fmt: skip
    return [Plot(f"r{number}-{plot.id}", plot.height, plot.data, plot.layout) for plot in made if plot.data]


def _label(text: str) -> str:
    return html.escape(text, quote=False)


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}} | more


def _time_axis(spans: Sequence[Span]) -> tuple[float, str]:
    """(seconds to the unit that suits the stage, its name)."""
    seconds = float(spans[-1].end) if spans else 1.0
    return next(((1 / size, unit) for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= size), (1e9, "ns"))


def _operator(op: OpResult) -> str:
    """What hovering over an operator says."""
    times = f"{op.repeat:,} instances, " if op.repeat > 1 else ""
    took = f"{op.cycles:,} cycles of {_label(op.engine)}, {units.time(op.seconds)}"
    told = [f"<b>{_label(op.name)}</b> ({_label(op.group)})", times + took, f"bound by {_label(op.bound_by)}, {_label(op.provenance)}"]
    told += [f"{_label(cause)}: {cycles:,} cycles, {units.share(cycles, op.cycles)}" for cause, cycles in op.causes if cycles]
    return "<br>".join(told)


def _roofline(saved: Saved) -> Plot:
    found, over = points(saved), roofs(saved.machine)
    if not found:
        return Plot("roofline", 0, [], {})
    lowest = min(point.intensity for point in found) / 3
    highest = max([point.intensity for point in found] + [roof.ridge for roof in over]) * 3
    longest = max(point.op.seconds for point in found)
    engines = list(dict.fromkeys([*(roof.engine for roof in over), *(point.op.engine for point in found)]))
    data = [_roof(roof, lowest, highest, engines.index(roof.engine)) for roof in over]
    for engine in engines:
        mine = [point for point in found if point.op.engine == engine]
        data.append({
            "type": "scatter", "mode": "markers", "name": _label(engine), "x": [point.intensity for point in mine],
            "y": [point.rate for point in mine], "hoverinfo": "text", "cliponaxis": False,
            "text": [f"{_operator(point.op)}<br>{point.intensity:.3g} op/B, {units.count(point.rate)}op/s" for point in mine],
            "marker": {"size": [6 + 18 * (point.op.seconds / longest) ** 0.5 for point in mine], "opacity": 0.75,
                       "color": f"series:{engines.index(engine)}"},
        })  # fmt: skip
    return Plot("roofline", 440, data, {
        "xaxis": _axis("operations per byte moved off chip", type="log", exponentformat="power"),
        "yaxis": _axis("operations per second", type="log", exponentformat="SI"), "hovermode": "closest",
    })  # fmt: skip


def _roof(roof: Roof, lowest: float, highest: float, colour: int) -> Trace:
    x = [lowest, roof.ridge, highest] if lowest < roof.ridge else [lowest, highest]
    y = [min(roof.peak, roof.bandwidth * intensity) for intensity in x]
    said = f"roof of {_label(roof.engine)}: {units.count(roof.peak)}op/s<br>{_label(roof.memory)}: {units.size(roof.bandwidth)}/s"
    return {"type": "scatter", "mode": "lines", "name": f"roof of {_label(roof.engine)}", "x": x, "y": y, "hoverinfo": "text",
            "text": [said] * len(x), "line": {"width": 2, "color": f"series:{colour}"}}  # fmt: skip


def _stacked(name: str, rows: Sequence[tuple[str, dict[str, float]]], axis: str, said: Callable[[float], str]) -> Plot:
    """Horizontal bars, one a row, each of stacked parts; parts keep the colour of the place in which they first appear."""
    parts = list(dict.fromkeys(part for _, values in rows for part, value in values.items() if value))
    data = [{
        "type": "bar", "orientation": "h", "name": _label(part), "y": [_label(row) for row, _ in rows],
        "x": [values.get(part, 0.0) for _, values in rows], "hoverinfo": "text", "marker": {"color": f"series:{place}"},
        "text": [f"<b>{_label(row)}</b><br>{_label(part)}: {said(values.get(part, 0.0))}" for row, values in rows], "textposition": "none",
    } for place, part in enumerate(parts)]  # fmt: skip
    return Plot(name, 90 + ROW * len(rows), data, {
        "barmode": "stack", "xaxis": _axis(axis, exponentformat="SI"), "yaxis": {"autorange": "reversed", "type": "category"},
    })  # fmt: skip


def _time(saved: Saved) -> Plot:
    rows = []
    for (group, engine), ops in grouped(saved.result.ops):
        values: dict[str, float] = {}
        for op in ops:
            for cause, cycles in op.causes:
                values[cause] = values.get(cause, 0.0) + cycles / op.clock_hz
        rows.append((f"{group} · {engine}", values))
    return _stacked("time", rows, "time (s)", units.time)


def _energy(saved: Saved) -> Plot:
    rows = []
    for (group, engine), ops in grouped(saved.result.ops):
        values: dict[str, list[Figure]] = {}
        for op in ops:
            for cause, figure in op.energy_by:
                values.setdefault(cause, []).append(figure)
        rows.append((f"{group} · {engine}", {cause: 1e-12 * total(figures).value for cause, figures in values.items()}))
    return _stacked("energy", rows, "energy (J)", lambda joules: units.energy(1e12 * joules))


def _area(saved: Saved) -> Plot:
    parts = saved.result.area_by
    if not parts:
        return Plot("area", 0, [], {})
    mm2 = [figure.value / 1e6 for _, figure in parts]
    data: list[Trace] = [{
        "type": "bar", "orientation": "h", "y": [_label(part) for part, _ in parts], "x": mm2, "hoverinfo": "text",
        "text": [f"<b>{_label(part)}</b><br>{units.number(value)} mm2, {figure.provenance}"
                 for (part, figure), value in zip(parts, mm2, strict=True)],
        "textposition": "none", "marker": {"color": "series:0"}, "showlegend": False,
        "error_x": {"type": "data", "symmetric": False, "thickness": 1.2, "width": 4,
                    "array": [0.0 if f.high is None else (f.high - f.value) / 1e6 for _, f in parts],
                    "arrayminus": [0.0 if f.low is None else (f.value - f.low) / 1e6 for _, f in parts]},
    }]  # fmt: skip
    return Plot("area", 90 + ROW * len(parts), data, {
        "xaxis": _axis("area (mm2); whiskers are bounds, where a source gives them"),
        "yaxis": {"autorange": "reversed", "type": "category"},
    })  # fmt: skip


def _timeline(spans: Sequence[Span]) -> Plot:
    """Two lanes an engine: operators, coloured by group, and the causes of their time."""
    scale, unit = _time_axis(spans)
    bars: dict[str, list[tuple[str, float, float, str]]] = {}
    for span in spans:
        start, engine = float(span.start) * scale, _label(span.op.engine)
        bars.setdefault(span.op.group, []).append((engine, start, float(span.end - span.start) * scale, _operator(span.op)))
        for cause, first, last in causes(span):
            said = f"{_label(cause)} in {_label(span.op.name)}: {units.time(float(last - first))}"
            bars.setdefault(f"cause: {cause}", []).append((f"{engine} · causes", float(first) * scale, float(last - first) * scale, said))
    lanes = [lane for engine in dict.fromkeys(_label(span.op.engine) for span in spans) for lane in (engine, f"{engine} · causes")]
    ordered = [*(name for name in bars if not name.startswith("cause: ")), *(name for name in bars if name.startswith("cause: "))]
    data: list[Trace] = [{
        "type": "bar", "orientation": "h", "name": _label(name), "y": [bar[0] for bar in bars[name]],
        "base": [bar[1] for bar in bars[name]], "x": [bar[2] for bar in bars[name]],
        "text": [bar[3] for bar in bars[name]], "hoverinfo": "text", "textposition": "none",
        "marker": {"color": f"series:{place}", "line": {"width": 0}},
    } for place, name in enumerate(ordered)]  # fmt: skip
    return Plot("timeline", 110 + 44 * len(lanes), data, {
        "barmode": "overlay", "bargap": 0.15, "xaxis": _axis(f"time ({unit})", rangemode="tozero"),
        "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": lanes[::-1]},
    })  # fmt: skip


def _activations(items: Sequence[Live], spans: Sequence[Span]) -> Plot:
    scale, unit = _time_axis(spans)
    data: list[Trace] = []
    for place, memory in enumerate(dict.fromkeys(item.memory for item in items)):
        held = steps([item for item in items if item.memory == memory])
        data.append({
            "type": "scatter", "mode": "lines", "name": _label(memory), "x": [float(time) * scale for time, _ in held],
            "y": [size for _, size in held], "line": {"shape": "hv", "width": 1.5, "color": f"series:{place}"}, "fill": "tozeroy",
            "text": [f"{_label(memory)}: {units.size(size)} from {float(time) * scale:.4g} {unit}" for time, size in held],
            "hoverinfo": "text", "showlegend": True,
        })  # fmt: skip
    return Plot("activations", 300, data, {
        "xaxis": _axis(f"time ({unit})", rangemode="tozero"),
        "yaxis": _axis("live activations (B)", exponentformat="SI", rangemode="tozero"),
    })  # fmt: skip


def _buffers(items: Sequence[Tiles], spans: Sequence[Span]) -> Plot:
    """Share of a copy's buffer by part; a bar is as wide as its product takes."""
    scale, unit = _time_axis(spans)
    parts = list(dict.fromkeys(part for item in items for part, _ in item.parts))
    data: list[Trace] = [{
        "type": "bar", "name": _label(part), "offset": 0, "x": [float(item.span.start) * scale for item in items],
        "width": [float(item.span.end - item.span.start) * scale for item in items],
        "y": [100 * dict(item.parts).get(part, 0) / item.size_bytes for item in items], "hoverinfo": "text", "textposition": "none",
        "text": [f"<b>{_label(item.span.op.name)}</b><br>{_label(part)}: {units.size(dict(item.parts).get(part, 0))}<br>"
                 f"{units.size(item.bytes)} of {units.size(item.size_bytes)} in {_label(item.memory)}" for item in items],
        "marker": {"color": f"series:{place}", "line": {"width": 0}},
    } for place, part in enumerate(parts)]  # fmt: skip
    return Plot("buffers", 300, data, {
        "barmode": "stack", "xaxis": _axis(f"time ({unit})", rangemode="tozero"),
        "yaxis": _axis("of a copy's buffer (%)", rangemode="tozero"),
    })  # fmt: skip
