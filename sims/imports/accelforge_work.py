"""An AccelForge workload to a cascade, and its names of sets of tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .fields import Field
from .sets import NotASet, members
from .work import Access, Line, Work, joined, rank_name, tensor_name

BITS = 8
"""Of a value whose width nobody says."""
_RANGE = re.compile(r"\s*0\s*<=\s*(\w+)\s*<\s*(\d{1,13})\s*")
_TERM = re.compile(r"\s*(\w+)\s*\[([^\[\]]*)\]\s*")
_EQUATION = re.compile(r"\s*(\w+\s*\[[^\[\]=]*\])\s*=\s*(.+)")
_RANKS = re.compile(r"[A-Za-z_]\w*")


@dataclass
class Sets:
    """Tensors of all Einsums by AccelForge's names for sets of them; ``aliases`` such as input and weight over all Einsums."""

    known: dict[str, frozenset[str]]
    everything: frozenset[str]
    source: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> frozenset[str] | None:
        """What an expression means, in our names; None where it can't be read."""
        try:
            return members(text, self.known, self.everything)
        except NotASet:
            return None


def work_of(workload: Field, renames: Field | None, name: str) -> tuple[Work, Sets]:
    """Raises SpecError for an Einsum that is none here."""
    extents = dict(_extents(workload))
    written = workload.need("einsums", "a list of Einsums").items()
    if not written:
        raise workload.wrong("found no Einsum, expected one")
    extents |= {rank: size for item in written if isinstance(item.node.value, dict) for rank, size in _extents(item)}
    drafts = [_draft(item) for item in written]
    for item, draft in zip(written, drafts, strict=True):
        _check_ranks(item, draft, extents)
    sets = _sets(drafts, written, renames)
    bits = _bits(workload, sets)
    lines = joined([replace(line, inputs=tuple(_with(access, bits) for access in line.inputs), output=_with(line.output, bits))
                    for line in drafts])  # fmt: skip
    for key, part in workload.fields().items():
        if key == "n_instances":
            part.refused("repeats of the whole workload are not kept")
        elif key == "persistent_tensors":
            part.refused("what stays for the whole run is the mapper's choice here")
    return Work(name, extents, lines, "AccelForge"), sets


def _check_ranks(item: Field, draft: Line, extents: Mapping[str, int]) -> None:
    for access in (*draft.inputs, draft.output):
        for rank in access.ranks:
            if rank not in extents:
                raise item.wrong(f"found rank {rank} of {access.name} without an extent, expected one in rank_sizes or "
                                 "iteration_space_shape")  # fmt: skip


def _extents(where: Field) -> Iterator[tuple[str, int]]:
    """Extents by rank, of a workload or of one Einsum."""
    for name, part in (found.fields() if (found := where.get("rank_sizes")) else {}).items():
        part.translated(f"extent of rank {rank_name(name)}")
        yield rank_name(name), part.whole(1, 1 << 40)
    shape = where.get("iteration_space_shape")
    for part in [] if shape is None else shape.items() if isinstance(shape.node.value, list) else shape.fields().values():
        within = _RANGE.fullmatch(part.text())
        if within is None:
            raise part.wrong(f"found {part.node.shown()}, expected 0 <= a rank < a number")
        part.translated(f"extent of rank {rank_name(within[1])}")
        yield rank_name(within[1]), int(within[2])


def _draft(item: Field) -> Line:
    """An Einsum in either way of writing; bits are filled in later."""
    if isinstance(item.node.value, str):
        return _from_text(item, item)
    if (text := item.get("einsum")) is not None:
        _others(item)
        return _from_text(text, item)
    label = item.need("name", "a name")
    label.translated("an Einsum, which goes by its result here")
    inputs: list[Access] = []
    outputs: list[Access] = []
    for access in item.need("tensor_accesses", "a list").items():
        name, projection = access.need("name", "a tensor's name"), access.need("projection", "a list or mapping of ranks")
        name.translated(f"tensor {tensor_name(name.text())}")
        named = isinstance(projection.node.value, dict)
        axes = tuple(_axis(part) for part in (projection.fields().values() if named else projection.items()))
        windowed = any(len(axis) > 1 for axis in axes)
        found = Access(tensor_name(name.text()), axes, _own_bits(access))
        if windowed:
            projection.approximated(f"windows are unrolled: {found.name} has an element for each of {', '.join(found.ranks)}")
        else:
            projection.translated(f"ranks of {found.name}")
        out = access.get("output")
        if out is not None:
            out.translated("input or result")
        (outputs if out is not None and out.text().lower() == "true" else inputs).append(found)
    if len(outputs) != 1:
        raise item.wrong(f"found {len(outputs)} outputs, expected one")
    _others(item)
    return Line(item, label.text(), tuple(inputs), outputs[0])


