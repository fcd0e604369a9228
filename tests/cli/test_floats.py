"""Machines of floating point on the command line: formats in the machine, widths in the work."""

from __future__ import annotations

import re

import pytest

from .helpers import said

BF16 = ("--set", "engines.array.act=bf16", "--set", "engines.array.weight=bf16")
WIDE = ("--bits", "weight=16,activation=16,kv=16")


def test_a_model_of_bf16(capsys: pytest.CaptureFixture[str]) -> None:
    """Closed form and cycle model agree; twice the bytes of int8 take more cycles, and a multiply-add more energy and area."""
    closed, cycle = (said(capsys, "run", "gpt2", "edge-npu", "--context", "64", *BF16, *WIDE, "--fidelity", fidelity, "--json").json
                     for fidelity in ("analytic", "cycle"))  # fmt: skip
    narrow = said(capsys, "run", "gpt2", "edge-npu", "--context", "64", "--json").json
    assert closed["cycles"] == cycle["cycles"] > 1.5 * narrow["cycles"]
    assert closed["energy_pj"] > narrow["energy_pj"]
    assert closed["area_mm2"] > narrow["area_mm2"]
    assert closed["macs"] == narrow["macs"]


def test_fp8_takes_the_cycles_of_int8(capsys: pytest.CaptureFixture[str]) -> None:
    fp8 = ("--set", "engines.array.act=e4m3", "--set", "engines.array.weight=e4m3")
    ours, theirs = (said(capsys, "run", "--gemm", "64,256,512", "edge-npu", *more, "--json").json for more in (fp8, ()))
    assert ours["cycles"] == theirs["cycles"]


def test_a_width_that_does_not_fit_says_which_would(capsys: pytest.CaptureFixture[str]) -> None:
    answer = said(capsys, "run", "--gemm", "64,256,512", "edge-npu", *BF16)
    assert answer.code == 2
    assert "a has 8 bits and array takes a first operand of 16 (bf16); --bits weight=16,activation=16,kv=16 would fit" in answer.err


def test_the_rtl_refusal_counts_the_slower_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    """fp8 takes the cycles of int8, and four times the seconds to simulate them."""
    fp8 = ("--set", "engines.array.act=e4m3", "--set", "engines.array.weight=e4m3")
    errors = [said(capsys, "run", "llama-3.1-8b", "edge-npu", "--fidelity", "rtl", *more).err for more in ((), fp8)]
    cycles, seconds = zip(*(re.findall(r"([\d,]+) cycles would take about ([\d,]+) s", text)[0] for text in errors), strict=True)
    assert cycles[0] == cycles[1]
    integer, floating = (int(text.replace(",", "")) for text in seconds)
    assert abs(floating - 4 * integer) <= 4
