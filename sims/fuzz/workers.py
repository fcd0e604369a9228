"""Workers: each file is tried in a process with limits, so that one which hangs or kills is known by its number."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from .trial import Outcome, Reader, attempt, case, ended_by, limit_memory, start_clocks


@dataclass
class Tally:
    """What came of many files: how many of each kind, the faults by (reader, index), and what it took."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: dict[tuple[str, int], str] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def add(self, name: str, index: int, outcome: Outcome, seconds: float) -> None:
        kinds = self.counts.setdefault(name, {"read": 0, "refused": 0, "failed": 0})
        kinds[outcome.kind] += 1
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))
        if outcome.kind == "failed":
            self.faults[name, index] = outcome.text

    def join(self, other: Tally) -> None:
        for name, kinds in other.counts.items():
            mine = self.counts.setdefault(name, dict.fromkeys(kinds, 0))
            for kind, count in kinds.items():
                mine[kind] += count
            self.longest[name] = max(other.longest[name], self.longest.get(name, 0.0))
        self.faults |= other.faults
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)


def tried(readers: Mapping[str, Reader], seed: int, cases: Sequence[tuple[str, int]]) -> Tally:
    """Tries the (reader, index) ``cases`` in turn; a process that ends early is replaced, and its file is a fault."""
    tally, done = Tally(), 0
    while done < len(cases):
        done += _worker(readers, seed, cases[done:], tally)
    return tally


def _worker(readers: Mapping[str, Reader], seed: int, cases: Sequence[tuple[str, int]], tally: Tally) -> int:
    """Tries ``cases`` in one process; how many of them are done, the one that ended it included."""
    with tempfile.TemporaryDirectory(prefix="archmodel-fuzz-") as folder:
        there, here = os.pipe()
        if not (child := os.fork()):
            os.close(there)
            _child(readers, seed, cases, Path(folder), os.fdopen(here, "w"))
        os.close(here)
        count = 0
        with os.fdopen(there) as lines:
            for line in lines:
                kind, text, seconds = json.loads(line)
                tally.add(*cases[count], Outcome(kind, text), seconds)
                count += 1
        _, status, usage = os.wait4(child, 0)
    tally.peak_bytes = max(tally.peak_bytes, usage.ru_maxrss * 1024)
    if count < len(cases):
        why = ended_by(os.waitstatus_to_exitcode(status))
        tally.add(*cases[count], Outcome("failed", why), 0.0)
        count += 1
    return count


def _child(readers: Mapping[str, Reader], seed: int, cases: Sequence[tuple[str, int]], folder: Path, report: TextIO) -> None:
    """The worker itself: never returns, reads no input, prints nothing."""
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        limit_memory()
        for name, index in cases:
            reader = readers[name]
            path = folder / reader.file
            path.write_bytes(case(name, reader, seed, index))
            begun = time.process_time()
            start_clocks()
            outcome = attempt(reader, path)
            start_clocks(0, 0)
            report.write(json.dumps([outcome.kind, outcome.text, time.process_time() - begun]) + "\n")
            report.flush()
        os._exit(0)
    finally:
        os._exit(1)


