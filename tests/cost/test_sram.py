"""The fit of SRAM is the least squares of CACTI's points, and its bounds are their residuals."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel.cost import default_costs, sram
from archmodel.cost.sram import AREA, LEAKAGE, LEAKAGE_HIGH, LEAKAGE_LOW, READ, WRITE, Fit

from .fit import fit, points, terms

FITS = {"read_pj": (READ, (2, 3), 0.28), "write_pj": (WRITE, (0, 1, 2, 3), 0.09), "area_um2": (AREA, (4, 1), 0.06)}
"""The fit of a column, its terms, and the greatest root mean square of its relative residuals."""


def ratios(column: str) -> tuple[np.ndarray, np.ndarray]:
    """CACTI over the fit at every point, and its device type."""
    found, (model, _, _) = points(column), FITS[column]
    values = [model.at(size, bits) * model.factor(int(node)) for size, bits, node in zip(found.size, found.bits, found.node, strict=True)]
    return found.value / np.array(values), found.device


@pytest.mark.parametrize("column", FITS)
def test_coefficients_are_the_least_squares(column: str) -> None:
    model, used, _ = FITS[column]
    weights, nodes = fit(points(column).of("hp"), used)
    assert [model.terms[index] for index in used] == pytest.approx(weights, rel=1e-3)
    assert sum(1 for weight in model.terms if weight) == len(used)
    assert model.nodes == pytest.approx(nodes, rel=1e-3)


@pytest.mark.parametrize("column", FITS)
def test_residuals_are_the_bounds(column: str, capsys: pytest.CaptureFixture[str]) -> None:
    ratio, device = ratios(column)
    model, _, most = FITS[column]
    spread = float(np.sqrt(np.mean((ratio[device == "hp"] - 1) ** 2)))
    with capsys.disabled():
        print(f"\nsram {column}: {len(ratio)} points of CACTI 7, {ratio.min():.2f} to {ratio.max():.2f} of the fit, "
              f"rms {100 * spread:.1f} % at hp")  # fmt: skip
    assert model.low == pytest.approx(ratio.min(), abs=2e-3)
    assert model.high == pytest.approx(ratio.max(), abs=2e-3)
    assert spread < most


def test_a_point_that_is_wrong_is_seen() -> None:
    found = points("area_um2").of("hp")
    found.value[:] *= np.where(found.node == 32, 1.05, 1.0)
    assert AREA.nodes != pytest.approx(fit(found, (4, 1))[1], rel=1e-3)


def test_leakage_is_that_of_the_points() -> None:
    found = points("leakage_mw")
    per_bit = found.value * 1e-3 / (8 * found.size)
    for node in LEAKAGE:
        here = found.node == node
        assert LEAKAGE[node] == pytest.approx(np.median(per_bit[here & (found.device == "hp")]), rel=0.01)
        assert LEAKAGE_LOW[node] == pytest.approx(per_bit[here].min(), rel=0.01)
        assert LEAKAGE_HIGH[node] == pytest.approx(per_bit[here].max(), rel=0.01)


@pytest.mark.parametrize(("size", "horowitz"), [(8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0)])
def test_bounds_reach_to_published_accesses(size: int, horowitz: float) -> None:
    figure = sram.energy_pj("sram_read", size, 64, 45)
    assert figure.value < horowitz <= (figure.high or 0)
    assert 0 < (figure.low or 0) < figure.value


@pytest.mark.parametrize(
    ("size", "bits", "node", "provenance"),
    [(64 << 10, 64, 45, "scaled"), (64 << 10, 64, 16, "extrapolated"), (2 << 10, 64, 45, "extrapolated"),
     (32 << 20, 64, 45, "extrapolated"), (32 << 20, 4096, 45, "scaled"), (64 << 10, 16, 45, "extrapolated")],
)  # fmt: skip
def test_provenance_follows_the_range(size: int, bits: int, node: int, provenance: str) -> None:
    assert sram.energy_pj("sram_read", size, bits, node).provenance == provenance


def test_a_wide_word_lies_in_macros_side_by_side() -> None:
    wide, narrow = (sram.energy_pj("sram_write", size, bits, 45).value for size, bits in ((1 << 20, 1024), (1 << 18, 256)))
    assert wide == pytest.approx(4 * narrow)
    assert sram.macros(1 << 20, 1025) == (5, (1 << 20) / 5, 205.0)


def test_terms_are_those_of_the_fit() -> None:
    every = Fit((1.0, 1.0, 1.0, 1.0, 1.0), {45: 1.0}, 1.0, 1.0, 1.0)
    found = points("read_pj")
    assert every.at(float(found.size[7]), float(found.bits[7])) == pytest.approx(terms(found, (0, 1, 2, 3, 4))[7].sum())


def test_no_memory_costs_less_than_a_smaller_one() -> None:
    costs = default_costs()
    sizes = [costs.energy_pj("sram_read", 128, 16, size_bytes=1 << power).value for power in range(10, 26)]
    assert sizes == sorted(sizes)
