"""The emitted document says what the records say."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from amaranth.lib.wiring import In

from archmodel.load import load_machine
from archmodel.records.engines.systolic import LAYOUTS, OPCODES, Hardware
from archmodel.records.program import hardware_id
from rtl import registers, sram, systolic, systolic_axi
from sims.cli import main
from sims.commands.arrays import Array, array_of
from sims.emit import fields as shared
from sims.emit.bundle import constraints
from sims.emit.document import document
from sims.emit.engines import emission_of
from sims.emit.state import contents, memories, state

OWN = emission_of("systolic")
FIELDS, INSTRUCTIONS = {**shared.FIELDS, **OWN.FIELDS}, {**shared.INSTRUCTIONS, **OWN.INSTRUCTIONS}


def tiny() -> Array:
    return array_of(load_machine("ecp5-tiny"))


@pytest.fixture(scope="module")
def verilog() -> str:
    return systolic.emit(tiny().hardware)


@pytest.fixture(scope="module")
def text(verilog: str) -> str:
    return document(tiny().hardware, tiny().port, verilog, "A title.")


def section(text: str, name: str, level: str = "##") -> str:
    found = re.search(rf"(?ms)^{level} {name}\n(.*?)(?=^##|\Z)", text)
    assert found, f"no section {name}"
    return found[1]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_field_of_every_instruction_stands_at_its_bits(text: str, name: str) -> None:
    at, rows = 0, section(text, name, "###")
    for field, bits in LAYOUTS[name]:
        where = f"{at + bits - 1}:{at}" if bits > 1 else str(at)
        assert f"| {where} | `{field}` | {bits} | {FIELDS[field]} |" in rows
        at += bits
    assert rows.count("\n| ") == 2 + len(LAYOUTS[name]) - 1 or rows.count("| `") == len(LAYOUTS[name])


def test_opcodes_and_meanings_are_complete(text: str) -> None:
    for name, code in OPCODES.items():
        assert f"| {code} | `{name}` | {INSTRUCTIONS[name]} |" in text
    assert INSTRUCTIONS.keys() == OPCODES.keys()
    assert all(FIELDS[field] for layout in LAYOUTS.values() for field, _ in layout)


def test_every_parameter_has_its_value(text: str) -> None:
    hardware, rows = tiny().hardware, section(text, "Parameters")
    for field in fields(Hardware):
        value = getattr(hardware, field.name)
        assert f"| `{field.name}` | {', '.join(value) if isinstance(value, tuple) else value} |" in rows
    assert f"`{hardware_id(hardware):#018x}`" in rows
    other = document(replace(hardware, outstanding=17), tiny().port, "", "")
    assert "| `outstanding` | 17 |" in other and "No more than 17 words" in other


@pytest.mark.parametrize(("x", "y", "says"), [
    ("int8", "int4", ("X int8, Y int4", "shifted right, rounded half to even and saturated to int8")),
    ("bf16", "e5m2", ("X bf16, Y e5m2", "is 7FC00000, in bf16 7FC0.", "bf16 too.")),
    ("e4m3", "e4m3", ("X e4m3, Y e4m3", "in e4m3 7F.", "e4m3 stays at its largest finite one, infinities too.")),
])  # fmt: skip
def test_the_arithmetic_is_stated(x: str, y: str, says: tuple[str, ...]) -> None:
    other = replace(tiny().hardware, x_format=x, y_format=y)
    numbers = section(document(other, tiny().port, "", ""), "Numbers")
    assert all(part in numbers for part in says)


def test_every_port_has_direction_width_and_meaning(text: str, verilog: str) -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (in|out) \| (\d+) \| (.+) \|$", section(text, "Ports"))
    module = re.findall(r"(?ms)^module archmodel_systolic\(.*?^endmodule", verilog)[0]
    real = {(name, direction, int(high or 0) + 1)
            for direction, high, name in re.findall(r"(?m)^  (in|out)put (?:\[(\d+):0\] )?(\w+);$", module)}  # fmt: skip
    assert {(name, direction, int(bits)) for name, direction, bits, _ in rows} == real - {("clk", "in", 1), ("rst", "in", 1)}


def test_every_register_of_the_verilog_is_listed(text: str, verilog: str) -> None:
    """As many bits as a reader of the text alone counts: registers that a clock edge assigns, each times its copies."""
    hardware = tiny().hardware
    rows = re.findall(r"(?m)^\| `(\w[\w#]*)` \| `(\w[\w#]*)` \| (\d+) \| (\d+) \|$", section(text, "Registers"))
    bits = {(module, name): (int(count), int(total)) for module, name, count, total in rows}
    elements = hardware.rows * hardware.cols
    assert bits["archmodel_pe", "sum_out"] == (elements, 32 * elements)
    assert bits["archmodel_systolic_executor_array", "deskew#_#"] == (28, 28 * 32)
    assert bits["archmodel_systolic_storer_requantizer#", "product"][0] == hardware.cols
    assert len(bits) == len(state(contents(verilog), systolic.TOP)) > 100


def test_every_memory_is_listed(text: str, verilog: str) -> None:
    hardware = tiny().hardware
    found = dict(memories(contents(verilog), sram.NAME))
    assert found["archmodel_systolic_x_bank#", hardware.x_words, hardware.rows * hardware.x_bits] == hardware.banks
    assert sum(found.values()) == len(re.findall(r"(?m)^  archmodel_sram #", verilog))
    for (name, words, bits), count in found.items():
        assert f"| `{name}` | {count} | {words} | {bits} |" in section(text, "Memories")


def test_the_engine_behind_axi_has_its_own_part() -> None:
    hardware = tiny().hardware
    text = document(hardware, tiny().port, systolic_axi.emit(hardware), "A title.")
    part = text[text.index(f"# {systolic_axi.TOP}\n") :]
    assert registers.markdown().rstrip() in part
    for name, member in systolic_axi.ports(hardware).items():
        assert re.search(rf"(?m)^\| `{name}` \| {'in' if member.flow == In else 'out'} \| {member.shape} \| \S.* \|$", part), name
    assert "`archmodel_systolic_axi_control` | `cycles` | 1 | 64 |" in part and "`archmodel_pe`" not in part


def test_a_port_that_axi_has_not_is_emitted_without_it(tmp_path: Path) -> None:
    """Beats of 3 bytes: the engine has them, AXI4 has not."""
    sets = [f"engines.array.{name}=3" for name in ("rows", "cols", "port_bytes")]
    assert main(["emit", "ecp5-tiny", *(word for text in sets for word in ("--set", text)), "-o", str(tmp_path / "e")]) == 0
    files = [path for path in (tmp_path / "e").iterdir() if "axi" in path.name or "axi" in path.read_text().lower()]
    assert [path.name for path in files] == ["README.md"]
    assert files[0].read_text().lower().count("axi") == files[0].read_text().count("There is no AXI around it") == 1


def test_constraints_have_the_machines_clock_and_every_port_once() -> None:
    array = tiny()
    text = constraints(systolic.TOP, "clk", systolic.ports(array.hardware), 995_000_000)
    assert "create_clock -name clk -period 1.005 [get_ports clk]" in text
    assert "set_input_delay -clock clk 0.301 " in text or "set_input_delay -clock clk 0.302 " in text
    named = re.findall(r"(\w+)(?:\[\*\])?", " ".join(re.findall(r"get_ports \{(.*)\}", text)))
    assert sorted(named) == sorted(systolic.ports(array.hardware))
