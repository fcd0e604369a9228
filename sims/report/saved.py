"""Saved: all that one run was - its four records and its command - as the file that ``run -o NAME.json`` writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archmodel.executing import executed
from archmodel.json_file import read_json
from archmodel.records.base import SpecError, from_plain, record_hash, to_plain
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Certificate, Mapping, leaf, leaves
from archmodel.records.result import Result

MOST_BYTES = 1 << 23
"""Of a file of results: DeepSeek-V3 needs 0.7 MB; nested lists take twenty times their text in memory."""


@dataclass(frozen=True)
class Saved:
    """``mapping`` is None at fidelity bound; ``command`` is what the user typed, quoted for a shell."""

    result: Result
    graph: Graph
    machine: Machine
    mapping: Mapping | None
    command: str

    def __post_init__(self) -> None:
        if record_hash((self.graph, self.machine, self.mapping)) != self.result.record_hash:
            raise SpecError("its graph, machine and mapping are not those that its result is of; write it again with archmodel run -o")
        if self.mapping is not None:
            einsums = {einsum.name for einsum in self.executed.einsums}
            mapped = {end.einsum for tree in self.mapping.trees for end in leaves(tree)}
            rows = {leaf(tree).einsum for tree in self.mapping.trees}
            turned = {turn.einsum for turn in self.mapping.relayouts}
            if odd := (einsums ^ mapped) | (turned - einsums) | (rows - {op.name for op in self.result.ops}):
                raise SpecError(f"{min(odd)!r} is not in all of its graph, mapping and result; write it again with archmodel run -o")

    @cached_property
    def executed(self) -> Graph:
        """The graph as the mapping rewrites it: what its trees compute."""
        return executed(self.graph, self.mapping) if self.mapping else self.graph


def to_records(saved: Saved) -> dict[str, Any]:
    """Plain data that ``from_records`` reads back.  The certificate is no part of a mapping's identity and stands apart."""
    proof = saved.mapping.certificate if saved.mapping else None
    return {"command": saved.command, "records": {
        "result": to_plain(saved.result), "graph": to_plain(saved.graph), "machine": to_plain(saved.machine),
        "mapping": to_plain(saved.mapping), "certificate": to_plain(proof),
    }}  # fmt: skip


def read_saved(path: Path) -> Saved:
    """Raises SpecError, one line that names the file, for anything else than a file that ``run`` wrote."""
    plain = read_json(path, MOST_BYTES, "a result that `archmodel run -o FILE.json` wrote")
    try:
        return _from_records(plain)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def _from_records(plain: dict[str, Any]) -> Saved:
    records, command = plain.get("records"), plain.get("command")
    if not isinstance(records, dict) or not isinstance(command, str):
        raise SpecError("found no records of a run, expected a file that `archmodel run -o FILE.json` wrote")
    if missing := [name for name in ("result", "graph", "machine", "mapping", "certificate") if name not in records]:
        raise SpecError(f"records: found no {missing[0]}")
    mapping: Mapping | None = from_plain(Mapping | None, records["mapping"])
    if mapping is not None and records["certificate"] is not None:
        mapping = replace(mapping, certificate=from_plain(Certificate, records["certificate"]))
    return Saved(from_plain(Result, records["result"]), from_plain(Graph, records["graph"]), from_plain(Machine, records["machine"]),
                 mapping, command)  # fmt: skip
