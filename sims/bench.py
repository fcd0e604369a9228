"""Measures this machine: ``make bench``.  Speed of models, mapper and simulator, each beside its bar where it has one.

What is measured is the same in every run; how long it takes is not, so no test asserts it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SEED = 1
TRIPLES = 100_000
SCALE_SIM_SECONDS = 18.0
"""CPU seconds of SCALE-Sim v3 for one triple (512 x 512 x 512 on 32x32, measured by running it)."""


@dataclass(frozen=True)
class Row:
    """``value`` in ``unit``; ``bar`` is the most it may be, None where there is none to keep."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        bar = "" if self.bar is None else f"< {self.bar:g} {self.unit}"
        ratio = "" if self.bar is None else f"{self.value / self.bar:.2f}"
        return self.what, f"{self.value:,.3g} {self.unit}" if self.value < 1000 else f"{self.value:,.0f} {self.unit}", bar, ratio, self.note


def main() -> int:
    """Prints the table; 0 when every bar holds, else 1."""
    rows = [*mixtral(), *kinds(), *plain(), graphs(), *triples(), attentions(), prices(), commands(), start_up()]
    show(rows)
    return int(any(row.bar is not None and row.value > row.bar for row in rows))


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and what came out."""
    began = time.process_time()
    out = function()
    return time.process_time() - began, out


def best(function: Callable[[], Any], times: int = 5) -> float:
    """CPU seconds of the fastest of several runs."""
    return min(timed(function)[0] for _ in range(times))


def mixtral() -> list[Row]:
    """Both stages of all 32 layers: first with cold caches, the machine's and the model's reading included, then again."""
    from archmodel import evaluate, load_machine, load_model, search

    for module in ("archmodel.engines.systolic", "archmodel.engines.vector", "mapper.systolic"):
        __import__(module)

    def first() -> list[tuple[Any, Any, Any]]:
        model, machine = load_model("mixtral-8x7b"), load_machine("cloud")
        graphs = (model.prefill(2048), model.decode(batch=16, context=4096))
        cases = [(graph, search(graph, machine), machine) for graph in graphs]
        again(cases)
        return cases

    def again(cases: list[tuple[Any, Any, Any]]) -> None:
        for case in cases:
            evaluate(*case)

    cold, cases = timed(first)
    operators = sum(len(graph.einsums) for graph, _, _ in cases)
    size = sum(mapping.certificate.space for _, mapping, _ in cases)
    return [Row("Mixtral-8x7B, both stages, mapped and priced, cold", cold, "s", 1.0, f"{operators} operators, {size:,} mappings"),
            Row("Mixtral-8x7B, both stages, priced again", 1000 * best(lambda: again(cases)), "ms", 50)]  # fmt: skip


def kinds() -> list[Row]:
    """Both stages of Mixtral-8x7B on a machine with an array and an attention engine; and dealt to eight devices, every split weighed."""
    from archmodel import load_machine, load_model, search
    from archmodel.records.goal import Goal

    model = load_model("mixtral-8x7b")
    graphs = model.prefill(2048), model.decode(batch=16, context=4096)
    edge = load_machine("edge-attention", ["memories.dram.size=64 GiB"])
    eight = load_machine("cloud", ["fabric.devices=8"])
    both, _ = timed(lambda: [search(graph, edge) for graph in graphs])
    beside, _ = timed(lambda: [search(graph, edge, goal=Goal(overlap=True)) for graph in graphs])
    split, _ = timed(lambda: search(graphs[1], eight))
    return [Row("Mixtral-8x7B, both stages, on two kinds of engine", both, "s", 5.0, "edge-attention with 64 GiB"),
            Row("the same, engines side by side", beside, "s", 5.0),
            Row("its decode on eight devices, every split", split, "s", 5.0)]  # fmt: skip


def plain() -> list[Row]:
    """Proved searches on a plain machine."""
    from sims.bench_plain import searches

    return [Row(what, seconds, "s", bar, note) for what, seconds, bar, note in searches()]


def graphs() -> Row:
    """Building both stages' graphs from the model."""
    from archmodel import load_model

    model = load_model("mixtral-8x7b")
    seconds = best(lambda: (model.prefill(2048), model.decode(batch=16, context=4096)))
    return Row("Mixtral-8x7B, both graphs built", 1000 * seconds, "ms", 70)


