"""The README is executed: its Python, its machine, and its table, which must be what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archmodel import load_machine
from sims.cli import main

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_table_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"^`archmodel (run .*)`:$", README, re.MULTILINE)
    assert command is not None
    assert main(command[1].split()) == 0
    assert capsys.readouterr().out.rstrip() in README


def test_the_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    seconds, picojoules, provenance = capsys.readouterr().out.split(maxsplit=2)
    assert float(seconds) > 0
    assert float(picojoules) > 0
    assert provenance.strip() == "closed form"


def test_the_machine_loads(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    assert len(text.strip().splitlines()) <= 10
    path = tmp_path / "machine.yaml"
    path.write_text(text)
    machine = load_machine(str(path))
    assert machine.engine("array").params.rows == 32
    assert machine.memory("dram").bandwidth_bytes_per_second == 51_200_000_000


def test_the_two_commands_open_it() -> None:
    first = [line.split("#")[0].strip() for line in README.splitlines() if line.strip()][1:3]
    assert first == ["make run", "make test"]
