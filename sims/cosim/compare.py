"""The comparison: cycles, every command's start and end, every output bit; and what to show where they differ."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from archmodel.engines import module_of
from archmodel.engines.sequencing import Event, Run
from archmodel.records.base import SpecError, to_plain

from .drive import Engine, Observed, capacity
from .sides import Job, kind_of


@dataclass(frozen=True)
class Verdict:
    """``failures`` name the checks that failed: empty means equal in every cycle and bit."""

    failures: tuple[str, ...]
    cycles: int
    commands: int
    report: str = ""


def check(job: Job, engine: Engine) -> Verdict:
    """Run a job on the model and the hardware and compare.  Without stalls the closed form is compared too."""
    model_memory, real_memory = job.memory.copy(), job.memory.copy()
    failures, refusal = [], ""
    try:
        model = module_of(job.program.engine).run(job.program, job.hardware, job.port, model_memory, job.stalls)
    except SpecError as error:
        failures.append("model refuses")
        model, refusal = Run(-1, ()), str(error)
    real = engine.run(job.program, job.port, real_memory, job.stalls, events=capacity(model))
    wanted = job.wanted()
    if real.status != "done":
        failures.append(f"hardware {real.status}")
        engine.reset()
    if real.cycles != model.cycles:
        failures.append("cycles")
    if real.trace != model.trace:
        failures.append("commands")
    if not np.array_equal(real_memory, model_memory):
        failures.append("memory image")
    if not np.array_equal(job.found(real_memory), wanted):
        failures.append("hardware result")
    if not np.array_equal(job.found(model_memory), wanted):
        failures.append("model result")
    if job.stalls is None and job.price() != model.cycles:
        failures.append("closed form")
    report = "\n".join(filter(None, (_report(job, model, real, failures), refusal))) if failures else ""
    return Verdict(tuple(failures), real.cycles, len(real.trace), report)


def _report(job: Job, model: Run, real: Observed, failures: list[str]) -> str:
    lines = [f"model and hardware differ in: {', '.join(failures)}",
             f"cycles: model {model.cycles}, hardware {real.cycles} ({real.status})",
             f"job: seed {job.seed}, {job.shape}, {job.port}, {'stalled' if job.stalls else 'no stalls'}",
             f"repeat: {repeat_command(job)}"]  # fmt: skip
    return "\n".join(lines + first_difference(model.trace, real.trace))


def repeat_command(job: Job) -> str:
    """The command line that runs this one job again."""
    return f"python -m sims.cosim.repeat --hardware '{json.dumps(to_plain(job.hardware))}' --engine {kind_of(job.hardware)} {job.recipe}"


def first_difference(model: tuple[Event, ...], real: tuple[Event, ...], around: int = 3) -> list[str]:
    """The first command that differs, with both traces around it."""
    for i in range(max(len(model), len(real))):
        pair = [trace[i] if i < len(trace) else None for trace in (model, real)]
        if pair[0] != pair[1]:
            lines = [f"first differing command: number {i}"]
            for name, trace in (("model", model), ("hardware", real)):
                for j in range(max(0, i - around), min(len(trace), i + around + 1)):
                    event = trace[j]
                    lines.append(f"  {name:8} {'>' if j == i else ' '} {j:5} {event.unit:5} {event.start:8} to {event.end:8}")
            return lines
    return []
