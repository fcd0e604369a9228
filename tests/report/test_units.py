"""Quantities, tables and headlines for people."""

from __future__ import annotations

import pytest

from sims.report import units
from sims.report.grid import grid, lines


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (units.time(1.5), "1.50 s"),
        (units.time(0.0123), "12.3 ms"),
        (units.time(9.99e-7), "999 ns"),
        (units.time(0), "0 s"),
        (units.energy(0), "0 pJ"),
        (units.count(0), "0"),
        (units.energy(5.3e12), "5.30 J"),
        (units.energy(12), "12.0 pJ"),
        (units.size(16.78e6), "16.8 MB"),
        (units.size(512), "512 B"),
        (units.count(46.7e9), "46.7 G"),
        (units.share(1, 3), "33 %"),
        (units.share(1, 30), "3.3 %"),
        (units.share(1, 100_000), "<0.1 %"),
        (units.share(0, 5), "0.0 %"),
        (units.share(0, 0), "-"),
        (units.number(23361.4), "23,361"),
        (units.number(9.352), "9.352"),
        (units.number(999.96), "1,000"),
        (units.number(None), "-"),
        (units.brief(111.3), "111"),
        (units.brief(99.96), "100"),
        (units.brief(9.9), "9.90"),
        (units.brief(71_824.0), "71,824"),
    ],
)
def test_quantities(found: str, wanted: str) -> None:
    assert found == wanted


def test_a_table_without_a_terminal_is_plain_and_whole() -> None:
    text = grid("title", ("name", ">cycles"), [["a" * 150, "1"], ["total", "12"]], last_is_total=True)
    assert text.isascii()
    assert text.splitlines() == [
        "title",
        "name" + " " * 146 + "  cycles",
        "-" * 158,
        "a" * 150 + "       1",
        "-" * 158,
        "total" + " " * 145 + "      12",
    ]


def test_headlines_wrap_below_themselves() -> None:
    text = lines([("a", "word " * 30), ("long", "x")])
    assert text.splitlines()[0].startswith("a     word word")
    assert text.splitlines()[1].startswith("      word")
    assert max(map(len, text.splitlines())) <= 100
