"""The committed reference pages are what the code says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import sims.reference
from archmodel.keys import engine_keys, memory_keys
from archmodel.records.machine import engine_records, engine_types
from sims.cli import VERBS, parser_of
from sims.reference import COMMAND, FOLDER, cli_page, machine_page, pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_committed_page_is_the_generated_one(path: Path) -> None:
    same = path.is_file() and path.read_text(encoding="utf-8") == pages()[path]
    assert same, f"docs/reference/{path.name} is not what the code says; run: {COMMAND}"


def test_every_key_is_in_it() -> None:
    page = machine_page()
    for kind in engine_types():
        part = page.partition(f"### type: {kind}\n")[2].partition("\n#")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", part, re.MULTILINE)
        assert [name for name, _ in rows] == list(engine_keys(kind))
        params = {field.name for field in dataclasses.fields(engine_records(kind).Params)}
        assert params < {name for name, _ in rows}
        assert all(row.rpartition("|")[2].strip() for _, row in rows), "a key without a meaning"
    assert all(f"| `{name}` |" in page for name in memory_keys())


def test_every_option_of_every_verb_is_in_it() -> None:
    page = cli_page()
    for verb in VERBS:
        part = page.partition(f"## archmodel {verb}\n")[2].partition("\n## ")[0]
        for action in parser_of(verb)._actions:
            for name in action.option_strings:
                assert action.dest == "help" or re.search(rf"`{re.escape(name)}[ `]", part), f"{verb} {name}"
        rows = re.findall(r"^\| `.*\| (.*) \|$", part, re.MULTILINE)
        assert all(row.strip() for row in rows), f"{verb}: an option without a word"


def test_a_changed_meaning_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: another meaning in the code is another page."""
    before = machine_page()
    monkeypatch.setattr(engine_records("vector").Params, "__doc__", "lanes   something else\n")
    assert machine_page() != before
    assert "something else" in machine_page()


def test_it_writes_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "docs" / "reference"
    folder.parent.mkdir()
    monkeypatch.setattr(sims.reference, "FOLDER", folder)
    assert sims.reference.main() == 0
    assert capsys.readouterr().err == "".join(f"wrote docs/reference/{name}.md\n" for name in ("machine", "cli", "costs"))
    assert (folder / "cli.md").read_text() == (FOLDER / "cli.md").read_text()
    (folder / "cli.md").write_text("old")
    sims.reference.main()
    assert capsys.readouterr().err == "wrote docs/reference/cli.md\n"
