"""The cross-check of one hardware: random Programs, or given ones, on model and simulator until one differs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .compare import check
from .drive import Engine
from .sides import Job, kind_of, side_of


@dataclass(frozen=True)
class Agreement:
    """What was compared; ``report`` is empty when all of it was equal.

    programs  Programs with data: cycles, commands, every output bit
    wild      Programs of which only the cycles are compared
    """

    programs: int
    wild: int
    commands: int
    cycles: int
    seconds: float
    report: str = ""

    @property
    def equal(self) -> bool:
        return not self.report


def is_wide(seed: int) -> bool:
    """Whether the cross-check takes a wide job for this seed: one in eight, half of them of odd seeds."""
    return seed % 16 in (5, 10)


def random_jobs(hardware: Any, seeds: Iterable[int], largest: int = 24) -> Iterable[Job]:
    """One job a seed, drawn when it is needed; every second one at a port that stalls, one in eight wide."""
    random_job = side_of(kind_of(hardware)).random_job
    return (random_job(hardware, seed, stalled=bool(seed % 2), largest=largest, wide=is_wide(seed)) for seed in seeds)


def crosscheck(hardware: Any, jobs: Iterable[Job], wild: Iterable[int] = (), waves: Path | None = None,
               deadline: float = float("inf")) -> Agreement:  # fmt: skip
    """Run ``jobs``, then wild Programs of the seeds ``wild``, back to back on one engine.

    Stops at the first difference, and at ``deadline`` (of ``time.monotonic``).  Raises SpecError where no simulator can
    be built.
    """
    begin, programs, wilds, commands, cycles, report = time.monotonic(), 0, 0, 0, 0, ""
    with Engine(hardware, waves=waves) as engine:
        for job in jobs:
            if report or time.monotonic() > deadline:
                break
            verdict = check(job, engine)
            programs, commands, cycles = programs + 1, commands + verdict.commands, cycles + verdict.cycles
            report = verdict.report
        for seed in wild:
            if report or time.monotonic() > deadline:
                break
            wilds += 1
            if not side_of(kind_of(hardware)).same_cycles(hardware, engine, seed):
                report = f"model and hardware differ in the cycles of wild Program {seed} on {hardware}"
    return Agreement(programs, wilds, commands, cycles, time.monotonic() - begin, report)
