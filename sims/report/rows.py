"""A Result and its Mapping as plain data: the keys of ``run --json``."""

from __future__ import annotations

from typing import Any

from archmodel.records.mapping import Certificate, Mapping
from archmodel.records.result import OpResult, Result, weakest


def to_json(result: Result, mapping: Mapping | None = None) -> dict[str, Any]:
    """Every figure of a stage.  What no source gives is null, a bound that none gives is "unknown".

    tokens_per_second  tokens that enter the stage (a prompt's, or one of each decoding sequence) over its time
    utilisation        of an engine: the fewest cycles its arithmetic could take over all cycles of the stage
    """
    plain = {
        "model": result.model, "machine": result.machine, "stage": result.stage, "batch": result.batch,
        "context": result.context, "tokens": result.tokens, "emitted": result.emitted, "fidelity": result.fidelity,
        "cycles": result.cycles, "seconds": result.seconds, "clock_hz": result.clock_hz,
        **_energy(result), "area_mm2": result.area_mm2, "macs": result.macs, "bytes": bytes_by_memory(result.ops),
        "utilisation": utilisation(result), "bound_cycles": int(result.bound_seconds * result.clock_hz),
        "bound_seconds": result.bound_seconds, **_rates(result), "provenance": provenance(result),
        "certificate": certificate(mapping.certificate if mapping else None), "record_hash": result.record_hash,
        "version": result.version, "seed": result.seed, "routing": result.routing, "resident": dict(result.resident),
        "notes": list(result.notes), "ops": [op_row(op) for op in result.ops],
    }  # fmt: skip
    return plain


def has_energy(result: Result) -> bool:
    """The bound fidelity prices no energy."""
    return any(op.energy.provenance != "unknown" or op.energy.pj for op in result.ops)


def energy_bounds(result: Result) -> tuple[float | None, float | None]:
    """Low and high bound in pJ, None where an operator's is unknown."""
    lows, highs = [op.energy.low for op in result.ops], [op.energy.high for op in result.ops]
    return _total(lows), _total(highs)


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def power_w(result: Result) -> float | None:
    return result.energy_pj * 1e-12 / result.seconds if has_energy(result) and result.seconds else None


def tokens_per_second(result: Result) -> float | None:
    return result.tokens / result.seconds if result.seconds else None


def tokens_per_joule(result: Result) -> float | None:
    return result.tokens / (result.energy_pj * 1e-12) if has_energy(result) and result.energy_pj else None


def _energy(result: Result) -> dict[str, Any]:
    low, high = energy_bounds(result)
    return {
        "energy_pj": result.energy_pj if has_energy(result) else None,
        "energy_pj_low": "unknown" if low is None else low,
        "energy_pj_high": "unknown" if high is None else high,
        "power_w": power_w(result),
    }


def _rates(result: Result) -> dict[str, Any]:
    rates: dict[str, Any] = {"tokens_per_second": tokens_per_second(result), "tokens_per_joule": tokens_per_joule(result)}
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
    return {engine: seconds / result.seconds for engine, seconds in sorted(ideal.items()) if result.seconds}


def provenance(result: Result) -> dict[str, str]:
    """How far each figure can be trusted: that of its weakest part."""
    return {
        "cycles": result.provenance,
        # Clock, bandwidth and latency are the machine file's own figures, none of them measured.
        "seconds": weakest([result.provenance, "published"]),
        "energy": weakest([op.energy.provenance for op in result.ops]),
        "area": result.area_provenance,
    }


def certificate(proof: Certificate | None) -> dict[str, Any] | None:
    """What is proved of the mapping; null where none was searched."""
    if proof is None:
        return None
    return {"objective": proof.objective, "value": proof.value, "lower_bound": proof.lower_bound, "gap": proof.gap,
            "space": proof.space, "evaluated": proof.evaluated}  # fmt: skip


def op_row(op: OpResult) -> dict[str, Any]:
    """One operator: figures of all its ``repeat`` instances together."""
    known = op.energy.provenance != "unknown" or op.energy.pj
    return {
        "name": op.name, "group": op.group, "engine": op.engine, "repeat": op.repeat, "cycles": op.cycles,
        "clock_hz": op.clock_hz, "seconds": op.seconds, "ideal_cycles": op.ideal_cycles, "macs": op.macs,
        "energy_pj": op.energy.pj if known else None,
        "energy_pj_low": "unknown" if op.energy.low is None else op.energy.low,
        "energy_pj_high": "unknown" if op.energy.high is None else op.energy.high,
        "energy_provenance": op.energy.provenance, "energy_by": dict(op.energy_by), "bytes": bytes_by_memory([op]),
        "bound_by": op.bound_by, "provenance": op.provenance, "causes": dict(op.causes),
    }  # fmt: skip
