"""The pages of the project, their fenced blocks, and how each kind of block is executed."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archmodel import load_machine
from sims.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NOT_CODE = {"", "text", "bibtex", "verilog"}
"""Formulas, figures, excerpts of output: nothing that a reader would run."""


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


@dataclass
class Reader:
    """Somebody who reads one page and does what it says, in ``folder``, from top to bottom."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.names: dict[str, Any] = {}

    def does(self, block: Block) -> None:
        """Raises AssertionError where the page is wrong, and for a language that nobody executes."""
        if block.language not in NOT_CODE:
            assert block.language in ("python", "yaml", "console"), f"line {block.line}: nobody executes {block.language!r}"
            getattr(self, block.language)(block)

    def python(self, block: Block) -> None:
        exec(compile("\n" * block.line + block.text, "page", "exec"), self.names)

    def yaml(self, block: Block) -> None:
        """A file: one named in its first line (``# mine.yaml``) is for a later block to use; any other machine must load."""
        name = re.match(r"# ([\w.-]+\.yaml)\b", block.text)
        path = self.folder / (name[1] if name else "machine.yaml")
        path.write_text(block.text)
        if not name and re.search(r"^(base|engines):", block.text, re.MULTILINE):
            load_machine(str(path))

    def console(self, block: Block) -> None:
        """``$ command`` lines, each with what it prints below it: everything, or with ``...`` for the rest; or nothing."""
        assert block.text.startswith("$ "), f"line {block.line}: a console block begins with a command"
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, wanted = part.partition("\n")
            while command.endswith("\\"):
                more, _, wanted = wanted.partition("\n")
                command = command[:-1] + more.strip()
            code, found = self.runs(command)
            expected = int(code_text[1]) if (code_text := re.search(r"# exit (\d)$", command)) else 0
            assert code == expected, f"line {block.line}: {command} exits with {code}\n{found}"
            same = doctest.OutputChecker().check_output(wanted, found, doctest.ELLIPSIS)
            assert not wanted or same, f"line {block.line}: {command} prints\n{found}\nand the page says\n{wanted}"

    def runs(self, command: str) -> tuple[int, str]:
        """Exit code and all that is printed.  ``make`` is not run again inside a test; its target must exist."""
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            assert words[1] in TARGETS, f"{command}: no such target"
            return 0, ""
        if words[0].removeprefix(".venv/bin/") == "archmodel":
            self.capsys.readouterr()
            code = main(words[1:])
            said = self.capsys.readouterr()
            return code, said.out + said.err
        assert not words[0].startswith("pip"), "a page that installs something can't be tested"
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=self.folder, capture_output=True, text=True, check=False,
                              env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(self.folder)})  # fmt: skip
        return done.returncode, done.stdout + done.stderr
