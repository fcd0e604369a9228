"""A Result and its Mapping as plain data: the keys of ``run --json``."""

from __future__ import annotations

from typing import Any

from archmodel.communication import LINKS
from archmodel.records.base import to_plain
from archmodel.records.figure import Figure, scaled, weakest
from archmodel.records.mapping import Certificate, Mapping
from archmodel.records.result import OpResult, Result

TOKENLESS = ("gemm", "cascade")
"""Stages that no token enters."""


def to_json(result: Result, mapping: Mapping | None = None) -> dict[str, Any]:
    """Every figure of a stage.  What no source gives is null, a bound that none gives is "unknown".

    tokens_per_second  tokens that enter the stage (a prompt's, or one of each decoding sequence) over its time
    utilisation        of an engine: the fewest cycles its arithmetic could take over all cycles of the stage
    port_share         of the time: data move at an engine's memory port, whether or not the engine computes beside
    """
    plain = {
        "model": result.model, "machine": result.machine, "stage": result.stage, "batch": result.batch,
        "context": result.context, "tokens": result.tokens, "emitted": result.emitted, "fidelity": result.fidelity,
        "cycles": result.cycles, "seconds": result.seconds, "clock_hz": result.clock_hz,
        **_energy(result), **_area(result), "macs": result.macs, "bytes": bytes_by_memory(result.ops),
        "utilisation": utilisation(result), "port_share": result.port_share, "bound_cycles": int(result.bound_seconds * result.clock_hz),
        "bound_seconds": result.bound_seconds, **_rates(result), "provenance": provenance(result),
        "certificate": certificate(mapping.certificate if mapping else None), "record_hash": result.record_hash,
        "version": result.version, "seed": result.seed, "routing": result.routing, "resident": dict(result.resident), "costs": result.costs,
        "notes": list(result.notes), "ops": [op_row(op) for op in result.ops],
    }  # fmt: skip
    return plain


def power_w(result: Result) -> Figure | None:
    """Mean over the stage."""
    return scaled(result.energy, 1e-12 / result.seconds, provenance(result)["seconds"]) if result.energy and result.seconds else None


def tokens_per_second(result: Result) -> float | None:
    return result.tokens / result.seconds if result.seconds else None


def tokens_per_joule(result: Result) -> Figure | None:
    """The most energy gives the fewest; where it could be nothing, no bound says how many at most."""
    energy = result.energy
    if energy is None or not energy.value:
        return None
    value, low, high = (result.tokens / (pj * 1e-12) if pj else None for pj in (energy.value, energy.high, energy.low))
    assert value is not None
    return Figure(value, low, high, energy.provenance, energy.sources)


def _energy(result: Result) -> dict[str, Any]:
    static = {cause: bounded("w", figure) for cause, figure in result.static_by}
    return {**bounded("energy_pj", result.energy), **bounded("power_w", power_w(result)), "static_power": static}


def _area(result: Result) -> dict[str, Any]:
    mm2 = {part: scaled(figure, 1e-6) for part, figure in result.area_by}
    return {**bounded("area_mm2", scaled(result.area, 1e-6)), "area_by": {part: bounded("mm2", figure) for part, figure in mm2.items()}}


def bounded(name: str, figure: Figure | None) -> dict[str, Any]:
    """A figure under ``name`` with its bounds and provenance; null where there is none."""
    low, high, provenance = (figure.low, figure.high, figure.provenance) if figure else (None, None, "unknown")
    return {
        name: figure.value if figure else None,
        f"{name}_low": "unknown" if low is None else low,
        f"{name}_high": "unknown" if high is None else high,
        f"{name}_provenance": provenance,
    }


def _rates(result: Result) -> dict[str, Any]:
    rates: dict[str, Any] = {"tokens_per_second": tokens_per_second(result), **bounded("tokens_per_joule", tokens_per_joule(result))}
    if result.stage == "prefill":
        rates["time_to_first_token"] = result.seconds
    elif result.stage in ("decode", "mixed"):
        rates["time_per_output_token"] = result.seconds
    return rates


def bytes_by_memory(ops: tuple[OpResult, ...] | list[OpResult]) -> dict[str, int]:
    """Bytes that move in and out of each memory."""
    moved: dict[str, int] = {}
    for op in ops:
        for memory, count in op.bytes:
            moved[memory] = moved.get(memory, 0) + count
    return moved


def utilisation(result: Result) -> dict[str, float]:
    """By engine, over the whole stage."""
    ideal: dict[str, float] = {}
    for op in result.ops:
        ideal[op.engine] = ideal.get(op.engine, 0.0) + op.ideal_cycles / op.clock_hz
    return {engine: seconds / result.seconds for engine, seconds in sorted(ideal.items()) if result.seconds and engine != LINKS}


def provenance(result: Result) -> dict[str, str]:
    """How far each figure can be trusted: that of its weakest part."""
    return {
        "cycles": result.provenance,
        # Clock, bandwidth and latency are the machine file's own figures, none of them measured.
        "seconds": weakest([result.provenance, "published"]),
        "energy": result.energy.provenance if result.energy else "unknown",
        "area": result.area.provenance,
    }


def certificate(proof: Certificate | None) -> dict[str, Any] | None:
    """What is proved of the mapping; null where none was searched."""
    if proof is None:
        return None
    return {"objective": proof.objective, "value": proof.value, "lower_bound": proof.lower_bound,
            "gap": proof.gap if proof.lower_bound or proof.optimal else None,
            "space": proof.space, "evaluated": proof.evaluated, "nodes": proof.nodes, "scope": proof.scope, "optimal": proof.optimal,
            "choices": to_plain(proof.choices)}  # fmt: skip


def op_row(op: OpResult) -> dict[str, Any]:
    """One operator: figures of all its ``repeat`` instances together."""
    return {
        "name": op.name, "group": op.group, "engine": op.engine, "repeat": op.repeat, "cycles": op.cycles,
        "clock_hz": op.clock_hz, "seconds": op.seconds, "ideal_cycles": op.ideal_cycles, "macs": op.macs,
        **bounded("energy_pj", op.energy),
        "energy_by": {cause: bounded("pj", figure) for cause, figure in op.energy_by}, "bytes": bytes_by_memory([op]),
        "bound_by": op.bound_by, "port_cycles": op.port_cycles, "provenance": op.provenance, "causes": dict(op.causes),
    }  # fmt: skip
