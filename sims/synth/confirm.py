"""The netlist of a preset behind AXI, as an ECP5 would hold it, against the cycle model: ``python -m sims.synth.confirm``."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterable, Sequence

from archmodel.engines.systolic import hardware_of
from archmodel.load import load_machine
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from rtl.systolic_axi import TOP, emit

from ..cosim.build import OPTIMISE_NOTHING
from ..cosim.compare import check
from ..cosim.drive import Engine
from ..cosim.jobs import random_job
from .synth import simulatable, synth_ecp5

LARGEST = 16


def confirm(hardware: Hardware, seeds: Iterable[int], stalled: int = 3) -> tuple[str, int, int, str]:
    """(resources, Programs, cycles, the first difference or nothing) of the netlist of ``hardware`` behind AXI.

    Each Program finds its memory elsewhere in 64 bits of address, so that words are split at 4 KiB.  One of ``stalled``
    has a memory that stalls; a word split there may cost cycles that the model's port doesn't know, so only its data count.
    """
    made = synth_ecp5(emit(hardware), TOP)
    programs, cycles = 0, 0
    with Engine(hardware, simulatable(made.netlist), optimise=OPTIMISE_NOTHING, top=TOP) as engine:
        for seed in seeds:
            engine.base = random.Random(seed).randrange(1 << 50) * hardware.port_bytes
            stalls = seed % stalled == 0
            verdict = check(random_job(hardware, seed, stalled=stalls, largest=LARGEST), engine)
            programs, cycles = programs + 1, cycles + verdict.cycles
            if {*verdict.failures} - ({"cycles", "commands"} if stalls else set()):
                return str(made.resources), programs, cycles, verdict.report
    return str(made.resources), programs, cycles, ""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all Programs agreed, 1 at the first that didn't, 2 where nothing can be built."""
    parser = argparse.ArgumentParser(prog="python -m sims.synth.confirm", description=__doc__)
    parser.add_argument("machine", nargs="?", default="ecp5-tiny", help="with a small systolic engine named array (default ecp5-tiny)")
    parser.add_argument("--programs", type=int, default=100)
    given, begun = parser.parse_args(arguments), time.monotonic()
    try:
        machine = load_machine(given.machine)
        resources, programs, cycles, report = confirm(hardware_of(machine, machine.engine("array")), range(given.programs))
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.machine} behind AXI: {resources}")
    print(report or f"{programs} Programs, {cycles:,} cycles on the netlist, all equal, in {time.monotonic() - begun:.0f} s")
    return 1 if report else 0


if __name__ == "__main__":
    raise SystemExit(main())