def triples() -> list[Row]:
    """Random (shape, array, dataflow) triples in SCALE-Sim's convention, and as cycles of our hardware."""
    from archmodel.engines.systolic.scale_sim import scale_sim_cycles, stall_free_cycles

    rng = np.random.Generator(np.random.PCG64(SEED))
    m, n, k = rng.integers(1, 16_385, (3, TRIPLES))
    rows, cols = rng.integers(2, 257, (2, TRIPLES))
    flow = np.array(["ws", "is", "os"])[rng.integers(0, 3, TRIPLES)]
    found = []
    for name, function in (("SCALE-Sim's cycles", scale_sim_cycles), ("our stall-free cycles", stall_free_cycles)):
        seconds = best(lambda function=function: function(m, n, k, rows, cols, flow))  # type: ignore[misc]
        ratio = SCALE_SIM_SECONDS / (seconds / TRIPLES)
        found.append(Row(f"{TRIPLES:,} triples, {name}", seconds, "s", 1.0, f"SCALE-Sim: up to 18 s a triple, {ratio:.0e} times as long"))
    return found


def prices() -> Row:
    """Tilings of one product priced by the closed form, memory and traffic included."""
    from archmodel.engines.systolic import price
    from mapper.space import grid, in_every_order

    machine, hardware, port = _edge()
    work = in_every_order(grid({"m": 512, "n": 4096, "k": 4096}, True, hardware))
    work = work[np.random.Generator(np.random.PCG64(SEED)).permutation(len(work))[:20_000]]
    seconds = best(lambda: price(work, hardware, port), 3)
    return Row("closed form", len(work) / seconds, "mappings/s", None, f"{len(work):,} of a product on {machine.name}")


def attentions() -> Row:
    """Attentions in closed form, every cycle counted: sizes of the arrays, buffer and lengths vary."""
    from archmodel.engines.attention.designs import Designs, price_designs
    from archmodel.memory.port import Port
    from archmodel.records.engines.attention import Params

    rng = np.random.Generator(np.random.PCG64(SEED))
    rows, cols = rng.choice((4, 8, 16, 32, 64, 128, 256), (2, TRIPLES))
    group = rng.choice((1, 2, 4, 8), TRIPLES)
    designs = Designs(rows, cols, rng.integers(1 << 16, 1 << 23, TRIPLES), rng.integers(1, 4097, TRIPLES),
                      rng.integers(1, 1 << 17, TRIPLES), rng.integers(1, 65, TRIPLES), group)  # fmt: skip
    params = Params(16, 16, format="bf16", port_bytes=8, tiles=8)
    seconds, priced = timed(lambda: price_designs(designs, params, 64, 64, Port(30, 1)))
    return Row(f"{TRIPLES:,} attentions, closed form", seconds, "s", 1.0, f"{int(priced.fits.sum()):,} fit; schedules included")


def commands() -> Row:
    """The Program of Llama-3.1-8B's gate_up at 2,048 tokens in the cycle model, timing only."""
    from archmodel import lower, search
    from archmodel.engines.systolic import run
    from archmodel.workload.gemm import gemm_graph

    machine, hardware, port = _edge()
    graph = gemm_graph(2048, 28672, 4096)
    program = lower(graph, search(graph, machine), machine, "gemm")
    seconds, done = timed(lambda: run(program, hardware, port))
    return Row("cycle model", len(done.trace) / seconds, "commands/s", None,
               f"{len(done.trace):,} commands, {done.cycles:,} cycles in {seconds:.2f} s")  # fmt: skip


def _edge() -> tuple[Any, Any, Any]:
    from archmodel import load_machine
    from archmodel.engines.systolic import hardware_of
    from archmodel.memory.port import port_of

    machine = load_machine("edge-npu")
    engine = machine.engine("array")
    return machine, hardware_of(machine, engine), port_of(machine, engine)


def start_up() -> Row:
    """Wall time of the command line until it has printed its help."""
    command = [sys.executable, "-m", "sims.cli", "--help"]
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        spent.append(time.perf_counter() - began)
    return Row("archmodel --help", min(spent), "s", 0.3, "wall time")


def show(rows: list[Row]) -> None:
    table = [("what", "measured", "bar", "of bar", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for what, measured, bar, ratio, note in table:
        line = f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {bar:>{widths[2]}}  {ratio:>{widths[3]}}  {note}"
        print(line.rstrip())


if __name__ == "__main__":
    sys.exit(main())
