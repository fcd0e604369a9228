"""Groups: which Einsums of a graph may be mapped as one fused tree, and which groups make up the whole graph.

A tensor hands data from the Einsum that writes it to one that reads it where both see it with the same extents, equally often: experts
of different loads write parts of one tensor, and each part is an intermediate of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from archmodel.engines.plain.addressed import counted
from archmodel.records.graph import Einsum, Graph

Part = tuple[str, tuple[tuple[str, int], ...], int]
"""A tensor as an Einsum sees it: its name, its ranks with their extents, how many instances."""
Seen = tuple[Einsum, dict[str, tuple[str, ...]]]
"""An Einsum as it is counted, and the ranks of its tensors."""


@dataclass(frozen=True)
class Group:
    """Einsums that one tree computes, in the order of its bodies.

    kept     intermediates: written and read here
    leaving  those of them that go home too, because something else reads them
    cut      ranks that shared loops may cut
    """

    members: tuple[Einsum, ...]
    kept: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(einsum.name for einsum in self.members)


class Flow:
    """Who hands data to whom in a graph; ``order`` is one in which everything is written before it is read, the graph's own where free.

    Sets of Einsums are bits of an integer, by place in that order.  Einsums on a cycle (a running sum reads what its step before gave)
    are never fused.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = _in_order(graph)
        self.seen = tuple(counted(graph, einsum) for einsum in self.order)
        writers, readers = _uses(self.seen)
        size = len(self.order)
        self.before = [0] * size
        self.links: list[tuple[str, int, tuple[int, ...], bool]] = []
        """(tensor, writer, readers, leaves) of every possible intermediate."""
        whole: dict[str, list[int]] = defaultdict(list)
        for (name, _, _), places in writers.items():
            whole[name] += places
        for part, places in readers.items():
            for reader in places:
                for writer in writers.get(part) or whole[part[0]]:
                    if writer < reader:
                        self.before[reader] |= 1 << writer
        looped = _looped(size, writers, readers, whole)
        for part, places in writers.items():
            mine = readers.get(part, [])
            if len(places) != 1 or not mine or looped >> places[0] & 1 or min(mine) <= places[0]:
                continue
            wider = any(name == part[0] and (name, extents, repeat) not in writers for name, extents, repeat in readers)
            leaves = wider or graph.tensor[part[0]].kind == "kv"
            self.links.append((part[0], places[0], tuple(mine), leaves))

    @cached_property
    def reach(self) -> list[int]:
        """All Einsums that each one waits for, directly or not."""
        found: list[int] = []
        for direct in self.before:
            found.append(direct | union(found[at] for at in places_of(direct)))
        return found

    @cached_property
    def later(self) -> list[int]:
        """All Einsums that wait for each one, directly or not."""
        found = [0] * len(self.order)
        for at, waits in enumerate(self.reach):
            for before in places_of(waits):
                found[before] |= 1 << at
        return found

    @cached_property
    def near(self) -> list[int]:
        """Those that each Einsum shares an intermediate with."""
        found = [0] * len(self.order)
        for _, writer, readers, _ in self.links:
            for reader in readers:
                found[writer] |= 1 << reader
                found[reader] |= 1 << writer
        return found

    def group(self, which: int) -> Group | None:
        """The group of these Einsums, or None where they may not be fused: what one writes another reads in some other extent."""
        places = list(places_of(which))
        members = tuple(self.order[at] for at in places)
        kept, leaving, staying = [], [], set()
        linked: set[tuple[str, int]] = set()
        for name, writer, readers, leaves in self.links:
            if not which >> writer & 1 or not any(which >> reader & 1 for reader in readers):
                continue
            kept.append(name)
            linked |= {(name, reader) for reader in readers}
            if leaves or not all(which >> reader & 1 for reader in readers):
                leaving.append(name)
            else:
                staying.add(name)
        written = {einsum.output for einsum in members}
        if any(name in written and (name, at) not in linked for at in places for name in self.order[at].inputs):
            return None
        if len({einsum.output for einsum in members}) < len(members):
            return None
        extents: dict[str, int] = {}
        if any(extents.setdefault(rank, extent) != extent for at in places for rank, extent in self.seen[at][0].ranks):
            return None
        return Group(members, tuple(kept), tuple(leaving), _cuttable([self.seen[at] for at in places], set(kept), staying))


def _cuttable(members: Iterable[Seen], kept: set[str], staying: set[str]) -> tuple[str, ...]:
    """Ranks whose shared loops leave every result complete before it is read, and write each result once."""
    able = {rank for einsum, _ in members for rank, extent in einsum.ranks if extent > 1}
    for einsum, ranks in members:
        mine = {rank for rank, _ in einsum.ranks}
        if einsum.output in kept:
            able -= mine - set(ranks[einsum.output])
        if einsum.output not in staying:
            able &= mine
    return tuple(sorted(able))


def _uses(order: Iterable[Seen]) -> tuple[dict[Part, list[int]], dict[Part, list[int]]]:
    """The places of those that write, and that read, each part of a tensor."""
    writers: dict[Part, list[int]] = defaultdict(list)
    readers: dict[Part, list[int]] = defaultdict(list)
    for place, (einsum, ranks) in enumerate(order):
        extents = dict(einsum.ranks)
        parts = {name: (name, tuple((rank, extents[rank]) for rank in mine), einsum.repeat) for name, mine in ranks.items()}
        writers[parts[einsum.output]].append(place)
        for name in dict.fromkeys(einsum.inputs):
            readers[parts[name]].append(place)
    return writers, readers


def _in_order(graph: Graph) -> tuple[Einsum, ...]:
    """Einsums with all writers before readers; on a cycle the graph's first goes first."""
    writers, readers = _uses(counted(graph, einsum) for einsum in graph.einsums)
    whole: dict[str, list[int]] = defaultdict(list)
    for (name, _, _), places in writers.items():
        whole[name] += places
    waits: list[set[int]] = [set() for _ in graph.einsums]
    for part, places in readers.items():
        for reader in places:
            waits[reader] |= set(writers.get(part) or whole[part[0]]) - {reader}
    left, found = list(range(len(graph.einsums))), []
    done: set[int] = set()
    while left:
        at = next((at for at in left if waits[at] <= done), left[0])
        left.remove(at)
        done.add(at)
        found.append(graph.einsums[at])
    return tuple(found)


def _looped(size: int, writers: dict[Part, list[int]], readers: dict[Part, list[int]], whole: dict[str, list[int]]) -> int:
    """Einsums that wait, directly or not, for themselves."""
    waits = [0] * size
    for part, places in readers.items():
        for reader in places:
            for writer in writers.get(part) or whole[part[0]]:
                waits[reader] |= 1 << writer
    if all(direct < 1 << place for place, direct in enumerate(waits)):
        return 0
    changed = True
    while changed:
        wider = [direct | union(waits[at] for at in places_of(direct)) for direct in waits]
        changed, waits = wider != waits, wider
    return sum(1 << place for place, direct in enumerate(waits) if direct >> place & 1)


def places_of(which: int) -> Iterator[int]:
    """The places of the bits that are set, lowest first."""
    while which:
        yield (which & -which).bit_length() - 1
        which &= which - 1


def union(sets: Iterator[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found
