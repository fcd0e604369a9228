"""AccelForge: architecture, workload and mapping; its trees of loops and storage nodes are this project's, node by node."""

from __future__ import annotations

from archmodel.records.engines.plain import Params
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Sequence, Storage

from .accelforge_machine import Arch, arch_of
from .accelforge_work import work_of
from .fields import Field
from .nests import MOST_NODES
from .result import ENGINE, Imported
from .work import Work, rank_name, tensor_name

NO_PART = "no part of a machine's, work's or mapping's description"
COUNTS = ("leakage is counted in AccelForge, and not here",)


def read(roots: list[Field], name: str) -> Imported:
    """What the files describe.  Raises SpecError where a needed part is missing or wrong."""
    tops = {key: part for root in roots for key, part in root.fields().items()}
    work, sets = work_of(tops["workload"], tops.get("renames"), name) if "workload" in tops else (None, None)
    arch = arch_of(tops["arch"], sets, name) if "arch" in tops else None
    mapping = None
    if "mapping" in tops:
        if arch is None or work is None:
            raise tops["mapping"].wrong("found a mapping alone, expected its arch and workload beside it")
        tree = _tree(tops["mapping"].need("nodes", "a list of nodes").items(), tops["mapping"], arch, work)
        mapping = Mapping(work.name, arch.machine.name, (tree,))
    for key in set(tops) - {"arch", "workload", "mapping", "renames"}:
        tops[key].refused(NO_PART)
    return Imported("accelforge", arch.machine if arch else None, work.cascade if work else None, mapping, counts=COUNTS)


def _tree(nodes: list[Field], above: Field, arch: Arch, work: Work, depth: int = 1) -> Node:
    """The tree of nodes that follow each other inwards; ``depth`` counts those above and the first."""
    if not nodes:
        raise above.wrong("found no node, expected one that computes")
    if depth > MOST_NODES:
        raise above.wrong(f"found more than {MOST_NODES} nodes on one path, expected fewer")
    node, rest = nodes[0], nodes[1:]
    kind = node.node.tag
    if kind == "Compute":
        return _leaf(node, work)
    if kind in ("Sequential", "Nested"):
        if kind == "Nested":
            return _tree([*node.need("nodes", "a list of nodes").items(), *rest], node, arch, work, depth + 1)
        return _in_turn(tuple(_tree([body], node, arch, work, depth + 1) for body in node.need("nodes", "a list of nodes").items()), arch)
    if kind == "Storage":
        return _stored(node, rest, arch, work, depth)
    if kind in ("Temporal", "Spatial"):
        return _looped(node, _tree(rest, node, arch, work, depth + 1), arch, work)
    raise node.wrong(f"found the tag {kind or 'none'}, expected Storage, Temporal, Spatial, Sequential, Nested or Compute")


def _in_turn(bodies: tuple[Node, ...], arch: Arch) -> Node:
    """Bodies one after another; what several begin by keeping in one level, without a home, stays there from one to the next."""
    if len(bodies) == 1:
        return bodies[0]
    begun = [_begun(body) for body in bodies]
    shared = [pair for pair in dict.fromkeys(pair for pairs in begun for pair in pairs)
              if pair[0] not in arch.homes and sum(pair in pairs for pairs in begun) > 1]  # fmt: skip
    tree: Node = Sequence(tuple(_without(body, shared) for body in bodies))
    for tensor, level in reversed(shared):
        tree = Storage(tensor, level, tree)
    return tree


def _begun(body: Node) -> list[tuple[str, str]]:
    """(tensor, level) of the storage nodes at the top of a body."""
    found = []
    while isinstance(body, Storage):
        found.append((body.tensor, body.level))
        body = body.body
    return found


def _without(body: Node, shared: list[tuple[str, str]]) -> Node:
    if not isinstance(body, Storage):
        return body
    rest = _without(body.body, shared)
    return rest if (body.tensor, body.level) in shared else Storage(body.tensor, body.level, rest)


def _leaf(node: Field, work: Work) -> Compute:
    named, component = node.need("einsum", "an Einsum's name"), node.get("component")
    found = next((line for line in work.lines if line.name == named.text()), None)
    if found is None:
        raise named.wrong(f"found {named.node.shown()}, expected one of {', '.join(line.name for line in work.lines)}")
    named.translated("a leaf, which goes by the Einsum's result here")
    if component is not None:
        component.translated(f"engine {ENGINE}")
    return Compute(found.output.name, ENGINE)


def _stored(node: Field, rest: list[Field], arch: Arch, work: Work, depth: int) -> Node:
    level, names = node.need("component", "a memory's name"), node.need("tensors", "a list of tensors")
    params: Params = arch.machine.engines[0].params
    if level.text() not in params.depth:
        raise level.wrong(f"found {level.node.shown()}, expected one of {', '.join(params.depth)}")
    known = {access.name for line in work.lines for access in (*line.inputs, line.output)}
    home = params.depth[level.text()] == 0
    tensors = [tensor_name(item.text()) for item in names.items()]
    for item, tensor in zip(names.items(), tensors, strict=True):
        if tensor not in known:
            raise item.wrong(f"found {item.node.shown()}, expected one of {', '.join(sorted(known))}")
        item.translated("at home in the outermost level, which needs no node" if home else "a storage node")
    level.translated("the level of storage nodes")
    arch.homes.update(tensors if home else ())
    body = _tree(rest, node, arch, work, depth + max(1, len(tensors)))
    for tensor in reversed([] if home else tensors):
        body = Storage(tensor, level.text(), body)
    return body


def _looped(node: Field, body: Node, arch: Arch, work: Work) -> Node:
    variable, shape = node.need("rank_variable", "a rank variable"), node.need("tile_shape", "a tile's size")
    rank = rank_name(variable.text())
    if rank not in work.extents:
        raise variable.wrong(f"found {variable.node.shown()}, expected one of {', '.join(work.extents)}")
    if (first := node.get("initial_tile_shape")) is not None:
        raise first.wrong("found a first tile of its own size, expected tiles of one size")
    variable.translated("a loop")
    shape.translated("a loop's tile")
    axis = ""
    if node.node.tag == "Spatial":
        label, component = node.need("name", "an axis"), node.need("component", "the component that is many")
        found = arch.axes.get((component.text(), label.text()))
        if found is None:
            raise label.wrong(f"found {label.node.shown()} of {component.text()}, which has no such spatial axis")
        axis = found.name
        label.translated("a loop's axis")
        component.translated("a loop's axis")
    return Loop(rank, shape.whole(1, 1 << 40), body, axis)
