"""The cross-check as a user calls it, and the long run: counts, exit codes, and what a mismatch prints."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from archmodel.engines.systolic import timing
from archmodel.records.formats import FLOATS
from sims.cosim import long
from sims.cosim.crosscheck import crosscheck, is_wide, random_jobs
from sims.cosim.engines import systolic
from sims.cosim.jobs import MOST_STEPS, random_job

from .configurations import CONFIGURATIONS

HARDWARE = CONFIGURATIONS["all 4x4"]


def test_agreement_counts_what_was_compared() -> None:
    found = crosscheck(HARDWARE, random_jobs(HARDWARE, range(6), largest=9), wild=range(2))
    assert found.equal
    assert (found.programs, found.wild) == (6, 2)
    assert found.commands > 6
    assert found.cycles > 6 * 16


def test_the_first_difference_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "exec_cycles", lambda run, hardware: 10**6)
    found = crosscheck(HARDWARE, random_jobs(HARDWARE, range(6), largest=9), wild=range(2))
    assert not found.equal
    assert (found.programs, found.wild) == (1, 0)
    assert "repeat: python -m sims.cosim.repeat --hardware '" in found.report


def test_the_deadline_ends_it() -> None:
    found = crosscheck(HARDWARE, random_jobs(HARDWARE, range(6), largest=9), wild=range(2), deadline=0.0)
    assert (found.programs, found.wild, found.report) == (0, 0, "")


def test_the_long_run_reports_each_configuration_and_the_sum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(systolic, "random_hardware", lambda rng, side: HARDWARE)
    monkeypatch.setattr(long, "PROGRAMS", 5)
    monkeypatch.setattr(long, "WILD", 2)
    assert long.main(["--engine", "systolic", "--seed", "9", "--configurations", "2"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(re.search(r"4x4 is\+os\+ws int8xint8 .* Programs and +\d+ wild, +\d+ cycles equal$", line) for line in lines)
    assert re.fullmatch(r"seed 9: 10 Programs and 4 wild ones on 2 configurations, \d+ simulated cycles, all equal", total)


def test_the_long_run_fails_on_a_mismatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(systolic, "random_hardware", lambda rng, side: HARDWARE)
    monkeypatch.setattr(timing, "exec_cycles", lambda run, hardware: 10**6)
    assert long.main(["--engine", "systolic", "--configurations", "1"]) == 1
    text = capsys.readouterr().out
    assert "DIFFER" in text
    assert "repeat: python -m sims.cosim.repeat" in text


def test_random_hardware_is_legal_and_varied() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    drawn = [systolic.random_hardware(rng) for _ in range(300)]
    assert {hardware.dataflows for hardware in drawn} == set(systolic.FLOWS)
    formats = {(hardware.x_format, hardware.y_format) for hardware in drawn}
    assert formats == {("int8", "int8"), ("int8", "int4"), ("int4", "int8"), *itertools.product(FLOATS, FLOATS)}
    assert max(hardware.outstanding for hardware in drawn) > 100
    assert max(hardware.x_words for hardware in drawn) > 400
    for hardware in drawn:
        beats = {name: hardware.beats(name) for name in "XYZPQ"}
        assert min(beats.values()) >= 1
        assert beats["X"] * hardware.port_bytes * 8 == hardware.rows * hardware.x_bits
        assert beats["Q"] * hardware.port_bytes * 8 == hardware.cols * hardware.result.bits


def test_wide_jobs_reach_as_far_as_the_documentation_says() -> None:
    hardware = CONFIGURATIONS["ws 2x2"]
    assert sum(map(is_wide, range(1600))) == 200
    drawn = [random_job(hardware, seed, largest=18, wide=True) for seed in range(80)]
    assert 200 < max(job.port.latency for job in drawn) <= 250
    assert max(job.port.interval for job in drawn) == 8
    assert 250 < max(job.tiling.m for job in drawn) <= 400
    assert max(math.prod(job.tiling.loops) for job in drawn) <= MOST_STEPS


def test_every_random_hardware_has_wide_and_ordinary_jobs() -> None:
    rng = np.random.Generator(np.random.PCG64(8))
    for _ in range(25):
        hardware = systolic.random_hardware(rng)
        assert len(list(random_jobs(hardware, range(4, 11)))) == 7
