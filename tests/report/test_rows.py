"""A Result as plain data: sums, bounds and provenance, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archmodel import load_machine
from archmodel.records.figure import Figure
from archmodel.records.mapping import Certificate, Mapping
from archmodel.records.result import OpResult, Result
from sims.report.rows import to_json
from sims.report.table import headlines

HZ = 1_000_000


def op(name: str, **changed: Any) -> OpResult:
    given: dict[str, Any] = {
        "name": name, "group": "ffn", "engine": "array", "clock_hz": HZ, "cycles": 100, "macs": 50, "bytes": (("dram", 10), ("buffer", 7)),
        "ideal_cycles": 25.0, "bound_by": "array", "provenance": "rtl-covered",
        "causes": (("compute", 25), ("memory", 75)), "energy_by": (("mac", Figure(2e6, 1e6, 3e6, "published")),),
    }  # fmt: skip
    return OpResult(**(given | changed))


def result(*ops: OpResult, **changed: Any) -> Result:
    given: dict[str, Any] = {
        "model": "m", "machine": "x", "stage": "decode", "batch": 4, "context": 9, "tokens": 4, "emitted": 4, "fidelity": "analytic",
        "clock_hz": HZ, "ops": ops, "area_by": (("array: PEs", Figure(1.5e6, None, 2e6, "scaled")),),
        "static_by": (), "bound_seconds": 0.00015, "record_hash": "ab",
        "version": "0", "seed": 3, "routing": "none", "resident": (("weight", 8), ("kv", 2)),
    }  # fmt: skip
    return Result(**(given | changed))


def test_totals_are_sums_and_rates_follow() -> None:
    plain = to_json(result(op("a"), op("b", cycles=300, bytes=(("dram", 5),), causes=(("memory", 300),))))
    assert plain["cycles"] == 400
    assert plain["seconds"] == pytest.approx(400e-6)
    assert plain["bytes"] == {"dram": 15, "buffer": 7}
    assert plain["energy_pj"] == 4e6
    assert (plain["energy_pj_low"], plain["energy_pj_high"]) == (2e6, 6e6)
    assert plain["power_w"] == pytest.approx(4e-6 / 400e-6)
    assert plain["tokens_per_second"] == pytest.approx(10_000)
    assert plain["tokens_per_joule"] == pytest.approx(1e6)
    assert (plain["power_w_low"], plain["power_w_high"]) == pytest.approx((2e-6 / 400e-6, 6e-6 / 400e-6))
    assert (plain["tokens_per_joule_low"], plain["tokens_per_joule_high"]) == pytest.approx((4 / 6e-6, 4 / 2e-6))
    assert plain["power_w_provenance"] == plain["tokens_per_joule_provenance"] == plain["energy_pj_provenance"] == "published"
    assert plain["time_per_output_token"] == plain["seconds"]
    assert plain["utilisation"] == {"array": pytest.approx(50 / 400)}
    assert plain["bound_cycles"] == 150
    json.dumps(plain, allow_nan=False)


def test_engines_of_other_clocks_count_by_their_time() -> None:
    plain = to_json(result(op("a"), op("b", engine="vector", clock_hz=HZ // 2, cycles=100, ideal_cycles=50.0)))
    assert plain["seconds"] == pytest.approx(300e-6)
    assert plain["cycles"] == 300
    assert plain["utilisation"] == {"array": pytest.approx(25 / 300), "vector": pytest.approx(100 / 300)}


def test_one_unknown_bound_makes_the_sum_unknown() -> None:
    plain = to_json(result(op("a"), op("b", energy_by=(("mac", Figure(1.0, None, 2.0, "scaled")),))))
    assert plain["energy_pj_low"] == "unknown"
    assert plain["energy_pj_high"] == pytest.approx(3e6 + 2)
    assert plain["power_w_low"] == plain["tokens_per_joule_high"] == "unknown"
    assert plain["tokens_per_joule_low"] == pytest.approx(4 / (3e6 + 2) * 1e12)


def test_provenance_is_kept_apart_and_weakest() -> None:
    worst = Figure(1.0, 1.0, 1.0, "extrapolated")
    plain = to_json(result(op("a"), op("b", provenance="closed form"), op("c", energy_by=(("mac", worst),))))
    assert plain["provenance"] == {"cycles": "closed form", "seconds": "published", "energy": "extrapolated", "area": "scaled"}


def test_latency_has_the_name_of_the_stage() -> None:
    assert "time_to_first_token" in to_json(result(op("a"), stage="prefill"))
    assert "time_per_output_token" in to_json(result(op("a"), stage="mixed"))
    assert not {"time_to_first_token", "time_per_output_token"} & to_json(result(op("a"), stage="gemm")).keys()


def test_energy_that_nobody_priced_is_null_not_zero() -> None:
    plain = to_json(result(op("a"), op("b", energy_by=())))
    for key in ("energy_pj", "power_w", "tokens_per_joule"):
        assert plain[key] is None
    assert [row["energy_pj"] for row in plain["ops"]] == [2e6, None]
    assert plain["energy_pj_low"] == "unknown"


def test_the_certificate_says_how_far_from_optimal() -> None:
    proof = Certificate("cycles", 110, 100, 1000, 10)
    plain = to_json(result(op("a")), Mapping("g", "x", (), certificate=proof))["certificate"]
    assert plain == {"objective": "cycles", "value": 110, "lower_bound": 100, "gap": pytest.approx(0.1), "space": 1000, "evaluated": 10,
                     "choices": [], "nodes": 0, "scope": "", "optimal": False}  # fmt: skip
    assert to_json(result(op("a")))["certificate"] is None


def test_no_time_has_no_power() -> None:
    text = headlines(result(op("a", cycles=0, causes=())), None, load_machine("edge-npu"))
    assert to_json(result(op("a", cycles=0, causes=())))["power_w_low"] == "unknown"
    assert "energy  2 uJ (published; " in text.replace("2.00 uJ", "2 uJ")


def test_time_says_that_its_clock_is_only_stated() -> None:
    text = headlines(result(op("a", provenance="rtl-confirmed")), None, load_machine("edge-npu"))
    assert "(rtl-confirmed cycles, stated clock)" in text