def _own_bits(access: Field) -> int:
    bits = access.get("bits_per_value")
    if bits is None:
        return 0
    bits.translated("bits")
    return bits.whole(1, 64)


def _others(item: Field) -> None:
    if (copy := item.get("is_copy_operation")) is not None:
        copy.approximated("a copy is an Einsum of one input here, and its points are computed")
    if (repeats := item.get("n_instances")) is not None:
        repeats.refused("repeats of an Einsum are not kept")


def _axis(part: Field) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(rank_name, _RANKS.findall(part.text()))))


def _from_text(text: Field, item: Field) -> Line:
    """``Z[m,n] = A[m,k] * W[k,n]``, or with + ; an index such as ``M: p`` is the rank variable behind the colon."""
    equation = _EQUATION.fullmatch(text.text())
    sign = "+" if equation and "] +" in equation[2] else "*"
    terms = [_TERM.fullmatch(part) for part in (equation[1], *equation[2].split(sign))] if equation else [None]
    if any(term is None for term in terms):
        raise text.wrong(f"found {text.node.shown()}, expected a line such as Z[m,n] = A[m,k] * W[k,n]")
    found = [Access(tensor_name(term[1]), tuple(_index(part) for part in term[2].split(",") if part.strip()), 0) for term in terms if term]
    text.translated("einsums")
    return Line(item, tensor_name(found[0].name), tuple(found[1:]), found[0], "add" if sign == "+" and len(found) == 3 else "")


def _index(part: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(rank_name, _RANKS.findall(part.rpartition(":")[2]))))


def _with(access: Access, bits: Mapping[str, int]) -> Access:
    return Access(access.name, access.axes, access.bits or bits.get(access.name, BITS))


def _bits(workload: Field, sets: Sets) -> dict[str, int]:
    found: dict[str, int] = {}
    for text, part in (given.fields() if (given := workload.get("bits_per_value")) else {}).items():
        of = sets.of(text)
        if of is None:
            part.refused(f"{text} is no set of tensors that can be read; {BITS} bits stand for it")
            continue
        part.translated("bits")
        found |= dict.fromkeys(of, part.whole(1, 64))
    return found


def _sets(lines: list[Line], written: list[Field], renames: Field | None) -> Sets:
    read = frozenset(access.name for line in lines for access in line.inputs)
    made = frozenset(line.output.name for line in lines)
    sets = Sets({"All": read | made, "Nothing": frozenset(), "Inputs": read, "Outputs": made, "Intermediates": read & made}, read | made)
    for name in read | made:
        sets.known[name] = frozenset((name,))
    for line, item in zip(lines, written, strict=True):
        given = item.get("renames") if isinstance(item.node.value, dict) else None
        _renamed(sets, {key: (part, part.text()) for key, part in given.fields().items()} if given else {}, line)
    for einsum in (renames.need("einsums", "a list").items() if renames and renames.get("einsums") else []):
        accesses = einsum.need("tensor_accesses", "a list").items()
        for line in lines:
            _renamed(sets, {a.need("name", "a name").text(): (a, a.need("source", "a set").text()) for a in accesses}, line, other=True)
    return sets


def _renamed(sets: Sets, given: Mapping[str, tuple[Field, str]], line: Line, other: bool = False) -> None:
    """Adds what names such as input mean in one Einsum to what they mean in all; ``other``: unless the Einsum said so itself."""
    mine = frozenset(access.name for access in (*line.inputs, line.output))
    local = {**sets.known, "All": mine, "Inputs": frozenset(a.name for a in line.inputs), "Outputs": frozenset((line.output.name,)),
             "Intermediates": sets.known["Intermediates"] & mine}  # fmt: skip
    for name, (part, text) in given.items():
        key = f"{line.name}.{name}"
        if other and key in sets.source:
            continue
        try:
            found = members(text, {**{tensor_name(k): v for k, v in local.items()}, **local}, mine)
        except NotASet:
            part.refused("an expression that is not read")
            continue
        sets.source[key] = text
        local[name] = found
        sets.known[name] = sets.known.get(name, frozenset()) | found
        part.translated("a name for tensors, which levels' sets may use")
