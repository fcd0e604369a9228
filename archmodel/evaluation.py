"""evaluate: what a stage costs on a machine under a mapping, at fidelity bound, analytic or cycle."""

from __future__ import annotations

from dataclasses import replace

from . import __version__, looptree
from .bound import bound_row, bound_seconds
from .communication import LINKS, check_split, devices_of, every, exchanged, times
from .cost import Costs, default_costs
from .engines import Work, engine_module
from .executing import executed
from .legality import refuse_overflow
from .overlap import steps
from .records.base import SpecError, record_hash
from .records.figure import Figure, scaled
from .records.graph import Einsum, Graph
from .records.machine import Engine, Machine
from .records.mapping import Mapping, Node, leaf, leaves
from .records.result import OpResult, Result, Step
from .sharding import sharded

FIDELITIES = ("bound", "analytic", "cycle")


def evaluate(graph: Graph, mapping: Mapping | None, machine: Machine, fidelity: str = "analytic",
             costs: Costs | None = None) -> Result:  # fmt: skip
    """The Result of one stage.  Operators run one after another, unless the mapping has a schedule; copies of an engine run side by side.

    Trees of a step of ``mapping.schedule`` run side by side.  On several devices each executes its share (``mapping.split``), and
    collectives between them are rows of their own; cycles are those of the busiest, and what moves, computes, draws and takes area is
    that of all.

    bound     roofline and compulsory traffic of the whole stage, as one row; it needs no mapping
    analytic  closed forms over the mapping
    cycle     each distinct Program in the cycle model, timing only

    ``costs`` are this project's where none are given; ``load_costs`` reads a user's own.
    Raises SpecError for an unknown fidelity, a mapping of something else, or what the machine cannot hold or execute.
    """
    if fidelity not in FIDELITIES:
        raise SpecError(f"fidelity {fidelity!r}: expected bound, analytic or cycle (rtl is that of sims.cosim)")
    refuse_overflow(graph, machine, mapping.split if mapping else None)
    costs = costs or default_costs()
    static = () if machine.convention == "published" else machine_static(machine, costs)
    devices = devices_of(machine.fabric)
    ops: tuple[OpResult, ...] = (bound_row(graph, machine),)
    aside: tuple[Step, ...] = ()
    if mapping is not None and fidelity != "bound":
        check_split(machine, mapping.split)
        after = executed(graph, mapping)
        rows = (*_rows(after, mapping, machine, fidelity, costs), *exchanged(graph, mapping.split, machine, costs))
        aside = steps(after, mapping, machine, rows)
        ops = tuple(times(op, devices) for op in _with_static(rows, static, aside, machine.clocks[0].hz))
    elif fidelity != "bound":
        raise SpecError(f"fidelity {fidelity}: no mapping, expected the one that search finds (only bound needs none)")
    stage, device = graph.stage, sharded(graph, mapping.split) if mapping else graph
    return Result(
        stage.model, machine.name, stage.kind, stage.batch, stage.context, stage.tokens, stage.emitted, fidelity,
        machine.clocks[0].hz, ops, every(machine_area(machine, costs), devices), every(static, devices), bound_seconds(graph, machine),
        record_hash((graph, machine, mapping)), __version__, stage.seed, stage.routing, device.resident, _notes(ops),
        costs.label, aside,
    )  # fmt: skip


def _notes(ops: tuple[OpResult, ...]) -> tuple[str, ...]:
    if all(op.energy_by for op in ops if op.engine == LINKS):
        return ()
    return ("the links between devices are not priced, so the stage has no energy; a row of action link in --costs FILE prices them",)


def _rows(graph: Graph, mapping: Mapping, machine: Machine, fidelity: str, costs: Costs) -> tuple[OpResult, ...]:
    """Rows of all Einsums in the graph's order, then those of changes of layout."""
    if graph.stage.routing == "expected":
        raise SpecError(f"fidelity {fidelity}: routing 'expected' has no integer tokens per expert, expected uniform, balanced "
                        "or worst (or fidelity bound)")  # fmt: skip
    if (mapping.graph, mapping.machine) != (graph.name, machine.name):
        raise SpecError(f"mapping: it is of {mapping.graph} on {mapping.machine}, expected one of {graph.name} on {machine.name}")
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    trees = _trees(graph, mapping)
    rows: dict[str, OpResult] = {}
    for engine in map(machine.engine, dict.fromkeys(leaf(tree).engine for tree in trees.values())):
        mine = {name: tree for name, tree in trees.items() if leaf(tree).engine == engine.name}
        for tree in mine.values():
            _check_tree(graph, tree, machine, engine)
        work = Work(graph, tuple(einsums[name] for name in mine), trees, machine, engine, fidelity, costs)
        rows |= looptree.evaluate(work) if machine.convention == "published" else engine_module(engine).evaluate(work)
    _check_relayouts(graph, mapping, machine, einsums, trees)
    turned = []
    for turn in mapping.relayouts:
        engine = machine.engine(turn.engine)
        work = Work(graph, (), trees, machine, engine, fidelity, costs)
        turned.append(engine_module(engine).relayout(work, einsums[turn.einsum], turn.tensor))
    return tuple(rows[name] for name in trees) + tuple(turned)


