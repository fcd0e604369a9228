"""What the page says of a result in words and tables, as plain strings that the template escapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from archmodel.records.base import to_plain
from archmodel.records.figure import PROVENANCES, Figure, scaled, total
from archmodel.records.machine import Machine
from archmodel.records.result import OpResult, Result
from archmodel.sources import source

from .. import units
from ..occupancy import Live, Tiles, live, tiles
from ..roofline import operations, points
from ..rows import TOKENLESS, bytes_by_memory, power_w, provenance, tokens_per_joule, tokens_per_second, utilisation
from ..saved import Saved
from ..table import bound_by, bounds, certificate_line, grouped, off_chip, ports, title
from ..timeline import Span, timeline
from ..trees import explain, fused, merged, outline, products

TRUST = {
    "rtl-confirmed": "this very Program ran on the generated hardware in Verilator and agreed in every cycle and bit",
    "rtl-covered": "the closed form equals the hardware on thousands of random Programs and machines; this one was not run",
    "cycle": "from the cycle model of an engine that has no hardware yet",
    "closed form": "from the closed form of an engine that has no hardware yet, or from arithmetic alone",
    "calibrated": "measured on something else that is named, and carried over",
    "published": "a figure of a paper, a data sheet or the machine's own description, such as its clock, as it stands there",
    "scaled": "a published figure, moved to this node by a published model",
    "extrapolated": "a published figure, moved outside the range of that model",
    "unknown": "no source gives it",
}
NOT_COUNTED = (
    "Time: refresh and row misses of DRAM (a memory has a bandwidth and a latency), overlap of one operator with the next, contention "
    "between copies of an engine beyond an equal share of bandwidth.",
    "Energy and area: the causes and parts that the tables list, and nothing else; memory controllers and DRAM dies have no area here.",
    "Memory: that weights and KV cache fit is checked; activations are shown, not checked.",
)


@dataclass(frozen=True)
class Card:
    """A headline: ``bounds`` in words, empty where there can be none."""

    name: str
    value: str
    detail: str
    trust: str = ""
    bounds: str = ""


@dataclass(frozen=True)
class Table:
    """A column whose name starts with ">" holds numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Tree:
    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """One result, by the names that the template uses."""

    id: str
    title: str
    cards: tuple[Card, ...]
    groups: Table
    energy: Table
    area: Table
    static: Table
    operators: Table
    resident: tuple[Card, ...]
    activations: Table
    buffers: Table
    trees: tuple[Tree, ...]
    machine: Table
    facts: tuple[tuple[str, str], ...]
    sources: Table
    command: str
    notes: tuple[str, ...]
    drawn: int
    not_drawn: int


def section(number: int, saved: Saved) -> Section:
    """The result with this number on its page."""
    result, spans = saved.result, timeline(saved)
    drawn = len(points(saved))
    return Section(
        id=f"r{number}", title=title(result), cards=tuple(_cards(saved)),
        groups=_groups(saved), energy=_energy(result), area=_parts(result.area_by, ("part", "mm2"), 1e-6),
        static=_parts(result.static_by, ("cause", "W"), 1.0), operators=_operators(saved, spans), resident=tuple(_resident(saved)),
        activations=_activations(live(saved, spans)), buffers=_buffers(tiles(saved, spans)), trees=tuple(_trees(saved)),
        machine=_machine(saved.machine), facts=tuple(_facts(saved)), command=saved.command, notes=(*result.notes, *NOT_COUNTED),
        sources=_sources(result), drawn=drawn, not_drawn=len(result.ops) - drawn,
    )  # fmt: skip


def trust_words() -> list[tuple[str, str]]:
    """Every provenance, from strong to weak, and what it means."""
    return [(name, TRUST[name]) for name in PROVENANCES]


def _cards(saved: Saved) -> Iterable[Card]:
    result, trust = saved.result, provenance(saved.result)
    per = {"prefill": "to the first token", "decode": "per output token", "mixed": "per step", "gemm": "for the product"}
    counted = f"{per.get(result.stage, 'for the cascade')}; {result.cycles:,} cycles at {units.count(result.clock_hz)}Hz"
    yield Card("Time", units.time(result.seconds), counted, trust["seconds"], "bounds unknown")
    if result.stage not in TOKENLESS:
        entered = "1 token enters the stage" if result.tokens == 1 else f"{result.tokens:,} tokens enter the stage"
        yield Card("Throughput", f"{units.number(tokens_per_second(result))} tokens/s", entered, trust["seconds"], "bounds unknown")
    if result.energy:
        rate = tokens_per_joule(result)
        per_joule = f"{units.number(rate.value)} tokens/J" if rate and result.stage not in TOKENLESS else ""
        yield _figure_card("Energy", result.energy, units.energy, per_joule)
        if (watts := power_w(result)) is not None:
            yield _figure_card("Power", watts, _watts, "mean over the stage")
    else:
        yield Card("Energy", "not priced", f"at fidelity {result.fidelity}", "unknown", "bounds unknown")
    yield _figure_card("Area", result.area, _mm2, f"of {saved.machine.node_nm} nm")
    for engine, share in utilisation(result).items() if result.fidelity != "bound" else ():
        yield Card(f"Utilisation of {engine}", f"{100 * share:.3g} %", "of its peak, over the whole stage", trust["cycles"])
    yield Card("Bottleneck", bound_by(result.ops), _bottleneck(result), trust["cycles"])
    if result.bound_seconds:
        over = "the roofline itself" if result.fidelity == "bound" else f"{result.seconds / result.bound_seconds:.3g} times the roofline"
        yield Card("Bound", units.time(result.bound_seconds), f"no mapping is faster; this is {over}", "closed form")


