"""One-pass softmax: the golden beside the datapath, beside fractions of one element, and both beside float64."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from archmodel import floating, requantiser
from archmodel.engines.attention import arithmetic, datapath
from archmodel.records.engines.attention import Hardware
from archmodel.records.exponential import DOWN
from archmodel.records.formats import BF16
from sims.cosim.attention.golden import golden, softmax
from sims.cosim.attention.numerics import error, straight
from sims.cosim.attention.operands import KINDS, Operands, bf16, draw_operands

NAN = BF16.nan
ERRORS = {  # largest errors of `test_the_largest_error`, by format and spread of scores in powers of two
    ("bf16", 1.44): 0.0015, ("bf16", 5.8): 0.004, ("int8", 1.44): 0.65, ("int8", 5.8): 2.0,
}  # fmt: skip
LENGTHS = (64, 256, 1024, 4096, 16384)


def hardware(known: str, rows: int = 4, cols: int = 8, degree: int = 6, rescale: str = "fused", threshold: int = 0,
             weight_bits: int = 10) -> Hardware:  # fmt: skip
    return Hardware(rows, cols, known, degree, 1, 4, rescale, threshold, 0 if known == "bf16" else weight_bits, 0, 4, 8, 2,
                    64, 64, 64, 8, 64, 200, 1024, 512)  # fmt: skip


@pytest.mark.parametrize("known", ["bf16", "int8"])
def test_golden_and_datapath_agree_in_every_bit(known: str) -> None:
    """Two ways to the same numbers, over everything that arithmetic depends on; a second and a half."""
    rng, hidden, nans = np.random.Generator(np.random.PCG64(2)), 0, 0
    for _ in range(120):
        hw = hardware(known, int(rng.integers(2, 6)), 8, int(rng.integers(1, 9)), str(rng.choice(("fused", "split"))),
                      int(rng.choice((0, 0, 2, 8))), int(rng.integers(2, 13)))  # fmt: skip
        of = draw_operands(hw, *(int(size) for size in rng.integers(1, (9, 20, 10, 10))), rng)
        seen = rng.random((len(of.q), len(of.k))) < rng.choice((0.1, 0.5, 0.9, 1))
        shift, out_shift = int(rng.integers(0, 13)), hw.weight_bits + 30 - int(rng.integers(0, 3))
        found = straight(of, seen, hw, shift, out_shift)
        assert np.array_equal(found, golden(of.q, of.k, of.v, seen, hw, shift, out_shift))
        assert not found[~seen.any(axis=1)].any()
        hidden, nans = hidden + int((~seen.any(axis=1)).sum()), nans + int(hw.is_float and (found == NAN).any())
    assert hidden > 20
    assert nans > 5 or known == "int8"


@pytest.mark.parametrize("known", ["bf16", "int8"])
def test_the_golden_runs_none_of_the_models_arithmetic(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hw, rng = hardware(known), np.random.Generator(np.random.PCG64(3))
    of = draw_operands(hw, 5, 11, 4, 3, rng, "ordinary")
    seen = rng.random((5, 11)) < 0.7
    wanted = golden(of.q, of.k, of.v, seen, hw, 4, 40)

    def fail(*given: object) -> None:
        raise AssertionError("the golden calls the model")

    for module in (floating, arithmetic, datapath, requantiser):
        for name in [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]:
            monkeypatch.setattr(module, name, fail)
    assert np.array_equal(golden(of.q, of.k, of.v, seen, hw, 4, 40), wanted)


def test_one_element_of_int8_in_fractions() -> None:
    """Two keys in two tiles, the second one the larger: everything that the definition says, in Python's fractions."""
    hw, shift = hardware("int8", rows=2), 3
    q, k, v = np.array([[3, -2]]), np.array([[1, 1], [0, 0], [4, 3]]), np.array([[100], [0], [-50]])
    seen = np.array([[True, False, True]])
    scores = [3 - 2, 12 - 6]

    def power(distance: int, bits: int) -> int:
        f = Fraction(distance % 8, 8) * 2**16
        p = Fraction(DOWN[6][0], 2**14)
        for c in DOWN[6][1:]:
            p = Fraction((p * f / 2**16 + Fraction(c, 2**14) + Fraction(1, 2)) // 1)
        return int((p / 2**16 / 2 ** (distance // 8) * 2**bits + Fraction(1, 2)) // 1)

    prm = power(scores[1] - scores[0], 16)
    rd = (2**10 * prm + 2**15) // 2**16 + 2**10
    rnv = (100 * 2**10 * prm + 2**15) // 2**16 - 50 * 2**10
    wanted = round(Fraction(rnv * (2**40 // rd), 2**40))
    assert golden(q, k, v, seen, hw, shift, 40).tolist() == straight(Operands(q, k, v), seen, hw, shift, 40).tolist() == [[wanted]]


@pytest.mark.parametrize("known", ["bf16", "int8"])
@pytest.mark.parametrize("rescale", ["fused", "split"])
def test_equal_scores_give_the_mean(known: str, rescale: str) -> None:
    """Every weight is 1, so a sum of whole numbers over a power of two of keys is exact in both formats."""
    hw, rng = hardware(known, rescale=rescale), np.random.Generator(np.random.PCG64(4))
    v = rng.integers(-8, 8, (64, 3))
    wanted = v.mean(axis=0)
    ones = np.ones((1, 2), dtype=np.int64)
    of = Operands(*(bf16(part * 1.0) if known == "bf16" else part for part in (ones, np.repeat(ones, 64, axis=0), v)))
    found = straight(of, np.ones((1, 64), dtype=np.bool_), hw, 4, 40)[0]
    assert found.tolist() == (bf16(wanted).tolist() if known == "bf16" else [round(Fraction(mean)) for mean in wanted])


def test_extreme_scores_give_one_value_and_no_nan() -> None:
    """The largest finite scores, and differences that leave fp32: weight 1 for the largest, 0 for the others."""
    hw = hardware("bf16", rows=2)
    most = np.array([[BF16.largest]])
    k, v = bf16(np.array([[-1.0], [1.0], [0.5], [-0.5]])), bf16(np.array([[1.0], [2.0], [3.0], [4.0]]))
    seen = np.ones((1, 4), dtype=np.bool_)
    assert straight(Operands(most, k, v), seen, hw, 0, 0).tolist() == bf16(np.array([[2.0]])).tolist()
    assert straight(Operands(most, most.repeat(4, axis=0), v), seen, hw, 0, 0).tolist() == [[NAN]]  # an infinite score has no softmax
    minus = most.repeat(4, axis=0) | 0x8000
    assert straight(Operands(most, minus, v), seen, hw, 0, 0).tolist() == [[0]]  # every score is -infinity: as if hidden
    fixed = hardware("int8", rows=2)
    q, k = np.full((1, 9), -128), np.vstack((np.full((3, 9), 127), np.full((1, 9), -128)))
    of = Operands(q, k, np.array([[1], [2], [3], [-128]]))
    assert straight(of, seen, fixed, 0, 40).tolist() == [[-128]]


def test_queries_that_see_nothing_give_zero_whatever_the_operands() -> None:
    for known in ("bf16", "int8"):
        for kind in KINDS:
            of = draw_operands(hardware(known), 8, 12, 3, 4, np.random.Generator(np.random.PCG64(5)), kind)
            seen = np.zeros((8, 12), dtype=np.bool_)
            seen[::2, 5] = True
            found = straight(of, seen, hardware(known), 3, 40)
            assert not found[1::2].any()
            if known == "bf16" and kind not in ("anything", "infinite"):
                assert np.array_equal(found[::2], np.repeat(of.v[5][None], 4, axis=0))


def test_hidden_keys_may_hold_anything() -> None:
    hw = hardware("bf16")
    of = draw_operands(hw, 8, 9, 3, 4, np.random.Generator(np.random.PCG64(6)), "ordinary")
    seen = np.ones((8, 9), dtype=np.bool_)
    seen[:, [2, 7]] = False
    wanted = straight(of, seen, hw, 0, 0)
    for poison in (NAN, BF16.infinity, BF16.infinity | 0x8000):
        k, v = of.k.copy(), of.v.copy()
        k[[2, 7]], v[[2, 7]] = poison, poison
        assert np.array_equal(straight(Operands(of.q, k, v), seen, hw, 0, 0), wanted)


def drawn(known: str, keys: int, spread: float, seed: int) -> tuple[Operands, int]:
    """Normal operands of head size 16, whose scores have the standard deviation ``spread``; and the shift of int8."""
    rng, e, f = np.random.Generator(np.random.PCG64(seed)), 16, 8
    q, k, v = (rng.standard_normal(size) for size in ((8, e), (keys, e), (keys, f)))
    if known == "bf16":
        return Operands(bf16(q * spread / e**0.5), bf16(k), bf16(v)), 0
    q, k, v = (np.clip(np.rint(part * 40), -127, 127).astype(np.int64) for part in (q, k, v))
    return Operands(q, k, v), round(np.log2(1600 * e**0.5 / spread))


@pytest.mark.parametrize("spread", [1.44, 5.8])
@pytest.mark.parametrize("known", ["bf16", "int8"])
def test_the_largest_error(known: str, spread: float) -> None:
    """Against float64 of the same operands, up to 16,384 keys, with and without a threshold, fused and split: of bf16 as a
    share of the largest |V|, of int8 in units of the last place.  Eight seconds in all."""
    for keys in LENGTHS:
        for seed, (rescale, threshold) in enumerate((("fused", 0), ("split", 0), ("fused", 8 if known == "bf16" else 0))):
            of, shift = drawn(known, keys, spread, seed)
            seen = np.tri(8, keys, keys - 8, dtype=np.bool_)
            hw = hardware(known, rows=64, rescale=rescale, threshold=threshold)
            assert error(of, seen, hw, shift) < ERRORS[known, spread]


def test_an_error_of_the_model_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that are never rescaled: right only as long as the first tile has the largest score."""
    of, _ = drawn("bf16", 256, 5.8, 0)
    seen = np.ones((8, 256), dtype=np.bool_)
    unscaled = arithmetic.FloatingPoint.scaled
    monkeypatch.setattr(arithmetic.FloatingPoint, "scaled", lambda self, state, prm, more: unscaled(self, state, prm * 0 + 0x3F80, more))
    assert error(of, seen, hardware("bf16", rows=64)) > 10 * ERRORS["bf16", 5.8]


def test_float64_is_softmax() -> None:
    """The yardstick itself, on numbers that a hand can follow."""
    q, k, v = np.array([[1.0], [1.0]]), np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [2.0], [4.0]])
    seen = np.array([[True, True, False], [False, False, False]])
    assert softmax(q, k, v, seen).tolist() == [[(1 * 1 + 2 * 2) / 3], [0]]
    found = straight(Operands(bf16(q), bf16(k), bf16(v)), seen, hardware("bf16"), 0, 0)
    assert found.tolist() == [bf16(np.array([5 / 3])).tolist(), [0]]
