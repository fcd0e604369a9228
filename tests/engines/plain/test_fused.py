"""Fused trees: what stays between bodies, what is computed again, how long tiles live; attention against its published figure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.records.base import SpecError
from archmodel.records.mapping import Node
from tests.engines.plain.small import A3, cost, graph_of, levels_of, tree_of, words

SIZES = {"h": 32, "m": 4096, "p": 4096, "e": 128, "f": 128}
ATTENTION = ("qk[h,m,p] = mul+add q[h,m,e] k[h,p,e]", "s[h,m,p] = exp qk[h,m,p]", "o[h,m,f] = mul+add s[h,m,p] v[h,p,f]")


def attention(p: int) -> Node:
    """Heads one by one, 256 queries at a time, p keys at a time: queries and results stay for all keys, scores for their tile."""
    first = tree_of("k in buffer", "for m 16 on rows", f"for p {p // 16} on cols", "for m 4", "for p 4", "qk in register", "for e 4",
                    "q in register", "k in register", "qk")  # fmt: skip
    second = tree_of("for m 16 on rows", f"for p {p // 16} on cols", "for m 1", "qk in register", "s in register", "s")
    third = tree_of("v in buffer", "for m 16 on rows", "for f 8 on cols", "for m 4", "for f 4", "o in register", "for p 4",
                    "s in register", "v in register", "o")  # fmt: skip
    return tree_of("for h 1", "for m 256", "q in buffer", "o in buffer", f"for p {p}", "qk in buffer", "s in buffer",
                   bodies=(first, second, third))  # fmt: skip


def test_prefill_attention_fused_has_the_published_traffic_of_dram() -> None:
    """114,085,068,800 pJ: queries and results pass once, keys and values 16 times, scores never; the buffer is full to the last word."""
    found = cost(graph_of(SIZES, *ATTENTION), attention(128))
    size = 32 * 4096 * 128
    assert dict(found.energy_by)["dram"] == 200 * 34 * size == 114_085_068_800
    dram = {tensor: counts for (level, tensor), counts in words(found).items() if level == "dram"}
    assert dram == {"q": (size, 0), "k": (16 * size, 0), "v": (16 * size, 0), "o": (0, size)}
    assert dict(found.room)["buffer"] == 4 * 256 * 128 == 131_072
    assert dict(found.energy_by)["mac"] == 32 * 4096 * 4096 * (128 + 1 + 128)


def test_scores_leave_and_enter_the_registers_once_each_time() -> None:
    found = words(cost(graph_of(SIZES, *ATTENTION), attention(128)))
    scores = 32 * 4096 * 4096
    assert found["buffer", "qk"] == (scores, scores)
    assert found["buffer", "s"] == (16 // 8 * scores, scores)  # two steps of f's spread read them


def test_a_word_more_of_keys_does_not_fit() -> None:
    with pytest.raises(SpecError) as refusal:
        cost(graph_of(SIZES, *ATTENTION), attention(256))
    assert str(refusal.value) == ("mapping of qk: buffer must hold 196,608 words and has 131,072; 65,536 more would do")


PAIR = graph_of({"m": 4, "n": 6, "k": 2, "f": 3}, "t[m,n] = mul+add a[m,k] b[k,n]", "d[m,f] = mul+add t[m,n] w[n,f]")
TWO = levels_of(A3, register={"bypass": True})
WRITER, READER = tree_of("a in buffer", "b in buffer", "t"), tree_of("w in buffer", "d in buffer", "d")


def test_what_is_kept_is_made_once_and_never_goes_home() -> None:
    tree = tree_of("for m 2", "t in buffer", bodies=(WRITER, READER))
    found = cost(PAIR, tree, TWO)
    got = words(found)
    assert ("dram", "t") not in got
    assert got["buffer", "t"] == (48 - 24 + 72, 48)
    assert (got["dram", "a"], got["dram", "b"], got["dram", "w"], got["dram", "d"]) == ((8, 0), (24, 0), (36, 0), (0, 12))
    assert found.cycles == 48 + 72


def test_a_loop_that_the_writer_lacks_computes_it_again_from_nothing() -> None:
    tree = tree_of("for f 1", "t in buffer", bodies=(WRITER, READER))
    found = cost(PAIR, tree, TWO)
    assert dict(found.points) == {"t": 3 * 48, "d": 72}
    got = words(found)
    assert got["buffer", "t"] == (3 * (48 - 24) + 72, 3 * 48)
    assert (got["dram", "a"], got["dram", "w"], got["dram", "d"]) == ((24, 0), (18, 0), (0, 12))


def test_a_result_that_somebody_else_reads_goes_home_once_and_is_read_from_where_it_stays() -> None:
    three = graph_of({"m": 4, "n": 6, "k": 2, "f": 3}, "t[m,n] = mul+add a[m,k] b[k,n]", "d[m,f] = mul+add t[m,n] w[n,f]",
                     "u[m,n] = copy t[m,n]")  # fmt: skip
    tree = tree_of("for m 2", "t in buffer", bodies=(WRITER, READER))
    got = words(cost(three, tree, TWO))
    assert got["dram", "t"] == (0, 24)
    assert got["buffer", "t"] == (48 - 24 + 72 + 24, 48)


def test_without_a_node_for_both_it_goes_through_the_outermost_level() -> None:
    tree = tree_of("for m 2", bodies=(tree_of("a in buffer", "b in buffer", "t in buffer", "t"),
                                      tree_of("w in buffer", "t in buffer", "d in buffer", "d")))  # fmt: skip
    assert words(cost(PAIR, tree, TWO))["dram", "t"] == (24, 24)


def test_a_tile_lives_from_the_first_body_that_touches_it_to_the_last() -> None:
    bodies = (tree_of("a in buffer", "t"), READER)
    straight = cost(PAIR, tree_of("t in buffer", "b in buffer", bodies=bodies), TWO)
    assert dict(straight.room)["buffer"] == max(24 + 12 + 8, 24 + 18 + 12)
    around = cost(PAIR, tree_of("b in buffer", "for m 2", "t in buffer", bodies=bodies), TWO)
    assert dict(around.room)["buffer"] == max(12 + 12 + 4, 12 + 12 + 18 + 6)


def test_a_tile_stays_through_a_body_between_that_does_not_touch_it() -> None:
    """x is read by the first and the last of three bodies; the one between is itself a Sequence."""
    graph = graph_of({"m": 5}, "p[m] = copy x[m]", "q[m] = copy y[m]", "r[m] = copy z[m]", "s[m] = add x[m] p[m]")
    between = tree_of(bodies=(tree_of("y in buffer", "q in buffer", "q"), tree_of("z in buffer", "r in buffer", "r")))
    tree = tree_of("x in buffer", "p in buffer", bodies=(tree_of("p"), between, tree_of("s in buffer", "s")))
    assert dict(cost(graph, tree, TWO).room)["buffer"] == 4 * 5


@pytest.mark.parametrize(("tree", "message"), [
    (tree_of("t in buffer", bodies=(READER, WRITER)),
     "mapping of d: it reads t before t makes it, expected it in a later body"),
    (tree_of("for k 1", "t in buffer", bodies=(WRITER, READER)),
     ("mapping of d: it reads t of t within the loop over k, and it is complete only after that loop: expected it in another loop, later")),
    (tree_of("t in buffer", bodies=(tree_of("for k 1", "for f 1", "a in buffer", "b in buffer", "t"), READER)),
     ("mapping of t: the loop over f, which it lacks, would add its sums over k again: expected it outside the loop over k")),
])  # fmt: skip
def test_what_is_read_before_it_is_whole_is_refused(tree: Node, message: str) -> None:
    with pytest.raises(SpecError) as refusal:
        cost(PAIR, tree, TWO)
    assert str(refusal.value) == message


def test_einsums_of_one_tree_agree_on_their_ranks() -> None:
    t, d = PAIR.einsums[1], PAIR.einsums[0]
    tree = tree_of("t in buffer", bodies=(WRITER, READER))
    longer = replace(PAIR, einsums=(d, replace(t, ranks=(("k", 2), ("m", 5), ("n", 6)))))
    with pytest.raises(SpecError, match=r"^mapping of t: rank m is 5, and 4 in an Einsum fused with it$"):
        cost(longer, tree, TWO)
    with pytest.raises(SpecError, match=r"^mapping of t: repeat is 3, and 1 in d fused with it$"):
        cost(replace(PAIR, einsums=(d, replace(t, repeat=3))), tree, TWO)


def test_a_cache_goes_home_though_its_readers_are_here() -> None:
    tensors = tuple(replace(tensor, kind="kv") if tensor.name == "t" else tensor for tensor in PAIR.tensors)
    tree = tree_of("t in buffer", bodies=(WRITER, READER))
    assert words(cost(replace(PAIR, tensors=tensors), tree, TWO))["dram", "t"] == (0, 24)


def test_an_append_is_counted_by_what_it_appends() -> None:
    graph = graph_of({"s": 3, "p": 10, "e": 4}, "c[p,e] = copy x[s,e]", points=12)
    found = cost(graph, tree_of("x in buffer", "c in buffer", "c"), TWO)
    assert (words(found)["dram", "c"], dict(found.points)) == ((0, 12), {"c": 12})
