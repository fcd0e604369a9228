"""Problem: one Einsum to be mapped on a plain engine, by itself or as a body of a fused tree whose shared part is fixed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod

from archmodel.engines.plain.addressed import counted
from archmodel.engines.plain.cost import operation_of
from archmodel.records.constraints import Rule, concerns
from archmodel.records.engines.plain import Params
from archmodel.records.graph import Einsum, Graph


@dataclass(frozen=True)
class Rank:
    """``above``: tiles of the shared loops over it, outermost first; the last is what is left of ``extent`` to be mapped."""

    name: str
    extent: int
    above: tuple[int, ...] = ()

    @property
    def left(self) -> int:
        return min(self.extent, *self.above) if self.above else self.extent


@dataclass(frozen=True)
class Operand:
    """A tensor that an Einsum reads, or its result.

    home   the level, 0 the outermost, in which it stays already: where its innermost residence on the shared path begins
    times  how often a point reads it
    """

    name: str
    kind: str
    ranks: tuple[str, ...]
    bits: int
    written: bool = False
    home: int = 0
    times: int = 1


@dataclass(frozen=True)
class Problem:
    """What is to be mapped: ``operands`` hold the inputs and, last, the result.

    bits    room that is left in each instance of each level, in bits; None is no bound
    repeat  how often shared loops over ranks that the Einsum lacks repeat all of it
    rules   constraints that concern it
    """

    einsum: Einsum
    engine: str
    params: Params
    ranks: tuple[Rank, ...]
    operands: tuple[Operand, ...]
    bits: tuple[int | None, ...]
    point_pj: Fraction
    point_cycles: Fraction
    repeat: int = 1
    rules: tuple[Rule, ...] = ()

    @cached_property
    def extents(self) -> dict[str, int]:
        return {rank.name: rank.extent for rank in self.ranks}

    @property
    def reduces(self) -> bool:
        return self.einsum.reduce != "none"

    @property
    def result(self) -> Operand:
        return self.operands[-1]

    @cached_property
    def points(self) -> int:
        """Of the whole rectangle, repeats included: a mask spares a plain engine nothing."""
        return self.repeat * prod(self.extents.values())

    def elements(self, operand: Operand) -> int:
        return prod(self.extents[rank] for rank in operand.ranks)


def problem(graph: Graph, einsum: Einsum, engine: str, params: Params, rules: tuple[Rule, ...] = ()) -> Problem:
    """An Einsum by itself: every operand at home in the outermost level."""
    operation, (einsum, ranks) = operation_of(einsum, params), counted(graph, einsum)
    tensors = {tensor.name: replace(tensor, ranks=ranks[tensor.name]) for tensor in graph.tensors if tensor.name in ranks}
    operands = [Operand(name, tensors[name].kind, ranks[name], tensors[name].bits, times=einsum.inputs.count(name))
                for name in dict.fromkeys(einsum.inputs)]  # fmt: skip
    result = tensors[einsum.output]
    return Problem(
        einsum, engine, params, tuple(Rank(name, extent) for name, extent in einsum.ranks),
        (*operands, Operand(result.name, result.kind, result.ranks, result.bits, True)),
        tuple(None if level.words is None else level.words * level.word_bits for level in params.levels),
        operation.pj, operation.cycles / params.macs_per_cycle, rules=tuple(rule for rule in rules if concerns(rule, einsum.name)),
    )  # fmt: skip
