"""``python -m sims.fuzz``: damaged files to every reader; each is read or refused in fit lines, quickly, in little memory."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .readers import READERS
from .trial import case
from .workers import Tally, tried

CHUNK = 500
"""Files that one worker process tries at most."""
SHOWN = 3
"""Files named of those with the same fault."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every file was read or refused as it should be, 1 after a fault."""
    given = _parser().parse_args(arguments)
    begun = time.monotonic()
    if given.index is not None:
        tally = tried(READERS, given.seed, [(given.reader, given.index)])
    else:
        tally = _all(given.files, given.seed, [given.reader] if given.reader else list(READERS), given.jobs)
    print(_report(tally, given.seed, time.monotonic() - begun))
    if given.output is not None:
        _write(tally, given.seed, given.output)
    return 1 if tally.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sims.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=2000, metavar="N", help="damaged files, dealt to the readers in turn (default 2000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--reader", choices=READERS, help="only this one")
    parser.add_argument("--index", type=int, metavar="N", help="only this file of --reader")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="files tried at once (default: one a core)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write each file that showed a fault there")
    return parser


def _all(files: int, seed: int, names: list[str], jobs: int) -> Tally:
    """All files, the chunks tried side by side."""
    cases = [(names[number % len(names)], number // len(names)) for number in range(files)]
    chunks = [cases[at : at + CHUNK] for at in range(0, files, CHUNK)]
    tally = Tally()
    for name in names:
        READERS[name].sources()  # once, before the forks
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        for part in pool.map(_chunk, [seed] * len(chunks), chunks):
            tally.join(part)
    return tally


def _chunk(seed: int, cases: list[tuple[str, int]]) -> Tally:
    return tried(READERS, seed, cases)


def _report(tally: Tally, seed: int, seconds: float) -> str:
    lines = [f"{'reader':10}{'files':>8}{'read':>8}{'refused':>9}{'failed':>8}{'longest':>9}"]
    for name, kinds in tally.counts.items():
        columns = f"{sum(kinds.values()):8}{kinds['read']:8}{kinds['refused']:9}{kinds['failed']:8}"
        lines.append(f"{name:10}{columns}{tally.longest[name]:7.2f} s")
    alike: dict[tuple[str, str], list[int]] = {}
    for (name, index), fault in sorted(tally.faults.items()):
        alike.setdefault((name, fault.partition(": ")[0]), []).append(index)
    for (name, _), found in alike.items():
        again = ", ".join(f"--index {index}" for index in found[:SHOWN])
        lines.append(f"{name}: {len(found)} x {tally.faults[name, found[0]]}\n    --seed {seed} --reader {name} {again}")
    total = sum(sum(kinds.values()) for kinds in tally.counts.values())
    memory = f"at most {tally.peak_bytes >> 20} MiB in a process"
    lines.append(f"seed {seed}: {total} files, {len(tally.faults)} faults, {seconds:.0f} s, {memory}")
    return "\n".join(lines)


def _write(tally: Tally, seed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, index in sorted(tally.faults):
        (folder / f"{name}-{seed}-{index}-{READERS[name].file}").write_bytes(case(name, READERS[name], seed, index))


if __name__ == "__main__":
    sys.exit(main())
