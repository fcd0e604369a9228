"""``archmodel cite``: BibTeX on standard output or in a file, JSON, and what is no result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pybtex.database import parse_file, parse_string

from sims.cli import main

from .helpers import said


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cite") / "a.json"
    assert main(["run", "gpt2", "tpu-v1", "-o", str(path)]) == 0
    return path


def test_it_prints_bibtex(result: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = said(capsys, "cite", str(result))
    assert found.code == 0
    entries = parse_string(found.out, "bibtex").entries
    assert next(iter(entries)) == "archmodel"
    assert set(entries) >= {"horowitz-2014", "stillmaker-2017", "jouppi-2017", "machine-tpu-v1", "model-gpt2"}
    assert json.loads(result.read_text())["record_hash"][:16] in entries["archmodel"].fields["note"]
    out = tmp_path / "a.bib"
    assert said(capsys, "cite", str(result), "-o", str(out)).out == ""
    assert parse_file(str(out)).entries == entries
    assert [entry["key"] for entry in said(capsys, "cite", str(result), "--json").json] == list(entries)


def test_a_bound_cites_the_tool_and_the_area(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bound.json"
    assert main(["run", "--gemm", "8,8,8", "edge-npu", "--fidelity", "bound", "-o", str(path)]) == 0
    entries = parse_string(said(capsys, "cite", str(path)).out, "bibtex").entries
    assert {"archmodel", "machine-edge-npu"} < set(entries)
    assert not [key for key in entries if key.startswith("model-")]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nope.json", "nope.json: cannot be read (No such file or directory); expected a result that `archmodel run -o FILE.json` wrote"),
        ("{folder}", "{folder}: cannot be read (Is a directory); expected a result that `archmodel run -o FILE.json` wrote"),
        ("{other}", "{other}: found no records of a run, expected a file that `archmodel run -o FILE.json` wrote"),
        ("cloud", "cloud: cannot be read (No such file or directory); expected a result that `archmodel run -o FILE.json` wrote"),
        ("--bibtx", "archmodel cite: no option --bibtx; "),
    ],
)
def test_what_is_no_result(word: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    places = {"folder": str(tmp_path), "other": str(other)}
    words = ("cite", word.format(**places)) if not word.startswith("--") else ("cite", str(other), word)
    found = said(capsys, *words)
    assert (found.code, found.out, len(found.err.splitlines())) == (2, "", 1)
    assert message.format(**places) in found.err
