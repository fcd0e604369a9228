"""A machine of two units and a cascade of three Einsums, small enough to count by hand."""

from __future__ import annotations

from archmodel import evaluate
from archmodel.records.engines.units import Params
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.machine import Clock, Engine, Machine, Memory
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Sequence, Storage
from archmodel.records.result import OpResult

PARAMS = Params(("array", "lanes"), (4, 1), (8, 8), ("array mul+add 1", "array max 1", "lanes max 1", "lanes exp 7"),
                ("lanes exp mac 6", "lanes exp add 1"))  # fmt: skip
STAGE = Stage("toy", "prefill", 1, 16, 16, 16, ((16, 0, 1),))
TENSORS = tuple(Tensor(name, "activation", ranks, 16) for name, ranks in (
    ("K", ("e", "m")), ("Q", ("e", "p")), ("S", ("m", "p")), ("X", ("p",)), ("Y", ("m", "p"))))  # fmt: skip
SCORES = Einsum("qk", "toy", "S", ("Q", "K"), (("e", 16), ("m", 12), ("p", 32)), "mul", "add")
HIGHEST = Einsum("max", "toy", "X", ("S",), (("m", 12), ("p", 32)), "copy", "max")
POWER = Einsum("power", "toy", "Y", ("S", "X"), (("m", 12), ("p", 32)), "exp")
GRAPH = Graph("toy", STAGE, TENSORS, (HIGHEST, POWER, SCORES), ())
"""Scores of 12 keys and 32 queries over 16 elements; their maximum over the keys; exponentials of the differences."""


def machine(bandwidth: int | None = 10**9, hz: int = 10**9, **other: object) -> Machine:
    """A byte a cycle from DRAM, unless said otherwise."""
    memories = (Memory("dram", "hbm2e", 1 << 20, bandwidth), Memory("buffer", "sram", 1 << 16))
    fields = {"params": PARAMS, "buffer": "buffer", "port": "dram", "name": "chip", "type": "units", "clock": "core"} | other
    return Machine("toy-machine", 45, (Clock("core", hz),), memories, (Engine(**fields),), convention="published")  # type: ignore[arg-type]


def on_array(name: str, lag: int = 0) -> Compute:
    return Compute(name, "chip", "array", lag)


def on_lanes(name: str, lag: int = 0) -> Compute:
    return Compute(name, "chip", "lanes", lag)


def spread(*bodies: Node) -> Node:
    """Queries over the columns, keys over the rows of the array."""
    return Loop("p", 1, Loop("m", 1, bodies[0] if len(bodies) == 1 else Sequence(bodies), "rows"), "cols")


def row(tree: Node, on: Machine | None = None, graph: Graph = GRAPH) -> OpResult:
    """The row of one tree with all Einsums of a graph."""
    on = on or machine(None)
    return evaluate(graph, Mapping(graph.name, on.name, (tree,)), on).ops[0]


def held(body: Node, *tensors: str, level: str = "registers") -> Node:
    for tensor in reversed(tensors):
        body = Storage(tensor, level, body)
    return body
