"""Two ways to floating point, the model's (binary64, rounded to odd) and the golden's (integers), against fractions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from archmodel import floating
from archmodel.records.formats import BF16, E4M3, E5M2, FLOATS, FP32, Format, format_of
from sims.cosim import floats
from sims.cosim.arithmetic import specials
from sims.cosim.jobs import random_job

from . import float_definition as definition
from .configurations import CONFIGURATIONS

PAIRS = [pytest.param(format_of(x), format_of(y), id=f"{x}-{y}") for x, y in itertools.product(FLOATS, FLOATS)]
Rng = np.random.Generator


def numbers(known: Format, count: int, rng: Rng) -> Any:
    """Specials and draws of every kind."""
    drawn = [floats.draw((count // 8,), known, rng) for _ in range(7)]
    return rng.permutation(np.concatenate((*drawn, rng.choice(specials(known), count - 7 * (count // 8)))))


def same(ours: Any, theirs: Any, wanted: list[int]) -> None:
    assert ours.tolist() == wanted
    assert theirs.tolist() == wanted


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_multiply_add(x: Format, y: Format) -> None:
    """Products of any size beside addends of any, near ones, and ones that cancel."""
    rng = np.random.Generator(np.random.PCG64(1))
    a, b, c = numbers(x, 3000, rng), numbers(y, 3000, rng), numbers(FP32, 3000, rng)
    near = floats.multiply_add(a, b, np.zeros_like(a), x, y) ^ 1 << 31
    c[::3] = np.where(floats.exact(near, FP32).nan, 0, np.clip(near + rng.integers(-3, 4, 3000), 0, (1 << 32) - 1))[::3]
    wanted = [definition.multiply_add(*each, x, y) for each in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
    same(floating.multiply_add(a, b, c, x, y), floats.multiply_add(a, b, c, x, y), wanted)


def test_sums_of_fp32() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    a, b = numbers(FP32, 3000, rng), numbers(FP32, 3000, rng)
    wanted = [definition.add(*each) for each in zip(a.tolist(), b.tolist(), strict=True)]
    same(floating.add(a, b), floats.add(a, b), wanted)


@pytest.mark.parametrize("result", [BF16, E4M3, E5M2], ids=lambda result: result.name)
def test_the_way_out(result: Format) -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    value, bias, scale = (numbers(FP32, 2000, rng) for _ in range(3))
    value[::2], bias[::2], scale[::2] = value[::2] & ~0xFFFF, 1 << 31, FP32.bias << FP32.mantissa_bits  # ties of bf16 and fp8
    wanted = [definition.requantise(*each, result) for each in zip(value.tolist(), bias.tolist(), scale.tolist(), strict=True)]
    same(floating.requantise(value, bias, scale, result), floats.requantise(value, bias, scale, result), wanted)


@pytest.mark.parametrize("known", [BF16, E4M3, E5M2], ids=lambda known: known.name)
def test_every_pattern_means_what_ml_dtypes_says(known: Format) -> None:
    kind = {"bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}[known.name]
    patterns = np.arange(1 << known.bits)
    theirs = patterns.astype(f"<u{known.bits // 8}").view(kind).astype(np.float32)
    one = np.full_like(patterns, format_of(known.name).bias << known.mantissa_bits)
    ours = floats.multiply_add(patterns, one, np.full_like(patterns, 1 << 31), known, known)
    assert np.array_equal(ours, floating._patterns(theirs))
    assert np.isposinf(theirs[known.infinity]) if known.has_infinity else np.isnan(theirs[known.largest + 1])
    assert float(theirs[known.largest]) == float(ml_dtypes.finfo(kind).max)


@pytest.mark.parametrize("name", [name for name, hardware in CONFIGURATIONS.items() if hardware.is_float])
def test_goldens_of_whole_jobs(name: str) -> None:
    for seed in range(12):
        definition.check(random_job(CONFIGURATIONS[name], seed, largest=6))


def test_operands_reach_every_corner() -> None:
    """What the random Programs are made of: NaN, infinities, subnormals, zeros of both signs, sums that cancel."""
    drawn = [random_job(CONFIGURATIONS["bf16 all 4x4"], seed, largest=12) for seed in range(200)]
    kinds: dict[str, Callable[[floats.Exact], Any]] = {
        "nan": lambda n: n.nan, "infinite": lambda n: n.infinite, "subnormal": lambda n: (n.size > 0) & (n.size < 128),
        "-0": lambda n: (n.size == 0) & n.negative, "+0": lambda n: (n.size == 0) & ~n.negative,
    }  # fmt: skip
    for kind, test in kinds.items():
        assert sum(bool(test(floats.exact(job.operands.a, BF16)).any()) for job in drawn) >= 8, kind
    raw = [floats.exact(floats.golden(job.tiling, job.hardware, job.operands.a, job.operands.b, job.operands.initial,
                                      job.operands.parameters), FP32) for job in drawn if not job.tiling.requantise]  # fmt: skip
    finite = [job for job in raw if not (job.nan | job.infinite).any()]
    assert len(finite) >= len(raw) // 3
    assert len([job for job in raw if job.nan.any() and not job.nan.all()]) >= 5
