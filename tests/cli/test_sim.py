"""archmodel sim, and run at fidelity rtl: agreement found, difference shown, nothing half-written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archmodel import load_machine
from archmodel.engines import systolic
from archmodel.records.base import SpecError
from sims.commands.arrays import Array, array_of
from sims.cosim import compare

from .helpers import said

SMALL = ("sim", "edge-npu", "--scale", "4x4")
SAME = ("engines.array.rows=4", "engines.array.cols=4", "engines.array.port_bytes=4", "memories.buffer.size=80 KiB")
hardware = [pytest.mark.rtl, pytest.mark.xdist_group("cli")]


def sets() -> list[str]:
    return [word for option in SAME for word in ("--set", option)]


def test_scaling_keeps_depths_and_divides_the_port() -> None:
    for name, rows, cols in (("cloud", 16, 16), ("cloud", 32, 8), ("edge-npu", 4, 4), ("tpu-v1", 8, 8), ("ecp5-tiny", 2, 4)):
        machine = load_machine(name)
        full, small = array_of(machine), array_of(machine, (rows, cols))
        assert (small.hardware.rows, small.hardware.cols) == (rows, cols)
        assert small.scaled_from == f"{full.hardware.rows}x{full.hardware.cols}"
        assert small.hardware.dataflows == full.hardware.dataflows
        assert full.hardware.port_bytes % small.hardware.port_bytes == 0
        for buffer in "XYZP":
            assert small.hardware.depth(buffer) >= full.hardware.depth(buffer)


def test_scaling_to_its_own_size_is_no_scaling() -> None:
    machine = load_machine("edge-npu")
    assert array_of(machine, (16, 16)) == array_of(machine)
    assert array_of(machine).scaled_from == ""


def test_scaling_refuses_what_is_larger_in_one_direction() -> None:
    with pytest.raises(SpecError, match="--scale 8x32: larger than the 16x16 array of edge-npu"):
        array_of(load_machine("edge-npu"), (8, 32))


def test_cost_grows_with_the_array() -> None:
    machine = load_machine("tpu-v1")
    costs = [array_of(machine, (size, size)).build_seconds for size in (4, 16, 64, 256)]
    assert costs == sorted(costs)
    assert costs[-1] > 600


ATTENTION = """
name: att
node: 16 nm
clocks: {core: 1 GHz}
memories:
  tiles: {technology: sram, size: 24 KiB}
  dram: {technology: lpddr4, size: 1 GiB, bandwidth: 16 GB/s, latency: 30 ns}
engines:
  attention: {type: attention, clock: core, buffer: tiles, port: dram, rows: 8, cols: 8, format: int8, degree: 2, tiles: 3, port_bytes: 8}
