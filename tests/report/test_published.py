"""Presets beside published figures: the errors are computed, printed, and those that the page names."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.cost import default_costs
from archmodel.records.figure import Figure
from archmodel.sources import sources
from sims.cost_page import cost_page
from sims.report.published import Comparison, comparisons

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text(encoding="utf-8").split())


def test_each_is_printed_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    page = cost_page()
    with capsys.disabled():
        print()
        for each in comparisons():
            print(f"{each.preset}, {each.what}: {each.modelled.value:.3g} {each.unit}, published {each.published:.3g}, "
                  f"{100 * each.error:+.0f} %")  # fmt: skip
            assert f"| {each.preset} | {each.what} | " in page
            assert f" | {100 * each.error:+.0f} % | {'yes' if each.inside else 'no'} |" in page
            assert each.key in sources()
            assert (each.modelled.low or 0) < each.modelled.value < (each.modelled.high or 0)


def test_an_error_is_relative_to_what_was_published() -> None:
    def against(value: float) -> Comparison:
        return Comparison("", "", "W", 40.0, "jouppi-2017", "", Figure(value, 0.5 * value, None, "scaled"))

    assert against(50.0).error == pytest.approx(0.25)
    assert against(30.0).error == pytest.approx(-0.25)
    assert against(80.0).inside
    assert not against(81.0).inside


def test_what_the_page_says_in_words() -> None:
    found = {(each.preset, each.what): each for each in comparisons()}
    assert 1 + found["tpu-v1", "all that is modelled"].error == pytest.approx(0.30, abs=0.005)
    sram = [each for (_, what), each in found.items() if "buffers" in what]
    assert len(sram) == 3
    assert all(0.25 < 1 + each.error < 0.4 and not each.inside for each in sram)
    product = default_costs().energy_pj("int_mul", 8, 16)
    assert f"At 16 nm an 8-bit multiplication is {product.value:.3f} pJ, from {product.low:.2f} (from 45 nm) to {product.high:.2f}" in PAGE


def test_every_row_and_source_is_on_the_page() -> None:
    page = cost_page()
    assert all(f"`{row.action}" in page and row.condition in page for row in default_costs().rows)
    assert all(f"| `{key}` | " in page for key in sources())
