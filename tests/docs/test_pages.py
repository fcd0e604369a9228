"""Every code block of every page is executed, and what a page says is printed is what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, Reader, blocks


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Reader:
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path, capsys)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_blocks_do_what_they_say(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        reader.does(block)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block("console", "$ archmodel --version\narchmodel 99\n", 3), "line 3: archmodel --version prints"),
        (Block("console", "$ archmodel fly\n", 3), "line 3: archmodel fly exits with 2"),
        (Block("console", "$ make tea\n", 3), "make tea: no such target"),
        (Block("console", "$ false\n", 3), "line 3: false exits with 1"),
        (Block("perl", "print 1\n", 3), "line 3: nobody executes 'perl'"),
        (Block("python", "assert 1 == 2\n", 3), ""),
    ],
    ids=["output", "exit", "target", "shell", "language", "python"],
)
def test_a_page_that_is_wrong_is_seen(block: Block, message: str, reader: Reader) -> None:
    with pytest.raises(AssertionError) as error:
        reader.does(block)
    assert message in str(error.value)


def test_a_page_may_leave_out_what_changes(reader: Reader) -> None:
    reader.does(Block("console", "$ archmodel --version\narchmodel ...\n$ archmodel fly  # exit 2\n...no verb 'fly'...\n", 1))


def test_the_readme_opens_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    first = [line.split("#")[0].strip() for line in text.splitlines() if line.strip()][1:3]
    assert first == ["make run", "make test"]


def test_the_readme_s_machine_has_ten_lines() -> None:
    (machine,) = (block for block in blocks(ROOT / "README.md") if block.language == "yaml")
    assert len(machine.text.strip().splitlines()) <= 10
