"""The main job: four tables, and a product that model and hardware agree on, or exit code 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archmodel import load_machine
from archmodel.engines import systolic
from archmodel.records.base import SpecError
from sims import main_job
from sims.commands.arrays import array_of, product_jobs
from sims.cosim import build


def test_one_table_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    main_job.stages()
    out = capsys.readouterr().out
    titles = [line for line in out.splitlines() if " on cloud at fidelity analytic" in line]
    assert titles == [
        "llama-3.1-8b prefill, 1 x 2,048 tokens, on cloud at fidelity analytic",
        "llama-3.1-8b decode, batch 16, context 4,096, on cloud at fidelity analytic",
        "mixtral-8x7b prefill, 1 x 2,048 tokens, on cloud at fidelity analytic",
        "mixtral-8x7b decode, batch 16, context 4,096, on cloud at fidelity analytic",
    ]
    assert out.count("\ntotal ") == 4
    assert max(map(len, out.splitlines())) <= 100


def test_missing_tools_are_named_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing() -> None:
        raise SpecError("verilator: not found")

    monkeypatch.setattr(build, "check_tools", missing)
    assert main_job.main() == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "archmodel: verilator: not found\n")


@pytest.mark.rtl
@pytest.mark.xdist_group("cli")
def test_agreement_is_printed_with_its_numbers_and_a_difference_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    array = array_of(load_machine("edge-npu"), (4, 4))
    [(_, job)] = product_jobs(array, (3, 16, 40), 1)
    assert main_job._compare(array, job) == 0
    out = capsys.readouterr().out
    cycles = out.split("cycles    ")[1].split(" ")[0]
    assert f"{cycles} in the closed form, {cycles} in the cycle model, {cycles} in hardware" in out
    assert "model and hardware agree: cycles equal, commands equal, every output bit equal" in out

    honest = systolic.run

    def late(*given: Any, **more: Any) -> Any:
        found = honest(*given, **more)
        return replace(found, cycles=found.cycles + 1)

    monkeypatch.setattr(systolic, "run", late)
    assert main_job._compare(array, job) == 1
    assert "model and hardware DIFFER in cycles" in capsys.readouterr().out
