"""Plots as plain data for plotly.js: traces and what is special of each layout; colours and sizes are report.js's.

Every string that came from outside and goes into a label is escaped: plotly.js reads a few HTML tags there.  ``name`` goes into
the key, which report.js writes as text; a trace without one has no place in the key.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
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
    """``id`` of the element it is drawn in; ``height`` in pixels, its key not counted."""

    id: str
    height: int
    data: list[Trace]
    layout: dict[str, Any]


def plots(number: int, saved: Saved) -> list[Plot]:
    """Of the result with this number, in the page's order; none that would be empty."""
    spans, names = timeline(saved), _causes(saved)
    made = [_roofline(saved), _time(saved, names), _energy(saved), _area(saved), _timeline(spans, names),
            _activations(live(saved, spans), spans), _buffers(tiles(saved, spans), spans)]  # fmt: skip
    return [Plot(f"r{number}-{plot.id}", plot.height, plot.data, plot.layout) for plot in made if plot.data]


def _label(text: str) -> str:
    return html.escape(text, quote=False)


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}} | more


def _unit(largest: float, sizes: Sequence[tuple[float, str]]) -> tuple[float, str]:
    """(factor, name) of the unit in which the largest value of an axis reads best."""
    size, name = next((pair for pair in sizes if largest >= pair[0]), sizes[-1])
    return 1 / size, name


def _time_unit(spans: Sequence[Span]) -> tuple[float, str]:
    return _unit(float(spans[-1].end) if spans else 0.0, units.TIME)


def _causes(saved: Saved) -> dict[str, int]:
    """The causes of time, each with the colour that it has in every plot."""
    names = dict.fromkeys(cause for op in saved.result.ops for cause, _ in op.causes)
    return {name: place for place, name in enumerate(names)}


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
    scale, unit = _unit(max([point.rate for point in found] + [roof.peak for roof in over]), units.COUNT)
    engines = list(dict.fromkeys([*(roof.engine for roof in over), *(point.op.engine for point in found)]))
    data = [_roof(roof, (lowest, highest), scale, engines.index(roof.engine)) for roof in over]
    for engine in engines:
        mine = [point for point in found if point.op.engine == engine]
        data.append({
            "type": "scatter", "mode": "markers", "name": engine, "x": [point.intensity for point in mine],
            "y": [point.rate * scale for point in mine], "hoverinfo": "text", "cliponaxis": False,
            "text": [f"{_operator(point.op)}<br>{point.intensity:.3g} op/B, {units.count(point.rate)}op/s" for point in mine],
            "marker": {"size": [6 + 18 * (point.op.seconds / longest) ** 0.5 for point in mine], "opacity": 0.75,
                       "color": f"series:{engines.index(engine)}"},
        })  # fmt: skip
    return Plot("roofline", 440, data, {
        "xaxis": _axis("operations per byte moved off chip", type="log", dtick=1, exponentformat="none"),
        "yaxis": _axis(f"{unit}op/s", type="log", dtick=1, exponentformat="none"),
    })  # fmt: skip


def _roof(roof: Roof, ends: tuple[float, float], scale: float, colour: int) -> Trace:
    x = [ends[0], *([roof.ridge] if ends[0] < roof.ridge else []), ends[1]]
    y = [scale * min(roof.peak, roof.bandwidth * intensity) for intensity in x]
    said = f"roof of {_label(roof.engine)}: {units.count(roof.peak)}op/s<br>{_label(roof.memory)}: {units.size(roof.bandwidth)}/s"
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "text",
            "text": [said] * len(x), "line": {"width": 2, "color": f"series:{colour}"}}  # fmt: skip


def _stacked(name: str, rows: Sequence[tuple[str, dict[str, float]]], colours: dict[str, int],
             sizes: Sequence[tuple[float, str]], said: units.Text) -> Plot:  # fmt: skip
    """Horizontal bars, one a row, each of stacked parts, which have their colours."""
    scale, unit = _unit(max((sum(values.values()) for _, values in rows), default=0.0), sizes)
    parts = [part for part in colours if any(values.get(part) for _, values in rows)]
    data = [{
        "type": "bar", "orientation": "h", "name": part, "y": [_label(row) for row, _ in rows],
        "x": [scale * values.get(part, 0.0) for _, values in rows], "hoverinfo": "text", "marker": {"color": f"series:{colours[part]}"},
        "text": [f"<b>{_label(row)}</b><br>{_label(part)}: {said(values.get(part, 0.0))}" for row, values in rows], "textposition": "none",
    } for part in parts]  # fmt: skip
    return Plot(name, 84 + ROW * len(rows), data, {
        "barmode": "stack", "xaxis": _axis(f"{name} ({unit})"), "yaxis": {"autorange": "reversed", "type": "category"},
    })  # fmt: skip


def _time(saved: Saved, colours: dict[str, int]) -> Plot:
    rows = []
    for (group, engine), ops in grouped(saved.result.ops):
        values: dict[str, float] = {}
        for op in ops:
            for cause, cycles in op.causes:
                values[cause] = values.get(cause, 0.0) + cycles / op.clock_hz
        rows.append((f"{group} · {engine}", values))
    return _stacked("time", rows, colours, units.TIME, units.time)


