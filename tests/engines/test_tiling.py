"""What the array can execute: every rule of ``check`` with its text, and that ``check`` is what ``lower`` obeys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.engines.systolic import Bases, Tiling, lower
from archmodel.engines.systolic.tiling import check, fits, longest_k, quantum
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

HARDWARE = Hardware(4, 8, ("os", "ws"), "int8", "int8", 4, 16, 2, 48, 48, 72, 4, 512)
GOOD = Tiling(10, 20, 30, 5, 8, 4)


def test_a_legal_tiling_is_accepted() -> None:
    check(GOOD, HARDWARE)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"flow": "is"}, "tiling: dataflow is, and this array has os, ws"),
        ({"order": ("m", "n", "n")}, "tiling: order ('m', 'n', 'n'), expected each of m, n, k once"),
        ({"m": 0}, "tiling: m is 0 in tiles of 5, expected at least 1"),
        ({"n": -3}, "tiling: n is -3 in tiles of 8, expected at least 1"),
        ({"tile_k": 0}, "tiling: k is 30 in tiles of 0, expected at least 1"),
        ({"tile_k": 6}, "tiling: tile_k is 6, expected a multiple of 4 or the whole rank (30)"),
        ({"tile_n": 12}, "tiling: tile_n is 12, expected a multiple of 8 or the whole rank (20)"),
        ({"tile_m": 10, "tile_k": 30}, "tiling: the tile fits no buffer: X needs 80 words and a bank has 48"),
        (
            {"m": 200, "n": 200, "tile_m": 200, "tile_n": 200},
            "tiling: the tile fits no buffer: X needs 200 words and a bank has 48, Y needs 100 words and a bank has 48, "
            "Z needs 5000 words and a bank has 72",
        ),
        (
            {"m": 1, "n": 96, "tile_n": 96, "requantise": True},
            "tiling: the tile fits no buffer: P needs 12 words and a bank has 4",
        ),
        ({"k": 131072}, "tiling: k is 131,072, and a 32-bit accumulator surely holds 131,071 products; shorten it, or set t"
            "he engine's overflow to wrap if its operands are never so large at once"),
    ],
)
def test_an_illegal_tiling_is_refused_with_its_reason(change: dict[str, object], text: str) -> None:
    wrong = replace(GOOD, **change)  # type: ignore[arg-type]
    for refuse in (lambda: check(wrong, HARDWARE), lambda: lower(wrong, HARDWARE, Bases(0, 0, 0, 0, 0))):
        with pytest.raises(SpecError) as caught:
            refuse()
        assert str(caught.value) == text


def test_the_longest_k_just_cannot_overflow() -> None:
    k = longest_k(HARDWARE)
    assert k * 128 * 128 < 2**31 <= (k + 1) * 128 * 128
    check(replace(GOOD, k=k), HARDWARE)


@pytest.mark.parametrize("flow", ["ws", "os"])
def test_a_tile_as_large_as_its_rank_needs_no_multiple(flow: str) -> None:
    tiling = Tiling(3, 5, 7, 3, 5, 7, flow)
    assert all(quantum(flow, rank, HARDWARE) in (1, 4, 8) for rank in "mnk")
    check(tiling, HARDWARE)
    assert fits(tiling, HARDWARE)
