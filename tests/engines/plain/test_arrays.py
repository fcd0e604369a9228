"""Arrays of tiles are counted as each candidate alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from archmodel.engines.plain.counts import Cut, Leaf, Passing, Scene, Stay, counts, points, tile, visited
from archmodel.records.graph import Einsum

EXTENTS = {"m": 13, "n": 9, "k": 11}
EINSUM = Einsum("c", "g", "c", ("a", "b"), tuple(sorted(EXTENTS.items())), "mul", "add")
RANKS = {"a": ("m", "k"), "b": ("k", "n"), "c": ("m", "n")}
SCENE = Scene(EXTENTS, RANKS, frozenset("c"), frozenset({("rows", "b")}))


def counted(tiles: np.ndarray | list[int]) -> dict[object, object]:
    """All counts of m, n, k, spread k, m, n, with tiles of these sizes; two nodes a tensor."""
    cuts: tuple[Cut, ...] = ()
    stays: dict[str, list[Stay]] = {name: [] for name in RANKS}
    every: list[Stay] = []
    for place, (rank, axis, keep, level) in enumerate((("m", "", "a", 1), ("n", "", "b", 1), ("k", "", "c", 1), ("k", "rows", "", 0),
                                                       ("m", "cols", "a", 2), ("n", "", "b", 2), ("k", "", "c", 2))):  # fmt: skip
        size = tiles[place]
        cuts = (*cuts, Cut(rank, size if isinstance(tiles, np.ndarray) else int(size), axis))
        if keep:
            stays[keep].append(Stay(keep, level, cuts, stays[keep][-1] if stays[keep] else None))
            every.append(stays[keep][-1])
    leaf = Leaf(EINSUM, cuts, tuple(every))
    found: dict[object, object] = defaultdict(int)
    for row in counts(SCENE, every, [leaf]):
        for side in ("reads", "writes", "busiest_reads", "busiest_writes"):
            found[row.level, row.tensor, side] += getattr(row, side)  # type: ignore[operator]
    found["points"], found["busiest"] = points(SCENE, leaf).all(), points(SCENE, leaf).busiest()
    for stay in every:
        found[stay.level, stay.tensor, "tile"] = tile(SCENE, stay)
    return found


def test_arrays_give_what_each_candidate_alone_gives() -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(1, 15, (7, 200))
    together = counted(tiles)
    for place in range(tiles.shape[1]):
        alone = counted(tiles[:, place].tolist())
        assert {key: int(np.broadcast_to(value, 200)[place]) for key, value in together.items()} == alone


def walked(extent: int, chain: list[tuple[int, bool]]) -> list[int]:
    """The size of every piece, one by one."""
    if not chain:
        return [extent]
    (size, whole), rest = chain[0], chain[1:]
    pieces = [min(size, extent - at) for at in range(0, extent, size)]
    return [found for piece in (pieces if whole else pieces[:1]) for found in walked(piece, rest)]


def test_pieces_are_those_that_a_walk_meets() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        extent, depth = int(rng.integers(1, 40)), int(rng.integers(0, 6))
        chain = [(int(rng.integers(1, 30)), bool(rng.random() < 0.7)) for _ in range(depth)]
        met = walked(extent, chain)
        assert (visited(extent, chain, False), visited(extent, chain, True)) == (len(met), sum(met))
        arrays = [(np.array([size]), whole) for size, whole in chain]
        for sizes, wanted in ((False, len(met)), (True, sum(met))):
            assert np.asarray(visited(np.array([extent]), arrays, sizes)).tolist() in ([wanted], wanted)


def test_pieces_of_a_deep_nest_are_counted_at_once() -> None:
    """60 ragged loops on one rank: a walk would meet 2**60 branches."""
    chain = [(10**9 - 7 * step, True) for step in range(60)]
    assert visited(10**9 + 1, chain, False) == 2 + 59


def test_counts_that_exceed_64_bits_never_wrap() -> None:
    extents = dict.fromkeys("hmnk", 2**17)
    cuts = [(Cut("h", 1), Cut("m", 1), Cut("n", tile)) for tile in (1, np.array([1, 2]))]
    one, both = (Passing(extents, ("k",), mine, 3).all() for mine in cuts)
    assert one == 2**68 and both.tolist() == [2.0**68, 2.0**67]
