"""The arithmetic units alone against the C library: every pair of fp8, every bf16, every edge; and faults that are caught."""

from __future__ import annotations

import itertools

import pytest

from archmodel.records.formats import BF16, E4M3, E5M2, FP32, Format
from sims.cosim import mutants
from sims.cosim.arithmetic import MULTIPLY_ADD, REQUANTIZER, Unit, specials, verilog_of
from sims.cosim.mutants import Mutation

ONE, MINUS_ZERO = FP32.bias << FP32.mantissa_bits, 0x8000
BYTES, HALVES = range(1 << 8), range(1 << 16)
FP8 = [pytest.param(*pair, id=f"{pair[0].name}-{pair[1].name}") for pair in itertools.product((E4M3, E5M2), repeat=2)]


def check(found: object, compared: int) -> None:
    assert (found.report, found.wrong, found.compared) == ("", 0, compared)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("x", "y"), FP8)
def test_every_pair_of_fp8(x: Format, y: Format) -> None:
    """All 65,536 pairs, each with every special addend and 20 drawn ones."""
    unit, addends = Unit(x, y), specials(FP32)
    check(unit.sweep(BYTES, BYTES, addends, drawn=20, seed=1), (1 << 16) * (len(addends) + 20))


def test_every_bf16() -> None:
    """Every special with every special and every special addend; all 65,536 with 24 partners each, 6 addends a pair; and
    all with each special partner."""
    unit, edges, addends = Unit(BF16, BF16), specials(BF16), specials(FP32)
    for x, y in itertools.product(edges, edges):
        check(unit.sweep(range(x, x + 1), range(y, y + 1), addends), len(addends))
    check(unit.sweep(HALVES, 24, drawn=6, seed=2), (1 << 16) * 24 * 6)
    for y in edges:
        check(unit.sweep(HALVES, range(y, y + 1), drawn=2, seed=y), (1 << 16) * 2)


@pytest.mark.parametrize("y", [E4M3, E5M2], ids=lambda y: y.name)
def test_every_bf16_with_fp8(y: Format) -> None:
    """All with 32 partners each; every special with every special and every special addend."""
    unit, addends = Unit(BF16, y), specials(FP32)
    check(unit.sweep(HALVES, 32, drawn=2, seed=3), (1 << 16) * 32 * 2)
    for a, b in itertools.product(specials(BF16), specials(y)):
        check(unit.sweep(range(a, a + 1), range(b, b + 1), addends), len(addends))


@pytest.mark.parametrize("result", [BF16, E4M3, E5M2], ids=lambda result: result.name)
def test_the_way_out(result: Format) -> None:
    """The conversion alone (a bias of -0, a scale of one): every value that a bf16 extends by zeros and every one halfway
    between two, each with its neighbours, so every tie and both its sides; then sum, product and conversion on drawn values,
    where each earlier rounding decides the last one, and on every edge."""
    unit, upper, edges = Unit(result), range(1 << 16), specials(FP32)
    plain = range(MINUS_ZERO, MINUS_ZERO + 1)
    for first in (0, 1, (1 << 15) - 1, 1 << 15, (1 << 15) + 1, (1 << 16) - 1):
        check(unit.sweep(range(first, 1 << 32, 1 << 16), plain, (ONE,)), 1 << 16)
    for value in edges:
        near = range(max(0, value - 1), min(1 << 32, value + 2))
        check(unit.sweep(near, plain, (ONE,)), len(near))
    # 2^-134 times so little more than one that only bits lost below the subnormals of fp32 say to which side of a tie it lies.
    check(unit.sweep(range(ONE | 0x81, ONE | 0x82), plain, (1 << 15,)), 1)
    check(unit.sweep(upper, 8, (ONE, FP32.infinity, 0, 1), drawn=4, seed=4), (1 << 16) * 8 * 8)
    for value, bias in itertools.product(edges, (edge >> 16 for edge in edges)):
        check(unit.sweep(range(value, value + 1), range(bias, bias + 1), edges), len(edges))


# --- Planted faults ---------------------------------------------------------------------------------------------------

FAULTS = (
    Mutation("sticky bit dropped", MULTIPLY_ADD, r"assign sum_sticky = (.*);", "1'b0"),
    Mutation("sum of opposite numbers negative", MULTIPLY_ADD, r"assign sum_sign = (.*);", r"sum_magnitude == 0 ? sum_differ : (\g<1>)"),
    Mutation("NaN keeps a sign", MULTIPLY_ADD, r"assign result = (sum_nan \? \S+ : (.*));", r"sum_nan ? {x[7], 31'h7fc00000} : \g<2>"),
)


WAY_OUT_FAULTS = (
    Mutation("sum rounded half up", REQUANTIZER, r"assign total_up = ((\S+) & .*);", r"\g<2>"),
    Mutation("product rounded half up", REQUANTIZER, r"assign scaled_up = ((\S+) & .*);", r"\g<2>"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Mutation) -> None:
    """One that only its own sweep need see: later steps of the engine would hide some."""
    source = mutants.mutated(verilog_of(E5M2, E4M3), (fault,), MULTIPLY_ADD, port="").replace("int number = 0", "int number = 1")
    found = Unit(E5M2, E4M3, source).sweep(BYTES, BYTES, specials(FP32), drawn=20, seed=1)
    assert 0 < found.wrong < found.compared // 2
    assert found.report.startswith(f"{found.wrong:,} of {found.compared:,} results wrong; first x 0x")


@pytest.mark.parametrize("fault", WAY_OUT_FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_of_the_way_out_is_found(fault: Mutation) -> None:
    """In a rounding before the last one, whose result has 20 bits less."""
    source = mutants.mutated(verilog_of(E4M3), (fault,), REQUANTIZER, port="").replace("int number = 0", "int number = 1")
    assert Unit(E4M3, source=source).sweep(range(1 << 16), 8, (ONE,), drawn=4, seed=4).wrong > 0
