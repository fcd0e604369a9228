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


def fit(graph: Graph, block: Block, engine: Engine) -> Rewrite | str:
    """What makes a block fit a fusing engine, its keys and values dequantised first where nothing else helps; or why nothing does."""
    module = engine_module(engine)
    plain = Rewrite(block.name, "one-pass", module.tile_keys(engine))
    if (why := _refusal(graph, block, engine, plain)) is None:
        return plain
    wide = replace(plain, wide=module.element_bits(engine)) if hasattr(module, "element_bits") else plain
    return wide if wide != plain and _refusal(graph, block, engine, wide) is None else why


def _refusal(graph: Graph, block: Block, engine: Engine, rewrite: Rewrite) -> str | None:
    after = rewritten(alone(graph, block), (rewrite,))
    (found,) = one_passes(after)
    return refusal_of(after, found, engine)


def refusal_of(graph: Graph, found: OnePass, engine: Engine) -> str | None:
    """Why an engine cannot execute a one-pass attention: what its type says of the first step that it does not take; or None."""
    module = engine_module(engine)
    return next((str(why) for step in found.steps.values() if (why := module.supports(graph, step, engine))), None)


def fused_somewhere(graph: Graph, machine: Machine) -> set[str]:
    """Einsums of attention blocks that some engine of the machine could execute as one."""
    engines = fusing(machine)
    return {einsum.name for block in blocks(graph) if any(not isinstance(fit(graph, block, engine), str) for engine in engines)
            for einsum in block.einsums}  # fmt: skip
