"""A cascade from a located tree of YAML, and back to plain data; every finding has file, line and column, to the character of a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from archmodel.forms import Boolean, Choice, Form, Several, Text, Whole
from archmodel.located import Findings, Node
from archmodel.records.base import SpecError, Within, one_of
from archmodel.records.cascade import MOST_LINES, Cascade, Masked, mask_faults, split_faults
from archmodel.records.cascade_rules import Fault, faults
from archmodel.records.equation import Equation, Initial
from archmodel.records.graph import MAX_EXTENT, TENSOR_KINDS, Tensor
from archmodel.records.mask import Mask

from .language import RANK, TENSOR, Line, LineError, parse

KEYS = ("name", "source", "ranks", "bits", "inputs", "widths", "mask", "einsums")
_EXTENT = Whole(Within(1, MAX_EXTENT))
_BITS = Whole(Within(1, 64))
_POSITION = {field.name: field for field in dataclasses.fields(Mask)}


@dataclasses.dataclass(frozen=True)
class _Rank:
    """The name of a rank."""

    expected: str = "a rank, in lower case"
    kind: str = "rank"
    bounds: str = ""

    def __call__(self, node: Node) -> str:
        if not isinstance(node.value, str) or not RANK.fullmatch(node.value):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return node.value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{RANK.pattern}$"}


class Reader:
    """One description; ``findings`` grows with everything wrong in it."""

    def __init__(self, tree: Node, findings: Findings, extents: Mapping[str, int]) -> None:
        self.findings = findings
        self.top = self.mapping(tree, "")
        for key, node in self.top.items():
            if key not in KEYS:
                findings.add(node.key_place, key, f"found no such key, expected {one_of(KEYS)}")
        for key in ("ranks", "inputs", "einsums"):
            if key not in self.top:
                findings.add(tree.place, key, "found nothing, expected it")
        self.ranks, self.splits = self._ranks(extents)
        self.bits = self.value(self.top.get("bits"), _BITS, "bits", 16)
        self.inputs = {tensor.name: tensor for tensor in self._inputs()}
        self.lines: list[tuple[Line, Node]] = []
        self._lines()

    def cascade(self, name: str) -> Cascade | None:
        """The cascade, or None with findings."""
        equations, initials = self._kind(Equation), self._kind(Initial)
        widths, masked = self._widths({line.read.output.tensor for line, _ in equations}), self._masked()
        if self.findings.lines:
            return None
        kept = tuple(line.read for line, _ in equations), tuple(line.read for line, _ in initials)
        axes = {tensor.name: tensor.ranks for tensor in self.inputs.values()}
        for fault in [*faults(self.ranks, axes, *kept), *mask_faults(kept[0], masked, self.ranks, self.splits)]:
            self._fault(fault, [*equations, *initials])
        self._unread(kept[0])
        if self.findings.lines:
            return None
        name = self.value(self.top.get("name"), Text(), "name", name)
        source = self.value(self.top.get("source"), Text(), "source", "")
        inputs = tuple(self.inputs[key] for key in sorted(self.inputs))
        return Cascade(name, tuple(sorted(self.ranks.items())), tuple(sorted(self.splits.items())), inputs, *kept, self.bits, widths,
                       masked, source)  # fmt: skip

    def _kind(self, kind: type) -> list[tuple[Any, Node]]:
        return [(line, node) for line, node in self.lines if isinstance(line.read, kind)]

    def mapping(self, node: Node | None, key: str) -> dict[str, Node]:
        if node is None:
            return {}
        if isinstance(node.value, dict):
            return node.value
        self.findings.add(node.place, key, f"found {node.shown()}, expected a mapping")
        return {}

    def value(self, node: Node | None, form: Form, key: str, default: Any = None) -> Any:
        if node is None:
            return default
        try:
            return form(node)
        except SpecError as error:
            self.findings.add(node.place, key, str(error))
            return default

    def named(self, key: str, pattern: Any, expected: str) -> dict[str, Node]:
        """The entries of a section whose names are right."""
        found: dict[str, Node] = {}
        section = self.mapping(self.top.get(key), key)
        if len(section) > MOST_LINES:
            self.findings.add(self.top[key].place, key, f"found {len(section)} names, expected at most {MOST_LINES}")
            return found
        for name, node in section.items():
            if pattern.fullmatch(name):
                found[name] = node
            else:
                self.findings.add(node.key_place, key, f"found the name {name!r}, expected {expected}")
        return found

    def _ranks(self, extents: Mapping[str, int]) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
        """Extents by rank, and the parts of split ranks; ``extents`` replace those of the file."""
        ranks, splits = {}, {}
        for name, node in self.named("ranks", RANK, "a rank, in lower case").items():
            if isinstance(node.value, list):
                splits[name] = self.value(node, Several(_Rank()), f"ranks.{name}", ())
            else:
                ranks[name] = self.value(node, _EXTENT, f"ranks.{name}", 1)
        for text in split_faults(ranks, splits):
            self.findings.add(self.top["ranks"].place, "ranks", f"found a split rank that is wrong: {text}")
        for name, extent in extents.items():
            if name not in ranks:
                hint = f" (set its parts {' and '.join(splits[name])})" if name in splits else ""
                self.findings.add(f"--ranks {name}", "", f"found no such rank, expected {one_of(sorted(ranks))}{hint}")
            elif not 1 <= extent <= MAX_EXTENT:
                self.findings.add(f"--ranks {name}", "", f"found {extent}, expected 1 to {MAX_EXTENT}")
            else:
                ranks[name] = extent
        return ranks, splits

    def _inputs(self) -> list[Tensor]:
        found = []
        for name, node in self.named("inputs", TENSOR, "a tensor, which begins with a capital letter").items():
            key, fields = f"inputs.{name}", self.mapping(node, f"inputs.{name}")
            for other, part in fields.items():
                if other not in ("ranks", "kind", "bits"):
                    self.findings.add(part.key_place, f"{key}.{other}", "found no such key, expected ranks, kind or bits")
            if "ranks" not in fields:
                self.findings.add(node.place, key, "found no ranks, expected a list of them")
                continue
            ranks = self.value(fields["ranks"], Several(_Rank()), f"{key}.ranks", ())
            if unknown := [rank for rank in ranks if rank not in self.ranks]:
                what = "is split, expected its parts" if unknown[0] in self.splits else "has no extent, expected a rank of ranks"
                self.findings.add(fields["ranks"].place, f"{key}.ranks", f"found {unknown[0]!r}, which {what}")
            kind = self.value(fields.get("kind"), Choice(TENSOR_KINDS), f"{key}.kind", "activation")
            bits = self.value(fields.get("bits"), _BITS, f"{key}.bits", self.bits)
            try:
                found.append(Tensor(name, kind, ranks, bits))
            except SpecError as error:
                self.findings.add(node.place, key, "found " + str(error).partition(": ")[2])
        return found

    def _lines(self) -> None:
        node = self.top.get("einsums")
        if node is None:
            return
        if not isinstance(node.value, list) or not node.value:
            self.findings.add(node.place, "einsums", f"found {node.shown()}, expected a list of lines")
            return
        if len(node.value) > MOST_LINES:
            self.findings.add(node.place, "einsums", f"found {len(node.value)} lines, expected at most {MOST_LINES}")
            return
        axes: dict[str, tuple[str, ...]] = {tensor.name: tensor.ranks for tensor in self.inputs.values()}
        for item in node.value:
            if not isinstance(item.value, str):
                self.findings.add(item.place, "", f"found {item.shown()}, expected a line such as A[m,p] = exp(B[m,p])")
                continue
            try:
                line = parse(item.value, axes)
            except LineError as error:
                self.findings.add(_place(item, error.at), "", str(error))
                continue
            self.lines.append((line, item))
            if isinstance(line.read, Equation):
                output = line.read.output
                axes.setdefault(output.tensor, tuple(index.rank for index in output.indices))

    def _widths(self, given: set[str]) -> tuple[tuple[str, int], ...]:
        found = []
        for name, node in self.named("widths", TENSOR, "a tensor, which begins with a capital letter").items():
            if name not in given:
                self.findings.add(node.key_place, f"widths.{name}", "found a width of what no line gives, expected a tensor of a left side")
            found.append((name, self.value(node, _BITS, f"widths.{name}", 16)))
        return tuple(sorted(found))

    def _masked(self) -> Masked | None:
        """The section ``mask``: the ranks of queries and keys, and the fields of a Mask."""
        node = self.top.get("mask")
        if node is None:
            return None
        fields = self.mapping(node, "mask")
        values: dict[str, Any] = {}
        for name, part in fields.items():
            if name in ("queries", "keys"):
                values[name] = self.value(part, _Rank(), f"mask.{name}", "")
                if values[name] and values[name] not in {**self.ranks, **self.splits}:
                    self.findings.add(part.place, f"mask.{name}", f"found {part.shown()}, expected a rank of ranks")
            elif name in _POSITION:
                values[name] = self.value(part, _form(name), f"mask.{name}", None)
            else:
                self.findings.add(part.key_place, f"mask.{name}", f"found no such key, expected {one_of(('queries', 'keys', *_POSITION))}")
        for name in ("queries", "keys"):
            if name not in fields:
                self.findings.add(node.place, "mask", f"found no {name}, expected the rank of the {name}")
        if self.findings.lines:
            return None
        queries, keys = values.pop("queries"), values.pop("keys")
        try:
            return Masked(queries, keys, Mask(**values))
        except SpecError as error:
            self.findings.add(node.place, "mask", "found " + str(error).partition(": ")[2])
            return None

    def _fault(self, fault: Fault, lines: list[tuple[Line, Node]]) -> None:
        line, node = lines[fault.line]
        self.findings.add(_place(node, line.at(fault.term, fault.axis)), "", fault.text)

    def _unread(self, equations: tuple[Equation, ...]) -> None:
        read = {term.tensor for equation in equations for term in equation.inputs}
        nodes = self.mapping(self.top.get("inputs"), "inputs")
        for name in self.inputs:
            if name not in read:
                self.findings.add(nodes[name].key_place, f"inputs.{name}", "found an input that no line reads, expected it in one")


def _form(name: str) -> Form:
    """How a field of a Mask is written."""
    position = Whole(Within(0, MAX_EXTENT))
    if name == "blocks":
        return Several(Several(position, 2))
    return Boolean() if name == "causal" else position


def _place(node: Node, at: int) -> str:
    """file:line:column of a character of a text that stands on one line."""
    file, _, column = node.place.rpartition(":")
    return f"{file}:{int(column) + at + (not node.unquoted)}" if column.isdigit() else node.place


def build(tree: Node, name: str, findings: Findings, extents: Mapping[str, int]) -> Cascade | None:
    """The cascade of a tree, or None with findings; ``extents`` replace those of ranks."""
    return Reader(tree, findings, extents).cascade(name)


def plain_of(cascade: Cascade) -> dict[str, Any]:
    """Plain data that reads back as the same cascade."""
    plain: dict[str, Any] = {"name": cascade.name}
    if cascade.source:
        plain["source"] = cascade.source
    plain["ranks"] = {**{name: list(parts) for name, parts in cascade.splits}, **cascade.extent}
    plain["bits"] = cascade.bits
    plain["inputs"] = {t.name: {"ranks": list(t.ranks), "kind": t.kind, "bits": t.bits} for t in cascade.inputs}
    if cascade.widths:
        plain["widths"] = dict(cascade.widths)
    if cascade.masked:
        mask = {name: getattr(cascade.masked.mask, name) for name in _POSITION}
        mask["blocks"] = [list(pair) for pair in mask["blocks"]]
        plain["mask"] = {"queries": cascade.masked.queries, "keys": cascade.masked.keys, **mask}
    plain["einsums"] = [str(line) for line in (*cascade.initials, *cascade.equations)]
    return plain
