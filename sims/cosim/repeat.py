"""Runs one job of the cross-check again: ``python -m sims.cosim.repeat``, as a mismatch report prints it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.base import SpecError, from_plain

from .compare import check
from .drive import Engine
from .sides import Job, side_of


def job_of(arguments: Sequence[str]) -> tuple[Job, Path | None]:
    """The job that a command line describes, and where its waveform goes.  Raises SpecError for what it can't read."""
    parser = argparse.ArgumentParser(prog="python -m sims.cosim.repeat", description=__doc__)
    parser.add_argument("--engine", default="systolic", help="its type")
    parser.add_argument("--hardware", required=True, help="the hardware record as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--largest", type=int, default=40, help="largest extent of a rank that is drawn")
    parser.add_argument("--stalled", type=int, choices=(0, 1), default=None)
    parser.add_argument("--wide", type=int, choices=(0, 1), default=0, help="1 for a job of far memory, long streams, many folds")
    parser.add_argument("--shape", help="the work as JSON instead of work drawn from the seed")
    parser.add_argument("--port", default="1,1", help="LATENCY,INTERVAL, with --shape")
    parser.add_argument("--stalls", help="REQUEST:RESPONSE bits, with --shape")
    parser.add_argument("--waves", type=Path, default=None, help="write a VCD waveform there")
    given = parser.parse_args(arguments)
    try:
        side = side_of(given.engine)
        hardware = from_plain(side.HARDWARE, json.loads(given.hardware))
        if given.shape is None:
            stalled = None if given.stalled is None else bool(given.stalled)
            return side.random_job(hardware, given.seed, stalled, given.largest, bool(given.wide)), given.waves
        port = Port(*map(int, given.port.split(",")))
        stalls = Stalls(*(bytes(map(int, bits)) for bits in given.stalls.split(":"))) if given.stalls else None
        return side.given_job(hardware, json.loads(given.shape), port, stalls, given.seed), given.waves
    except (json.JSONDecodeError, TypeError, ModuleNotFoundError) as error:
        raise SpecError(f"repeat: {error}; expected the arguments that a mismatch report printed") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when model and hardware agree, 1 when they differ, 2 for bad input."""
    try:
        job, waves = job_of(sys.argv[1:] if arguments is None else arguments)
        with Engine(job.hardware, waves=waves) as engine:
            verdict = check(job, engine)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    print(verdict.report or f"equal: {verdict.cycles} cycles, {verdict.commands} commands, every output bit")
    return 1 if verdict.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
