"""A user's own table: its rows stand in place of this project's, and what is wrong with it is said where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel import evaluate, search
from archmodel.cost import Costs, default_costs
from archmodel.cost.table import ACTIONS
from archmodel.load import costs_to_yaml, load_costs
from archmodel.records.base import SpecError
from tests.mapper.helpers import edge, gemm_graph

MULTIPLIER = ("action: int_mul, unit: pj, bits: 8, value: 0.11, low: 0.1, high: 0.13, node: 16 nm, voltage: 0.8 V, "
              "condition: post-layout, source: our 16 nm, provenance: published")  # fmt: skip
DRAM = ("action: dram_read, unit: pj, technology: lpddr4, bits: 64, value: 320, low: unknown, high: unknown, condition: ours, "
        "source: our board, provenance: published")  # fmt: skip


def table(folder: Path, *rows: str) -> Costs:
    path = folder / "mine.yaml"
    path.write_text("rows:\n" + "".join(f"- {{{row}}}\n" for row in rows))
    return load_costs(path)


def test_a_row_replaces_those_of_its_action_and_width(tmp_path: Path) -> None:
    costs, ours = table(tmp_path, MULTIPLIER), default_costs()
    figure = costs.energy_pj("int_mul", 8, 16)
    assert (figure.value, figure.low, figure.high, figure.provenance, figure.sources) == (0.11, 0.1, 0.13, "published", ("our 16 nm",))
    assert costs.energy_pj("int_mul", 32, 16) == ours.energy_pj("int_mul", 32, 16)
    assert costs.area_um2("int_mul", 8, 16) == ours.area_um2("int_mul", 8, 16)
    assert len(costs.rows) == len(ours.rows) - 1  # two of this project's, at 45 and 7 nm, made room for one


def test_other_nodes_are_reached_from_the_user_s_row(tmp_path: Path) -> None:
    figure = table(tmp_path, MULTIPLIER).energy_pj("int_mul", 8, 7)
    assert figure.value < 0.11
    assert (figure.provenance, figure.sources) == ("scaled", ("our 16 nm",))


def test_a_memory_s_row_may_be_of_many_bits(tmp_path: Path) -> None:
    figure = table(tmp_path, DRAM).energy_pj("dram_read", 8, 16, technology="lpddr4")
    assert (figure.value, figure.low, figure.high) == (40.0, None, None)


def test_rows_of_sram_take_the_place_of_the_fit(tmp_path: Path) -> None:
    row = ("action: sram_read, unit: pj, bits: 64, size: {} KiB, value: {}, low: unknown, high: unknown, node: 16 nm, voltage: unknown, "
           "condition: compiler, source: our compiler, provenance: published")  # fmt: skip
    area = ("action: sram, unit: um2, value: 0.2, low: 0.2, high: 0.2, node: 16 nm, condition: compiler, source: our compiler, "
            "provenance: published")  # fmt: skip
    costs = table(tmp_path, row.format(8, 4), row.format(128, 16), area)
    assert costs.energy_pj("sram_read", 64, 16, size_bytes=8 << 10).value == 4
    assert costs.energy_pj("sram_read", 64, 16, size_bytes=32 << 10).value == pytest.approx(8)
    assert costs.area_um2("sram", 1000, 16).value == pytest.approx(200)
    assert costs.energy_pj("sram_write", 64, 16, size_bytes=8 << 10) == default_costs().energy_pj("sram_write", 64, 16, size_bytes=8 << 10)


def test_a_result_says_of_which_table_it_is(tmp_path: Path) -> None:
    graph, machine, costs = gemm_graph((1, 64, 64, 64)), edge(), table(tmp_path, MULTIPLIER)
    theirs = evaluate(graph, search(graph, machine, costs), machine, costs=costs)
    ours = evaluate(graph, search(graph, machine), machine)
    assert theirs.costs.startswith("mine.yaml ")
    assert ours.costs.startswith("archmodel ")
    assert theirs.costs.split()[1] != ours.costs.split()[1]
    mac = [dict(result.ops[0].energy_by)["mac"] for result in (theirs, ours)]
    assert mac[0].value != mac[1].value
    assert "our 16 nm" in mac[0].sources
    assert theirs.cycles == ours.cycles


def test_a_table_written_reads_back(tmp_path: Path) -> None:
    rows = table(tmp_path, MULTIPLIER, DRAM).rows[:2]
    (tmp_path / "again.yaml").write_text(costs_to_yaml(rows))
    assert load_costs(tmp_path / "again.yaml").rows[:2] == rows


def test_steep_rows_stay_finite(tmp_path: Path) -> None:
    """A user may state two widths, or two nodes without a scaling model, as far apart as the format allows."""
    other = MULTIPLIER.replace("bits: 8, value: 0.11, low: 0.1, high: 0.13", "bits: 9, value: 1e15, low: unknown, high: unknown")
    figure = table(tmp_path, MULTIPLIER, other).energy_pj("int_mul", 10, 16)
    assert 1 < figure.value < 1e60
    leak = ("action: leakage, unit: w/um2, value: {}, low: unknown, high: unknown, node: {} nm, condition: c, source: s, "
            "provenance: published")  # fmt: skip
    costs = table(tmp_path, leak.format("1e-9", 40), leak.format("4e-9", 10))
    assert costs.static_w("leakage", 1.0, 20).value == pytest.approx(2e-9)


def test_every_row_of_this_project_is_one_that_a_user_could_write() -> None:
    assert all(row.action in ACTIONS[row.unit] for row in default_costs().rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (MULTIPLIER.replace("int_mul", "int_mull"), "2:12: rows[0].action: found 'int_mull', expected one of mac, int_add, int_mul, "),
        (MULTIPLIER.replace("unit: pj", "unit: um"), "2:27: rows[0].unit: found 'um', expected one of pj, pj/mm, um2, "),
        (MULTIPLIER.replace("unit: pj", "unit: w/bit"), "2:27: rows[0].unit: found 'w/bit', expected pj or um2 of int_mul"),
        (MULTIPLIER.replace(", source: our 16 nm", ""), "2:3: rows[0]: found no source, expected text"),
        (MULTIPLIER.replace("our 16 nm", "''"), "rows[0].source: found nothing, expected text"),
        (MULTIPLIER.replace("value: 0.11", "value: 0.2"),
         "rows[0].value: found low 0.1, value 0.2, high 0.13, expected them in ascending order"),
        (MULTIPLIER.replace("value: 0.11", "value: -1"), "rows[0].value: found '-1', expected a number from 1e-15 to 1e+15"),
        (MULTIPLIER.replace("value: 0.11", "value: nan"), "rows[0].value: found 'nan', expected a number"),
        (MULTIPLIER.replace("16 nm,", "16,", 1), "rows[0].node: found '16' without a unit, expected a process node such as 16 nm"),
        (MULTIPLIER.replace("0.8 V", "0.8"),
         "rows[0].voltage: found '0.8', expected a number of V, such as 0.8 V, from 0.1 to 20, or unknown"),
        (MULTIPLIER.replace("16 nm, voltage: 0.8 V", "180 nm, voltage: 0.5 V", 1),
         "rows[0].voltage: found 0.5 V, expected a supply at which the scaling model has an energy at 180 nm"),
        (MULTIPLIER.replace("node: 16 nm, ", ""), "2:3: rows[0]: found no node, expected a process node of int_mul"),
        (MULTIPLIER.replace("provenance: published", "provenance: cycle"),
         "rows[0].provenance: found 'cycle', expected published, scaled, extrapolated, or calibrated on something"),
        (MULTIPLIER + ", colour: red", "rows[0].colour: found an unknown key, expected one of action, unit, "),
        (DRAM.replace("lpddr4", "ddr9"), "rows[0].technology: found 'ddr9', expected one of ddr3, ddr4, "),
        (DRAM.replace("technology: lpddr4, ", ""), "rows[0]: found no technology, expected one of ddr3, "),
        (DRAM + ", node: 16 nm", "rows[0].node: found it, expected none of dram_read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        table(tmp_path, row)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'mine.yaml'}:2:")
    assert "\n" not in str(error.value)


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        table(tmp_path, MULTIPLIER.replace("0.8 V", "0.8"), MULTIPLIER, DRAM.replace("320", "many"))
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == ["rows[0].voltage", "rows[2].value"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]\n", ":1:1: rows: found no rows, expected a list of rows"), ("rows: 7\n", ":1:1: rows: found '7', expected a list of rows"),
     ("rows: []\n", ":1:1: rows: found a list, expected a list of rows"), ("rows: [x]\n", ":1:8: rows[0]: found 'x', expected a row"),
     ("lines: []\n", ":1:1: lines: found an unknown key, expected rows")],
)  # fmt: skip
def test_a_file_that_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        load_costs(path)
    assert str(error.value).startswith(f"{path}{message}")
