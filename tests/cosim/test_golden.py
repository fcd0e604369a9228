"""The golden is written apart from what it judges: no code of the model's arithmetic, and the same results."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel import floating
from archmodel.engines.systolic import datapath
from sims.cosim import jobs

from .configurations import CONFIGURATIONS


@pytest.mark.parametrize("name", ["all 4x4", "bf16 all 4x4", "e4m3 all 2x4, single buffers"])
def test_the_golden_runs_none_of_the_models_arithmetic(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise AssertionError("the golden calls the model")

    made = [jobs.random_job(CONFIGURATIONS[name], seed) for seed in range(8)]
    wanted = [jobs.golden(job.tiling, job.operands, job.hardware) for job in made]
    for function in ("requantise", "_wrap", "window"):
        monkeypatch.setattr(datapath, function, fail)
    for method in ("_exec", "_fold", "_requantised"):
        monkeypatch.setattr(datapath.Datapath, method, fail)
    for function in [name for name, value in vars(floating).items() if getattr(value, "__module__", "") == floating.__name__]:
        monkeypatch.setattr(floating, function, fail)
    assert jobs.requantise is not datapath.requantise
    for job, result in zip(made, wanted, strict=True):
        assert np.array_equal(jobs.golden(job.tiling, job.operands, job.hardware), result)


def test_golden_and_model_round_alike() -> None:
    """Two ways to the same numbers: 64-bit shifts and masks there, fractions here."""
    rng = np.random.Generator(np.random.PCG64(5))
    values, bias = (rng.integers(-(1 << 31), 1 << 31, 4000) >> rng.integers(0, 32, 4000) for _ in range(2))
    multiplier, shift = rng.integers(0, 1 << 31, 4000) >> rng.integers(0, 31, 4000), rng.integers(0, 64, 4000)
    ours = jobs.requantise(values, bias, multiplier, shift)
    assert np.array_equal(ours, datapath.requantise(values, bias, multiplier, shift))
    assert len(set(ours.tolist())) > 100
