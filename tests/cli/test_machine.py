"""``archmodel machine``: what its verbs print, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archmodel.json_schema import machine_schema

from .helpers import said


def test_help_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        answer = said(capsys, "machine", word)
        assert answer.code == 0
        assert "machine schema" in answer.out
        assert "run" not in answer.out.split()


class TestSchema:
    def test_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert said(capsys, "machine", "schema").json == machine_schema()

    def test_is_written(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "machine.schema.json"
        answer = said(capsys, "machine", "schema", "-o", str(path))
        assert (answer.code, answer.out, answer.err) == (0, "", f"wrote {path}\n")
        assert json.loads(path.read_text()) == machine_schema()
