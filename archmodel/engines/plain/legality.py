"""What a plain engine refuses of a tree: what it cannot hold, spread or add up, and what is read before it is made."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import prod

from archmodel.engines.plain.counts import HOME, Cut, Leaf, Stay, tile
from archmodel.engines.plain.tree import Nest, paths, refusal
from archmodel.records.base import SpecError, one_of
from archmodel.records.engines.plain import Level, Params
from archmodel.records.graph import Graph


def check(graph: Graph, nest: Nest, params: Params) -> None:
    """Raises SpecError, one line that names what is too small, out of place or missing."""
    for leaf in nest.leaves:
        _check_axes(nest, leaf, params)
        _check_recomputed(nest, leaf)
    for place, reader in enumerate(nest.leaves):
        for writer in nest.leaves:
            if writer.einsum.output in reader.einsum.inputs:
                _check_order(nest, writer, reader, nest.leaves.index(writer) < place)
    _check_stays(graph, nest, params)
    _check_room(graph, nest, params)


def _check_axes(nest: Nest, leaf: Leaf, params: Params) -> None:
    """Loops spread over an axis fit it, and the axis takes their ranks."""
    used: dict[str, list[tuple[str, int]]] = defaultdict(list)
    left = dict(nest.scene.extents)
    reduced = set(dict(leaf.einsum.ranks)) - set(nest.scene.ranks[leaf.einsum.output])
    for cut in leaf.cuts:
        if cut.axis and (trips := -(-left[cut.rank] // cut.tile)) > 1:
            used[cut.axis].append((cut.rank, trips))
            _, axis = params.axis[cut.axis]
            if axis.ranks and cut.rank not in axis.ranks:
                raise refusal(leaf.einsum.name, f"rank {cut.rank} is spread over {axis.name}, which takes {one_of(axis.ranks)}")
            if not axis.reduces and cut.rank in reduced and leaf.einsum.reduce != "none":
                raise refusal(leaf.einsum.name, f"rank {cut.rank} is reduced and spread over {axis.name}, which adds nothing up")
        left[cut.rank] = min(left[cut.rank], cut.tile)
    for name, loops in used.items():
        size, needs = params.axis[name][1].size, prod(trips for _, trips in loops)
        if needs > size:
            said = " x ".join(f"{rank} {trips}" for rank, trips in loops)
            raise refusal(leaf.einsum.name, f"{said} are spread over {name}, which has {size}; {needs} would do")


def _trips(nest: Nest, cuts: tuple[Cut, ...]) -> list[bool]:
    """Whether each loop has more than one iteration."""
    left, found = dict(nest.scene.extents), []
    for cut in cuts:
        found.append(cut.tile < left[cut.rank])
        left[cut.rank] = min(left[cut.rank], cut.tile)
    return found


def _check_recomputed(nest: Nest, leaf: Leaf) -> None:
    """What is computed again begins anew, so no loop around it is in the middle of its sums."""
    ranks, kept = dict(leaf.einsum.ranks), nest.scene.ranks[leaf.einsum.output]
    if leaf.einsum.reduce == "none":
        return
    open_sum = ""
    for cut, several in zip(leaf.cuts, _trips(nest, leaf.cuts), strict=True):
        if several and cut.rank not in ranks and open_sum:
            raise refusal(leaf.einsum.name, f"the loop over {cut.rank}, which it lacks, would add its sums over {open_sum} again: "
                          f"expected it outside the loop over {open_sum}")  # fmt: skip
        if several and cut.rank in ranks and cut.rank not in kept:
            open_sum = cut.rank


def _check_order(nest: Nest, writer: Leaf, reader: Leaf, earlier: bool) -> None:
    """A reader stands in a later body than its writer, and within no loop that the writer still adds up over."""
    tensor, ranks = writer.einsum.output, dict(writer.einsum.ranks)
    if writer is reader:
        return
    if not earlier:
        raise refusal(reader.einsum.name, f"it reads {tensor} before {writer.einsum.name} makes it, expected it in a later body")
    for mine, theirs, several in zip(writer.cuts, reader.cuts, _trips(nest, writer.cuts), strict=False):
        if mine is not theirs:
            return
        if several and mine.rank in ranks and mine.rank not in nest.scene.ranks[tensor]:
            raise refusal(reader.einsum.name, f"it reads {tensor} of {writer.einsum.name} within the loop over {mine.rank}, "
                          "and it is complete only after that loop: expected it in another loop, later")  # fmt: skip


def may_hold(graph: Graph, level: Level, tensor: str) -> bool:
    """Whether a tensor may live in a level."""
    return not level.holds or tensor in level.holds or graph.tensor[tensor].kind in level.holds


def _check_stays(graph: Graph, nest: Nest, params: Params) -> None:
    """Every tensor passes through every level that it may not skip, and stays in none that doesn't hold it."""
    for stay in nest.stays:
        level = params.levels[stay.level]
        if not may_hold(graph, level, stay.tensor):
            kind = graph.tensor[stay.tensor].kind
            raise SpecError(f"mapping: {stay.tensor} ({kind}) stays in {level.name}, which holds {one_of(level.holds)}")
        if not any(stay in leaf.stays and stay.tensor in (*leaf.einsum.inputs, leaf.einsum.output) for leaf in nest.leaves):
            raise SpecError(f"mapping: {stay.tensor} stays in {level.name}, and no Einsum below that node uses it")
    for leaf, tensor in paths(nest):
        mine = {stay.level for stay in leaf.stays if stay.tensor == tensor}
        begins = HOME if reaches_home(nest, tensor) else min(mine)
        for place, level in enumerate(params.levels):
            if begins < place and place not in mine and not level.bypass and may_hold(graph, level, tensor):
                raise refusal(leaf.einsum.name, f"{tensor} skips {level.name}, which it may not: expected a storage node, or "
                              f"bypass: true of {level.name}")  # fmt: skip


