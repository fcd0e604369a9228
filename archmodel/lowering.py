"""lower: the Program of a mapping's tree, by the engine that the mapping puts it on."""

from __future__ import annotations

from .engines import engine_module
from .executing import executed
from .records.base import SpecError
from .records.graph import Graph
from .records.machine import Machine
from .records.mapping import Mapping, leaf
from .records.program import Program


def lower(graph: Graph, mapping: Mapping, machine: Machine, einsum: str) -> Program:
    """The Program that one copy of the engine runs for one instance of ``einsum`` (its full slice, where copies share it), and of
    what is fused with it: such a tree goes by its first Einsum.

    Operands lie where the mapping's layouts say.  Raises SpecError for an Einsum that has no tree, whose engine has no
    programs, or that the hardware can't execute.
    """
    graph = executed(graph, mapping)
    tree = next((tree for tree in mapping.trees if leaf(tree).einsum == einsum), None)
    work = next((item for item in graph.einsums if item.name == einsum), None)
    if tree is None or work is None:
        raise SpecError(f"lower: the mapping of {mapping.graph} has no Einsum {einsum!r}")
    engine = machine.engine(leaf(tree).engine)
    program_of = getattr(engine_module(engine), "program", None)
    if program_of is None:
        raise SpecError(f"lower: {einsum} runs on {engine.name}, and a {engine.type} engine has no programs")
    program: Program = program_of(graph, work, tree, machine, engine, mapping.layouts)
    return program
