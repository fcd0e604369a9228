"""The attention engine emitted: its document says what the records say, and its folder passes alone, and fails when damaged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archmodel.load import load_machine
from archmodel.records.engines.attention import LAYOUTS, OPCODES, STREAMS
from archmodel.records.program import Program
from rtl import attention
from rtl.emit import emit
from sims.cli import main
from sims.commands.emit import engine_for
from sims.emit import fields as shared
from sims.emit.engines import emission_of
from tests.cli.helpers import said
from tests.emit.test_standalone import changed, runs, tools

OWN = emission_of("attention")
FIELDS, INSTRUCTIONS = {**shared.FIELDS, **OWN.FIELDS}, {**shared.INSTRUCTIONS, **OWN.INSTRUCTIONS}
SIZE = ("rows=4", "cols=4", "port_bytes=4", "slots=256", "program_words=128")
SMALL = ("edge-attention", "--engine", "attention", *(word for size in SIZE for word in ("--set", f"engines.attention.{size}")))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small engine, emitted, and built by the command of its own README; Verilator's make files join a larger design's sources
    with a script in Python, so one is on PATH here, and none when the testbench runs."""
    place = tmp_path_factory.mktemp("emit")
    folder = place / "small"
    assert main(["emit", *SMALL, "-o", str(folder)]) == 0
    command = re.findall(r"(?m)^    (verilator .*)$", (folder / "README.md").read_text())
    path = os.pathsep.join((str(tools(place / "bin")), str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include"}
    done = subprocess.run(command[0], shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_document_has_every_instruction_field_and_stream(built: Path) -> None:
    text = (built / "engine.md").read_text()
    assert text.startswith("# archmodel_attention\n")
    for name, code in OPCODES.items():
        assert f"| {code} | `{name}` | {INSTRUCTIONS[name]} |" in text
        at = 0
        for field, bits in LAYOUTS[name]:
            where = f"{at + bits - 1}:{at}" if bits > 1 else str(at)
            assert f"| {where} | `{field}` | {bits} | {FIELDS[field]} |" in text
            at += bits
    assert f"`program_unit` {attention.HEADER}: lane 0 and 1 the hardware id" in text
    assert ", ".join(f"{index} {stream}" for index, stream in enumerate(STREAMS)) in text
    assert "| `overrun` | out | 1 | (attention) since" in text
    assert "`op2` 3:0, `index2` 15:4, `stage2` 20:16" in text
    registers = re.search(r"(?ms)^## Registers\n(.*?)^## ", text)
    assert registers and "$" not in registers[1]
    for module, register in (("archmodel_attention_pe", "score#"), ("archmodel_attention_lane", "factor#"),
                             ("archmodel_attention_flight", "tile#"), ("archmodel_attention_slots", "two")):  # fmt: skip
        assert f"| `{module}` | `{register}` |" in registers[1], (module, register)


def test_the_folder_passes_alone_and_fails_when_damaged(built: Path) -> None:
    done = runs(built)
    assert done.returncode == 0
    assert re.search(r"^PASS: \d+ beats of memory, \d+ commands, \d+ cycles$", done.stdout, re.MULTILINE)
    for name, line, what in (
        ("expected.hex", -1, "0 starts or ends of commands and 1 beats of memory differ, total cycles agree"),
        ("cycles.hex", 0, "0 starts or ends of commands and 0 beats of memory differ, total cycles differ"),
        ("cycles.hex", -1, "1 starts or ends of commands and 0 beats of memory differ, total cycles agree"),
    ):  # fmt: skip
        done = changed(built, name, line)
        assert done.returncode != 0
        assert f"FAIL: {what}" in done.stdout, done.stdout
    assert "FAIL: the program names other hardware than this engine" in "".join(
        (done := changed(built, "program.hex", 0)).stdout + done.stderr)  # fmt: skip


def test_the_same_machine_gives_the_same_verilog_and_the_array_comes_first() -> None:
    machine = load_machine("edge-attention")
    assert emit(machine, "attention") == emit(machine, "attention")
    assert "module archmodel_systolic(" in emit(machine)


def test_an_engine_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = said(capsys, "emit", "edge-attention", "--engine", "vector", "-o", str(tmp_path / "e"))
    assert answer.code == 2
    assert "machine edge-attention: no systolic or attention engine, and only that has hardware" in answer.err
    assert not (tmp_path / "e").exists()


def test_a_program_goes_to_the_engine_that_it_is_for() -> None:
    machine = load_machine("edge-attention")
    assert [engine_for(Program(kind, 1, 0, (b"",)), machine) for kind in ("attention", "systolic", "vectors")] == ["attention", "array", ""]
    assert engine_for(None, machine) == ""
