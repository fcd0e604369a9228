"""One table a stage, for people: operator groups by engine, a total, and the headlines below."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from archmodel.communication import LINKS
from archmodel.fitting import shown
from archmodel.records.figure import Figure, weakest
from archmodel.records.machine import Fabric, Machine
from archmodel.records.mapping import Mapping
from archmodel.records.result import OpResult, Result
from archmodel.workload.operators import GROUPS

from . import units
from .grid import grid, lines
from .rows import TOKENLESS, bytes_by_memory, power_w, provenance, tokens_per_joule, tokens_per_second

COLUMNS = ("operators", "engine", ">cycles", ">time", ">energy", ">{memory} traffic", ">util", "bound by", "cycles are")

WHOLE = "memory"
"""What the bound calls all memory behind the engines' ports."""


def stage_table(result: Result, mapping: Mapping | None, machine: Machine) -> str:
    """The table of one stage and what follows from it."""
    outer = off_chip(machine)
    columns = [name.format(memory="+".join(outer).upper()) for name in COLUMNS]
    rows = [_row(group, engine, ops, outer) for (group, engine), ops in grouped(result.ops)]
    return grid(title(result), columns, [*rows, _total(result, outer)], last_is_total=True) + "\n" + headlines(result, mapping, machine)


def off_chip(machine: Machine) -> list[str]:
    """The memories behind the ports of engines, and the outermost levels of those that have no memory beside them."""
    levels = {engine.params.levels[0].name for engine in machine.engines if hasattr(engine.params, "levels")}
    return sorted({*ports(machine), *levels})


def ports(machine: Machine) -> list[str]:
    """The memories behind the ports of engines."""
    return sorted({engine.port for engine in machine.engines if engine.port})


def title(result: Result) -> str:
    """What ran where, in one line."""
    tokens = {
        "prefill": f"{result.batch:,} x {result.context:,} tokens",
        "decode": f"batch {result.batch:,}, context {result.context:,}",
        "mixed": f"{result.batch:,} sequences, {result.tokens:,} tokens",
    }.get(result.stage, "")
    work = result.model if result.stage in TOKENLESS else f"{result.model} {result.stage}, {tokens}"
    return f"{work}, on {result.machine} at fidelity {result.fidelity}"


def grouped(ops: tuple[OpResult, ...]) -> list[tuple[tuple[str, str], list[OpResult]]]:
    """Operators by group and engine, in the order of the model's dataflow."""
    groups: dict[tuple[str, str], list[OpResult]] = {}
    for op in ops:
        groups.setdefault((op.group, op.engine), []).append(op)
    place = {group: number for number, group in enumerate(GROUPS)}
    return sorted(groups.items(), key=lambda item: (place.get(item[0][0], len(place)), item[0]))


def _row(group: str, engine: str, ops: list[OpResult], outer: list[str]) -> list[str]:
    cycles, hz = sum(op.cycles for op in ops), ops[0].clock_hz
    priced = [op.energy.value for op in ops if op.energy]
    return [
        group, engine, f"{cycles:,}", units.time(cycles / hz), units.energy(sum(priced)) if priced else "-",
        _traffic(ops, outer), units.share(sum(op.ideal_cycles for op in ops), cycles), bound_by(ops),
        weakest([op.provenance for op in ops]),
    ]  # fmt: skip


def _traffic(ops: tuple[OpResult, ...] | list[OpResult], outer: list[str]) -> str:
    moved = bytes_by_memory(ops)
    return units.size(sum(size for memory, size in moved.items() if memory in outer or memory == WHOLE)) if moved else "-"


def bound_by(ops: tuple[OpResult, ...] | list[OpResult]) -> str:
    """What decides most of the cycles."""
    cycles: dict[str, int] = {}
    for op in ops:
        cycles[op.bound_by] = cycles.get(op.bound_by, 0) + op.cycles
    return max(cycles, key=lambda name: cycles[name])


def _total(result: Result, outer: list[str]) -> list[str]:
    return [
        "total", "", f"{result.cycles:,}", units.time(result.seconds),
        units.energy(result.energy.value) if result.energy else "-", _traffic(result.ops, outer), "",
        bound_by(result.ops), result.provenance,
    ]  # fmt: skip