def _trees(graph: Graph, mapping: Mapping) -> dict[str, Node]:
    """Each tree by its first Einsum, in the graph's order.  Raises SpecError unless every Einsum is in just one tree."""
    first: dict[str, Node] = {}
    seen: set[str] = set()
    for tree in mapping.trees:
        held = {end.einsum for end in leaves(tree)}
        if twice := seen & held:
            raise SpecError(f"mapping of {mapping.graph}: {min(twice)} is in two trees, expected one")
        seen |= held
        first[leaf(tree).einsum] = tree
    names = [einsum.name for einsum in graph.einsums]
    if odd := seen ^ set(names):
        raise SpecError(f"mapping of {mapping.graph}: {min(odd)} is in only one of the mapping and graph {graph.name}")
    return {name: first[name] for name in names if name in first}


def _check_tree(graph: Graph, tree: Node, machine: Machine, engine: Engine) -> None:
    """Raises SpecError for a tree that its engine can't execute; what its units can do, counted as published, is looptree's to say."""
    module, names = engine_module(engine), dict.fromkeys(end.einsum for end in leaves(tree))
    if odd := [end for end in leaves(tree) if end.engine != engine.name]:
        raise SpecError(f"mapping of {odd[0].einsum}: a leaf on {odd[0].engine} in a tree on {engine.name}, expected one engine a tree")
    if machine.convention == "published":
        return
    if len(names) > 1 and not getattr(module, "FUSES", False):
        raise SpecError(f"mapping of {leaf(tree).einsum}: {engine.name} takes one Einsum a tree, found {len(names)}")
    for einsum in graph.einsums:
        if einsum.name in names and (why := module.supports(graph, einsum, engine)):
            raise SpecError(f"mapping of {einsum.name}: {why}")


def _check_relayouts(graph: Graph, mapping: Mapping, machine: Machine, einsums: dict[str, Einsum], trees: dict[str, Node]) -> None:
    """Raises SpecError unless the mapping has just the changes of layout that its trees need, each of the first Einsum that uses it."""
    wanted: set[tuple[str, str]] = set()
    for name, tree in trees.items() if machine.convention != "published" else ():
        engine = machine.engine(leaf(tree).engine)
        needs = getattr(engine_module(engine), "relayouts", None)
        for tensor in needs(graph, einsums[name], tree, engine) if needs else ():
            user = next(end.einsum for end in leaves(tree) if tensor in (*einsums[end.einsum].inputs, einsums[end.einsum].output))
            wanted.add((user, tensor))
    if odd := wanted ^ {(turn.einsum, turn.tensor) for turn in mapping.relayouts}:
        name, tensor = min(odd)
        which = "lacks the" if (name, tensor) in wanted else "has a needless"
        raise SpecError(f"mapping of {name}: it {which} change of layout of {tensor}")


def machine_area(machine: Machine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """Square micrometres of all copies of each engine, their buffers included, part by part."""
    return tuple((f"{engine.name}: {part}", scaled(figure, engine.count))
                 for engine in machine.engines for part, figure in engine_module(engine).area(machine, engine, costs))  # fmt: skip


def machine_static(machine: Machine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """Watts that the machine draws whatever it does, by cause: all copies of its engines, and the memories behind their ports."""
    able = [engine for engine in machine.engines if hasattr(engine_module(engine), "static")]
    engines = [(f"{engine.name}: {cause}", scaled(figure, engine.count))
               for engine in able for cause, figure in engine_module(engine).static(machine, engine, costs)]  # fmt: skip
    memories = [machine.memory(port) for port in sorted({engine.port for engine in machine.engines if engine.port})]
    return (*engines, *((f"{memory.name}: background", costs.static_w("dram_background", memory.size_bytes, machine.node_nm,
                                                                      technology=memory.technology)) for memory in memories))  # fmt: skip


def _with_static(ops: tuple[OpResult, ...], static: tuple[tuple[str, Figure], ...], aside: tuple[Step, ...],
                 hz: int) -> tuple[OpResult, ...]:  # fmt: skip
    """Operators with what the whole machine draws in their time; it belongs to whoever runs, those of a step share its time.

    One that has no price gets none of it: a part would pass for the whole.
    """
    if not static:
        return ops
    took = {op.name: op.seconds for op in ops}
    part: dict[str, float] = {}
    for step in aside:
        whole = sum(took[name] for name in step.ops)
        part |= dict.fromkeys(step.ops, step.cycles / hz / whole if whole else 0.0)
    pj_per_w = [1e12 * op.seconds * part.get(op.name, 1.0) for op in ops]
    return tuple(replace(op, energy_by=op.energy_by and (*op.energy_by, *((cause, scaled(figure, factor)) for cause, figure in static)))
                 for op, factor in zip(ops, pj_per_w, strict=True))  # fmt: skip
