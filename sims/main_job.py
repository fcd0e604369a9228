"""The main job, ``make run``: two models on the cloud preset, one table a stage, and a product confirmed on generated hardware."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

if TYPE_CHECKING:
    from .commands.arrays import Array
    from .cosim.jobs import Job

MODELS = ("llama-3.1-8b", "mixtral-8x7b")
MACHINE, EDGE = "cloud", "edge-npu"
PROMPT, BATCH, CONTEXT = 2048, 16, 4096
TOKENS = 8
"""Rows of the product that runs in Verilator; its weights are whole."""
SEED = 1


def main() -> int:
    """0 when model and hardware agree, 1 when they differ, 2 when something that the job needs is missing."""
    try:
        from .cosim.build import check_tools

        check_tools()
        stages()
        return confirm()
    except SpecError as error:
        print(f"archmodel: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("archmodel: interrupted by Ctrl-C; run it again, finished builds are kept", file=sys.stderr)
        from .commands.waiting import left_with

        return left_with(2)
    return 2


def stages() -> None:
    """Prefill and decode of both models: mapped, priced, one table each."""
    from archmodel import evaluate, load_machine, load_model, search

    from .report.table import stage_table

    machine = load_machine(MACHINE)
    for name in MODELS:
        model = load_model(name)
        for graph in (model.prefill(PROMPT), model.decode(batch=BATCH, context=CONTEXT)):
            begun = time.perf_counter()
            mapping = search(graph, machine)
            result = evaluate(graph, mapping, machine)
            print(stage_table(result, mapping, machine))
            print(f"mapped and priced in {time.perf_counter() - begun:.2f} s\n")
    sys.stdout.flush()


def confirm() -> int:
    """The key projection of the first model, cut to a few tokens, on the generated array of the edge preset."""
    from archmodel import load_machine, load_model

    from .commands.arrays import array_of, product_jobs

    model, array = load_model(MODELS[0]), array_of(load_machine(EDGE))
    shape = (TOKENS, model.kv_heads * model.head_dim, model.hidden)
    hardware = array.hardware
    print(f"On hardware: the key projection of {MODELS[0]}, its {shape[2]:,} x {shape[1]:,} weights whole, tokens cut from {PROMPT:,}\n"
          f"to {TOKENS}, mapped by the search onto {EDGE}, whose {hardware.rows}x{hardware.cols} array is generated and built with "
          "Verilator\n(once; the build is kept)\n", flush=True)  # fmt: skip
    [(_, job)] = product_jobs(array, shape, SEED)
    return _compare(array, job)


def _compare(array: Array, job: Job) -> int:
    from archmodel.engines.systolic import price, run

    from .commands.waiting import interruptible
    from .cosim.compare import check
    from .cosim.drive import Engine
    from .report.grid import lines

    begun = time.perf_counter()
    engine = Engine(array.hardware)
    built = time.perf_counter()
    verdict = interruptible(lambda: check(job, engine))
    engine.close()
    tiling, passed = job.tiling, time.perf_counter() - built
    closed = int(price(tiling, job.hardware, job.port).cycles[0])
    model = run(job.program, job.hardware, job.port)
    moves = f"{len(model.trace):,} in the cycle model, {verdict.commands:,} in hardware"
    print(lines([
        ("mapping", f"{tiling.flow}, loops {' '.join(tiling.order)}, tiles of {tiling.tile_m}x{tiling.tile_n}x{tiling.tile_k} (m x n x k), "
                    f"{sum(job.program.lengths())} instructions"),
        ("cycles", f"{closed:,} in the closed form, {model.cycles:,} in the cycle model, {verdict.cycles:,} in hardware"),
        ("commands", moves if verdict.failures else f"{moves}, each with equal start and end"),
        ("results", f"{tiling.m * tiling.n:,} int8 outputs of random data (seed {job.seed}), and all {job.memory.size:,} bytes of memory"),
        ("took", f"{built - begun:.1f} s to build or find the simulator, {passed:.1f} s to run it and compare"),
    ]))  # fmt: skip
    if verdict.failures or not closed == model.cycles == verdict.cycles:
        print(f"model and hardware DIFFER in {', '.join(verdict.failures) or 'cycles'}\n{verdict.report}")
        return 1
    print("model and hardware agree: cycles equal, commands equal, every output bit equal")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