def headlines(result: Result, mapping: Mapping | None, machine: Machine) -> str:
    """What a user asks first, each figure with its provenance and bounds."""
    trust = provenance(result)
    pairs = [("time", _time(result)), ("bound", _bound(result))]
    if result.energy:
        power, rate = power_w(result), tokens_per_joule(result)
        per_joule = f", {units.number(rate.value)} tokens/J" if rate and result.stage not in TOKENLESS else ""
        spent = units.energy(result.energy.value) + (f", {units.brief(power.value)} W{per_joule}" if power else "")
        pairs.append(("energy", f"{spent} ({trust['energy']}; {bounds(result.energy, units.energy)})"))
    if trust["area"] != "unknown":
        size = f"{_mm2(result.area.value)} of {machine.node_nm} nm"
        pairs.append(("area", f"{size} ({trust['area']}; {bounds(result.area, _mm2)}), memory controllers not counted"))
    if used := _used(result):
        pairs.append(("util", used))
    if result.steps:
        hidden = f"{units.time(result.hidden_seconds)}, {units.share(result.hidden_seconds, result.seconds + result.hidden_seconds)}"
        pairs.append(("overlap", f"{len(result.steps)} steps side by side hide {hidden} of the time one after another"))
    if mapping is not None and machine.fabric is not None and machine.fabric.devices > 1:
        pairs.append(("devices", _devices(result, mapping, machine.fabric)))
    if sum(size for _, size in result.resident) and ports(machine):
        pairs.append(("memory", _resident(result, machine)))
    if mapping is not None and mapping.certificate is not None:
        pairs.append(("mapping", certificate_line(mapping)))
    drawn = f", routing {result.routing} with seed {result.seed}" if result.routing != "none" else ""
    if not result.costs.startswith("archmodel "):
        pairs.append(("costs", result.costs))
    pairs.append(("record", f"{result.record_hash[:16]}, archmodel {result.version}{drawn}"))
    return lines(pairs + [("note", note) for note in result.notes])


def _time(result: Result) -> str:
    what = {"prefill": "to the first token, ", "decode": "per output token, ", "mixed": "per step, "}.get(result.stage, "")
    rate = "" if result.stage in TOKENLESS else f"{units.number(tokens_per_second(result))} tokens/s "
    macs = result.macs / result.seconds if result.seconds else 0.0
    trust = f"({result.provenance} cycles, stated clock)"
    return f"{units.time(result.seconds)} {what}{rate}{trust}, {units.count(2 * macs)}op/s in matrix products"


def _bound(result: Result) -> str:
    if not result.bound_seconds:
        return "no roofline"
    over = result.seconds / result.bound_seconds
    if result.fidelity == "bound":
        return "the roofline itself: no mapping is faster; energy is not priced at this fidelity"
    return f"{units.brief(over)} times the roofline's {units.time(result.bound_seconds)}"


def _mm2(um2: float) -> str:
    return f"{units.brief(um2 / 1e6)} mm2"


def bounds(figure: Figure, text: Callable[[float], str]) -> str:
    """What the sources bound a figure by, in words."""
    if figure.low is None and figure.high is None:
        return "bounds unknown"
    ends = ["unknown" if end is None else text(end) for end in (figure.low, figure.high)]
    return f"from {ends[0]} to {ends[1]}"


def _used(result: Result) -> str:
    from .rows import utilisation

    if result.fidelity == "bound":
        return ""
    peak = ", ".join(f"{engine} {units.brief(100 * share)} %" for engine, share in utilisation(result).items()) + " of peak over the stage"
    return f"{peak}; data move at the memory port {units.share(result.port_share, 1)} of the time"


def _devices(result: Result, mapping: Mapping, fabric: Fabric) -> str:
    exchange = sum(op.seconds for op in result.ops if op.engine == LINKS)
    rows, columns = fabric.shape
    joined = "in a ring" if fabric.topology == "ring" else f"in a mesh of {rows} x {columns}"
    return (f"{fabric.devices} {joined}, split {shown(mapping.split)}; {units.share(exchange, result.seconds)} of the time in collectives; "
            "cycles and memory are those of one device")  # fmt: skip


def _resident(result: Result, machine: Machine) -> str:
    outer = ports(machine)
    parts = " + ".join(f"{units.size(size)} {'KV cache' if kind == 'kv' else kind + 's'}" for kind, size in result.resident if size)
    return f"{parts} in {units.size(sum(machine.memory(port).size_bytes for port in outer))} of {', '.join(outer)}"


def certificate_line(mapping: Mapping) -> str:
    """What is proved, and of which mappings; how far from proved a search is that stopped early."""
    proof = mapping.certificate
    assert proof is not None
    many = f"{proof.space:,}" if proof.space < 10**15 else f"{Decimal(proof.space):.3g}"  # beyond what a float holds, too
    space = f"{many} mapping{'s' * (proof.space != 1)} ({proof.scope or 'docs/timing.md says which'}), {proof.evaluated:,} priced"
    if proof.optimal:
        return f"proved best in {proof.objective} of {space}"
    far = f"at most {100 * proof.gap:.3g} % above the bound proved" if proof.lower_bound else "without a bound,"
    return f"the best in {proof.objective} that was found, {far} of {space}"
