"""Machines of floating point on the command line: formats in the machine, widths in the work."""

from __future__ import annotations

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
    assert "a has 8 bits and array takes a first operand of 16 (bf16); bits of activation 16 would fit" in answer.err
