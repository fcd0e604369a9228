"""``archmodel sim``: an engine of the machine as generated hardware, in Verilator, against the cycle model."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archmodel.records.base import SpecError

from .output import check_writable, deliver, dump, is_device, wants_json
from .parser import Parser, integer, integers
from .work import MACHINE, add_machine, add_output, machine_of

if TYPE_CHECKING:
    from ..cosim.sides import Job
    from ..report.agreement import Agreement
    from .arrays import Array

LARGEST_PES = 64 * 64
"""Arrays above this are simulated only with --yes: their build takes minutes and gigabytes."""
SECONDS_TO_SAY = 60
MOST_SECONDS = 600
EXAMPLES = """examples:
  archmodel sim edge-npu
  archmodel sim cloud --scale 16x16 --gemm 8,64,512
  archmodel sim edge-npu --gemm 8,64,512 --waves gemm.vcd
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("machine", metavar="MACHINE", help=MACHINE)
    what = parser.add_argument_group("what runs")
    what.add_argument("--programs", type=integer(0), metavar="N",
                      help="random Programs, every second one at a port that stalls (default 100)")  # fmt: skip
    what.add_argument("--gemm", type=integers("M,N,K"), metavar="M,N,K", help="and this matrix product, mapped by the search")
    what.add_argument("--seed", type=integer(0), default=0, metavar="N", help="of the first random Program, and of all data (default 0)")
    what.add_argument("--scale", type=integers("RxC", 2, "x"), metavar="RxC", help="a smaller array from the same generator")
    what.add_argument("--engine", default="", metavar="NAME", help="which engine (default: the first one that has hardware)")
    what.add_argument("--waves", type=Path, metavar="FILE.vcd",
                      help="run only one Program, that of --gemm or a random one, and write its waveform")  # fmt: skip
    what.add_argument("--yes", action="store_true", help="go ahead although it takes long")
    add_machine(parser)
    add_output(parser, "write the answer there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    """0 when model and hardware agree in every cycle and bit, 1 when they do not."""
    check_writable(given.output)
    check_writable(given.waves)
    if given.waves and is_device(given.waves):
        raise SpecError(f"--waves {given.waves}: is a device or a pipe, expected the name of a file to write")
    from ..cosim.build import check_tools
    from ..report.agreement import agreement_text, agreement_to_json
    from .arrays import array_of
    from .waiting import interruptible

    array = array_of(machine_of(given.machine, given.sets), given.scale, given.engine)
    check_tools()
    jobs = _jobs(given, array)
    _consider(given, array, jobs)
    found = interruptible(lambda: _run(given, array, jobs))
    if wants_json(given.output, given.json):
        deliver(dump(agreement_to_json(found)), given.output)
    else:
        deliver(agreement_text(found), given.output)
    return 0 if found.agree else 1


def _jobs(given: argparse.Namespace, array: Array) -> list[tuple[str, Job]]:
    """(what it is, the job) of each Program: the product's first, then the random ones."""
    from ..cosim.sides import side_of
    from .arrays import product_jobs

    kind = array.engine.type
    if given.gemm and kind != "systolic":
        raise SpecError(f"--gemm: engine {array.engine.name} is of type {kind} and runs no matrix product; name another with --engine")
    jobs: list[tuple[str, Job]] = [*product_jobs(array, given.gemm, given.seed)] if given.gemm else []
    programs = given.programs if given.programs is not None else 0 if given.waves and jobs else 100
    if given.waves:
        if given.programs not in (None, 0, 1):
            raise SpecError(f"--waves: found --programs {given.programs}, and a waveform is of one Program; leave --programs out")
        programs = 0 if jobs else 1
    if not jobs and not programs:
        raise SpecError("--programs 0: nothing to run; give --gemm M,N,K or a number of Programs")
    seeds = range(given.seed, given.seed + programs)
    return jobs[: 1 if given.waves else None] + [
        ("random", side_of(kind).random_job(array.hardware, seed, bool(seed % 2), array.largest)) for seed in seeds
    ]


def _consider(given: argparse.Namespace, array: Array, jobs: list[tuple[str, Job]]) -> None:
    """State the cost when it is large; refuse what takes very long unless told to go ahead."""
    hardware = array.hardware
    build, run = array.build_seconds, array.run_seconds([job for _, job in jobs])
    if build + run < SECONDS_TO_SAY:
        return
    cost = (f"about {build:,.0f} s to build the {hardware.rows}x{hardware.cols} array (once, then it is kept) and {run:,.0f} s "
            "to simulate")  # fmt: skip
    if (hardware.rows * hardware.cols > LARGEST_PES or run > MOST_SECONDS) and not given.yes:
        smaller = f"{min(16, hardware.rows)}x{min(16, hardware.cols)}"
        raise SpecError(f"sim {array.machine.name}: {cost}; add --yes to go ahead, or take a smaller array from the same "
                        f"generator with --scale {smaller}, or a smaller --gemm")  # fmt: skip
    print(f"archmodel: {cost}", file=sys.stderr)


def _run(given: argparse.Namespace, array: Array, jobs: list[tuple[str, Job]]) -> Agreement:
    """Build, run all, compare; ends at the first difference."""
    from ..cosim.compare import check
    from ..cosim.drive import Engine
    from ..cosim.sides import side_of
    from ..report.agreement import Agreement, Compared

    part = given.waves.with_name(f".{given.waves.name}.part") if given.waves else None
    begun, compared, report = time.monotonic(), [], ""
    try:
        engine = Engine(array.hardware, waves=part)
        built = time.monotonic()
        for name, job in jobs:
            verdict = check(job, engine)
            compared.append(Compared(name, job.seed, job.stalls is not None, verdict.cycles, verdict.commands, verdict.failures))
            if verdict.failures:
                report = verdict.report
                break
        engine.close()
        if part:
            part.replace(given.waves)
    finally:
        if part:
            part.unlink(missing_ok=True)
    times: dict[str, Any] = {"build_seconds": built - begun, "run_seconds": time.monotonic() - built}
    return Agreement(array.machine.name, array.engine.name, array.hardware,
                     side_of(array.engine.type).computes(array.hardware), array.scaled_from, given.gemm, len(jobs), tuple(compared),
                     report, str(given.waves or ""), **times)  # fmt: skip