def _figure_card(name: str, figure: Figure, text: units.Text, detail: str) -> Card:
    return Card(name, text(figure.value), detail, figure.provenance, bounds(figure, text))


def _watts(watts: float) -> str:
    return f"{units.number(watts)} W"


def _mm2(um2: float) -> str:
    return f"{um2 / 1e6:#.3g} mm2"


def _bottleneck(result: Result) -> str:
    """The causes of the time, the largest first; and how busy memory is, as a step's time goes to the longer of memory and array."""
    seconds: dict[str, float] = {}
    for op in result.ops:
        for cause, cycles in op.causes:
            seconds[cause] = seconds.get(cause, 0.0) + cycles / op.clock_hz
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    told = ", ".join(f"{cause} {units.share(value, result.seconds)}" for cause, value in ranked if value)
    busy = f"; data move at the memory port {units.share(result.port_share, 1)} of the time, computing beside it or not"
    return told + (busy if result.fidelity != "bound" else "")


def _names(ops: Iterable[OpResult]) -> list[str]:
    """Causes of time, in the order in which they first appear."""
    return list(dict.fromkeys(cause for op in ops for cause, _ in op.causes))


def _groups(saved: Saved) -> Table:
    """Time by operator group, engine and cause, energy beside it."""
    result, names = saved.result, _names(saved.result.ops)
    rows = []
    for (group, engine), ops in grouped(result.ops):
        seconds = sum(op.seconds for op in ops)
        by_cause = [sum(dict(op.causes).get(name, 0) / op.clock_hz for op in ops) for name in names]
        rows.append((group, engine, units.time(seconds), units.share(seconds, result.seconds), *map(units.time, by_cause),
                     _joules([op.energy for op in ops]), bound_by(ops)))  # fmt: skip
    return Table(("operators", "engine", ">time", ">share", *(f">{name}" for name in names), ">energy", "bound by"), tuple(rows))


def _joules(figures: Sequence[Figure | None]) -> str:
    known = [figure for figure in figures if figure]
    return units.energy(total(known).value) if known else "-"


def _energy(result: Result) -> Table:
    """Energy by cause over all operators."""
    figures: dict[str, list[Figure]] = {}
    for cause, figure in chain.from_iterable(op.energy_by for op in result.ops):
        figures.setdefault(cause, []).append(figure)
    return _parts([(cause, total(parts)) for cause, parts in figures.items()], ("cause", "energy"), 1.0, units.energy)


def _parts(parts: Iterable[tuple[str, Figure]], names: tuple[str, str], factor: float, text: units.Text = units.number) -> Table:
    """Figures one below another, with their bounds, provenance and sources, and their sum."""
    found = [(name, scaled(figure, factor)) for name, figure in parts]
    rows = [_figure_row(name, figure, text) for name, figure in found]
    if len(found) > 1:
        rows.append(_figure_row("total", total(figure for _, figure in found), text))
    return Table((names[0], f">{names[1]}", ">low", ">high", "provenance", "sources"), tuple(rows))


def _figure_row(name: str, figure: Figure, text: units.Text) -> tuple[str, ...]:
    ends = ("unknown" if end is None else text(end) for end in (figure.low, figure.high))
    return (name, text(figure.value), *ends, figure.provenance, ", ".join(figure.sources) or "-")


def _operators(saved: Saved, spans: Sequence[Span]) -> Table:
    """Every operator in the order of the timeline; with a roofline's two figures, so that it stands in for that plot."""
    outer, whole, names = {*off_chip(saved.machine), "memory"}, saved.result.seconds, _names(saved.result.ops)
    rows = []
    for span in spans:
        op, work = span.op, operations(span.op, saved.machine)
        moved = sum(size for memory, size in bytes_by_memory([op]).items() if memory in outer)
        rows.append((
            op.name, op.group, op.engine, f"{op.repeat:,}", units.time(float(span.start)), units.time(op.seconds),
            units.share(op.seconds, whole), f"{op.cycles:,}", *(f"{dict(op.causes).get(name, 0):,}" for name in names),
            units.share(op.ideal_cycles, op.cycles), _joules([op.energy]), units.size(moved),
            f"{work / moved:.3g}" if moved else "-", f"{units.count(work / op.seconds)}op/s" if op.seconds else "-",
            op.bound_by, op.provenance,
        ))  # fmt: skip
    return Table(("operator", "group", "engine", ">instances", ">starts", ">takes", ">share", ">cycles", *(f">{name}" for name in names),
                  ">util", ">energy", ">off chip", ">op/B", ">rate", "bound by", "cycles are"), tuple(rows))  # fmt: skip


