"""The smallest preset fits its FPGA, nothing of it vanishes in synthesis, and the netlist still computes the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.engines.systolic import hardware_of
from archmodel.load import load_machine
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, Hardware
from rtl.systolic import TOP, emit
from sims.synth import confirm as confirming
from sims.synth import synth
from sims.synth.confirm import confirm
from sims.synth.synth import synth_ecp5

LFE5UM5G_85 = {"luts": 83_640, "multipliers": 156, "block_rams": 208}
"""FPGA-DS-02012, table 1.1."""
MAPPED = {"L6MUX21", "PFUMX", "TRELLIS_DPR16X4"}
"""Multiplexers of look-up tables, and look-up tables used as memory."""


def tiny() -> Hardware:
    machine = load_machine("ecp5-tiny")
    return hardware_of(machine, machine.engine("array"))


def requantizer_multipliers(hardware: Hardware) -> int:
    """33 x 32 bits in each column, in 18-bit parts."""
    return 4 * hardware.cols


def memory_bits(hardware: Hardware) -> int:
    """Bits of the operand, result and parameter buffers, and of the three program memories."""
    words = (
        (hardware.x_words, hardware.rows * hardware.x_bits), (hardware.y_words, hardware.cols * hardware.y_bits),
        (hardware.z_words, hardware.cols * 32), (hardware.p_words, hardware.cols * 8 * OUTPUT_PARAMETER_BYTES),
    )  # fmt: skip
    return hardware.banks * sum(depth * width for depth, width in words) + 3 * 256 * hardware.program_words


def test_the_preset_fits_with_multipliers_in_dsps_and_buffers_in_block_ram(capsys: pytest.CaptureFixture[str]) -> None:
    hardware = tiny()
    assert (hardware.rows, hardware.cols, hardware.x_format, hardware.y_format) == (8, 8, "int8", "int8")
    made = synth_ecp5(emit(hardware), TOP)  # which refuses latches, loops and several drivers
    found = made.resources
    with capsys.disabled():
        print(f"\necp5-tiny: {found}")
    assert found.multipliers == hardware.rows * hardware.cols + requantizer_multipliers(hardware)
    assert {name for name, _ in found.other} <= MAPPED
    assert found.block_rams * 18 * 1024 >= memory_bits(hardware)
    elements = hardware.rows * hardware.cols * (2 * hardware.y_bits + 32)  # two stationary operands and a sum
    assert elements < 0.75 * made.registers < found.flip_flops <= made.registers
    for name, limit in LFE5UM5G_85.items():
        assert getattr(found, name) <= 0.9 * limit


def test_the_netlist_behind_axi_runs_programs_bit_for_bit_and_cycle_for_cycle() -> None:
    """At 4x4 with the preset's dataflow and port rules: Verilator needs minutes for that of 8x8, ``python -m sims.synth.confirm``."""
    hardware = replace(tiny(), rows=4, cols=4, port_bytes=4, x_words=64, y_words=64, z_words=64, p_words=8)
    resources, programs, cycles, report = confirm(hardware, range(30))
    assert report == ""
    assert (programs, cycles > 20_000) == (30, True)
    assert f"{16 + requantizer_multipliers(hardware)} MULT18X18D" in resources


def test_a_latch_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^yosys: Assertion failed: selection is not empty: t:\$dlatch"):
        synth_ecp5("module t(input e, d, output reg q); always @* if (e) q = d; endmodule", "t")


def test_verilog_that_yosys_cannot_read_is_one_line() -> None:
    with pytest.raises(SpecError, match=r"^yosys: .*syntax error") as caught:
        synth_ecp5("module t(; endmodule", "t")
    assert "\n" not in str(caught.value)


def test_a_synthesis_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(SpecError, match=r"^yosys: not done after 0.01 s; synthesise a smaller array or allow more time$"):
        synth_ecp5("module t(input a, output b); assign b = a; endmodule", "t", seconds=0.01)


def test_without_pyosys_the_message_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"^pyosys: not installed; pip install 'archmodel\[synth\]' brings it$"):
        synth_ecp5("", "t")


def test_a_netlist_with_a_fault_is_not_confirmed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says so and exits with 1; faults of the hardware itself are planted in tests/cosim."""
    monkeypatch.setattr(confirming, "confirm", lambda hardware, seeds: ("64 LUT4", 1, 9, "model and hardware differ in: cycles"))
    assert confirming.main(["ecp5-tiny", "--programs", "1"]) == 1
    assert capsys.readouterr().out == "ecp5-tiny behind AXI: 64 LUT4\nmodel and hardware differ in: cycles\n"


def test_a_machine_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert confirming.main(["no-such-machine"]) == 2
    assert "no-such-machine" in capsys.readouterr().err
