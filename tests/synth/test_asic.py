"""An engine's logic on a user's standard cells becomes rows that `--costs` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archmodel.engines.systolic import hardware_of
from archmodel.load import costs_to_yaml, load_costs, load_machine
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from sims.synth import asic
from sims.synth.asic import calibrated, read_liberty
from tests.cli.helpers import said

TABLE = '(t) { index_1 ("0.01, 5"); index_2 ("0.001, 5"); values ("1, 9", "2, 18"); }'
ARC = " ".join(f"{edge} {TABLE}" for edge in ("cell_rise", "cell_fall", "rise_transition", "fall_transition"))
HEAD = """library(tiny) { leakage_power_unit : "1nW"; nom_voltage : 1.1; time_unit : "1ns"; capacitive_load_unit (1, pf);
 lu_table_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
 index_1 ("0.01, 5"); index_2 ("0.001, 5"); }"""
PIN = "pin(%s) { direction : input; capacitance : 0.01; }"
FLOP = f"""cell(DFF) {{ area : 8; cell_leakage_power : 5;
 ff(IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; }}
 pin(CK) {{ direction : input; clock : true; capacitance : 0.01; }} {PIN % "D"}
 pin(Q) {{ direction : output; function : "IQ"; timing() {{ related_pin : "CK"; timing_type : rising_edge; {ARC} }} }} }}"""


def gate(name: str, area: float, leak: float, function: str, pins: str) -> str:
    timing = "".join(f'timing() {{ related_pin : "{pin}"; timing_sense : negative_unate; {ARC} }}' for pin in pins)
    inputs = " ".join(PIN % pin for pin in pins)
    out = f'pin(Y) {{ direction : output; max_capacitance : 1; function : "{function}"; {timing} }}'
    return f"cell({name}) {{ area : {area}; cell_leakage_power : {leak}; {inputs} {out} }}"


def library(*cells: str) -> str:
    return "\n".join((HEAD, *cells, "}"))


GATES = (gate("INV", 1, 2, "!A", "A"), gate("NAND", 2, 3, "!(A*B)", "AB"), gate("NOR", 3, 4, "!(A+B)", "AB"),
         gate("BUF", 2, 2, "A", "A").replace("negative_unate", "positive_unate"))
"""abc wants three kinds at least."""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.lib"
    path.write_text(library(*GATES, FLOP))
    return path


@pytest.fixture(scope="module")
def hardware() -> Hardware:
    sets = ["engines.array.rows=2", "engines.array.cols=2", "engines.array.port_bytes=2", "engines.array.program_words=16"]
    machine = load_machine("ecp5-tiny", sets)
    return hardware_of(machine, machine.engine("array"))


def test_a_library_is_read_with_areas_leakage_and_supply(tiny: Path) -> None:
    liberty = read_liberty(tiny)
    assert (liberty.name, liberty.volts, liberty.area) == ("tiny", 1.1, {"INV": 1.0, "NAND": 2.0, "NOR": 3.0, "BUF": 2.0, "DFF": 8.0})
    assert liberty.leakage == pytest.approx({"INV": 2e-9, "NAND": 3e-9, "NOR": 4e-9, "BUF": 2e-9, "DFF": 5e-9})


def test_rows_are_sums_of_cells_and_read_back(tiny: Path, hardware: Hardware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Yosys counts is planted here: abc takes no library as small as this one; docs/costs.md has a run on sky130."""
    found = {"INV": 3, "NAND": 4, "DFF": 2, "archmodel_pe": 4, "$paramod\\\\archmodel_sram": 6, "archmodel_systolic_storer_requantizer1": 1}
    (tmp_path / "mapped.json").write_text(json.dumps({"design": {"num_cells_by_type": found}}))
    monkeypatch.setattr(asic, "synthesised", lambda *_: tmp_path)
    rows = {row.action: row for row in calibrated(hardware, read_liberty(tiny), 45)}
    assert set(rows) == {"pe", "requantizer", "control", "leakage"}
    assert {rows[name].value for name in ("pe", "requantizer", "control")} == {3 * 1 + 4 * 2 + 2 * 8}
    assert rows["leakage"].value == pytest.approx((3 * 2e-9 + 4 * 3e-9 + 2 * 5e-9) / 27)
    assert {(row.provenance, row.voltage) for row in rows.values()} == {("calibrated on tiny, 45 nm", 1.1)}
    (tmp_path / "costs.yaml").write_text(costs_to_yaml(tuple(rows.values())))
    costs = load_costs(tmp_path / "costs.yaml")
    assert (costs.area_um2("pe", 8, 45).value, costs.area_um2("pe", 8, 45).provenance) == (27, "calibrated on tiny, 45 nm")
    found["$_XOR_"] = 1
    (tmp_path / "mapped.json").write_text(json.dumps({"design": {"num_cells_by_type": found}}))
    with pytest.raises(SpecError, match=r"^--liberty tiny: it has no cell for \$_XOR_ of archmodel_pe; expected flip-flops and gates"):
        calibrated(hardware, read_liberty(tiny), 45)


def test_a_library_without_flip_flops_is_refused(tmp_path: Path, hardware: Hardware) -> None:
    path = tmp_path / "gates.lib"
    path.write_text(library(*GATES))
    with pytest.raises(SpecError, match=r"^yosys: FF archmodel_pe.* cannot be legalized: D flip-flops are not supported$"):
        calibrated(hardware, read_liberty(path), 45)


@pytest.mark.parametrize(
    ("text", "message"),
    [("library(x) { }", "found no cell, expected cells with area"),
     ("cell(A) { pin(Y) { timing() } }", "found no area of cell A, expected"),
     ("cell(A) {\n area : 1;\n}", "found no timing arcs, expected a library that abc can map to")],
)  # fmt: skip
def test_what_is_no_library_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.lib"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        read_liberty(path)
    assert str(error.value).startswith(f"--liberty {path}: {message}")


def test_the_verb_refuses_what_it_cannot_do(capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path) -> None:
    both = said(capsys, "synth", "ecp5-tiny", "--target", "ecp5", "--liberty", str(tiny))
    assert (both.code, both.err.count("\n")) == (2, 1)
    assert "leave one of them out" in both.err
    missing = said(capsys, "synth", "ecp5-tiny", "--liberty", str(tmp_path / "none.lib"))
    assert missing.code == 2
    assert "none.lib: cannot be read: No such file or directory" in missing.err
