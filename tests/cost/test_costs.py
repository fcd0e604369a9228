from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archmodel.cost import Costs, default_costs, sram
from archmodel.cost.reach import Row
from archmodel.cost.scaling import area_factor, energy_factor, power_law, relative_energy, wire_factor
from archmodel.cost.table import UNITS
from archmodel.records.base import SpecError
from archmodel.records.figure import Figure, scaled, total
from archmodel.sources import source, sources

COSTS = default_costs()
NODES = st.integers(5, 180)


@pytest.mark.parametrize("row", COSTS.rows, ids=lambda row: f"{row.action}-{row.bits}-{row.unit}")
def test_every_row_states_what_a_row_must(row: Row) -> None:
    """Node, voltage (or that it is unknown), width, condition, sources that are listed, bounds that enclose the value."""
    assert row.unit in UNITS
    assert row.sources
    assert row.bits >= 1
    assert row.condition
    assert set(row.sources) <= set(sources())
    assert row.voltage or "voltage unknown" in row.condition or "voltage are unknown" in row.condition or row.node_nm is None
    assert row.node_nm or row.technology or row.unit == "ratio"
    assert (row.low or 0) <= row.value <= (row.high or row.value)
    assert row.provenance in ("published", "scaled", "extrapolated")


def test_every_source_is_used_and_says_how_it_was_checked() -> None:
    used = {key for row in COSTS.rows for key in row.sources} | {*sram.SOURCES, *sram.PUBLISHED_SOURCES.values(), "stillmaker-2017"}
    assert used <= set(sources())
    assert all(entry.checked and entry.title for entry in sources().values())


def test_text_that_is_no_key_stands_for_itself() -> None:
    assert source("my foundry's data sheet").title == "my foundry's data sheet"
    assert str(source("horowitz-2014")).startswith("Mark Horowitz, Computing's energy problem")


@pytest.mark.parametrize(
    ("action", "bits", "value"),
    [("int_add", 8, 0.03), ("int_add", 32, 0.1), ("int_mul", 8, 0.2), ("int_mul", 32, 3.1),
     ("add", 16, 0.4), ("mul", 16, 1.1), ("add", 32, 0.9), ("mul", 32, 3.7), ("max", 16, 0.4)],
)  # fmt: skip
def test_a_row_s_own_node_and_width_give_its_value(action: str, bits: int, value: float) -> None:
    figure = COSTS.energy_pj(action, bits, 45)
    assert figure.value == value
    assert figure.provenance == "published"


def test_a_mac_is_a_product_and_a_32_bit_sum() -> None:
    assert COSTS.energy_pj("mac", 8, 45).value == pytest.approx(0.2 + 0.1)


def test_a_narrower_weight_costs_less_and_is_extrapolated() -> None:
    narrow, square = COSTS.energy_pj("mac", 8, 45, by=4), COSTS.energy_pj("mac", 8, 45)
    assert 0.1 < narrow.value < 0.3
    assert narrow.provenance == "extrapolated"
    assert narrow.low and narrow.high and narrow.low < narrow.value < narrow.high <= (square.high or 0)
    assert COSTS.energy_pj("mac", 8, 45, by=8) == COSTS.energy_pj("mac", 8, 45)


def test_dram_does_not_scale_with_the_logic_s_node() -> None:
    assert COSTS.energy_pj("dram_read", 8, 7, technology="hbm2") == COSTS.energy_pj(
        "dram_read", 8, 45, technology="hbm2"
    )
    assert COSTS.energy_pj("dram_read", 64, 45, technology="ddr3").low == pytest.approx(1300, rel=0.01)


@given(NODES, NODES)
def test_energy_and_area_shrink_with_the_node(one: int, other: int) -> None:
    small, large = sorted((one, other))
    for action in ("mac", "add", "exp", "requantise", "wire", "register_write"):
        assert COSTS.energy_pj(action, 16, small).value <= COSTS.energy_pj(action, 16, large).value * 1.0000001
    for part in ("pe", "vector_lane", "sram", "register"):
        assert COSTS.area_um2(part, 16, small).value <= COSTS.area_um2(part, 16, large).value * 1.0000001


@given(st.integers(1 << 10, 1 << 26), st.integers(1 << 10, 1 << 26))
def test_a_larger_memory_costs_no_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert (COSTS.energy_pj("sram_read", 8, 45, size_bytes=small).value
            <= COSTS.energy_pj("sram_read", 8, 45, size_bytes=large).value * 1.0000001)  # fmt: skip


@pytest.mark.parametrize(
    ("node", "provenance"), [(45, "published"), (16, "scaled"), (28, "scaled"), (5, "extrapolated")]
)
def test_provenance_follows_the_node(node: int, provenance: str) -> None:
    assert COSTS.energy_pj("int_mul", 8, node).provenance == provenance


def test_the_example_that_the_scaling_paper_prints() -> None:
    assert relative_energy(32, 0.9) == pytest.approx(0.4571, abs=1e-3)
    assert relative_energy(65, 1.3) == pytest.approx(2.604, abs=1e-3)


def test_scaling_there_and_back_is_the_identity() -> None:
    for one, other in itertools.permutations((65, 45, 28, 16, 7), 2):
        assert energy_factor(one, other)[0] * energy_factor(other, one)[0] == pytest.approx(1)
        assert area_factor(one, other)[0] * area_factor(other, one)[0] == pytest.approx(1)


