"""Overlap: trees of a mapping that run side by side on different engines, and how long that takes at the least favourable arbiter.

Trees of a step are in the same layers and don't depend on each other, unless they are on one engine, which takes them one after
another.  Engines behind one memory share its bandwidth: while one moves data another may have to wait, wherever its own moves fall.
So an engine is done, at the latest, after its own time and the time in which each other engine of the step moves data at that memory
(``port_cycles``; all of its time where an engine doesn't say): whatever it asks of the memory is put off by no more.  Steps begin
when all of the last one is done.  Changes of layout and collectives overlap with nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .records.base import SpecError
from .records.graph import Einsum, Graph
from .records.machine import Machine
from .records.mapping import Mapping, leaf, leaves
from .records.result import OpResult, Step
from .rewriting import TILES
from .sharding import is_expert


@dataclass(frozen=True)
class Flow:
    """The trees of a mapping by their first Einsum, with what each waits for, and in which layers each is.

    needs   of each tree, all that must be done before it, in the same layer
    layers  of each tree, a name that trees of the same layers share; of one whose layers nothing shows, its own
    """

    needs: dict[str, frozenset[str]]
    layers: dict[str, str]
    engines: dict[str, str]

    def free(self, one: str, other: str) -> bool:
        """Whether two trees may run side by side."""
        return (self.layers[one] == self.layers[other] and self.engines[one] != self.engines[other]
                and one not in self.needs[other] and other not in self.needs[one])  # fmt: skip

    def independent(self, name: str) -> bool:
        """Whether another tree of the same layers neither waits for this one nor lets it wait, whatever their engines."""
        return any(name not in self.needs[other] and other not in self.needs[name]
                   for other, layer in self.layers.items() if other != name and layer == self.layers.get(name))  # fmt: skip


def flow_of(graph: Graph, mapping: Mapping) -> Flow:
    """``graph`` as the mapping leaves it.  A change of layout stands between those that write a tensor and those that read it."""
    import networkx as nx

    tree_of = {end.einsum: leaf(tree).einsum for tree in mapping.trees for end in leaves(tree)}
    engines = {leaf(tree).einsum: leaf(tree).engine for tree in mapping.trees}
    turned = {(turn.einsum, turn.tensor) for turn in mapping.relayouts}
    writers: dict[str, list[Einsum]] = {}
    for einsum in graph.einsums:
        writers.setdefault(einsum.output, []).append(einsum)
    flow: nx.DiGraph[str] = nx.DiGraph()
    flow.add_nodes_from(engines)
    alike: nx.Graph[str] = nx.Graph()
    alike.add_nodes_from(engines)
    for einsum in graph.einsums:
        for tensor in (name.removesuffix(TILES) for name in einsum.inputs):
            for writer in writers.get(tensor, ()):
                ends = tree_of[writer.name], tree_of[einsum.name]
                if ends[0] != ends[1]:
                    between = [f"{tensor} turned for {user}" for user in (writer.name, einsum.name) if (user, tensor) in turned]
                    nx.add_path(flow, (ends[0], *between, ends[1]))
                if _same_layers(graph, einsum, tensor, writers[tensor]):
                    alike.add_edge(*ends)
    needs = {name: frozenset(nx.ancestors(flow, name)) for name in flow}
    layers = {name: min(members) for members in nx.connected_components(alike) for name in members}
    return Flow(needs, layers, engines)


def _same_layers(graph: Graph, reader: Einsum, tensor: str, writers: Sequence[Einsum]) -> bool:
    """Whether a tensor's reader is in just the layers in which it is written: as often, in parts that make up the whole.

    Writers of different layers would each write the whole; experts are in some layers and not in others.
    """
    if is_expert(reader) or any(writer.repeat != reader.repeat or is_expert(writer) for writer in writers):
        return False
    return len(writers) == 1 or sum(graph.elements(writer, tensor) for writer in writers) == graph.elements(reader, tensor)


@dataclass(frozen=True)
class Load:
    """What a tree takes of its engine, and of the memory behind it, in seconds."""

    engine: str
    port: str | None
    seconds: Fraction
    moving: Fraction


def load_of(op: OpResult, machine: Machine) -> Load:
    port = machine.engine(op.engine).port
    moving = (op.port_cycles or op.cycles) if port else 0
    return Load(op.engine, port, Fraction(op.cycles, op.clock_hz), Fraction(moving, op.clock_hz))


def together(loads: Iterable[Load]) -> Fraction:
    """Seconds until all are done, each on its engine, whatever the arbiter of a memory that they share."""
    own: dict[str, Fraction] = {}
    moving: dict[str | None, Fraction] = {}
    mine: dict[str, Fraction] = {}
    port: dict[str, str | None] = {}
    for load in loads:
        own[load.engine] = own.get(load.engine, Fraction(0)) + load.seconds
        mine[load.engine] = mine.get(load.engine, Fraction(0)) + load.moving
        moving[load.port] = moving.get(load.port, Fraction(0)) + load.moving
        port[load.engine] = load.port
    return max((own[name] + (moving[port[name]] - mine[name] if port[name] else 0) for name in own), default=Fraction(0))


def steps(graph: Graph, mapping: Mapping, machine: Machine, ops: Sequence[OpResult]) -> tuple[Step, ...]:
    """The steps of a mapping's schedule with their cycles of the machine's first clock.

    ``graph`` is as the mapping leaves it.  Raises SpecError for a schedule that its trees or their order don't allow.
    """
    if not mapping.schedule:
        return ()
    check(mapping, flow_of(graph, mapping))
    rows = {op.name: op for op in ops}
    found = []
    for names in mapping.schedule:
        seconds = together(load_of(rows[name], machine) for name in names)
        found.append(Step(names, -int(-seconds * machine.clocks[0].hz // 1)))
    return tuple(found)


def check(mapping: Mapping, flow: Flow) -> None:
    """Raises SpecError unless the trees of each step may run side by side, and the steps' order is one that operands allow."""
    seen: set[str] = set()
    for number, names in enumerate(mapping.schedule):
        at = f"mapping of {mapping.graph}: step {number + 1} of its schedule"
        if unknown := [name for name in names if name not in flow.engines]:
            raise SpecError(f"{at} has {unknown[0]}, expected the first Einsum of a tree")
        if twice := seen & set(names) or {name for name in names if names.count(name) > 1}:
            raise SpecError(f"{at} has {min(twice)} again, expected each tree once")
        seen |= set(names)
        for place, name in enumerate(names):
            for other in names[:place]:
                _check_pair(at, name, other, flow)
    _check_order(mapping, flow, seen)


def _check_order(mapping: Mapping, flow: Flow, planned: set[str]) -> None:
    """Trees in no step run when they can: none of them may have to run in the middle of a step."""
    done: set[str] = set()
    for number, names in enumerate(mapping.schedule):
        at = f"mapping of {mapping.graph}: step {number + 1} of its schedule"
        for name in names:
            if late := (flow.needs[name] & planned) - done - set(names):
                raise SpecError(f"{at} has {name}, which needs {min(late)} of a later step")
            if between := [need for need in flow.needs[name] - planned if flow.needs[need] & set(names)]:
                raise SpecError(f"{at} has {name}, which needs {min(between)}, and that needs another of the step")
        done |= set(names)


def _check_pair(at: str, name: str, other: str, flow: Flow) -> None:
    if flow.layers[name] != flow.layers[other]:
        raise SpecError(f"{at} has {other} and {name}, which are not known to be in the same layers")
    if flow.engines[name] == flow.engines[other]:
        if name in flow.needs[other]:
            raise SpecError(f"{at} has {other} before {name}, which it needs")
    elif not flow.free(name, other):
        first, last = (other, name) if other in flow.needs[name] else (name, other)
        raise SpecError(f"{at} has {first} beside {last}, which needs it")
