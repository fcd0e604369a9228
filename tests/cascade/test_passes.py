"""Passes: FuseMax's Table I, and the analysis against a machine that really sweeps, on shipped and on random cascades."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from archmodel.cascade.passes import Crossing, analysed_ranks, passes
from archmodel.load import cascade_from_yaml, cascade_to_yaml, list_cascades, load_cascade
from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade
from tests.cascade.sweeps import sweeps

TINY = {"e": 2, "f": 2, "m": 4, "m1": 4, "m0": 3, "p": 2, "h": 1, "g": 2, "n": 2, "r": 2, "z": 2}


def test_table_1_of_fusemax() -> None:
    """Three passes in PyTorch, TensorFlow, FLAT and E.T., two in TileFlow and Choi et al., one in FlashAttention.

    That the division is deferred takes the third pass away: A, which waited for the denominator, is gone.
    """
    names = ("three-pass", "deferred-division", "two-pass", "one-pass")
    assert [passes(load_cascade(name), "m").count for name in names] == [3, 2, 2, 1]


@pytest.mark.parametrize("name", list_cascades())
def test_as_many_as_a_machine_that_sweeps_needs(name: str) -> None:
    full = load_cascade(name)
    cascade = load_cascade(name, {rank: TINY[rank] for rank in full.extent})
    for rank in (*analysed_ranks(cascade), *(part for _, parts in cascade.splits for part in parts)):
        assert passes(cascade, rank).count == sweeps(cascade, rank), rank


def drawn(seed: int) -> Cascade:
    """Lines over one rank, each of something there before: elementwise, reduced, or a recurrence; read at its end too."""
    draw = random.Random(seed)
    full, rows, lines = ["X"], [], []
    for number in range(draw.randint(2, 14)):
        name, source = f"T{number}", draw.choice(full)
        kind = draw.choice(("map", "map", "reduce", "run", "scalar"))
        if kind == "map":
            other = draw.choice([f"{t}[m]" for t in full] + [f"{row}[]" for row in rows])
            lines.append(f"{name}[m] = {source}[m] + {other}")
            full.append(name)
        elif kind == "reduce":
            lines.append(f"{name}[] = {draw.choice(('sum', 'max'))}(m) {source}[m]")
            rows.append(name)
        elif kind == "run":
            lines += [f"{name}[0] = 0", f"{name}[m+1] = {name}[m] + {source}[m]", f"{name}E[] = exp({name}[M])",
                      f"{name}B[m] = {source}[m] + {name}[m]"]  # fmt: skip
            rows.append(f"{name}E")
            full.append(f"{name}B")
        elif len(rows) > 1:
            lines.append(f"{name}[] = {draw.choice(rows)}[] * {draw.choice(rows)}[]")
            rows.append(name)
    lines.append(f"Y[m] = {full[0]}[m] + {full[-1]}[m]")
    text = "ranks: {m: 8}\ninputs: {X: {ranks: [m]}}\neinsums:\n" + "".join(f"  - {line}\n" for line in lines)
    return cascade_from_yaml(text)


def test_random_cascades() -> None:
    """Up to four passes and more; each as many as the sweeping machine makes."""
    seen = set()
    for seed in range(300):
        cascade = drawn(seed)
        count = passes(cascade, "m").count
        assert count == sweeps(cascade, "m"), cascade_to_yaml(cascade)
        seen.add(count)
    assert {1, 2, 3, 4} <= seen


INDICES = {"full": "m1,m0", "tile": "m1", "column": "m0", "scalar": ""}
REDUCED = {("full", "tile"): "m0", ("full", "column"): "m1", ("full", "scalar"): "m1,m0", ("tile", "scalar"): "m1",
           ("column", "scalar"): "m0"}  # fmt: skip


def drawn_split(seed: int) -> Cascade:
    """Lines over a rank in two parts: tensors of all of it, of its tiles, of places in a tile, and of neither; running ones too."""
    draw = random.Random(seed)
    there: dict[str, list[str]] = {"full": ["X"], "tile": [], "column": [], "scalar": []}
    lines = []
    for number in range(draw.randint(3, 16)):
        name = f"T{number}"
        source = draw.choice([kind for kind in ("full", "full", "full", "tile", "column") if there[kind]])
        term = f"{draw.choice(there[source])}[{INDICES[source]}]"
        action = draw.choice(("map", "map", "reduce", "run"))
        if action == "reduce":
            kind = draw.choice([to for of, to in REDUCED if of == source])
            lines.append(f"{name}[{INDICES[kind]}] = sum({REDUCED[source, kind]}) {term}")
        elif action == "run" and source == "tile":
            kind = "tile"
            lines += [f"{name}R[0] = 0", f"{name}R[m1+1] = {name}R[m1] + {term}", f"{name}[m1] = {name}R[m1+1] - {name}R[m1]"]
            lines.append(f"{name}E[] = exp({name}R[M1])")
            there["scalar"].append(f"{name}E")
        else:
            kind = source
            other = draw.choice([of for of in there if there[of] and set(INDICES[of].split(",")) - {""} <= set(INDICES[source].split(","))])
            lines.append(f"{name}[{INDICES[source]}] = {term} + {draw.choice(there[other])}[{INDICES[other]}]")
        there[kind].append(name)
    lines.append(f"Y[m1,m0] = X[m1,m0] + {there['full'][-1]}[m1,m0]")
    text = "ranks: {m: [m1, m0], m1: 9, m0: 2}\ninputs: {X: {ranks: [m1, m0]}}\neinsums:\n"
    return cascade_from_yaml(text + "".join(f"  - {line}\n" for line in lines))


def test_random_cascades_over_a_split_rank() -> None:
    seen = set()
    for seed in range(300):
        cascade = drawn_split(seed)
        count = passes(cascade, "m").count
        assert count == sweeps(cascade, "m"), cascade_to_yaml(cascade)
        seen.add(count)
    assert {1, 2, 3} <= seen


def test_einsums_and_what_goes_between_passes() -> None:
    found = passes(load_cascade("three-pass"), "m")
    assert dict(found.einsums) == {"QK": 1, "GM": 1, "SN": 2, "SD": 2, "A": 3, "AV": 3}
    score = 1024 * 1024  # elements of QK and of SN, of one byte each: written once, read once more
    assert found.crossings == (
        Crossing("QK", Fraction(1), Fraction(2), 1024, 8 * 1024, 2 * score),
        Crossing("SN", Fraction(2), Fraction(3), 1024, 8 * 1024, 2 * score),
    )
    assert (found.live_bits, found.spill_bytes) == (8 * 1024, 4 * score), "QK is gone when SN must stay"


def test_one_pass_keeps_nothing_that_grows_with_the_keys() -> None:
    for keys in (4, 4096):
        cascade = load_cascade("one-pass", {"m1": keys})
        assert (passes(cascade, "m").live_bits, passes(cascade, "m").spill_bytes) == (0, 0)
        assert passes(cascade, "m0").live_bits == 8 * 256, "one tile of scores"


def test_two_pass_keeps_summaries_beside_the_scores() -> None:
    found = {crossing.tensor: crossing for crossing in passes(load_cascade("two-pass"), "m").crossings}
    assert {name: each.live_elements for name, each in found.items()} == {"SLN": 1024, "LM": 4, "SLD": 4, "PLM": 4}
    assert (found["LM"].first, found["LM"].last) == (Fraction(1), Fraction(3, 2))
    assert passes(load_cascade("two-pass"), "m").live_bits == 8 * (1024 + 4 + 4), "PLM comes only when LM and SLD are used"


def test_two_fibers_that_share_nothing_are_counted_apart() -> None:
    """Two softmaxes one after the other: the second reads other keys, which is no second pass over the first's."""
    text = """
ranks: {m: 4, p: 2}
inputs: {X: {ranks: [m, p]}, Y: {ranks: [m, p]}}
einsums:
  - G[p] = max(m) X[m,p]
  - Z[m,p] = Y[m,p] - G[p]
  - H[p] = sum(m) Z[m,p]
"""
    assert passes(cascade_from_yaml(text), "m").count == 1
    assert passes(cascade_from_yaml(text + "  - W[m,p] = X[m,p] - H[p]\n"), "m").count == 2


def test_passes_that_grow_are_refused() -> None:
    """Power iteration: every step needs the norm of the whole vector."""
    text = """
ranks: {m: 4, t: 3}
inputs: {X: {ranks: [m]}}
einsums:
  - V[0,m] = 1
  - N[t] = sum(m) V[t,m]
  - W[t,m] = V[t,m] / N[t]
  - V[t+1,m] = W[t,m] * X[m]
"""
    cascade = cascade_from_yaml(text)
    with pytest.raises(SpecError, match="its passes over m grow with a recurrence over another rank, which is not analysed"):
        passes(cascade, "m")
    with pytest.raises(SpecError, match="found no rank 'q', expected one of m, t"):
        passes(cascade, "q")