def _energy(saved: Saved) -> Plot:
    rows = []
    for (group, engine), ops in grouped(saved.result.ops):
        values: dict[str, list[Figure]] = {}
        for op in ops:
            for cause, figure in op.energy_by:
                values.setdefault(cause, []).append(figure)
        rows.append((f"{group} · {engine}", {cause: total(figures).value for cause, figures in values.items()}))
    names = dict.fromkeys(cause for _, values in rows for cause in values)
    return _stacked("energy", rows, {name: place for place, name in enumerate(names)}, units.ENERGY, units.energy)


def _area(saved: Saved) -> Plot:
    parts = saved.result.area_by
    if not parts:
        return Plot("area", 0, [], {})
    mm2 = [figure.value / 1e6 for _, figure in parts]
    data: list[Trace] = [{
        "type": "bar", "orientation": "h", "y": [_label(part) for part, _ in parts], "x": mm2, "hoverinfo": "text",
        "text": [f"<b>{_label(part)}</b><br>{units.number(value)} mm2, {figure.provenance}"
                 for (part, figure), value in zip(parts, mm2, strict=True)],
        "textposition": "none", "marker": {"color": "series:0"},
        "error_x": {"type": "data", "symmetric": False, "thickness": 1.2, "width": 4, "color": "ink",
                    "array": [0.0 if f.high is None else (f.high - f.value) / 1e6 for _, f in parts],
                    "arrayminus": [0.0 if f.low is None else (f.value - f.low) / 1e6 for _, f in parts]},
    }]  # fmt: skip
    return Plot("area", 84 + ROW * len(parts), data, {
        "xaxis": _axis("area (mm2)"), "yaxis": {"autorange": "reversed", "type": "category"},
    })  # fmt: skip


def _timeline(spans: Sequence[Span], colours: dict[str, int]) -> Plot:
    """Two lanes an engine: operators, coloured by group, and the causes of their time, named with a colon before them."""
    scale, unit = _time_unit(spans)
    bars: dict[str, list[tuple[str, float, float, str]]] = {}
    for span in spans:
        start, engine = float(span.start) * scale, _label(span.op.engine)
        bars.setdefault(span.op.group, []).append((engine, start, float(span.end - span.start) * scale, _operator(span.op)))
        for cause, first, last in causes(span):
            said = f"{_label(cause)} in {_label(span.op.name)}: {units.time(float(last - first))}"
            bars.setdefault(f": {cause}", []).append((f"{engine} · causes", float(first) * scale, float(last - first) * scale, said))
    lanes = [lane for engine in dict.fromkeys(_label(span.op.engine) for span in spans) for lane in (engine, f"{engine} · causes")]
    palette = {f": {cause}": place for cause, place in colours.items()}
    palette |= {name: place for place, name in enumerate([name for name in bars if name not in palette], len(palette))}
    data: list[Trace] = [{
        "type": "bar", "orientation": "h", "name": name.removeprefix(": "), "y": [bar[0] for bar in bars[name]],
        "base": [bar[1] for bar in bars[name]], "x": [bar[2] for bar in bars[name]],
        "text": [bar[3] for bar in bars[name]], "hoverinfo": "text", "textposition": "none",
        "marker": {"color": f"series:{place}", "line": {"width": 0}},
    } for name, place in palette.items() if name in bars]  # fmt: skip
    return Plot("timeline", 70 + 46 * len(lanes), data, {
        "barmode": "overlay", "bargap": 0.15, "xaxis": _axis(f"time ({unit})", rangemode="tozero"),
        "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": lanes[::-1]},
    })  # fmt: skip


def _activations(items: Sequence[Live], spans: Sequence[Span]) -> Plot:
    scale, unit = _time_unit(spans)
    data: list[Trace] = []
    for place, memory in enumerate(dict.fromkeys(item.memory for item in items)):
        held = steps([item for item in items if item.memory == memory])
        data.append({
            "type": "scatter", "mode": "lines", "name": memory, "x": [float(time) * scale for time, _ in held],
            "y": [size for _, size in held], "line": {"shape": "hv", "width": 1.5, "color": f"series:{place}"}, "fill": "tozeroy",
            "text": [f"{_label(memory)}: {units.size(size)} from {float(time) * scale:.4g} {unit}" for time, size in held],
            "hoverinfo": "text",
        })  # fmt: skip
    return Plot("activations", 300, data, {
        "xaxis": _axis(f"time ({unit})", rangemode="tozero"),
        "yaxis": _axis("live activations (B)", exponentformat="SI", rangemode="tozero"),
    })  # fmt: skip


def _buffers(items: Sequence[Tiles], spans: Sequence[Span]) -> Plot:
    """Share of a copy's buffer by part; a bar is as wide as its product takes."""
    scale, unit = _time_unit(spans)
    parts = list(dict.fromkeys(part for item in items for part, _ in item.parts))
    data: list[Trace] = [{
        "type": "bar", "name": part, "offset": 0, "x": [float(item.span.start) * scale for item in items],
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
