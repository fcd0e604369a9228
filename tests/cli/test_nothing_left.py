"""Where nothing is left of the mapspace: what is said names the option, the line or the memory, and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import said

GEMM = ("map", "--gemm", "8,8,8", "plain-a3", "--tiles", "perfect", "--objective", "energy")
NAME = "gemm-8x8x8 on plain-a3"


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    found = said(capsys, *words)
    assert (found.code, found.out) == (2, "")
    return [line.removeprefix("archmodel: ") for line in found.err.splitlines()]


def test_the_smallest_level_that_would_do_is_named_and_does(capsys: pytest.CaptureFixture[str]) -> None:
    small = (*GEMM, "--set", "engines.array.levels.register.words=2")
    lines = refusal(capsys, *small)
    assert lines[1:] == ["register has 2 words, and one element of every tensor of gemm takes 3; 3 would do"]
    assert said(capsys, *small[:-1], "engines.array.levels.register.words=3").code == 0


def test_the_smallest_buffer_of_an_array_that_would_do_is_named_and_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("map", "--gemm", "64,64,64", "edge-npu", "--limit", "buffer=10")
    [line] = refusal(capsys, *words)
    assert line == "--limit buffer=10: no mapping of gemm-64x64x64 on edge-npu was found with buffer of at most 10"


def test_a_limit_that_nothing_keeps_is_told_the_least(capsys: pytest.CaptureFixture[str]) -> None:
    [line] = refusal(capsys, *GEMM, "--limit", "latency=1")
    assert line.startswith(f"--limit latency=1: no mapping of {NAME} has latency of at most 1; the least is ")
    least = line.rpartition(" ")[2].replace(",", "")
    assert said(capsys, *GEMM, "--limit", f"latency={least}", "--json").json["cycles"] == int(least)


def test_limits_that_contradict_each_other_are_both_named(capsys: pytest.CaptureFixture[str]) -> None:
    least = {what: said(capsys, *GEMM[:-1], what, "--json").json for what in ("energy", "latency")}
    words = ("--limit", f"energy={least['energy']['energy_pj']}", "--limit", f"latency={least['latency']['cycles']}")
    if least["energy"]["cycles"] == least["latency"]["cycles"]:
        pytest.fail("the two optima are one, and no pair of limits excludes the other")
    lines = refusal(capsys, *GEMM, *words)
    assert lines[0] == f"{words[0]} {words[1]} and {words[2]} {words[3]} together leave no mapping of {NAME}"
    assert "the least beside the others is" in lines[1] and len(lines) == 3


def test_rules_that_leave_nothing_are_named_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("einsums:\n  gemm:\n    tiles:\n      register: {m: 4, k: 4}\n    order: {register: [a]}\n    spatial: {rows: [m]}\n")
    lines = refusal(capsys, *GEMM, "--constrain", str(file), "--limit", "latency=8")
    assert lines[0].endswith(f"--limit latency=8 together leave no mapping of {NAME}") and lines[0].startswith(f"{file}:")
    assert lines[1].startswith(f"--limit latency=8: no mapping of {NAME} has latency of at most 8; the least beside the others is ")
    assert said(capsys, *GEMM, "--constrain", str(file), "--limit", "register=24").code == 0


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("limits: {buffer: 10}\neinsums: {gemm: {tiles: {buffer: {m: 8}}}}\n",
         "c.yaml:2 and c.yaml:1: what is held of gemm at buffer takes at least 17 words of 10"),
        ("limits: {buffer: 2}\n", "c.yaml:1: one element of every tensor of gemm at buffer takes at least 3 words of 2"),
        ("einsums: {gemm: {tiles: {register: {m: 8, k: 8}}}}\n",
         "c.yaml:1: what is held of gemm at register takes at least 80 words of 64"),
        ("einsums: {gemm: {tiles: {buffer: {m: {multiple: 3, max: 7}}}}}\n",
         "c.yaml:1: no tile of m, which is 8, is as it says and divides it"),
    ],
    ids=["a limit", "a limit alone", "a level", "no divisor"],
)  # fmt: skip
def test_tiles_that_leave_no_room_are_refused_at_once(rules: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(rules)
    assert refusal(capsys, *GEMM, "--constrain", "c.yaml") == [text]


def test_a_limit_on_words_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    free, kept = said(capsys, *GEMM, "--json").json, said(capsys, *GEMM, "--limit", "register=4", "--json").json
    own = said(capsys, *GEMM, "--set", "engines.array.levels.register.words=4", "--json").json
    assert free["energy_pj"] < kept["energy_pj"] == own["energy_pj"]


def test_what_nobody_knows_is_no_limit(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nobody knows the area of plain-a3, so no limit on it can be kept" in refusal(capsys, *GEMM, "--limit", "area=5")[0]


EINSUMS = "ranks: {m: 8, k: 4, n: 3}\ninputs: {X: {ranks: [m, k]}, W: {ranks: [k, n]}}\neinsums:\n"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("  - A[m] = sum(k) B[m] * X[m,k]\n  - B[m] = sum(n, k) A[m] * W[k,n]\n", "4:5: found a circle A -> B -> A, expected"),
        ("  - A[m,n] = sum(k) X[m,k] * W[n,k]\n", "4:32: found n as index 1 of W, expected its rank k"),
        ("  - A[m,n] = sum(k) X[m,k] * W[k,n]\n  - B[m] = sum(k) A[m,k]\n", "5:23: found k as index 2 of A, expected its rank n"),
    ],
    ids=["circle", "order of ranks", "ranks of what is handed on"],
)
def test_graphs_that_cannot_be_name_their_line(lines: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text(EINSUMS + lines)
    assert refusal(capsys, "map", "wrong.yaml", "plain-a3")[0].startswith(f"wrong.yaml:{text}")


def test_the_outermost_level_takes_no_tile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("einsums: {gemm: {tiles: {dram: {m: 4}}}}\n")
    assert refusal(capsys, *GEMM, "--constrain", str(file)) == [
        f"{file}:1: tile of m at dram: it is the outermost level, which holds everything whole"]  # fmt: skip