@given(st.integers(1, 1000))
def test_a_power_law_meets_its_points(at: int) -> None:
    points = {1: 2.0, 10: 20.0, 100: 200.0}
    assert power_law(points, at) == pytest.approx(2 * at)


def test_bounds_of_sram_area_reach_to_published_cells() -> None:
    bits = 8 << 20
    at_28 = COSTS.area_um2("sram", bits, 28)
    assert at_28.high == pytest.approx(bits * 0.16 / 0.7, rel=1e-3)
    assert 0.13 * bits < (at_28.low or 0) <= bits * 0.16 < at_28.value * 1.05
    assert 0.02 < (COSTS.area_um2("sram", 1, 7).low or 0) < 0.05


def test_a_pe_holds_its_multiplier_adder_and_registers() -> None:
    assert COSTS.area_um2("pe", 8, 45).value > 282 + 137
    assert COSTS.area_um2("pe", 8, 45, by=4).value < COSTS.area_um2("pe", 8, 45).value


def test_figures_multiply_whole_arrays() -> None:
    assert np.allclose(COSTS.energy_pj("mac", 8, 45).value * np.arange(4), [0, 0.3, 0.6, 0.9])


def test_a_sum_has_its_weakest_part_s_provenance_and_only_bounds_that_all_parts_have() -> None:
    one = Figure(1.0, 0.5, 2.0, "published", ("a",))
    two = Figure(2.0, 1.5, None, "extrapolated", ("b",))
    assert total((one, two, one)) == Figure(4.0, 2.5, None, "extrapolated", ("a", "b"))
    assert scaled(one, 2, "scaled") == Figure(2.0, 1.0, 4.0, "scaled", ("a",))


@pytest.mark.parametrize(
    ("action", "more", "message"),
    [
        ("fly", {}, ("cost table: no pj row for 'fly' (it has: bf16_add, bf16_mul, div, dram_read, dram_write, exp, fp_add, fp_mul, "
                    "int_add, int_mul, register_write)")),
        ("sram_read", {}, "cost of sram_read: no size_bytes, expected that of the memory"),
        ("dram_read", {"technology": "core"}, ("cost table: no row for dram_read of technology 'core' "
                                              "(it has: ddr3, ddr4, hbm2, hbm2e, lpddr4, lpddr5)")),
    ],
)  # fmt: skip
def test_an_unknown_cost_is_refused(action: str, more: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError) as error:
        COSTS.energy_pj(action, 8, 45, **more)
    assert str(error.value) == message


def test_a_table_of_one_s_own() -> None:
    own = Costs(tuple(row for row in COSTS.rows if row.action == "int_add"))
    assert own.energy_pj("int_add", 8, 45).value == 0.03
    assert own.label != COSTS.label


def test_between_two_published_nodes_the_curve_meets_both() -> None:
    """Horowitz's 45 nm and Jouppi's 7 nm, with the scaling model's estimates from either as bounds."""
    at = {node: COSTS.energy_pj("int_mul", 8, node) for node in (45, 28, 16, 7)}
    assert (at[45].value, at[7].value) == (0.2, 0.07)
    assert 0.2 > at[28].value > at[16].value > 0.07
    assert at[16].low == pytest.approx(0.2 * energy_factor(45, 16, 0.9)[0])
    assert at[16].high == pytest.approx(0.07 * energy_factor(7, 16)[0])
    assert {figure.provenance for figure in at.values()} == {"published", "scaled"}


def test_wires_keep_their_capacitance() -> None:
    assert COSTS.energy_pj("wire", 1, 40).value == 0.121
    assert COSTS.energy_pj("wire", 256, 40).value * 10 == pytest.approx(310, rel=1e-3)
    assert wire_factor(40, 40) == (1.0, "scaled")
    assert wire_factor(45, 7, 0.9)[0] == pytest.approx((0.7 / 0.9) ** 2)


@pytest.mark.parametrize("node", [45, 28, 16, 7])
@pytest.mark.parametrize("action", ["mac", "register_write", "requantise", "wire", "add"])
def test_what_engines_use_has_bounds(action: str, node: int) -> None:
    figure = COSTS.energy_pj(action, 16, node)
    assert figure.low is not None
    assert figure.high is not None
    assert 0 < figure.low <= figure.value <= figure.high


@pytest.mark.parametrize("node", [45, 28, 16, 7])
def test_static_power_has_bounds(node: int) -> None:
    for figure in (COSTS.static_w("leakage", 1e6, node), COSTS.static_w("sram", 8 << 20, node)):
        assert 0 < (figure.low or 0) <= figure.value <= (figure.high or 0)


def test_dram_background_is_standby_and_refresh() -> None:
    """DRAMsim3's DDR4_8Gb_x8_2400: 1.2 V (34 mA + (250 - 43) 420/9360 mA) for a GiB."""
    figure = COSTS.static_w("dram_background", 1 << 30, 45, technology="ddr4")
    assert figure.value == pytest.approx(1.2 * (34 + (250 - 43) * 420 / 9360) * 1e-3, rel=1e-4)
    assert (figure.low or 0) < figure.value < (figure.high or 0)
    assert COSTS.static_w("dram_background", 8 << 30, 45, technology="ddr4").value == pytest.approx(8 * figure.value)


def test_placed_logic_takes_more_than_its_cells() -> None:
    cells = COSTS.area_um2("pe", 8, 28)
    more = COSTS.placed(cells)
    assert (more.low, more.provenance) == (0.0, "extrapolated")
    assert more.value == pytest.approx(0.4286 * cells.value)
    assert more.high == pytest.approx(cells.high)
