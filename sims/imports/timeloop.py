"""Timeloop v4: architecture, problem, mapping and the ERT in which Accelergy says what an action costs.

Read are files as a user writes them (``nodes`` with tags) and as Timeloop's front end dumps them (``subtree`` and ``local``).
Words are scalars: an action of a level moves ``width / datawidth`` of them, so a scalar takes its share of the action's energy.
"""

from __future__ import annotations

import re

from archmodel.records.engines.plain import Params
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Mapping

from .fields import Field
from .nests import Nest, Stay, Turn, nested
from .result import ENGINE, Imported
from .timeloop_machine import Part, costs_of, machine, parts_of
from .work import Access, Line, Work, rank_name, tensor_name

COUNTS = (
    "an action moves whole blocks in Timeloop: a tile that is no multiple of a block is rounded up there, and takes its exact share here",
    "leakage is counted in Timeloop, and not here",
)
NO_PART = "no part of a machine's, work's or mapping's description"
_FACTOR = re.compile(r"(?:([A-Za-z_]\w*)\s*=\s*(\d{1,15})|([A-Za-z_]+)(\d{1,15}))(?:[\s,]+|$)")


def read(roots: list[Field], name: str) -> Imported:
    """What the files describe.  Raises SpecError where a needed part is missing or wrong."""
    tops = {key: part for root in roots for key, part in root.fields().items()}
    costs = costs_of(tops["ERT"]) if "ERT" in tops else None
    parts = parts_of(tops["architecture"]) if "architecture" in tops else []
    made = machine(tops["architecture"], parts, costs, name) if parts else None
    bits = made.engines[0].params.levels[0].word_bits if made else 8
    work = _work(tops["problem"], bits, name) if "problem" in tops else None
    mapping = None
    if "mapping" in tops and tops["mapping"].items():
        if made is None or work is None:
            raise tops["mapping"].wrong("found a mapping alone, expected its architecture and problem beside it")
        mapping = _mapping(tops["mapping"], parts, made, work)
    for key in set(tops) - {"architecture", "problem", "mapping", "ERT"}:
        tops[key].refused(NO_PART)
    return Imported("timeloop", made, work.cascade if work else None, mapping, counts=COUNTS)


def _work(problem: Field, bits: int, name: str) -> Work:
    if (version := problem.get("version")) is not None:
        version.translated("the format's version")
    shape, instance = problem.need("shape", "a shape"), problem.need("instance", "an instance").fields()
    coefficients = {item.need("name", "a name").text() for item in shape.need("coefficients", "a list").items()} \
        if shape.get("coefficients") else set()  # fmt: skip
    extents = {}
    for dimension in shape.need("dimensions", "a list of dimensions").items():
        if dimension.text() not in instance:
            raise dimension.wrong("found no extent of it, expected one in instance")
        rank = rank_name(dimension.text())
        if rank in extents:
            raise dimension.wrong(f"found {rank} twice once it is in lower case, expected dimensions that differ")
        dimension.translated(f"rank {rank}")
        extents[rank] = instance[dimension.text()].whole(1, 1 << 40)
        instance[dimension.text()].translated(f"extent of rank {rank}")
    inputs: list[Access] = []
    outputs: list[Access] = []
    for space in shape.need("data_spaces", "a list").items():
        access = _access(space, coefficients, bits)
        out = space.get("read_write") or space.get("read-write")
        writes = out is not None and out.text().lower() == "true"
        if out is not None:
            out.translated("input or result")
        (outputs if writes else inputs).append(access)
    if len(outputs) != 1:
        raise shape.wrong(f"found {len(outputs)} data spaces with read_write, expected one")
    if (label := shape.get("name")) is not None:
        label.translated("name")
    return Work(name, extents, [Line(shape, outputs[0].name, tuple(inputs), outputs[0])], "Timeloop v4")


def _access(space: Field, coefficients: set[str], bits: int) -> Access:
    """A data space: axes that are sums of products; a coefficient is a stride, which unrolled windows don't need."""
    name = space.need("name", "a name")
    name.translated(f"tensor {tensor_name(name.text())}")
    projection = space.need("projection", "a list of axes")
    axes = []
    for axis in projection.items():
        terms = [[factor.text() for factor in term.items()] for term in axis.items()]
        axes.append(tuple(rank_name(factor) for term in terms for factor in term if factor not in coefficients))
    access = Access(tensor_name(name.text()), tuple(axes), bits)
    if access.windows:
        projection.approximated(f"windows are unrolled: {access.name} has an element for each of {', '.join(access.ranks)}")
    else:
        projection.translated(f"ranks of {access.name}")
    return access


