"""Fresh random hardware and Programs until the time is up: ``python -m sims.cosim.long --seconds 3600 --seed 1``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from archmodel.records.base import SpecError

from .build import check_tools
from .crosscheck import Agreement, crosscheck, random_jobs
from .sides import kind_of, side_of

PROGRAMS, WILD = 400, 40
ENGINES = ("systolic", "attention")
"""Types that take turns."""


def _line(number: int, hardware: Any, found: Agreement) -> str:
    shape, port = side_of(kind_of(hardware)).described(hardware)
    return (f"{number:4}  {shape:24} {port:34} {found.programs:5} Programs and {found.wild:3} wild, {found.cycles:9} cycles "
            f"{'equal' if found.equal else 'DIFFER'}")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything agreed, 1 at the first mismatch, 2 where nothing can be built."""
    parser = argparse.ArgumentParser(prog="python -m sims.cosim.long", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configurations", type=int, default=1 << 30, help="stop after so many, even with time left")
    parser.add_argument("--side", type=int, default=0, help="rows and columns of all arrays, instead of drawn ones")
    parser.add_argument("--engine", choices=ENGINES, help="only this type")
    given = parser.parse_args(arguments)
    try:
        check_tools()
        return _until(time.monotonic() + given.seconds, given.seed, given.configurations,
                      (given.engine,) if given.engine else ENGINES, given.side)  # fmt: skip
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; everything printed so far was equal", file=sys.stderr)
        return 2


def _until(deadline: float, seed: int, most: int, engines: Sequence[str], side: int) -> int:
    rng, number, programs, wild, cycles = np.random.Generator(np.random.PCG64(seed)), 0, 0, 0, 0
    while time.monotonic() < deadline and number < most:
        hardware, first = side_of(engines[number % len(engines)]).random_hardware(rng, side), int(rng.integers(1 << 40))
        found = crosscheck(hardware, random_jobs(hardware, range(first, first + PROGRAMS)), range(first, first + WILD),
                           deadline=deadline)  # fmt: skip
        number, programs, wild, cycles = number + 1, programs + found.programs, wild + found.wild, cycles + found.cycles
        print(_line(number, hardware, found), flush=True)
        if not found.equal:
            print(found.report)
            return 1
    print(f"seed {seed}: {programs} Programs and {wild} wild ones on {number} configurations, {cycles} simulated cycles, all equal")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
