"""Running the command line inside the test's own process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from sims.cli import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """The answer to ``archmodel WORDS``."""
    capsys.readouterr()
    code = main(list(words))
    captured = capsys.readouterr()
    return Said(code, captured.out, captured.err)
