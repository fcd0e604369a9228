"""How a study is found, printed, written and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archmodel.records.base import SpecError
from sims.cli import main
from sims.studies.record import Column, Study, Table, error, find_study, mean, plain, shown, studies, text

ROWS = (("a", 0.5), ("b", None))
TABLE = Table("t", "A table", (Column("what"), Column("error", "error")), ROWS, "a note")
TOY = Study("toy", "A toy", "nobody", (TABLE,), (), ("one note",))


@pytest.mark.parametrize(
    ("cell", "form", "printed"),
    [(None, "number", "-"), (0.001234, "error", "+0.12 %"), (-4e-6, "error", "-0.0004 %"), (1e-9, "error", "0"),
     (1234567, "count", "1,234,567"), (1234.5678, "number", "1235"), ("x", "number", "x")],
)  # fmt: skip
def test_a_cell(cell: float | str | None, form: str, printed: str) -> None:
    assert shown(cell, form) == printed


def test_a_study_as_text_and_as_plain_data() -> None:
    assert plain(TOY)["tables"] == {"t": [{"what": "a", "error": 0.5}, {"what": "b", "error": None}]}
    printed = text(TOY)
    assert "a     +50.00 %" in printed and "b            -" in printed and "one note" in printed and "a note" in printed


def test_an_error_needs_something_published() -> None:
    assert error(3.0, 2.0) == 0.5
    assert error(3.0, None) is None
    assert mean([1.0, 2.0]) == 1.5


def test_a_study_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fusemax" in studies()
    with pytest.raises(SpecError, match="study: found 'fusemacs', expected fusemax"):
        find_study("fusemacs")
    assert main(["study", "fusemacs"]) == 2
    assert capsys.readouterr().err == "archmodel: study: found 'fusemacs', expected fusemax\n"


def test_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "studies"]) == 0
    assert "fusemax  FuseMax (MICRO 2024" in capsys.readouterr().out
    assert main(["list", "studies", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == studies()


def test_a_study_as_json_and_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "fusemax", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["study"] == "fusemax"
    first = said["tables"]["latency"][0]
    assert (first["variant"], first["model"], first["length"]) == ("unfused", "BERT", "1K")
    page = tmp_path / "fusemax.html"
    assert main(["study", "fusemax", "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"wrote {page}\n"
    written = page.read_text(encoding="utf-8")
    assert written.count("<figure>") == 8 and 'id="fig12"' in written and "1,892,352" in written
    assert "://" not in written.partition('<script type="application/json"')[0]