"""


@pytest.fixture
def attention(tmp_path: Path) -> str:
    (tmp_path / "att.yaml").write_text(ATTENTION)
    return str(tmp_path / "att.yaml")


def test_an_attention_engine_is_scaled_too(attention: str) -> None:
    full, small = (array_of(load_machine(attention), scale) for scale in (None, (4, 4)))
    assert (small.hardware.rows, small.hardware.cols, small.scaled_from, small.hardware.port_bytes) == (4, 4, "8x8", 4)
    assert all(small.hardware.depth(buffer) >= full.hardware.depth(buffer) for buffer in "QKVMOS")
    assert small.build_seconds < full.build_seconds


def test_the_engine_to_simulate_is_named(attention: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert array_of(load_machine("edge-npu"), name="array").engine.type == "systolic"
    refused = said(capsys, "sim", "edge-npu", "--engine", "vector")
    assert (refused.code, refused.err) == (2, "archmodel: machine edge-npu: no systolic or attention engine, and only that has hardware to "
                                              "simulate; it has vector (vector)\n")  # fmt: skip
    product = said(capsys, "sim", attention, "--gemm", "4,4,4")
    assert (product.code, product.err) == (2, "archmodel: --gemm: engine attention is of type attention and runs no matrix product; name "
                                              "another with --engine\n")  # fmt: skip


class TestHardware:
    pytestmark = hardware

    def test_random_programs_and_a_product_agree(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = said(capsys, *SMALL, "--programs", "12", "--gemm", "6,9,21", "--json").json
        assert found["agree"] is True
        assert found["equal"] == found["programs"] == 13
        assert (found["array"], found["scaled_from"]) == ("4x4", "16x16")
        assert sum(item["stalled"] for item in found["results"]) == 6
        assert found["cycles"] == sum(item["cycles"] for item in found["results"])
        assert found["report"] == ""

    def test_the_text_says_what_was_equal_and_that_it_is_scaled(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = said(capsys, *SMALL, "--programs", "4", "--gemm", "6,9,21")
        assert found.code == 0
        assert max(map(len, found.out.splitlines())) <= 100
        for part in ("4x4, scaled from 16x16", "6x9x21: equal, ", "4 of 4 Programs equal, seeds 0 to 3, 2 with a stalling port",
                     "model and hardware agree: every cycle, start and end of every command, every bit of memory"):  # fmt: skip
            assert part in " ".join(found.out.split())

    def test_random_attention_on_an_engine_scaled_down(self, attention: str, capsys: pytest.CaptureFixture[str]) -> None:
        found = said(capsys, "sim", attention, "--scale", "4x4", "--programs", "6", "--json").json
        assert (found["agree"], found["equal"], found["engine"], found["array"], found["gemm"]) == (True, 6, "attention", "4x4", None)
        assert found["hardware"]["format"] == "int8"

    def test_a_difference_exits_with_1_and_shows_the_first(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest = systolic.run

        def late(*given: Any, **more: Any) -> Any:
            found = honest(*given, **more)
            events = [*found.trace]
            events[2] = replace(events[2], end=events[2].end + 1)
            return replace(found, cycles=found.cycles + 1, trace=tuple(events))

        monkeypatch.setattr(systolic, "run", late)
        found = said(capsys, *SMALL, "--programs", "5")
        assert found.code == 1
        for part in ("0 of 1 Programs equal", "model and hardware DIFFER", "model and hardware differ in: cycles, commands",
                     "first differing command: number 2", "repeat: python -m sims.cosim.repeat --hardware"):  # fmt: skip
            assert part in found.out
        rtl = said(capsys, "run", "--gemm", "6,9,21", "edge-npu", *sets(), "--fidelity", "rtl")
        assert (rtl.code, rtl.out) == (1, "")
        assert "model and hardware differ in: cycles, commands" in rtl.err

    def test_fidelity_rtl_confirms_what_cycle_says(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ("run", "--gemm", "6,9,21", "edge-npu", *sets(), "--json", "--fidelity")
        rtl, cycle = said(capsys, *words, "rtl").json, said(capsys, *words, "cycle").json
        assert rtl["cycles"] == cycle["cycles"]
        assert rtl["provenance"]["cycles"] == rtl["ops"][0]["provenance"] == "rtl-confirmed"
        assert rtl["fidelity"] == "rtl"

    def test_waves_are_whole_or_not_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = ("sim", "edge-npu", "--scale", "2x2", "--gemm", "3,2,4", "--waves", str(tmp_path / "a.vcd"))
        found = said(capsys, *words, "--json").json
        assert (found["programs"], found["waves"]) == (1, str(tmp_path / "a.vcd"))
        assert [path.name for path in tmp_path.iterdir()] == ["a.vcd"]
        text = (tmp_path / "a.vcd").read_text()
        assert "$enddefinitions" in text
        assert "trace_start" in text
        (tmp_path / "a.vcd").unlink()

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(compare, "check", interrupted)
        assert said(capsys, *words).code == 2
        assert not list(tmp_path.iterdir())


def test_a_waveform_is_of_one_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "sim", "edge-npu", "--programs", "3", "--waves", str(tmp_path / "a.vcd"))
    assert (found.code, found.err) == (
        2, "archmodel: --waves: found --programs 3, and a waveform is of one Program; leave --programs out\n")  # fmt: skip


def test_long_simulations_say_what_they_will_take(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Array, "build_seconds", property(lambda _self: 90.0))
    monkeypatch.setattr("sims.commands.sim._run", lambda *_: pytest.fail("stop here"))
    with pytest.raises(pytest.fail.Exception):
        said(capsys, *SMALL, "--programs", "1")
    assert "archmodel: about 90 s to build the 4x4 array (once, then it is kept) and 0 s to simulate" in capsys.readouterr().err
