"""A cascade's file: what it may say, and the one line with file, line and column for each thing that it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.load import (
    cascade_from_yaml,
    cascade_to_yaml,
    list_cascades,
    load_cascade,
    record_from_yaml,
    record_to_yaml,
)
from archmodel.records.base import SpecError, record_hash
from archmodel.records.cascade import Cascade
from archmodel.records.equation import Index, Initial, Term

HEAD = """name: mine
ranks: {e: 4, m: [m1, m0], m1: 2, m0: 3, p: 5}
inputs:
  Q: {ranks: [e, p]}
  K: {ranks: [e, m1, m0], kind: kv, bits: 8}
einsums:
"""
"""Six lines; the lines of a test begin on the seventh, at column 5."""
SCORES = "B[m1,m0,p] = sum(e) Q[e,p] * K[e,m1,m0]"


def cascade_of(*lines: str, head: str = HEAD) -> Cascade:
    return cascade_from_yaml(head + "".join(f"  - {line}\n" for line in lines), "mine.yaml")


@pytest.mark.parametrize("name", list_cascades())
def test_shipped_cascades_read_back_what_they_print(name: str) -> None:
    cascade = load_cascade(name)
    assert cascade.name == name and cascade.source
    assert cascade_from_yaml(cascade_to_yaml(cascade)) == cascade
    again = record_from_yaml(Cascade, record_to_yaml(cascade))
    assert again == cascade and record_hash(again) == record_hash(cascade)


def test_a_line_is_what_it_prints() -> None:
    lines = (SCORES, "X[m1+1,p] = max(X[m1,p], Y[m1,p])", "Y[m1,p] = max(m0) B[m1,m0,p]", "Z[p] = exp(X[M1,p] - X[0,p])",
             "W[m1,p] = muladd(Y[m1,p], Y[m1,p], Y[m1,p])", "V = sum(m1,m0) B")  # fmt: skip
    cascade = cascade_of("X[0,p] = -inf", *lines)
    assert [str(equation) for equation in cascade.equations][:5] == list(lines[:5])
    assert str(cascade.equations[5]) == "V[p] = sum(m1,m0) B[m1,m0,p]"
    assert cascade.initials == (Initial(Term("X", (Index("", 0), Index("p"))), "-inf"),)
    assert cascade.equations[3].inputs[0].indices[0] == Index("m1", 0, at_end=True)


def test_terms_without_brackets() -> None:
    """They have all ranks of their tensor; on the left, those that are left over."""
    cascade = cascade_of(SCORES, "S = exp(B)", "D = sum(m1,m0) S", "A = S / D")
    assert [str(equation) for equation in cascade.equations[1:]] == [
        "S[m1,m0,p] = exp(B[m1,m0,p])", "D[p] = sum(m1,m0) S[m1,m0,p]", "A[m1,m0,p] = S[m1,m0,p] / D[p]",
    ]  # fmt: skip


def test_ranks_are_replaced() -> None:
    assert load_cascade("one-pass", {"m1": 8, "p": 512}).extent == load_cascade("one-pass").extent | {"m1": 8, "p": 512}
    with pytest.raises(SpecError, match=r"--ranks m: found no such rank, expected one of .* \(set its parts m1 and m0\)"):
        load_cascade("one-pass", {"m": 8})
    with pytest.raises(SpecError, match="--ranks p: found 0, expected 1 to"):
        load_cascade("one-pass", {"p": 0})


WRONG_LINES = [
    ("S[m1,m0,p] = exp(C[m1,m0,p])", "8:22: found the unknown tensor 'C', expected one of B, K, Q, S"),
    ("S[m1,p] = exp(B[m1,p])", "8:19: found 2 indices of B, expected 3 (m1, m0, p)"),
    ("S[m1,m0,p] = exp(B[m1,p,m0])", "8:27: found p as index 2 of B, expected its rank m0"),
    ("S[m1,m0,q] = exp(B[m1,m0,q])", "8:13: found the rank 'q', which has no extent, expected one of e, m0, m1, p"),
    ("S[e,m1,m0,p] = exp(B[m1,m0,p])", "8:7: found rank e on the left, which runs in no input, expected a rank of m0, m1, p"),
    ("S[p] = max(m1) B[m1,m0,p]", "8:25: found rank m0, which is neither on the left nor reduced, expected sum(m0), max(m0) or m0 "
     "on the left"),
    ("S[m1,p] = sum(m1,m0) B[m1,m0,p]", "8:19: found a reduction over m1, which the left side keeps, expected m1 in one of both"),
    ("S[m1,m0,p] = sum(e) B[m1,m0,p]", "8:22: found a reduction over e, which runs in no input, expected one of m0, m1, p"),
    ("Q[m1,m0,p] = exp(B[m1,m0,p])", "8:5: found Q on the left, which is an input, expected a new name"),
    ("B[m1,m0,p] = exp(B[m1,m0,p])", "8:5: found B on the left again, expected one line that gives it"),
    ("S[m1,M0,p] = exp(B[m1,M0,p])", "8:10: found the place M0 on the left, expected a rank"),
    ("S[m1-1,m0,p] = exp(B[m1,m0,p])", "8:7: found m1-1 on the left, expected m1 or a later step such as m1+1"),
    ("S[m1,m0,p] = exp(S[m1,m0,p])", "8:5: found a circle S -> S, expected a step such as X[i+1] = ... X[i] ..."),
    ("S[m1,p] = max(B[m1,0,p], B[m1,M0,p])", "8:35: found B[m1,M0,p], which reads B[m1,3,p] that nothing gives, expected an index from "
     "0 to 2"),
    ("S[m1,p] = max(m0) B[m1+1,m0,p]", "8:25: found B[m1+1,m0,p], which reads B[2,m0,p] that nothing gives"),
    ("S[m1+1,p] = S[m1,p] + B[m1,0,p]", "8:19: found S[m1,p], which reads S[0,p] that nothing gives, expected an initial value "
     "S[0,p] = ... or another index"),
    ("S[p] = exp(B[m1,m0,p]", "8:26: found the end of the line, expected ')'"),
    ("S[p] = sin(B[m1,m0,p])", "8:12: found 'sin', expected one of dequantise, exp, gelu, mask, max"),
    ("S[m1,m0,p] = div(B[m1,m0,p])", "8:18: found 'div', expected one of dequantise"),
    ("S[m1,m0,p] = max(B[m1,m0,p])", "8:18: max of 1 inputs, expected 2"),
    ("S[m1,m0,p] = B[m1,m0,p] ** 2", "8:30: found '*', expected a tensor, which begins with a capital letter"),
    ("S[m1,m0,p] = B[m1,m0,p] # no", None),
    ("S[m1,m0,p] = B[m1,m0,p] $", "8:29: found '$', expected a tensor, a rank, a number or one of [ ] ( ) , = * / + -"),
    ("S[m1,m0,p] = B[m1,m0,p] B", "8:29: found 'B', expected the end of the line"),
    ("S[m1,m0,p] = X", "8:18: found X without indices before the line that gives it, expected X[...] or an earlier line"),
    ("S = 3", "8:5: found a number for S as a whole, expected a place such as S[0]"),
    ("B[0,m0,p] = 1", "8:5: found B[0,m0,p], which the line of B[m1,m0,p] gives itself, expected a place before its first step"),
    ("Z[0,p] = 1", "8:5: found a number for Z, which no line gives, expected a tensor that steps along a rank"),
    ("S[m1,m0,p] = mask(B[m1,m0,p])", "8:5: found mask(...) in a cascade without a mask, expected the key mask"),
    ("S[m1,m0,p] = B[m1+65,m0,p]", "8:20: found offset 65, expected at most 64"),
    ("S[m1,m0,p] = B[m1+1.5,m0,p]", "8:23: found '1.5', expected a whole number of at most 2 digits"),
    ("{a: b}", "8:5: found a mapping, expected a line such as A[m,p] = exp(B[m,p])"),
    ("''", "8:6: found the end of the line, expected a tensor, which begins with a capital letter"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "text"), [case for case in WRONG_LINES if case[1]], ids=[case[0] for case in WRONG_LINES if case[1]])
def test_a_wrong_line_is_found_at_its_column(line: str, text: str) -> None:
    with pytest.raises(SpecError) as error:
        cascade_of(SCORES, line)
    first = str(error.value).splitlines()[0]
    assert first.startswith(f"mine.yaml:{text}"), first


def test_a_quoted_line_has_the_same_columns() -> None:
    with pytest.raises(SpecError, match=r"^mine\.yaml:8:23: found the unknown tensor 'C'"):
        cascade_of(SCORES, "'S[m1,m0,p] = exp(C[m1,m0,p])'")


def test_reading_ahead() -> None:
    """A step may read what an earlier one gave, never what is not there yet; nor may two lines of one step wait for each other."""
    start, local = "R[0,p] = 0", "L[m1,p] = max(m0) B[m1,m0,p]"
    for line, text in (
        ("R[m1+1,p] = max(R[m1+1,p], L[m1,p])", r"9:21: R\[m1\+1,p\] of this step of m1 depends on R\[m1\+1,p\], expected an earlier step"),
        ("R[m1+1,p] = max(R[M1,p], L[m1,p])", r"9:21: R\[M1,p\] reads ahead: it is there only after the last step of m1"),
    ):
        with pytest.raises(SpecError, match=f"mine.yaml:{text}"):
            cascade_of(SCORES, local, line, start)
    text = r"mine.yaml:9:21: X\[m1,p\] of this step of m1 depends on R\[m1\+1,p\], expected an earlier step"
    with pytest.raises(SpecError, match=text):
        cascade_of(SCORES, local, "R[m1+1,p] = max(X[m1,p], L[m1,p])", "X[m1,p] = exp(R[m1+1,p])", start)


def test_all_lines_are_reported_at_once() -> None:
    with pytest.raises(SpecError) as error:
        cascade_of(SCORES, "S[m1,p] = max(m0) C[m1,m0,p]", "T[p] = sum(m0) B[m1,m0,p]")
    assert [line.partition(": ")[0] for line in str(error.value).splitlines()] == ["mine.yaml:8:23", "mine.yaml:9:22"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("m0: 3", "m0: 0"), "mine.yaml:2:39: ranks.m0: found 0, expected at least 1"),
        (("m0: 3", "m0: 3, m: 4"), "mine.yaml:2:42: m: found the key again"),
        (("[m1, m0]", "[m1, m2]"), "mine.yaml:2:8: ranks: found a split rank that is wrong: split m has the part 'm2'"),
        (("p: 5", "P: 5"), "mine.yaml:2:42: ranks: found the name 'P', expected a rank, in lower case"),
        (("  Q: {", "  q: {"), "mine.yaml:4:3: inputs: found the name 'q', expected a tensor, which begins with a capital letter"),
        (("ranks: [e, p]", "ranks: [e, q]"), "mine.yaml:4:14: inputs.Q.ranks: found 'q', which has no extent, expected a rank of ranks"),
        (("ranks: [e, p]", "ranks: [e, m]"), "mine.yaml:4:14: inputs.Q.ranks: found 'm', which is split, expected its parts"),
        (("kind: kv", "kind: cache"), "mine.yaml:5:33: inputs.K.kind: found 'cache', expected one of weight, activation, kv"),
        (("bits: 8", "bits: 65"), "mine.yaml:5:43: inputs.K.bits: found 65, expected at most 64"),
        (("einsums:", "widths: {X: 8}\neinsums:"), "mine.yaml:6:10: widths.X: found a width of what no line gives"),
        (("einsums:", "masks: {}\neinsums:"), "mine.yaml:6:1: masks: found no such key, expected one of name, source, ranks"),
        (("einsums:", "mask: {queries: p, keys: m, causal: true}\neinsums:"), "mine.yaml:8:5: found a mask that no line applies"),
        (("einsums:", "mask: {queries: p, causal: maybe}\neinsums:"), "mine.yaml:6:28: mask.causal: found 'maybe', expected true or false"),
        (("  Q: {", "  X: {ranks: [p]}\n  Q: {"), "mine.yaml:4:3: inputs.X: found an input that no line reads, expected it in one"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_the_rest_of_the_file(change: tuple[str, str], text: str) -> None:
    with pytest.raises(SpecError) as error:
        cascade_of(SCORES, head=HEAD.replace(*change))
    assert text in str(error.value)


def test_too_many_lines_are_refused_before_they_are_read() -> None:
    with pytest.raises(SpecError, match=r"mine\.yaml:7:3: einsums: found 257 lines, expected at most 256"):
        cascade_of(*[SCORES] * 257)


def test_too_many_names_are_refused() -> None:
    many = ", ".join(f"r{number}: 1" for number in range(300))
    with pytest.raises(SpecError, match=r"mine\.yaml:2:8: ranks: found 305 names, expected at most 256"):
        cascade_of(SCORES, head=HEAD.replace("p: 5", f"p: 5, {many}"))


def test_names_and_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD + f"  - {SCORES}\n")
    assert load_cascade(tmp_path / "mine.yaml").outputs == ("B",)
    with pytest.raises(SpecError, match="found 'one-pas', which is no shipped cascade, expected a YAML file or one-pass"):
        load_cascade("one-pas")
    with pytest.raises(SpecError, match=r"none.yaml: cannot be read"):
        load_cascade(tmp_path / "none.yaml")


def test_a_record_refuses_what_a_file_may_not_say() -> None:
    cascade = cascade_of(SCORES)
    plain = record_to_yaml(cascade).replace("tensor: K", "tensor: J")
    with pytest.raises(SpecError, match=r"cascade mine: B\[m1,m0,p\] = .*: found the unknown tensor 'J'"):
        record_from_yaml(Cascade, plain)
