"""The emitted folder alone, in Verilator, with nothing else on PATH: it passes, and each corruption of it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sims.cli import main
from sims.cosim.build import find_verilator

TOOLS = ("sh", "make", "g++", "c++", "perl", "ar", "as", "ld", "ranlib", "rm", "echo", "cat", "grep", "xargs", "uname", "env", "dirname")
SMALL = ("--set", "engines.array.rows=4", "--set", "engines.array.cols=4", "--set", "engines.array.port_bytes=4")


def tools(folder: Path) -> Path:
    """A folder with Verilator and what it needs to build; there is no Python in it."""
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, f"{name} is not on PATH"
        (folder / name).symlink_to(Path(found).resolve() if name not in ("sh", "g++", "c++") else found)
    (folder / "verilator").symlink_to(find_verilator())
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small machine, emitted, and built by the command of its own README."""
    place = tmp_path_factory.mktemp("emit")
    folder = place / "small"
    assert main(["emit", "ecp5-tiny", *SMALL, "-o", str(folder)]) == 0
    command = re.findall(r"(?m)^    (verilator .*)$", (folder / "README.md").read_text())
    done = alone(place, folder, *command[0].split())
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def alone(place: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = place / "bin"
    environment = {"PATH": str(path if path.exists() else tools(path)), "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include"}
    return subprocess.run([shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]], cwd=folder, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip


def runs(folder: Path) -> subprocess.CompletedProcess[str]:
    return alone(folder.parent, folder, "./obj_dir/Varchmodel_testbench")


def changed(built: Path, name: str, line: int) -> subprocess.CompletedProcess[str]:
    """What the testbench says when one digit of one line of a file is another; the file is as it was afterwards."""
    file = built / name
    whole = file.read_text()
    lines = whole.splitlines()
    data = [i for i, text in enumerate(lines) if not text.startswith("//")][line]
    wrong = lines[data][:-1] + ("0" if lines[data][-1] != "0" else "1")
    file.write_text("\n".join([*lines[:data], wrong, *lines[data + 1 :]]) + "\n")
    try:
        return runs(built)
    finally:
        file.write_text(whole)


def test_it_passes_without_python(built: Path) -> None:
    assert not shutil.which("python3", path=str(built.parent / "bin"))
    done = runs(built)
    assert done.returncode == 0
    assert re.search(r"^PASS: \d+ beats of memory, \d+ commands, \d+ cycles$", done.stdout, re.MULTILINE)


def test_one_word_of_data_changes_more_than_itself(built: Path) -> None:
    """The engine computes with it: words of the result differ too."""
    done = changed(built, "memory.hex", 0)
    assert done.returncode != 0
    found = re.search(r"FAIL: 0 starts or ends of commands and (\d+) beats of memory differ, total cycles agree", done.stdout)
    assert found and int(found[1]) > 1, done.stdout


def test_one_expected_word_is_found(built: Path) -> None:
    done = changed(built, "expected.hex", -1)
    assert done.returncode != 0
    assert re.search(r"FAIL: memory beat \d+ is [0-9a-f]+, expected [0-9a-f]+", done.stdout)
    assert "FAIL: 0 starts or ends of commands and 1 beats of memory differ, total cycles agree" in done.stdout


def test_another_total_of_cycles_is_found(built: Path) -> None:
    done = changed(built, "cycles.hex", 0)
    assert done.returncode != 0
    assert re.search(r"FAIL: \d+ cycles, expected \d+", done.stdout)
    assert "FAIL: 0 starts or ends of commands and 0 beats of memory differ, total cycles differ" in done.stdout


@pytest.mark.parametrize(("line", "what"), [(1, "unit 0: command 0 ends"), (-1, "unit 2: command 2 ends")])
def test_another_cycle_of_one_command_is_found(built: Path, line: int, what: str) -> None:
    done = changed(built, "cycles.hex", line)
    assert done.returncode != 0
    assert f"FAIL: {what}" in done.stdout
    assert "FAIL: 1 starts or ends of commands and 0 beats of memory differ, total cycles agree" in done.stdout


def test_a_program_of_other_hardware_is_refused(built: Path) -> None:
    done = changed(built, "program.hex", 0)
    assert done.returncode != 0
    assert "FAIL: the program names other hardware than this engine" in done.stdout + done.stderr


def test_a_program_that_hangs_meets_the_watchdog(built: Path) -> None:
    """The store unit waits for a token of its own."""
    testbench = (built / "testbench.v").read_text()
    code = [line for line in (built / "program.hex").read_text().splitlines() if not line.startswith("//")]
    store = 3 + 8 * sum(int(re.findall(rf"{unit}_INSTRUCTIONS = (\d+)", testbench)[0]) for unit in ("LOAD", "EXEC"))
    whole = (built / "program.hex").read_text()
    code[store] = f"{int(code[store], 16) | 4 << 4:08x}"
    (built / "program.hex").write_text("\n".join(code) + "\n")
    try:
        done = runs(built)
    finally:
        (built / "program.hex").write_text(whole)
    assert done.returncode != 0
    assert re.search(r"FAIL: the watchdog ends the run in cycle \d+, expected \d+ cycles", done.stdout)


@pytest.mark.parametrize("top", ["archmodel_systolic", "archmodel_systolic_axi"])
def test_lint_has_nothing_to_say(built: Path, top: str) -> None:
    command = [*re.findall(r"`(verilator --lint-only [^`]*)`", (built / "README.md").read_text())[0].split()[:-1], top]
    done = alone(built.parent, built, *command)
    assert done.returncode == 0 and "%Warning" not in done.stdout + done.stderr, done.stderr
    unwaived = alone(built.parent, built, *(word for word in command if word != "waivers.vlt"))
    rules = set(re.findall(r"%Warning-(\w+)", unwaived.stdout + unwaived.stderr))
    assert rules and rules <= set(re.findall(r"-rule (\w+)", (built / "waivers.vlt").read_text()))


def test_a_folder_with_its_build_is_emitted_again_byte_for_byte(built: Path) -> None:
    copy = built.parent / "again"
    shutil.copytree(built, copy)
    before = {path.name: path.read_bytes() for path in built.iterdir() if path.is_file()}
    assert main(["emit", "ecp5-tiny", *SMALL, "-o", str(copy)]) == 0
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert os.listdir(built.parent).count("again") == 1 and not [name for name in os.listdir(built.parent) if name.endswith(".part")]
