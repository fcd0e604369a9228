"""What a mapping costs and what is proved of it, as plain data: the keys of ``map --json`` that every machine has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from archmodel.cost import Costs
from archmodel.engines import Work, engine_module
from archmodel.executing import executed
from archmodel.records.base import record_hash, to_plain
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Mapping, Node, leaf, leaves
from archmodel.records.result import Moved, Result
from mapper.worth import value

from .rows import certificate
from .trees import Mapped, fused, products


@dataclass(frozen=True)
class Answer:
    """A mapping, what it was searched for, and what it costs; ``cpu_seconds`` is the search alone, None where there was none."""

    graph: Graph
    machine: Machine
    costs: Costs
    goal: Goal
    mapping: Mapping
    result: Result
    cpu_seconds: float | None = None

    @property
    def after(self) -> Graph:
        """The graph as the mapping leaves it."""
        return executed(self.graph, self.mapping)

    @property
    def value(self) -> float:
        """Of the objective."""
        return value(self.result, self.goal.objective)


@dataclass(frozen=True)
class Shown:
    """What of an answer is shown: products on arrays, other fused trees by name, trees on plain engines."""

    items: list[Mapped]
    whole: dict[str, Node]
    plain: list[tuple[Node, Engine]]

    @property
    def names(self) -> list[str]:
        """What has a Program, by name."""
        return [*(item.einsum.name for item in self.items), *self.whole]

    @property
    def known(self) -> list[str]:
        """What may be asked for by name: products, fused trees, Einsums of trees on plain engines."""
        return [*self.names, *dict.fromkeys(end.einsum for tree, _ in self.plain for end in leaves(tree))]

    def only(self, wanted: list[str]) -> Shown:
        """What is asked for by name."""
        plain = [(tree, engine) for tree, engine in self.plain if {end.einsum for end in leaves(tree)} & set(wanted)]
        whole = {name: tree for name, tree in self.whole.items() if name in wanted}
        return Shown([item for item in self.items if item.einsum.name in wanted], whole, plain)


def shown(answer: Answer) -> Shown:
    """All of an answer."""
    plain = plain_trees(answer)
    own = {id(tree) for tree, _ in plain}
    whole = {name: tree for name, tree in fused(answer.mapping).items() if id(tree) not in own}
    return Shown(products(answer.graph, answer.mapping, answer.machine, answer.result), whole, plain)


def plain_trees(answer: Answer) -> list[tuple[Node, Engine]]:
    """The trees on plain engines, those that take most of the energy first."""
    energy = {op.name: op.energy.value if op.energy else 0.0 for op in answer.result.ops}
    found = [(tree, answer.machine.engine(leaf(tree).engine)) for tree in answer.mapping.trees]
    found.sort(key=lambda pair: (-energy[leaf(pair[0]).einsum], leaf(pair[0]).einsum))
    return [pair for pair in found if pair[1].type == "plain"]


def to_json(answer: Answer, found: Shown) -> dict[str, Any]:
    """Every key of ``map --json`` but those of --explain and --mapping."""
    mapping, stage = answer.mapping, answer.graph.stage
    return {
        "model": stage.model, "machine": mapping.machine, "stage": stage.kind, **summary(answer),
        "certificate": certificate(mapping.certificate), "mapping_hash": record_hash(mapping),
        "products": [item.plain for item in found.items], "mapping": to_plain(mapping),
    }  # fmt: skip


def summary(answer: Answer) -> dict[str, Any]:
    """Energy, cycles, their product, and what moves where, all instances together; what is proved of it.

    traffic          (level, tensor): words of a plain engine's level, bytes of a memory, read from it and written to it
    energy_by_level  pJ by level or cause; what computes a plain engine's points is ``mac``
    """
    result = answer.result
    energy = None if result.energy is None else number(result.energy.value)
    return {
        "objective": answer.goal.objective, "energy_pj": energy, "cycles": result.cycles,
        "edp": None if energy is None else energy * result.cycles,
        "traffic": [{"level": row.level, "tensor": row.tensor, "reads": number(row.reads), "writes": number(row.writes), "unit": row.unit}
                    for row in traffic(answer)],
        "energy_by_level": by_cause(result), **proof(answer.mapping.certificate), "cpu_seconds": answer.cpu_seconds,
    }  # fmt: skip


def proof(found: Certificate | None) -> dict[str, Any]:
    """What is proved, in keys of its own; null where nothing was searched."""
    keys = ("lower_bound", "gap", "optimal", "evaluated", "space", "nodes", "scope")
    plain = {key: None if found is None else getattr(found, key) for key in keys}
    return plain if found is None else plain | {"lower_bound": number(found.lower_bound)}


def traffic(answer: Answer) -> list[Moved]:
    """What every engine that counts it says is read and written, summed over Einsums; levels in the order in which engines name them."""
    after, machine = answer.after, answer.machine
    trees = {leaf(tree).einsum: tree for tree in answer.mapping.trees}
    rows: list[Moved] = []
    for engine in machine.engines:
        mine = tuple(einsum for einsum in after.einsums if einsum.name in trees and leaf(trees[einsum.name]).engine == engine.name)
        module = engine_module(engine)
        if mine and hasattr(module, "traffic"):
            found = module.traffic(Work(after, mine, trees, machine, engine, "analytic", answer.costs))
            rows += [row for einsum in mine for row in found[einsum.name]]
    return _summed([*rows, *_turned(answer)])


def _turned(answer: Answer) -> Iterator[Moved]:
    """What changes of layout move: every element once in, once out."""
    einsums = {einsum.name: einsum for einsum in answer.after.einsums}
    for turn in answer.mapping.relayouts:
        einsum = einsums[turn.einsum]
        bits = answer.after.elements(einsum, turn.tensor) * answer.after.tensor[turn.tensor].bits * einsum.repeat
        yield Moved(answer.machine.engine(turn.engine).port or "", turn.tensor, Fraction(bits, 8), Fraction(bits, 8))


def _summed(rows: list[Moved]) -> list[Moved]:
    """One row of each level and tensor, those of a level together."""
    found: dict[tuple[str, str], Moved] = {}
    for row in rows:
        old = found.get((row.level, row.tensor), replace(row, reads=0, writes=0))
        found[row.level, row.tensor] = replace(row, reads=old.reads + row.reads, writes=old.writes + row.writes)
    place = {level: number for number, level in enumerate(dict.fromkeys(row.level for row in rows))}
    return sorted(found.values(), key=lambda row: (place[row.level], row.tensor))


def by_cause(result: Result) -> dict[str, Any]:
    """pJ by cause, in the order in which operators name them."""
    found: dict[str, float] = {}
    for op in result.ops:
        for cause, figure in op.energy_by:
            found[cause] = found.get(cause, 0.0) + figure.value
    return {cause: number(value) for cause, value in found.items()}


def number(value: float | Fraction) -> int | float:
    """A whole number as one, whatever it was computed as."""
    return int(value) if value == int(value) else float(value)
