"""An engine of a machine as it is simulated: in full, or scaled down with everything else kept in proportion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.formats import format_of
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine, Machine, engine_records

from ..cosim import jobs as products
from ..cosim.sides import Job, kinds, side_of


@dataclass(frozen=True)
class Array:
    machine: Machine
    engine: Engine
    hardware: Any
    port: Port
    scaled_from: str = ""

    @property
    def largest(self) -> int:
        """Extent up to which random sizes are drawn: more than two arrays' worth."""
        return max(40, 5 * max(self.hardware.rows, self.hardware.cols) // 2)

    @property
    def build_seconds(self) -> float:
        seconds: float = side_of(self.engine.type).build_seconds(self.hardware)
        return seconds

    def run_seconds(self, jobs: Sequence[Job]) -> float:
        """What the jobs will take, by the closed form (stalls not counted)."""
        seconds: float = side_of(self.engine.type).run_seconds(self.hardware, sum(job.price() for job in jobs))
        return seconds


def array_of(machine: Machine, scale: Sequence[int] | None = None, name: str = "", types: Sequence[str] = ()) -> Array:
    """The engine ``name`` of a machine, or its first one with hardware to simulate, with ``scale`` rows and columns if given.

    types  of engines that will do; none for all that have hardware.  Raises SpecError without one.
    """
    types = types or kinds()
    wanted = [machine.engine(name)] if name else list(machine.engines)
    engine = next((engine for engine in wanted if engine.type in types), None)
    if engine is None:
        have = ", ".join(f"{e.name} ({e.type})" for e in wanted) or "none"
        raise SpecError(f"machine {machine.name}: no {' or '.join(sorted(types, reverse=True))} engine, and only that has hardware to "
                        f"simulate; it has {have}")  # fmt: skip
    full = f"{engine.params.rows}x{engine.params.cols}"
    if scale is not None and tuple(scale) != (engine.params.rows, engine.params.cols):
        machine = _scaled(machine, engine, scale[0], scale[1])
        return _resolved(machine, machine.engine(engine.name), full)
    return _resolved(machine, engine, "")


def _resolved(machine: Machine, engine: Engine, scaled_from: str) -> Array:
    hardware = engine_records(engine.type).resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)
    return Array(machine, engine, hardware, port_of(machine, engine), scaled_from)


def _scaled(machine: Machine, engine: Engine, rows: int, cols: int) -> Machine:
    """The machine with a smaller array: a buffer of at least as many words, a port as wide as still divides them."""
    params = engine.params
    if rows > params.rows or cols > params.cols:
        raise SpecError(f"--scale {rows}x{cols}: larger than the {params.rows}x{params.cols} array of {machine.name}; "
                        "make a larger one with --set engines.NAME.rows=N")  # fmt: skip
    small = replace(params, rows=rows, cols=cols, port_bytes=1)
    port_bytes = math.gcd(params.port_bytes, *(bits // 8 for bits in side_of(engine.type).lane_bits(small)))
    buffer = machine.memory(engine.buffer or "")
    share = max(rows / params.rows, cols / params.cols)
    smaller = replace(buffer, size_bytes=math.ceil(buffer.size_bytes * share))
    changed = replace(engine, params=replace(small, port_bytes=port_bytes))
    return replace(
        machine, name=f"{machine.name} scaled to {rows}x{cols}",
        memories=tuple(smaller if memory is buffer else memory for memory in machine.memories),
        engines=tuple(changed if other is engine else other for other in machine.engines),
    )  # fmt: skip


def product_graph(array: Array, sizes: Sequence[int]) -> Graph:
    """C[m,n] = A[m,k] B[k,n] in the widths of the array."""
    from archmodel.workload.gemm import gemm_graph
    from archmodel.workload.operators import Bits

    m, n, k = sizes
    params = array.engine.params
    return gemm_graph(m, n, k, Bits(weight=format_of(params.weight).bits, activation=format_of(params.act).bits))


def product_jobs(array: Array, sizes: Sequence[int], seed: int) -> list[tuple[str, products.Job]]:
    """The Programs that one copy runs for C[m,n] = A[m,k] B[k,n] under the best mapping, with random data."""
    from archmodel import search


    m, n, k = sizes
    graph = product_graph(array, sizes)
    tilings = side_of(array.engine.type).works(graph, search(graph, array.machine), array.machine, array.engine)["gemm"]
    return [(f"product {m}x{n}x{k}" + (f", slice {t.m}x{t.n}x{t.k}" if (t.m, t.n, t.k) != (m, n, k) else ""),
             products.make_job(t, array.hardware, array.port, None, seed)) for t in tilings]  # fmt: skip
