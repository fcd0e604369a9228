"""Moves keep what is computed: random sequences of legal ones against a walk; illegal ones say which rule is broken and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel import evaluate, load_machine, search
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph, Tensor
from archmodel.records.mapping import Compute, Loop, Mapping, Storage, nodes
from mapper.moves import Bind, Fuse, Move, Pin, Reorder, Split, moved

from .helpers import edge, gemm_graph, generator
from .plain.draw import STAGE
from .plain.walk import energy_pj, walk

MACHINE = load_machine("plain-a3")
PARAMS = MACHINE.engine("array").params
SIZES = {"m": 5, "n": 4, "k": 3, "o": 3}


def two() -> Graph:
    """D[m,o] = C[m,n] E[n,o] of C[m,n] = A[m,k] B[k,n]."""
    ranks = {"A": "mk", "B": "kn", "C": "mn", "D": "mo", "E": "no"}
    tensors = tuple(Tensor(name, "activation", tuple(own), 8) for name, own in ranks.items())
    einsums = tuple(Einsum(name, "drawn", name, inputs, tuple((rank, SIZES[rank]) for rank in sorted(over)), "mul", "add")
                    for name, inputs, over in (("C", ("A", "B"), "mnk"), ("D", ("C", "E"), "mno")))  # fmt: skip
    return Graph("two", STAGE, tensors, einsums, ())


GRAPH = two()
BARE = Mapping("two", "plain-a3", tuple(
    Storage(x, "buffer", Storage(y, "buffer", Storage(z, "buffer", Storage(x, "register", Storage(y, "register", Storage(
        z, "register", Compute(z, "array"))))))) for x, y, z in (("A", "B", "C"), ("C", "E", "D"))))  # fmt: skip


def drawn(rng: np.random.Generator) -> Move:
    """Any move; most are illegal somewhere."""
    name, inside = (("C", "mnk"), ("D", "mno"))[rng.integers(2)]
    rank, other = rng.choice(list(inside), 2, replace=False).tolist()
    tensor = str(rng.choice({"C": ["A", "B", "C"], "D": ["C", "E", "D"]}[name]))
    level = str(rng.choice(["buffer", "register"]))
    kind = rng.integers(8)
    if kind < 3:
        return Split(name, rank, int(rng.integers(1, SIZES[rank] + 1)), str(rng.choice(["", "buffer", "register"])))
    if kind < 5:
        return Reorder(name, rank, other)
    if kind < 7:
        return Pin(name, tensor, level, str(rng.choice(["", rank])))
    return Fuse("C", "D", ("m",) if rng.integers(2) else ())


def test_random_sequences_of_legal_moves_keep_every_point() -> None:
    """60 sequences; each result is priced, and the walk computes every point of each Einsum, with the same energy."""
    rng, made, refused, kinds = generator(3), 0, 0, set[str]()
    for _ in range(60):
        mapping = BARE
        cuts = [Split(name, rank, 2, "buffer") for name, rank in (("C", "m"), ("C", "k"), ("D", "m"), ("D", "n"))]
        for place in range(int(rng.integers(5, 14))):
            move = cuts[place] if place < 4 else drawn(rng)
            try:
                mapping = moved(GRAPH, mapping, MACHINE, move)
            except SpecError as error:
                assert str(error).startswith(f"{move}: ") and "\n" not in str(error)
                refused += 1
                continue
            made, kinds = made + 1, kinds | {type(move).__name__}
        result = evaluate(GRAPH, mapping, MACHINE)
        walks = [walk(tree, GRAPH, PARAMS) for tree in mapping.trees]
        assert result.energy is not None
        if len(walks) == 2:  # by themselves, what is between them goes home
            assert sum(float(energy_pj(done)) for done in walks) == pytest.approx(result.energy.value, rel=1e-12)
        for einsum in GRAPH.einsums:  # computed again, as often for each point, where a loop that it lacks stands around it
            times, rest = divmod(sum(done.points[einsum.name] for done in walks), einsum.work)
            assert times >= 1 and rest == 0 and (times == 1 or len(mapping.trees) == 1)
    assert made > 50 and refused > 50 and kinds == {"Split", "Reorder", "Pin", "Fuse"}


def test_a_small_sequence_by_hand() -> None:
    """C in tiles of two rows, its A in the registers below them: the buffer is read m x k for A once."""
    mapping = BARE
    for move in (Split("C", "m", 2, "buffer"), Split("C", "k", 1, "buffer"), Reorder("C", "k", "m"), Pin("C", "A", "register", "k")):
        mapping = moved(GRAPH, mapping, MACHINE, move)
    tree = mapping.trees[0]
    assert [f"{node.rank} {node.tile}" for node in nodes(tree) if isinstance(node, Loop)] == ["m 2", "k 1"]
    where = [node.tensor if isinstance(node, Storage) else node.rank for node in nodes(tree) if isinstance(node, Storage | Loop)]
    assert where == ["A", "B", "C", "m", "k", "A", "B", "C"] and mapping.certificate is None


REFUSED = {
    Split("C", "m", 5): "split m of C by 5: 5 of m are left there, expected a tile from 1 to 4",
    Split("C", "q", 2): "split q of C by 2: C has no rank q, expected one of k, m, n",
    Split("C", "m", 2, "cache"): "split m of C by 2 below cache: nothing stays in cache on the way to C",
    Split("X", "m", 2): "split m of X by 2: no tree has X",
    Reorder("C", "m", "k"): "reorder m and k of C: no loop over k stands right below one over m",
    Fuse("C", "D", ("m",)): "fuse C with D under m: node 1 of C is A in buffer, expected a loop over m",
    Pin("C", "A", "buffer", "m"): "pin A of C in buffer below m: no loop over m stands on the way to C",
    Bind("C", "vector"): "bind C to vector: ",
}


@pytest.mark.parametrize("move", REFUSED, ids=str)
def test_what_is_refused(move: Move) -> None:
    with pytest.raises(SpecError) as caught:
        moved(GRAPH, BARE, MACHINE, move)
    assert str(caught.value).startswith(REFUSED[move])


def test_the_engine_says_which_rule_and_by_how_much() -> None:
    """Levels from the outside inwards; the loops of a systolic array, which are fixed; what a vector engine executes."""
    graph, tree = gemm_graph((1, 10, 10, 10)), Compute("g00", "array")
    for tensor, level in [(name, level) for level in ("register", "buffer") for name in ("c00", "b00", "a00")]:
        tree = Storage(tensor, level, tree)  # type: ignore[assignment]
        if (tensor, level) == ("a00", "register"):
            for rank in "kmn":
                tree = Loop(rank, 1, tree)  # type: ignore[assignment]
    mapping = Mapping("gemms", "plain-a3", (tree,))
    with pytest.raises(SpecError, match=r"^pin a00 of g00 in register: .*: a00 stays in buffer below a00 in register, which is further in"):
        moved(graph, mapping, MACHINE, Pin("g00", "a00", "register"))
    fixed, machine = search(graph, edge()), edge()
    with pytest.raises(SpecError, match=r"^split m of g00 by 5: .*: loops in time over \['m', .*, expected each of m, n, k once$"):
        moved(graph, fixed, machine, Split("g00", "m", 5))
    with pytest.raises(SpecError, match=r"^bind g00 to vector: mapping of g00: a matrix product is no work for vector"):
        moved(graph, fixed, machine, Bind("g00", "vector"))
