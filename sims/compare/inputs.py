"""The differing inputs of two runs or machines: paths with the value of A and of B, in the units that users write."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from archmodel.engines.systolic.tree import from_tree
from archmodel.records.base import to_plain
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Node, leaf
from archmodel.records.result import Result
from archmodel.schema import plain_of

from ..report.saved import Saved

ANSWERS = ("ops", "area_by", "static_by", "bound_seconds", "record_hash", "resident", "notes", "clock_hz")
"""Fields of a Result that follow from its inputs; all others say what was asked."""
LAYOUT = "layout "
"""How the names of layouts begin."""
ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """``part`` is run, machine, mapping or graph.  ``item`` is the operator or tensor, "" where the path has none.

    a, b  plain data, None where that side has nothing there
    """

    part: str
    item: str
    path: str
    a: Any
    b: Any


def run_differences(a: Saved, b: Saved) -> tuple[Difference, ...]:
    """Every differing field of what was asked, the machine, the mapping and the graph."""
    pairs = (("run", _run(a.result), _run(b.result)), ("mapping", _mapping(a), _mapping(b)), ("graph", _graph(a.graph), _graph(b.graph)))
    run, mapping, graph = (tuple(_differing(part, one, other)) for part, one, other in pairs)
    return (*run, *machine_differences(a.machine, b.machine), *mapping, *graph)


def machine_differences(a: Machine, b: Machine) -> tuple[Difference, ...]:
    """Every differing path of two machines, as ``--set`` takes it."""
    return tuple(dataclasses.replace(found, item="", path=_join(found.item, found.path))
                 for found in _differing("machine", plain_of(a), plain_of(b)))  # fmt: skip


def _differing(part: str, a: dict[str, Any], b: dict[str, Any]) -> Iterable[Difference]:
    for item, one, other in _pairs(a, b):
        yield from _below(part, item, "", one, other)


def _below(part: str, item: str, path: str, a: Any, b: Any) -> Iterable[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key, one, other in _pairs(a, b):
            yield from _below(part, item, _join(path, key), one, other)
    elif a != b:
        yield Difference(part, item, path, *(None if side is ABSENT else side for side in (a, b)))


def _pairs(a: dict[str, Any], b: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    return ((key, a.get(key, ABSENT), b.get(key, ABSENT)) for key in dict.fromkeys([*a, *b]))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


def _run(result: Result) -> dict[str, Any]:
    return {"": {field.name: to_plain(getattr(result, field.name)) for field in dataclasses.fields(result) if field.name not in ANSWERS}}


def _graph(graph: Graph) -> dict[str, Any]:
    """Einsums and tensors by name; the stage's own figures stand in the run already, but for sequences and loads."""
    items: dict[str, Any] = {"": {"sequences": to_plain(graph.stage.sequences), "loads": to_plain(graph.stage.loads),
                                  "resident": dict(graph.resident)}}  # fmt: skip
    for einsum in graph.einsums:
        items[einsum.name] = _unnamed(einsum) | {"ranks": dict(einsum.ranks)}
    return items | {f"tensor {tensor.name}": _unnamed(tensor) for tensor in graph.tensors}


def _unnamed(record: Any) -> dict[str, Any]:
    return {key: value for key, value in to_plain(record).items() if key != "name"}


def _mapping(saved: Saved) -> dict[str, Any]:
    """What the mapping decides of each operator, and its changes of layout and layouts."""
    mapping, items = saved.mapping, {}
    if mapping is None:
        return {}
    for tree in mapping.trees:
        items[leaf(tree).einsum] = _decided(saved, tree)
    for turn in mapping.relayouts:
        items[f"relayout {turn.tensor} of {turn.einsum}"] = {"engine": turn.engine}
    for layout in mapping.layouts:
        named = ("einsum", "tensor")
        items[f"{LAYOUT}{layout.tensor} of {layout.einsum}"] = {key: value for key, value in to_plain(layout).items() if key not in named}
    return items


def _decided(saved: Saved, tree: Node) -> dict[str, Any]:
    """A product's dataflow, order, tiles and split; the tree itself where an engine reads it otherwise."""
    end, graph = leaf(tree), saved.executed
    einsum = next(einsum for einsum in graph.einsums if einsum.name == end.einsum)
    engine = saved.machine.engine(end.engine)
    if engine.type != "systolic" or not einsum.is_gemm:
        return {"engine": engine.name, "tree": to_plain(tree)}
    placed = from_tree(graph, einsum, tree, engine)
    tiling = placed.tiling
    decided = {"engine": engine.name, "dataflow": tiling.flow, "order": " ".join(tiling.order), "split": placed.split or "none",
               "tile": {rank: int(tiling.tile(rank)) for rank in "mnk"}}  # fmt: skip
    return decided | ({"slice": int(tiling.extent(placed.split))} if placed.split in ("m", "n") else {})
