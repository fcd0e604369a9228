"""Cycle model and generated hardware agree exactly: totals, start and end of every command, every bit of memory."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest

from archmodel.records.engines.systolic import Hardware
from sims.cosim.compare import check
from sims.cosim.crosscheck import is_wide
from sims.cosim.drive import Engine
from sims.cosim.engines.systolic import same_cycles
from sims.cosim.jobs import Job, continue_job, golden, random_job, unpack_result

from . import float_definition
from .configurations import CONFIGURATIONS, LARGEST, PROGRAMS

CONTINUED = 12
RESETS = 12
WILD = 40


EACH = [pytest.param(name, id=name.replace(",", "").replace(" ", "-")) for name in CONFIGURATIONS]


@pytest.mark.parametrize("name", EACH)
def test_model_and_hardware_agree(name: str) -> None:
    """One test a configuration, so that each simulator is built by one process and none waits for another."""
    with Engine(CONFIGURATIONS[name]) as engine:
        random_programs_back_to_back(engine)
        accumulation_goes_on_in_a_second_program(engine)
        reset_at_any_cycle_is_clean(engine)
        wild_programs_take_the_same_cycles(engine)
        the_golden_is_the_definition(engine)


def seeds(hardware: Hardware, count: int) -> range:
    """The same seeds in every run, others for every configuration."""
    first = zlib.crc32(repr(hardware).encode()) % 10**6 * 10**3
    return range(first, first + count)


def assert_equal(job: Job, engine: Engine) -> None:
    verdict = check(job, engine)
    assert not verdict.failures, verdict.report


def test_there_are_enough_configurations_for_three_thousand_equalities() -> None:
    assert len(CONFIGURATIONS) >= 12
    assert len(CONFIGURATIONS) * PROGRAMS >= 3000
    assert len(set(CONFIGURATIONS.values())) == len(CONFIGURATIONS)


def random_programs_back_to_back(engine: Engine) -> None:
    """One reset, then every Program after the other on the same engine."""
    equal, stalled, steps, wide = 0, 0, 0, 0
    for seed in seeds(engine.hardware, PROGRAMS):
        job = random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=LARGEST, wide=is_wide(seed))
        wide += is_wide(seed)
        assert_equal(job, engine)
        equal, stalled, steps = equal + 1, stalled + (job.stalls is not None), steps + math.prod(job.tiling.loops)
    assert equal == PROGRAMS
    assert stalled == PROGRAMS // 2
    assert steps > 4 * PROGRAMS
    assert wide >= PROGRAMS // 8 - 1


def accumulation_goes_on_in_a_second_program(engine: Engine) -> None:
    """K split over two Programs, the second starting from the raw sums in memory, equals the whole."""
    done = 0
    for seed in seeds(engine.hardware, 100 * CONTINUED):
        first = random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=LARGEST)
        if first.tiling.requantise or done == CONTINUED:
            continue
        memory = first.memory.copy()
        assert engine.run(first.program, first.port, memory, first.stalls).status == "done"
        second = continue_job(first, memory, k=1 + seed % first.tiling.k, requantise=bool(seed // 2 % 2), seed=seed)
        assert_equal(second, engine)
        done += 1
        if engine.hardware.is_float:
            continue
        operands = second.operands
        whole = first.operands.initial + np.hstack((first.operands.a, operands.a)) @ np.vstack((first.operands.b, operands.b))
        start = second.operands.initial + operands.a @ operands.b
        assert np.array_equal((whole - start) % 2**32, np.zeros_like(whole))
    assert done == CONTINUED


def reset_at_any_cycle_is_clean(engine: Engine) -> None:
    """A Program cut off by reset in a random cycle, then the same one from the beginning."""
    for seed in seeds(engine.hardware, RESETS):
        job = random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=LARGEST)
        whole = engine.run(job.program, job.port, job.memory.copy(), job.stalls)
        cut = int(np.random.default_rng(seed).integers(1, whole.cycles))
        assert engine.run(job.program, job.port, job.memory.copy(), job.stalls, max_cycles=cut).status == "too long"
        engine.reset()
        assert_equal(job, engine)


def wild_programs_take_the_same_cycles(engine: Engine) -> None:
    """Programs that no mapping gives: loads and stores want the port at once, loops four deep, tokens anyhow."""
    for seed in seeds(engine.hardware, WILD):
        assert same_cycles(engine.hardware, engine, seed), f"wild Program of seed {seed} on {engine.hardware}"


def the_golden_is_the_definition(engine: Engine) -> None:
    """What the comparison takes for true, against sums of Python integers; of floating point, of its fractions."""
    if engine.hardware.is_float:
        float_definition.check(random_job(engine.hardware, seeds(engine.hardware, 1)[0], largest=5))
        return
    job = random_job(engine.hardware, seeds(engine.hardware, 1)[0], largest=5)
    memory = job.memory.copy()
    engine.run(job.program, job.port, memory, job.stalls)
    a, b, start = (part.tolist() for part in (job.operands.a, job.operands.b, job.operands.initial))
    result, wanted = unpack_result(job, memory), golden(job.tiling, job.operands, job.hardware)
    for i in range(job.tiling.m):
        for j in range(job.tiling.n):
            total = (start[i][j] + sum(a[i][k] * b[k][j] for k in range(job.tiling.k)) + 2**31) % 2**32 - 2**31
            assert result[i, j] == wanted[i, j]
            assert job.tiling.requantise or result[i, j] == total