def reaches_home(nest: Nest, tensor: str) -> bool:
    """Whether a tensor passes through the outermost level: all but those made and used under one node further in."""
    touching = [leaf for leaf in nest.leaves if tensor in (*leaf.einsum.inputs, leaf.einsum.output)]
    made = any(leaf.einsum.output == tensor for leaf in touching)
    return tensor in nest.scene.wanted or not made or not any(all(stay in leaf.stays for leaf in touching)
                                                             for stay in nest.stays if stay.tensor == tensor)  # fmt: skip


def words(graph: Graph, tensor: str, level: Level) -> Fraction:
    """Words that one element takes, by its exact share."""
    return Fraction(graph.tensor[tensor].bits, level.word_bits)


def room(graph: Graph, nest: Nest, params: Params) -> list[Fraction]:
    """Words that each level holds at most at a time, in one instance: tiles live together on the path of some Einsum."""
    need = [Fraction(0)] * len(params.levels)
    for leaf in nest.leaves:
        for place, level in enumerate(params.levels[1:], 1):
            live = (_words_of(graph, nest, stay, level) for stay in leaf.stays if stay.level == place and stay not in leaf.gone)
            need[place] = max(need[place], sum(live, Fraction(0)))
    whole = [Stay(name, HOME, ()) for name in nest.scene.ranks if reaches_home(nest, name)]
    need[HOME] = sum((_words_of(graph, nest, stay, params.levels[HOME]) for stay in whole), Fraction(0))
    return need


def _words_of(graph: Graph, nest: Nest, stay: Stay, level: Level) -> Fraction:
    double = level.buffering == "double" and stay.level != HOME
    return tile(nest.scene, stay) * words(graph, stay.tensor, level) * (2 if double else 1)


def _check_room(graph: Graph, nest: Nest, params: Params) -> None:
    for need, level in zip(room(graph, nest, params), params.levels, strict=True):
        if level.words is not None and need > level.words:
            raise refusal(nest.leaves[0].einsum.name, f"{level.name} must hold {_whole(need)} words and has {level.words:,}; "
                          f"{_whole(need - level.words)} more would do")  # fmt: skip


def _whole(amount: Fraction) -> str:
    return f"{-(-amount.numerator // amount.denominator):,}"
