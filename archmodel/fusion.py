"""Which engines execute an attention block as one, and why the others do not."""

from __future__ import annotations

from dataclasses import replace

from .blocks import Block, blocks
from .engines import engine_module
from .onepass import OnePass, one_passes
from .records.graph import Graph
from .records.machine import Engine, Machine
from .records.mapping import Rewrite
from .rewriting import rewritten


def alone(graph: Graph, block: Block) -> Graph:
    """The graph of one block, with the tensors that it touches; nothing of it must stay in memory."""
    names = {name for einsum in block.einsums for name in (*einsum.inputs, einsum.output)}
    return replace(graph, tensors=tuple(tensor for tensor in graph.tensors if tensor.name in names),
                   einsums=tuple(sorted(block.einsums, key=lambda einsum: einsum.name)), resident=())  # fmt: skip


def fusing(machine: Machine) -> tuple[Engine, ...]:
    """Engines whose type executes one-pass attention; how many keys they take at a time is their type's ``tile_keys``."""
    return tuple(engine for engine in machine.engines if hasattr(engine_module(engine), "tile_keys"))


def rewrite_for(block: str, engine: Engine) -> Rewrite:
    """What makes a block, named by its scores, fit an engine."""
    return Rewrite(block, "one-pass", engine_module(engine).tile_keys(engine))


def refusal(graph: Graph, block: Block, engine: Engine) -> str | None:
    """Why a fusing engine cannot execute a block once it is rewritten, or None."""
    after = rewritten(alone(graph, block), (rewrite_for(block.name, engine),))
    (found,) = one_passes(after)
    return refusal_of(after, found, engine)


def refusal_of(graph: Graph, found: OnePass, engine: Engine) -> str | None:
    """The same for a one-pass attention: what the engine's type says of the first step that it does not take."""
    module = engine_module(engine)
    return next((str(why) for step in found.steps.values() if (why := module.supports(graph, step, engine))), None)


def fused_somewhere(graph: Graph, machine: Machine) -> set[str]:
    """Einsums of attention blocks that some engine of the machine could execute as one."""
    engines = fusing(machine)
    return {einsum.name for block in blocks(graph) if any(refusal(graph, block, engine) is None for engine in engines)
            for einsum in block.einsums}  # fmt: skip
