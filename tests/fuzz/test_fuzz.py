"""Damaged files are read or refused, and a reader that does anything else is found out, with the number of its file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archmodel.records.base import SpecError
from sims.fuzz import trial
from sims.fuzz.__main__ import main
from sims.fuzz.mutation import Source, json_text
from sims.fuzz.readers import READERS
from sims.fuzz.trial import Reader, case
from sims.fuzz.workers import tried

FILES = 2000


def test_no_reader_has_a_fault() -> None:
    command = [sys.executable, "-m", "sims.fuzz", "--files", str(FILES), "--seed", "1", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed 1: {FILES} files, 0 faults, " in done.stdout


@pytest.mark.parametrize("name", READERS)
def test_some_damaged_files_are_read_and_some_refused(name: str) -> None:
    """Damage that never gets past the first check would try little."""
    tally = tried(READERS, 2, [(name, index) for index in range(60)])
    assert tally.counts[name]["read"] > 0
    assert tally.counts[name]["refused"] > 0


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_damaged_is_read(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    for number, source in enumerate(reader.sources()):
        if name == "config" and number >= len(list((Path(__file__).parents[1] / "workload" / "configs").glob("*.json"))):
            continue  # keys of a family at their defaults, which need not fit each other
        path = tmp_path / reader.file
        path.write_bytes(source.data)
        assert trial.attempt(reader, path) == trial.Outcome("read")


@pytest.mark.parametrize("name", READERS)
def test_a_file_is_a_function_of_its_number(name: str) -> None:
    reader = READERS[name]
    assert [case(name, reader, 7, i) for i in range(20)] == [case(name, reader, 7, i) for i in range(20)]
    assert len({case(name, reader, 7, i) for i in range(20)}) > 10
    assert case(name, reader, 7, 3) != case(name, reader, 8, 3)


def planted(read: Callable[[Path], Any], use: Callable[[Any], object] = lambda record: None) -> Reader:
    return Reader("planted.json", lambda: (Source(b'{"a": 1}', {"a": 1}),), read, r".*planted\.json: ", use, (json_text,))


def fault_of(reader: Reader) -> str:
    """The one fault of a reader over three files, of which it spoils the second."""
    tally = tried({"planted": reader}, 1, [("planted", index) for index in range(3)])
    assert tally.counts["planted"] == {"read": 2, "refused": 0, "failed": 1}
    [(place, fault)] = tally.faults.items()
    assert place == ("planted", 1)
    return fault


def second(act: Callable[[], object]) -> Callable[[Path], None]:
    """A reader that does ``act`` at the second file only."""
    spoilt = case("planted", planted(lambda path: None), 1, 1)

    def read(path: Path) -> None:
        if path.read_bytes() == spoilt:
            act()

    return read


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (raising(KeyError("engines")), "KeyError at tests/fuzz/test_fuzz.py:"),
        (raising(RecursionError("deep")), "RecursionError at tests/fuzz/test_fuzz.py:"),
        (raising(SystemExit(3)), "SystemExit at tests/fuzz/test_fuzz.py:"),
        (lambda: bytes(1 << 30), "MemoryError at tests/fuzz/test_fuzz.py:"),
        (raising(SpecError("")), "empty message"),
        (raising(SpecError("planted.json: \n" * 200)), "long message: 201 lines"),
        (raising(SpecError("no file")), "message without a place: 'no file'"),
    ],
)
def test_a_fault_is_found(act: Callable[[], object], fault: str) -> None:
    assert fault_of(planted(second(act))).startswith(fault)


def test_a_fault_after_reading_is_found() -> None:
    assert fault_of(planted(lambda path: path, second(raising(KeyError("x"))))).startswith("after reading, KeyError at tests/fuzz/")


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("cpu", "wall", "act", "fault"), [(0.2, 60.0, spin, "hang of more than "), (60.0, 0.2, lambda: time.sleep(60), "nothing for ")]
)
def test_a_hang_and_a_wait_are_found(monkeypatch: pytest.MonkeyPatch, cpu: float, wall: float, act: Callable[[], object],
                                     fault: str) -> None:  # fmt: skip
    monkeypatch.setattr(trial.start_clocks, "__defaults__", (cpu, wall))
    assert fault_of(planted(second(act))).startswith(fault)


def test_a_killed_process_is_found() -> None:
    assert fault_of(planted(second(lambda: os.kill(os.getpid(), signal.SIGKILL)))) == "killed by SIGKILL"


def test_an_error_that_does_not_escape_is_found() -> None:
    class Raw(SpecError):
        def __str__(self) -> str:
            return "planted.json: \x1b[2J"

    assert fault_of(planted(second(raising(Raw("x"))))) == "message not printable: 'planted.json: \\x1b[2J'"


def test_a_report_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    def read(path: Path) -> None:
        raise KeyError("x")

    monkeypatch.setitem(READERS, "config", replace(READERS["config"], read=read))
    assert main(["--reader", "config", "--index", "5", "--seed", "9", "-o", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].startswith("config: 1 x KeyError at tests/fuzz/test_fuzz.py:")
    assert lines[-2] == "    --seed 9 --reader config --index 5"
    assert lines[-1].startswith("seed 9: 1 files, 1 faults, ")
    assert (tmp_path / "config-9-5-config.json").read_bytes() == case("config", READERS["config"], 9, 5)
