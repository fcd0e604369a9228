"""Cycle model and generated hardware of the attention engine agree exactly: totals, start and end of every command, every bit."""

from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import pytest

from archmodel.records.engines.attention import Hardware
from archmodel.records.formats import BF16
from sims.cosim.attention.jobs import Job, random_job
from sims.cosim.compare import check
from sims.cosim.crosscheck import is_wide
from sims.cosim.drive import Engine
from sims.cosim.engines.attention import same_cycles

from .attention_configurations import CONFIGURATIONS, JOBS, LARGEST

RESETS, WILD = 8, 30
EACH = [pytest.param(name, id=name.replace(",", "").replace(" ", "-")) for name in CONFIGURATIONS]


@pytest.mark.parametrize("name", EACH)
def test_model_and_hardware_agree(name: str) -> None:
    """One test a configuration, so that each simulator is built by one process: 11 s to build, 4 to 10 s to run."""
    with Engine(CONFIGURATIONS[name]) as engine:
        random_jobs_back_to_back(engine)
        reset_at_any_cycle_is_clean(engine)
        wild_programs_take_the_same_cycles(engine)


def seeds(hardware: Hardware, count: int) -> range:
    """The same seeds in every run, others for every configuration."""
    first = zlib.crc32(repr(hardware).encode()) % 10**6 * 10**3
    return range(first, first + count)


def assert_equal(job: Job, engine: Engine) -> None:
    verdict = check(job, engine)
    assert not verdict.failures, verdict.report


def test_there_are_enough_configurations() -> None:
    hardware = CONFIGURATIONS.values()
    assert len(hardware) >= 8 and JOBS >= 200
    assert {hw.mac_latency for hw in hardware} == {1, 2, 3, 4}
    assert {1, 2, 3, 4} <= {hw.tiles for hw in hardware}
    assert set(range(1, 8)) == {hw.degree for hw in hardware}
    for known in ("int8", "bf16"):
        mine = [hw for hw in hardware if hw.format == known]
        assert {hw.rescale for hw in mine} == {"fused", "split"}
        assert any(hw.threshold for hw in mine) and any(hw.buffer_words for hw in mine)


def kinds(job: Job) -> Counter[str]:
    """What is special about a job, so that none of it goes missing."""
    work, hw, mask = job.work, job.hardware, job.work.mask
    result = job.wanted()
    return Counter(name for name, holds in {
        "partial tile of keys": work.keys % hw.rows, "partial tile of queries": work.packed % hw.cols,
        "e and f differ": work.e != work.f, "several heads": work.heads > 1, f"group {work.group}": True,
        "several blocks": job.size and job.size * hw.cols < work.packed, "no mask": mask.hides_nothing, "causal": mask.causal,
        "window": mask.window and not mask.sink, "sink": mask.sink, "block-sparse": mask.query_block > 1, "pages": mask.query_block == 1,
        "query that sees nothing": not job.seen.any(axis=1).all(), "NaN": hw.is_float and (result == BF16.nan).any(),
        "infinity": hw.is_float and (result & 0x7FFF == BF16.infinity).any(),
        "subnormal": hw.is_float and ((result & 0x7F80 == 0) & (result & 0x7F != 0)).any(),
        "saturated": not hw.is_float and np.isin(result, (-128, 127)).any(),
    }.items() if holds)  # fmt: skip


def random_jobs_back_to_back(engine: Engine) -> None:
    """One reset, then every Program after the other on the same engine."""
    found: Counter[str] = Counter()
    for seed in seeds(engine.hardware, JOBS):
        job = random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=LARGEST, wide=is_wide(seed))
        assert_equal(job, engine)
        found += kinds(job)
    always = ["partial tile of keys", "partial tile of queries", "e and f differ", "several heads", "several blocks", "no mask", "causal",
              "window", "sink", "block-sparse", "pages", "query that sees nothing", *(f"group {g}" for g in range(1, 9))]  # fmt: skip
    ours = ["NaN", "infinity", "subnormal"] if engine.hardware.is_float else ["saturated"]
    assert min(found[name] for name in (*always, *ours)) >= 3, found


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
    """Programs that no attention gives: loads and stores want the port at once, loops four deep, tokens anyhow."""
    for seed in seeds(engine.hardware, WILD):
        assert same_cycles(engine.hardware, engine, seed), f"wild Program of seed {seed} on {engine.hardware}"
