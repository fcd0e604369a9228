"""Saved runs for the tests of the report."""

from __future__ import annotations

from dataclasses import replace

from archmodel import evaluate, load_machine, load_model, search
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph
from archmodel.workload.operators import Bits
from sims.report.saved import Saved


def saved(graph: Graph, machine: Machine, fidelity: str = "analytic") -> Saved:
    """What ``run -o`` would have kept of this stage."""
    mapping = None if fidelity == "bound" else search(graph, machine)
    return Saved(evaluate(graph, mapping, machine, fidelity), graph, machine, mapping, f"archmodel run {graph.name} {machine.name}")


def decoded(model: str = "mixtral-8x7b", machine: str = "cloud", sets: tuple[str, ...] = (), fidelity: str = "analytic") -> Saved:
    """A decode step of a zoo model, with mixture of experts by default."""
    return saved(load_model(model).decode(batch=16, context=4096), load_machine(machine, sets), fidelity)


def product(m: int, n: int, k: int, machine: str = "edge-npu") -> Saved:
    return saved(gemm_graph(m, n, k, Bits()), load_machine(machine))


def named(found: Saved, name: str) -> Saved:
    """The same run on a machine, of a model and by a command of another name."""
    machine = replace(found.machine, name=name, source=name, memories=tuple(replace(m, source=name) for m in found.machine.memories))
    stage = replace(found.graph.stage, model=name)
    return replace(saved(replace(found.graph, stage=stage), machine), command=name)
