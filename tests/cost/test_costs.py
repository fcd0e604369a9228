from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archmodel.cost.table
from archmodel.cost import Costs, default_costs
from archmodel.cost.scaling import area_factor, energy_factor, power_law, relative_energy
from archmodel.records.base import SpecError
from archmodel.records.figure import Figure, scaled, total

TABLE = json.loads(Path(archmodel.cost.table.__file__).with_name("table.json").read_text(encoding="utf-8"))
COSTS = default_costs()
NODES = st.integers(5, 180)


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda row: f"{row['action']}-{row['bits']}-{row['unit']}")
def test_every_row_names_source_node_width_and_condition(row: dict[str, object]) -> None:
    source = TABLE["sources"][row["source"]]
    assert all(source[part] for part in ("cite", "checked"))
    assert all(row[part] for part in ("condition", "bits"))
    assert row["node_nm"] or str(row["action"]).startswith("dram")
    assert row["provenance"] in ("published", "scaled", "extrapolated")


@pytest.mark.parametrize("row", COSTS.rows, ids=lambda row: f"{row.action}-{row.bits}-{row.unit}")
def test_bounds_enclose_the_value(row: archmodel.cost.table.Row) -> None:
    assert (row.low or 0) <= row.value <= (row.high or row.value)


def test_every_source_is_used() -> None:
    assert {row["source"] for row in TABLE["rows"]} == set(TABLE["sources"])


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
    narrow = COSTS.energy_pj("mac", 8, 45, by=4)
    assert 0.1 < narrow.value < 0.3
    assert narrow.provenance == "extrapolated"
    assert COSTS.energy_pj("mac", 8, 45, by=8) == COSTS.energy_pj("mac", 8, 45)


@pytest.mark.parametrize(("size", "value"), [(8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0)])
def test_sram_reads_of_a_published_size(size: int, value: float) -> None:
    assert COSTS.energy_pj("sram_read", 64, 45, size_bytes=size).value == value
    assert COSTS.energy_pj("sram_read", 8, 45, size_bytes=size).value == value / 8


def test_between_two_sizes_the_neighbours_are_the_bounds() -> None:
    figure = COSTS.energy_pj("sram_read", 64, 45, size_bytes=16 << 10)
    assert (figure.low, figure.high, figure.provenance) == (10.0, 20.0, "scaled")
    assert figure.value == pytest.approx(200**0.5)


def test_beyond_the_largest_size_there_are_no_bounds() -> None:
    figure = COSTS.energy_pj("sram_read", 64, 45, size_bytes=4 << 20)
    assert (figure.low, figure.high, figure.provenance) == (None, None, "extrapolated")
    assert 100 < figure.value < 400


def test_dram_does_not_scale_with_the_logic_s_node() -> None:
    assert COSTS.energy_pj("dram_read", 8, 7, technology="hbm2") == COSTS.energy_pj(
        "dram_read", 8, 45, technology="hbm2"
    )
    assert COSTS.energy_pj("dram_read", 64, 45, technology="ddr3").low == pytest.approx(1300, rel=0.01)


@given(NODES, NODES)
def test_energy_and_area_shrink_with_the_node(one: int, other: int) -> None:
    small, large = sorted((one, other))
    for action in ("mac", "exp", "requantise"):
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


def test_sram_area_comes_from_cells_of_its_own_node() -> None:
    bits = 8 << 20
    assert COSTS.area_um2("sram", bits, 28).value == pytest.approx(bits * 0.16 / 0.7, rel=1e-3)
    assert COSTS.area_um2("sram", bits, 28).low == pytest.approx(bits * 0.16)
    assert 0.02 < COSTS.area_um2("sram", 1, 7).low < 0.05  # type: ignore[operator]


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
        ("fly", {}, ("cost table: no pj row for 'fly' (it has: div, dram_read, dram_write, exp, fp_add, fp_mul, "
                    "int_add, int_mul, register_write, requantise, sram_read, sram_write)")),
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