def _resident(saved: Saved) -> Iterable[Card]:
    """What stays in the memories behind the ports for the whole stage."""
    outer = ports(saved.machine)
    size = sum(saved.machine.memory(name).size_bytes for name in outer)
    for kind, held in saved.result.resident if outer else ():
        if held and kind != "activation":
            yield Card({"kv": "KV cache", "weight": "Weights"}.get(kind, kind), units.size(held),
                       f"{units.share(held, size)} of {units.size(size)} in {', '.join(outer)}")  # fmt: skip


def _activations(items: Sequence[Live]) -> Table:
    largest = sorted(items, key=lambda item: (-item.bytes, item.tensor))
    rows = tuple((item.tensor, item.memory, units.size(item.bytes), item.first.op.name, item.last.op.name) for item in largest)
    return Table(("activation", "memory", ">size", "from", "to"), rows)


def _buffers(items: Sequence[Tiles]) -> Table:
    parts = list(dict.fromkeys(part for item in items for part, _ in item.parts))
    rows = tuple((item.span.op.name, item.memory, *(units.size(dict(item.parts).get(part, 0)) for part in parts), units.size(item.bytes),
                  units.share(item.bytes, item.size_bytes)) for item in items)  # fmt: skip
    return Table(("product", "memory", *(f">{part}" for part in parts), ">together", ">of a copy's buffer"), rows)


def _trees(saved: Saved) -> Iterable[Tree]:
    """The loop tree of each distinct product, the one that takes longest first; then those of several Einsums."""
    if saved.mapping is None:
        return
    for item in merged(products(saved.graph, saved.mapping, saved.machine, saved.result)):
        alike = f" and {len(item.alike)} mapped alike" if item.alike else ""
        hz = saved.machine.clock_hz(saved.machine.engine(item.plain["engine"]).clock)
        share = units.share(item.plain["cycles"] / hz, saved.result.seconds)
        yield Tree(f"{item.plain['name']}{alike}: {share} of the time", explain(saved.graph, item, saved.mapping.relayouts))
    took = {op.name: op.seconds for op in saved.result.ops}
    for name, tree in fused(saved.mapping).items():
        share = units.share(took[name], saved.result.seconds)
        yield Tree(f"{name}, fused: {share} of the time", outline(name, tree, saved.mapping.relayouts))


def _machine(machine: Machine) -> Table:
    """Clocks, memories and engines as the run resolved them, and what their figures rest on."""
    rows = [("clock", clock.name, f"{units.count(clock.hz)}Hz", "") for clock in machine.clocks]
    for memory in machine.memories:
        rate = memory.bandwidth_bytes_per_second
        said = [memory.technology, units.size(memory.size_bytes), *([f"{units.size(rate)}/s"] if rate else ()),
                f"{units.time(memory.latency_picoseconds * 1e-12)} latency"]  # fmt: skip
        rows.append(("memory", memory.name, ", ".join(said), memory.source))
    for engine in machine.engines:
        said = [f"{engine.count} of type {engine.type}", f"clock {engine.clock}"]
        said += [f"{name} {_shown(value)}" for name, value in to_plain(engine.params).items()]
        rows.append(("engine", engine.name, ", ".join(said), engine.source))
    return Table(("part", "name", "is", "source"), tuple(rows))


def _sources(result: Result) -> Table:
    """What the keys beside the figures stand for, with how each was checked."""
    energies = (figure for op in result.ops for _, figure in op.energy_by)
    figures = chain(energies, (figure for _, figure in (*result.area_by, *result.static_by)))
    keys = dict.fromkeys(key for figure in figures for key in figure.sources)
    return Table(("key", "source", "checked"), tuple((key, str(source(key)), source(key).checked) for key in sorted(keys)))


def _shown(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _facts(saved: Saved) -> Iterable[tuple[str, str]]:
    result = saved.result
    yield "version", f"archmodel {result.version}"
    yield "record", result.record_hash
    yield "fidelity", result.fidelity
    yield "seed", str(result.seed)
    if result.routing != "none":
        yield "routing", result.routing
    if saved.mapping is not None and saved.mapping.certificate is not None:
        yield "mapping", certificate_line(saved.mapping)
    if saved.machine.source:
        yield "machine", saved.machine.source
