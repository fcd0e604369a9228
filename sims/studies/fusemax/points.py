"""Every point of the study through evaluate: graph, mapping and machine in, a Result out."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from archmodel import evaluate
from archmodel.cost import Costs
from archmodel.engines.attention import hardware_of
from archmodel.engines.attention.tree import Placement, layouts, most_tiles, to_tree
from archmodel.load import load_costs, load_machine
from archmodel.onepass import one_passes
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from archmodel.records.result import OpResult, Result

from . import graphs, mappings
from .graphs import Shape
from .published import HERE, LENGTHS, flat_choices, shape

SIDE = 256
"""Of the array: keys and queries of a tile."""
LONG = LENGTHS["256K"]
"""From here on the paper's mapper reads K and V of unfused attention for each of several groups of queries, and not once."""
GROUPS = {64: 8, 128: 16}
"""How many, by elements of a head."""


@dataclass(frozen=True)
class Found:
    """What one evaluation says; ``busy`` is the share of the time in which a unit computes an Einsum."""

    cycles: int
    seconds: float
    traffic_bytes: int
    energy_pj: float
    busy: tuple[tuple[str, str, float], ...]

    def utilisation(self, unit: str) -> float:
        return sum(share for name, _, share in self.busy if name == unit)


@functools.cache
def machine(name: str) -> Machine:
    return load_machine(HERE / f"{name}.yaml")


@functools.cache
def costs() -> Costs:
    return load_costs(HERE / "costs.yaml")


def found(graph: Graph, mapping: Mapping, on: Machine) -> Found:
    """The figures of one evaluation that the study compares."""
    result: Result = evaluate(graph, mapping, on, "analytic", costs())
    traffic = sum(size for op in result.ops for memory, size in op.bytes if memory == "dram")
    busy = tuple((unit, einsum, cycles / result.cycles) for op in result.ops for unit, einsum, cycles in op.busy)
    assert result.energy is not None, "the study's cost table prices every action"
    return Found(result.cycles, result.seconds, traffic, result.energy.value, busy)


def group_of(space: int, each: int, tiles: int) -> int:
    """Tiles of queries in a group: the most that divide all of them and of which ``each`` bytes fit ``space``."""
    return max(count for count in range(1, min(space // each, tiles) + 1) if tiles % count == 0)


def fusemax_group(of: Shape) -> int:
    """FuseMax's: Q, RM, RD and RNV of a group beside a tile of K and of V, in its buffer."""
    size = machine("fusemax").memory("buffer").size_bytes
    return _group(of, size, 2 * of.head + 2)


def cascade_group(of: Shape) -> int:
    """+Cascade's, which keeps scores and weights too; sized for FuseMax's buffer, as in the artifact."""
    size = machine("fusemax").memory("buffer").size_bytes
    return _group(of, size, 2 * of.head + 2 * SIDE + 2)


def _group(of: Shape, size: int, elements: int) -> int:
    tile = SIDE * graphs.BITS // 8
    return group_of(size - tile * 2 * of.head, tile * elements, of.keys // SIDE)


@functools.cache
def attention(variant: str, model: str, length: str, again: bool = False) -> Found:
    """One point.  ``again`` adds reads of the buffer that the artifact counts and the mapping doesn't need (see extra_reads)."""
    of = shape(model, length)
    if variant in ("unfused", "flat"):
        graph, on = graphs.three_pass(of), machine("flat")
        if variant == "flat":
            return found(graph, mappings.flat(graph, on, replace(flat_choices()[model, length], again=again), SIDE), on)
        return found(graph, mappings.unfused(graph, on, GROUPS[of.head] if of.keys >= LONG else 1, SIDE), on)
    if variant == "cascade":
        graph, on = graphs.one_pass(of, SIDE), machine("cascade")
        return found(graph, mappings.one_pass(graph, on, mappings.cascade(again), cascade_group(of), SIDE, ("QK", "SLN")), on)
    graph, on = graphs.one_pass(of, SIDE, again), machine("fusemax")
    body = mappings.binding() if variant == "binding" else mappings.architecture()
    return found(graph, mappings.one_pass(graph, on, body, fusemax_group(of), SIDE), on)


def extra_reads(variant: str, model: str, length: str) -> bool:
    """Whether the artifact counts reads of the buffer that nothing needs: Timeloop's elision of first reads fails at these sizes.

    FuseMax from 256K: RNV once more; +Cascade from 256K: scores and weights once more; FLAT at 64K and 1M, and at 256K of TrXL
    and XLM: weights once more.
    """
    if variant == "flat":
        return length in ("64K", "1M") or (length == "256K" and model in ("TrXL", "XLM"))
    return variant != "unfused" and LENGTHS[length] >= LONG


@functools.cache
def linear(variant: str, model: str, length: str) -> Found:
    """The linear layers around a variant, on its machine."""
    graph, on = graphs.linear(shape(model, length)), machine("fusemax" if variant in ("architecture", "binding") else "flat")
    return found(graph, mappings.linear(graph, on, SIDE), on)


@functools.cache
def array_of(model: str, side: int) -> Found:
    """+Binding at 256K on a square array of another side, whose buffer holds two tiles of queries, or four where DRAM would bound."""
    of, base = shape(model, "256K"), machine("fusemax")
    engine = base.engines[0]
    params = replace(engine.params, rows=(side, 1), cols=(side, side))
    on = replace(base, engines=(replace(engine, params=params),))
    graph = graphs.one_pass(of, side)
    for group in (2, 4):
        made = found(graph, mappings.one_pass(graph, on, mappings.binding(), group, side), on)
        if made.utilisation("lanes") > 0.9999:
            break
    return made


@functools.cache
def hardware(model: str, length: str) -> OpResult:
    """+Binding on the attention engine, counted as the hardware takes it: every fill, drain and wait for memory.

    Groups of queries are as large as its buffer's shares allow; operands lie in DRAM as it wants them.
    """
    on = machine("hardware")
    engine = on.engine(mappings.CHIP)
    made = hardware_of(on, engine)
    graph = graphs.one_pass(shape(model, length), SIDE, kind="kv")
    (found,) = one_passes(graph)
    queries = shape(model, length).keys
    tree = to_tree(found, engine, made, Placement(min(most_tiles(found, made), queries // SIDE), "", queries, queries))
    placed, _ = layouts(graph, found, engine, made, 0)
    (row,) = evaluate(graph, Mapping(graph.name, on.name, (tree,), placed), on).ops
    return row
