"""Random work and hardware of the attention engine: legal, varied, and made again by what a report prints.  Two seconds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from archmodel.engines.attention import cycle
from archmodel.memory.port import Port
from archmodel.records.base import SpecError, to_plain
from archmodel.records.engines.attention import Hardware
from sims.cosim import long
from sims.cosim.attention.jobs import MASKS, Job, random_job, random_mask
from sims.cosim.attention.numerics import straight
from sims.cosim.compare import repeat_command
from sims.cosim.crosscheck import random_jobs
from sims.cosim.engines import attention
from sims.cosim.repeat import job_of, main

from .attention_configurations import CONFIGURATIONS

SMALL = CONFIGURATIONS["int8 4x4"]
FLOAT = CONFIGURATIONS["bf16 4x2"]


def same(a: Job, b: Job) -> bool:
    return a.program == b.program and np.array_equal(a.memory, b.memory) and (a.port, a.stalls) == (b.port, b.stalls)


def test_random_hardware_is_legal_and_varied() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    drawn = [attention.random_hardware(rng) for _ in range(200)]
    assert {hw.format for hw in drawn} == {"int8", "bf16"}
    assert {hw.mac_latency for hw in drawn} == {1, 2, 3, 4}
    assert {hw.degree for hw in drawn} == set(range(1, 9))
    assert {hw.rescale for hw in drawn} == {"fused", "split"}
    assert {hw.banks for hw in drawn} == {2, 3, 4}
    assert max(hw.rows * hw.cols for hw in drawn) <= 100
    assert any(hw.rows % hw.cols and hw.cols % hw.rows for hw in drawn)
    for hw in drawn[:40]:
        assert len(list(random_jobs(hw, range(4, 7)))) == 3
        assert all(hw.beats(name) * hw.port_bytes * 8 == hw.bits(name) for name in "QKVO")
    large = attention.random_hardware(rng, 32)
    assert (large.rows, large.cols) == (32, 32)


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_shape_are_drawn(kind: str) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    drawn = [random_mask(9, 17, rng, kind) for _ in range(20)]
    assert all(mask.hides_nothing for mask in drawn) == (kind == "none")
    assert kind in ("none", "causal") or len(set(drawn)) > 15


@pytest.mark.parametrize("hardware", [SMALL, FLOAT], ids=["int8", "bf16"])
def test_a_recipe_gives_the_job_again(hardware: Hardware) -> None:
    for seed in range(6):
        job = random_job(hardware, seed, stalled=bool(seed % 2), largest=12)
        command = repeat_command(job)
        assert command.startswith("python -m sims.cosim.repeat --hardware '{")
        _, record, rest = command.split("'", 2)
        assert same(job_of(["--hardware", record, *rest.split()])[0], job)
        by_shape = attention.given_job(hardware, {"work": to_plain(job.work), "size": job.size}, job.port, job.stalls, seed)
        _, record, rest = repeat_command(by_shape).split("'", 2)
        before, shape, after = rest.split("'")
        assert same(job_of(["--hardware", record, *before.split(), shape, *after.split()])[0], by_shape)


def test_repeat_names_an_engine_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "nothing", "--hardware", json.dumps(to_plain(SMALL)), "--seed", "1"]) == 2
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("hardware", [SMALL, FLOAT], ids=["int8", "bf16"])
def test_the_whole_program_gives_what_its_tiles_give(hardware: Hardware) -> None:
    """Lowered, moved and looped, beside tile after tile with no Program: the same bits, where one tile of queries is all."""
    for seed in range(40):
        job = random_job(hardware, seed, stalled=False, largest=10)
        memory = job.memory.copy()
        cycle.run(job.program, hardware, job.port, memory)
        found = job.found(memory)
        assert np.array_equal(found, job.wanted())
        if job.work.packed <= hardware.cols:
            roomy = replace(hardware, m_words=8)
            for head, of in enumerate(job.operands):
                assert np.array_equal(straight(of, job.seen, roomy, job.work.shift, job.work.out_shift), found[head])


def test_random_jobs_are_accepted_and_priced() -> None:
    for seed in range(60):
        job = random_job(SMALL, seed, stalled=False, largest=14, wide=seed % 3 == 0)
        assert job.price() == cycle.run(job.program, SMALL, job.port).cycles
        assert isinstance(job.port, Port)


def test_model_refuses_a_program_of_other_hardware() -> None:
    job = random_job(SMALL, 1, stalled=False, largest=8)
    with pytest.raises(SpecError, match="made for other hardware parameters"):
        cycle.run(job.program, replace(SMALL, degree=4), job.port)


def test_the_long_run_takes_attention_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(attention, "random_hardware", lambda rng, side: SMALL)
    monkeypatch.setattr(long, "PROGRAMS", 4)
    monkeypatch.setattr(long, "WILD", 2)
    assert long.main(["--engine", "attention", "--seed", "9", "--configurations", "1"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.startswith("   1  4x4 int8 degree 3 L 1 N 4 fused") and line.endswith("cycles equal")
    assert total.startswith("seed 9: 4 Programs and 2 wild ones on 1 configurations")