def _mapping(written: Field, parts: list[Part], made: Machine, work: Work) -> Mapping:
    names = {part.name for part in parts}
    temporal: dict[str, list[Turn]] = {}
    spatial: dict[str, list[Turn]] = {}
    skipped: dict[str, frozenset[str]] = {}
    for entry in written.items():
        target = entry.need("target", "a component's name")
        if target.text() not in names:
            raise target.wrong(f"found {target.node.shown()}, expected one of {', '.join(sorted(names))}")
        target.translated("the level of loops or storage nodes")
        kind = entry.need("type", "temporal, spatial, or dataspace")
        kind.translated("loops in time, in space, or storage nodes")
        if kind.text() in ("temporal", "spatial"):
            turns, split = _turns(entry, work)
            if kind.text() == "temporal":
                temporal[target.text()] = turns
            else:
                spatial[target.text()] = _spread(turns, split, target, parts)
        elif kind.text() in ("dataspace", "datatype", "bypass"):
            skipped[target.text()] = _skipped(entry)
        else:
            raise kind.wrong(f"found {kind.node.shown()}, expected temporal, spatial or dataspace")
    params: Params = made.engines[0].params
    tensors = {access.name: access.ranks for line in work.lines for access in (*line.inputs, line.output)}
    tree = nested(_nest(parts, params, temporal, spatial, skipped, tuple(tensors)), tuple(params.depth), work.extents, tensors,
                  Compute(work.lines[0].output.name, ENGINE))  # fmt: skip
    for tensor, level in tree.lost:
        written.approximated(f"{tensor} is brought to {level} more often: storage nodes stand from the outermost level inwards here")
    if tree.uneven:
        written.approximated(f"factors that don't divide {', '.join(tree.uneven)}: the last tiles are smaller here")
    return Mapping(work.name, made.name, (tree.tree,))


def _nest(parts: list[Part], params: Params, temporal: dict[str, list[Turn]], spatial: dict[str, list[Turn]],
          skipped: dict[str, frozenset[str]], tensors: tuple[str, ...]) -> Nest:  # fmt: skip
    """The loops of every component, those of a fan-out with the level above it, and what each level keeps."""
    timed: list[Turn] = []
    spread = tuple((params.axis[turn.axis][0], turn) for turns in spatial.values() for turn in turns)
    stays: list[Stay] = []
    level = -1
    for part in parts:
        if part.kind == "level":
            level += 1
            stays += [Stay(name, level, len(timed)) for name in tensors if level and name not in skipped.get(part.name, part.skips)]
        timed += temporal.get(part.name, ())
    return Nest(tuple(timed), spread, tuple(stays))


def _turns(entry: Field, work: Work) -> tuple[list[Turn], int]:
    """Loops, outermost first: a permutation lists the innermost first."""
    factors: dict[str, int] = {}
    written = entry.need("factors", "factors such as [M=4, K=16]")
    text = " ".join(item.text() for item in written.items()) if isinstance(written.node.value, list) else written.text()
    if left := _FACTOR.sub("", text).strip():
        raise written.wrong(f"found {left[:40]!r}, expected dimensions and their factors such as M=4")
    for found in _FACTOR.finditer(text):
        rank = rank_name(found[1] or found[3])
        if rank not in work.extents:
            raise written.wrong(f"found {found[0].strip()!r}, expected dimensions of the problem: {', '.join(work.extents)}")
        factors[rank] = int(found[2] or found[4])
    written.translated("counts of loops")
    for rank, count in factors.items():
        if not count:
            raise written.wrong(f"found {rank}=0, expected a factor of at least 1")
    order = list(factors)
    if (permutation := entry.get("permutation")) is not None:
        order = [rank_name(name) for name in permutation.texts()]
        permutation.translated("the order of loops")
        if unknown := [rank for rank in order if rank not in work.extents]:
            raise permutation.wrong(f"found {unknown[0]!r}, expected dimensions of the problem")
        order += [rank for rank in factors if rank not in order]
    turns = [Turn(rank, factors.get(rank, 1)) for rank in reversed(order)]
    split = entry.get("split")
    if split is None:
        return turns, len(order)
    split.translated("which loops are on x, which on y")
    return turns, split.whole(0, 64)


def _spread(turns: list[Turn], split: int, target: Field, parts: list[Part]) -> list[Turn]:
    """Loops in space on the axes at a target: the innermost ``split`` of the permutation on x, the others on y."""
    place = next(number for number, part in enumerate(parts) if part.name == target.text())
    holder = next((part for part in parts[place : place + 2] if part.axes), parts[place])
    axes = {axis.name[-1]: axis for axis in holder.axes}
    found = []
    for number, turn in enumerate(reversed(turns)):
        if turn.count == 1:
            continue
        side = "x" if number < split else "y"
        if side not in axes and len(axes) == 1:
            side = next(iter(axes))
        if side not in axes:
            raise target.wrong(f"found {turn.rank} in space at {holder.name}, which has no fan-out along {side}")
        found.append(Turn(turn.rank, turn.count, axes[side].name))
    return found[::-1]


def _skipped(entry: Field) -> frozenset[str]:
    skipped: set[str] = set()
    for key in ("bypass", "keep"):
        part = entry.get(key)
        if part is None:
            continue
        names = {tensor_name(item.text()) for item in part.items()}
        part.translated("a storage node, or none")
        skipped |= names if key == "bypass" else set()
    return frozenset(skipped)
