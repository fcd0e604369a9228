"""archmodel run: JSON that adds up, tables that fit, options that mean what they say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from .helpers import said

KEYS = {
    "model", "machine", "stage", "batch", "context", "fidelity", "cycles", "seconds", "clock_hz", "energy_pj", "area_mm2", "power_w",
    "macs", "bytes", "utilisation", "bound_cycles", "tokens_per_second", "tokens_per_joule", "record_hash", "version", "ops",
    "seed", "routing", "provenance", "certificate", "energy_pj_low", "energy_pj_high",
}  # fmt: skip
OP_KEYS = {"name", "group", "engine", "cycles", "seconds", "energy_pj", "macs", "bytes", "bound_by", "provenance", "causes", "repeat"}
RUNS = {
    "dense prefill": ("llama-3.1-8b", "cloud", "--stage", "prefill", "--tokens", "300"),
    "moe decode": ("mixtral-8x7b", "cloud", "--batch", "16", "--context", "4096"),
    "mixed": ("llama-3.1-8b", "edge-npu", "--chunk", "64,0", "--chunk", "32,16", "--decodes", "4,100"),
    "cycle": ("gpt2", "edge-npu", "--fidelity", "cycle", "--context", "64"),
    "product": ("--gemm", "64,256,512", "edge-npu"),
    "image": ("vit-s-16", "edge-npu"),
    "encoder-decoder": ("t5-small", "ecp5-tiny", "--context", "16"),
}


@pytest.fixture(params=RUNS.values(), ids=[name.replace(" ", "-") for name in RUNS])
def result(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Any:
    return said(capsys, "run", *request.param, "--json").json


def numbers(data: Any) -> list[float]:
    if isinstance(data, dict):
        return [n for part in data.values() for n in numbers(part)]
    if isinstance(data, list):
        return [n for part in data for n in numbers(part)]
    return [data] if isinstance(data, (int, float)) else []


def test_every_key_is_there_and_every_number_finite(result: Any) -> None:
    assert result.keys() >= KEYS
    assert all(op.keys() >= OP_KEYS for op in result["ops"])
    assert all(math.isfinite(number) and number >= 0 for number in numbers(result))
    for key in ("cycles", "clock_hz", "bound_cycles", "macs", "batch", "context", "seed"):
        assert type(result[key]) is int, key
    assert len(result["record_hash"]) == 64


def test_sums_over_operators_are_the_totals(result: Any) -> None:
    ops = result["ops"]
    assert sum(op["cycles"] for op in ops) == result["cycles"]
    assert sum(op["macs"] for op in ops) == result["macs"]
    assert sum(op["energy_pj"] for op in ops) == pytest.approx(result["energy_pj"], rel=1e-12)
    assert sum(op["seconds"] for op in ops) == pytest.approx(result["seconds"], rel=1e-12)
    moved: dict[str, int] = {}
    for op in ops:
        for memory, size in op["bytes"].items():
            moved[memory] = moved.get(memory, 0) + size
    assert moved == result["bytes"]


def test_causes_sum_to_cycles_and_parts_to_energy(result: Any) -> None:
    for op in result["ops"]:
        assert sum(op["causes"].values()) == op["cycles"], op["name"]
        assert sum(part["pj"] for part in op["energy_by"].values()) == pytest.approx(op["energy_pj"], rel=1e-9), op["name"]
        assert op["ideal_cycles"] <= op["cycles"], op["name"]


def test_bandwidth_that_is_lost_is_said_beside_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    """2 % less bandwidth than a beat each cycle needs halves what moves."""
    words = ("run", "--gemm", "64,64,64", "edge-npu", "--set", "memories.dram.bandwidth=15.7 GB/s")
    note = "engines.array: bandwidth 15.7 GB/s of dram is rounded to 8.00 GB/s (49 % lost): a port of 16 bytes moves a beat every 2 cycles"
    assert [text.startswith(note) for text in said(capsys, *words, "--json").json["notes"]] == [True, False]
    assert "note     engines.array: bandwidth 15.7 GB/s of dram is rounded" in said(capsys, *words).out
    assert said(capsys, *words, "--fidelity", "bound", "--json").json["notes"] == []
    assert said(capsys, *words[:4], "--json").json["notes"] == []


def test_rates_follow_from_time_and_energy(result: Any) -> None:
    assert result["bound_cycles"] <= result["cycles"]
    assert result["seconds"] == pytest.approx(result["cycles"] / result["clock_hz"], rel=1e-9)
    assert result["power_w"] == pytest.approx(result["energy_pj"] * 1e-12 / result["seconds"], rel=1e-12)
    assert result["tokens_per_second"] == pytest.approx(result["tokens"] / result["seconds"], rel=1e-12)
    assert result["tokens_per_joule"] == pytest.approx(result["tokens_per_second"] / result["power_w"], rel=1e-9)
    latency = {"prefill": "time_to_first_token", "decode": "time_per_output_token", "mixed": "time_per_output_token"}
    if result["stage"] in latency:
        assert result[latency[result["stage"]]] == result["seconds"]
    assert all(0 < share <= 1 for share in result["utilisation"].values())
    for engine, share in result["utilisation"].items():
        ideal = sum(op["ideal_cycles"] for op in result["ops"] if op["engine"] == engine)
        assert share == pytest.approx(ideal / result["cycles"], rel=1e-9)


def test_provenance_is_that_of_the_weakest_part(result: Any) -> None:
    assert result["provenance"].keys() == {"cycles", "seconds", "energy", "area"}
    assert result["provenance"]["cycles"] in {op["provenance"] for op in result["ops"]}
    assert result["provenance"]["energy"] in {op["energy_pj_provenance"] for op in result["ops"]}


def test_the_certificate_comes_along(result: Any) -> None:
    proof = result["certificate"]
    assert proof["lower_bound"] <= proof["value"]
    assert 0 < proof["evaluated"] <= proof["space"]
    assert (proof["gap"] == 0) == (proof["lower_bound"] == proof["value"])


def test_the_same_command_gives_the_same_answer(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "mixtral-8x7b", "cloud", "--batch", "3", "--json", "--seed")
    first, again, other = (said(capsys, *words, seed).json for seed in ("7", "7", "8"))
    assert first == again
    assert first["seed"] == 7
    assert first["routing"] == "uniform"
    assert other["record_hash"] != first["record_hash"]


def test_bound_has_no_mapping_and_no_energy(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "mixtral-8x7b", "cloud", "--batch", "4", "--json", "--routing")
    found = said(capsys, *words, "expected", "--fidelity", "bound").json
    assert found["cycles"] == found["bound_cycles"]
    assert found["energy_pj"] is None
    assert found["power_w"] is None
    assert found["certificate"] is None
    assert said(capsys, *words, "worst").json["cycles"] > 0


def test_analytic_and_cycle_are_equal(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "gpt2", "edge-npu", "--stage", "prefill", "--tokens", "40", "--json", "--fidelity")
    analytic, cycle = (said(capsys, *words, fidelity).json for fidelity in ("analytic", "cycle"))
    assert [op["cycles"] for op in analytic["ops"]] == [op["cycles"] for op in cycle["ops"]]


@pytest.mark.parametrize("words", RUNS.values(), ids=[name.replace(" ", "-") for name in RUNS])
def test_the_table_fits_a_hundred_columns_and_is_plain_text(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "run", *words).out
    assert max(map(len, out.splitlines())) <= 100
    assert out.isascii()
    assert "…" not in out
    for heading in ("operators", "engine", "cycles", "time", "energy", "DRAM traffic", "util", "bound by", "cycles are"):
        assert heading in out


def test_the_table_says_what_the_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "llama-3.1-8b", "cloud", "--stage", "prefill", "--tokens", "256")
    plain, out = said(capsys, *words, "--json").json, said(capsys, *words).out
    total = next(line for line in out.splitlines() if line.startswith("total"))
    assert f"{plain['cycles']:,}" in total
    assert plain["provenance"]["cycles"] in total
    groups = {(op["group"], op["engine"]) for op in plain["ops"]}
    body = out.split("-" * 60)[1]
    assert len([line for line in body.splitlines() if line.strip("- ")]) == len(groups)
    for line in ("to the first token", "tokens/s", "times the roofline's", "tokens/J (extrapolated; from ",
                 "mm2 of 7 nm (extrapolated; from ", "proved best in ", plain["record_hash"][:16]):  # fmt: skip
        assert line in " ".join(out.split())


def test_default_stage_follows_from_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    def stage(*words: str) -> str:
        return str(said(capsys, "run", *words, "edge-npu", "--json", "--fidelity", "bound").json["stage"])

    assert stage("gpt2") == "decode"
    assert stage("gpt2", "--tokens", "9") == "prefill"
    assert stage("gpt2", "--decodes", "1,9") == "mixed"
    assert stage("bert-base-uncased") == "prefill"
    assert stage("--gemm", "2,3,4") == "gemm"


def test_options_may_stand_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    first = said(capsys, "run", "--batch", "2", "gpt2", "--json", "edge-npu", "--context", "7").json
    other = said(capsys, "run", "gpt2", "edge-npu", "--context", "7", "--batch", "2", "--json").json
    assert first.pop("command") != other.pop("command")
    assert first == other
    assert (first["batch"], first["context"]) == (2, 7)


def test_bits_and_sets_reach_work_and_machine(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "--gemm", "32,64,128", "edge-npu", "--json", "--fidelity", "bound")
    assert said(capsys, *words, "--bits", "weight=4").json["resident"]["weight"] == 64 * 128 // 2
    assert said(capsys, *words, "--set", "clock=500 MHz").json["clock_hz"] == 500_000_000


def test_a_file_gets_what_would_be_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "--gemm", "32,64,128", "edge-npu")
    for name, more in (("a.json", ()), ("b.txt", ()), ("c.txt", ("--json",))):
        done = said(capsys, *words, *more, "-o", str(tmp_path / name))
        assert (done.code, done.out) == (0, "")
        assert done.err == f"wrote {tmp_path / name}\n"
    first, second, printed = (json.loads(text) for text in ((tmp_path / "a.json").read_text(), (tmp_path / "c.txt").read_text(),
                                                            said(capsys, *words, "--json").out))  # fmt: skip
    assert first.pop("command") == f"archmodel run --gemm 32,64,128 edge-npu -o {tmp_path / 'a.json'}"
    assert second.pop("command") == f"archmodel run --gemm 32,64,128 edge-npu --json -o {tmp_path / 'c.txt'}"
    assert printed.pop("command") == "archmodel run --gemm 32,64,128 edge-npu --json"
    assert first == second == printed
    assert (tmp_path / "b.txt").read_text() == said(capsys, *words).out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.txt", "c.txt"]


def test_a_terminal_gets_bold_headings_and_a_file_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, path = ("run", "--gemm", "32,64,128", "edge-npu"), tmp_path / "a.txt"
    plain = said(capsys, *words).out
    monkeypatch.setattr("sims.report.grid._colour", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    styled = said(capsys, *words).out
    assert "\x1b[1m" in styled
    said(capsys, *words, "-o", str(path))
    assert [line.rstrip() for line in path.read_text().splitlines()] == plain.splitlines()


def test_costs_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text("""rows:
- {action: wire, unit: pj/mm, value: 1e-9, low: 0, high: 1e-9, node: 16 nm, condition: free wires, source: nobody, provenance: published}
""")
    words = ("run", "--gemm", "64,64,64", "edge-npu")
    ours, theirs = (said(capsys, *words, *more, "--json").json for more in ((), ("--costs", str(table))))
    assert theirs["ops"][0]["energy_by"]["wires"]["pj"] < 1e-6 * ours["ops"][0]["energy_by"]["wires"]["pj"]
    assert theirs["costs"].startswith("mine.yaml ")
    assert f"costs    {theirs['costs']}" in said(capsys, *words, "--costs", str(table)).out
    assert "costs    " not in said(capsys, *words).out
