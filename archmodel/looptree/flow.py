"""What waits for what among the Einsums of a tree, and whether the order of the tree respects it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archmodel.looptree.path import Path, tiles
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Compute, Loop, Parallel
from archmodel.records.mapping import Sequence as InTurn


@dataclass(frozen=True)
class Edge:
    """``reader`` takes ``tensor`` of ``writer``; ``carried`` if it is the one of an earlier iteration."""

    writer: str
    reader: str
    tensor: str
    carried: bool


def steps_over(graph: Graph, einsum: Einsum) -> frozenset[str]:
    """Ranks in each iteration of which an Einsum makes its result anew, as a running maximum is: of a state, else none.

    The result lacks the rank; or it has it as a place for each step, and a reader that has one step, and no place for it in
    its own result, takes the last.
    """
    if einsum.reduce != "none":
        return frozenset()
    kept = graph.tensor[einsum.output].ranks
    extents = dict(einsum.ranks)
    if lacking := frozenset(extents) - frozenset(kept):
        return lacking
    last = {rank for reader in graph.einsums for rank, extent in reader.ranks
            if extent == 1 < extents.get(rank, 1) and rank not in graph.tensor[reader.output].ranks}  # fmt: skip
    wanted = any(einsum.output in reader.inputs and dict(reader.ranks).get(rank) == 1 for reader in graph.einsums for rank in last)
    return frozenset(last & set(kept)) if wanted or einsum.output in einsum.inputs else frozenset()


def edges(graph: Graph, einsums: dict[str, Einsum]) -> tuple[Edge, ...]:
    """Of the Einsums of one tree; an Einsum that reads a state from which it is made reads the one before."""
    writers = {einsum.output: einsum for einsum in einsums.values()}
    after: dict[str, set[str]] = {name: set() for name in einsums}
    for name, einsum in einsums.items():
        for tensor in einsum.inputs:
            if tensor in writers:
                after[writers[tensor].name].add(name)
    found = []
    for name, einsum in einsums.items():
        for tensor in dict.fromkeys(einsum.inputs):
            if (writer := writers.get(tensor)) is not None:
                carried = bool(steps_over(graph, writer)) and writer.name in _reached(after, name)
                found.append(Edge(writer.name, name, tensor, carried))
    return tuple(found)


def _reached(after: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for name in after[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return found


def check_order(graph: Graph, einsums: dict[str, Einsum], at: dict[str, Path], extents: dict[str, int]) -> None:
    """Raises SpecError where an Einsum would read what isn't there yet."""
    for edge in edges(graph, einsums):
        writer, reader = at[edge.writer], at[edge.reader]
        if edge.carried:
            _check_carried(graph, einsums[edge.writer], edge, writer, reader, extents)
        elif (wrong := _early(writer, reader)) is not None:
            raise SpecError(f"mapping of {edge.reader}: {wrong} {edge.writer}, whose {edge.tensor} it reads: expected a lag above "
                            f"{_leaf(writer).lag}, found {_leaf(reader).lag}")  # fmt: skip
    _check_complete(graph, einsums, at, extents)


def _check_complete(graph: Graph, einsums: dict[str, Einsum], at: dict[str, Path], extents: dict[str, int]) -> None:
    """A reader that runs in each iteration of a loop must not want what is there only after the last; one that lacks the rank waits."""
    waits = [edge for edge in edges(graph, einsums) if not edge.carried]
    after = _after(graph, einsums, waits)
    for edge in waits:
        writer, reader = at[edge.writer], at[edge.reader]
        late = (after[edge.writer] - steps_over(graph, einsums[edge.writer])) & dict(einsums[edge.reader].ranks).keys()
        for place, node in enumerate(writer[: parting(writer, reader) + 1]):
            if isinstance(node, Loop) and node.rank in late and node.tile < _left(writer[:place], node.rank, extents):
                raise SpecError(f"mapping of {edge.reader}: it reads {edge.tensor} of {edge.writer} within the loop over {node.rank}, and "
                                "it is complete only after that loop: expected it in another loop, later")  # fmt: skip


def _after(graph: Graph, einsums: dict[str, Einsum], waits: list[Edge]) -> dict[str, set[str]]:
    """Ranks that must be gone through before a result is complete: the reduced ones, and those that its inputs wait for and it lacks."""
    found = {name: set(dict(einsum.ranks)) - set(graph.tensor[einsum.output].ranks) | steps_over(graph, einsum)
             for name, einsum in einsums.items()}  # fmt: skip
    grown = True
    while grown:
        grown = False
        for edge in waits:
            more = found[edge.writer] - dict(einsums[edge.reader].ranks).keys() - found[edge.reader]
            found[edge.reader] |= more
            grown = grown or bool(more)
    return found


def _leaf(path: Path) -> Compute:
    end = path[-1]
    assert isinstance(end, Compute)
    return end


def parting(one: Path, other: Path) -> int:
    """The place of the last node that two paths share."""
    place = 0
    while place + 1 < min(len(one), len(other)) and one[place + 1] is other[place + 1]:
        place += 1
    return place


def _early(writer: Path, reader: Path) -> str | None:
    """How a reader stands to its writer where that is too early, else None."""
    place = parting(writer, reader)
    ages = _leaf(reader).lag - _leaf(writer).lag
    if isinstance(writer[place], Parallel):
        return None if ages > 0 else "it runs beside"
    if before(writer, reader, place):
        return None if ages >= 0 else "it works on a younger tile than"
    return None if ages > 0 else "it runs before"


def before(one: Path, other: Path, place: int) -> bool:
    """Whether the first of two paths that part at ``place`` is in the earlier body of a Sequence."""
    node = one[place]
    if not isinstance(node, InTurn):
        return False
    order = [id(body) for body in node.bodies]
    return order.index(id(one[place + 1])) < order.index(id(other[place + 1]))


def _check_carried(graph: Graph, einsum: Einsum, edge: Edge, writer: Path, reader: Path, extents: dict[str, int]) -> None:
    """A state must be there when the next iteration of its rank wants it, so many iterations of the inner loops later."""
    place = parting(writer, reader) if writer is not reader else len(writer) - 1
    shared = writer[: place + 1]
    ranks = steps_over(graph, einsum)
    carrying = max((at for at, node in enumerate(shared) if isinstance(node, Loop) and node.rank in ranks), default=None)
    if carrying is None:
        raise SpecError(f"mapping of {edge.reader}: {edge.tensor} is made from the one before it, and no loop over "
                        f"{', '.join(sorted(ranks))} is around {edge.writer} and {edge.reader}")  # fmt: skip
    inner = 1
    for rank, chain in _loops(shared[carrying + 1 :]):
        inner *= tiles(_left(shared[: carrying + 1], rank, extents), chain)
    late = _leaf(writer).lag - _leaf(reader).lag
    if late > inner or (late == inner and not before(writer, reader, place) and writer is not reader):
        raise SpecError(f"mapping of {edge.reader}: it wants {edge.tensor} {inner} iterations after {edge.writer} began it, which lags "
                        f"{late} behind: expected a smaller lag of {edge.writer}, or more tiles between")  # fmt: skip


def _loops(path: Path) -> Iterator[tuple[str, tuple[Loop, ...]]]:
    ranks = dict.fromkeys(node.rank for node in path if isinstance(node, Loop))
    for rank in ranks:
        yield rank, tuple(node for node in path if isinstance(node, Loop) and node.rank == rank)


def _left(path: Path, rank: str, extents: dict[str, int]) -> int:
    return min([extents.get(rank, 1), *(node.tile for node in path if isinstance(node, Loop) and node.rank == rank)])
