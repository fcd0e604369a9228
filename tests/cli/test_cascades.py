"""The verbs on cascades: passes, list, run and map, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sims.cli import main

MINE = """ranks: {e: 8, m: 32, p: 16}
bits: 8
inputs: {Q: {ranks: [e, p]}, K: {ranks: [e, m], kind: kv}}
einsums:
  - S[m,p] = sum(e) Q[e,p] * K[e,m]
  - G[p] = max(m) S[m,p]
  - W[m,p] = exp(S[m,p] - G[p])
"""


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    found = main(words)
    said = capsys.readouterr()
    assert found == code, said.err
    return said.out if code == 0 else said.err


def test_passes_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "passes", "three-pass")
    rows = {line.split()[0]: line.split()[1:3] for line in text.splitlines() if line[:1] in "efmp" and line[1:2] == " "}
    assert rows == {"e": ["64", "1"], "f": ["64", "1"], "m": ["1,024", "3"], "p": ["1,024", "1"]}
    assert "pass 2  SN, SD" in text and "4.19 MB" in text


def test_passes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "passes", "two-pass", "--rank", "m", "--ranks", "m1=16", "--json"))
    assert found["ranks"].keys() == {"m"}
    mine = found["ranks"]["m"]
    assert (mine["extent"], mine["passes"], mine["live_bits"]) == (4096, 2, 8 * (4096 + 16 + 16))
    assert mine["einsums"]["AV"] == 2 and mine["einsums"]["GM"] is None
    assert {crossing["tensor"] for crossing in mine["crossings"]} == {"SLN", "LM", "SLD", "PLM"}


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "list", "cascades")
    assert "13 cascades" in text and "deferred-division        6       2  AV" in text
    found = json.loads(printed(capsys, "list", "cascades", "--json"))
    assert found["one-pass"]["equations"][2]["output"]["tensor"] == "RM"


def test_a_file_of_one_s_own_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    text = printed(capsys, "run", str(tmp_path / "mine.yaml"), "edge-npu", "--ranks", "m=64")
    assert "mine, on edge-npu at fidelity analytic" in text and "tokens" not in text
    found = json.loads(printed(capsys, "map", str(tmp_path / "mine.yaml"), "edge-npu", "--json"))
    assert [product["name"] for product in found["products"]] == ["S"]


def test_widths_of_a_cascade(capsys: pytest.CaptureFixture[str]) -> None:
    """They replace the common width, and not one that a tensor has of its own."""
    wide, narrow = (json.loads(printed(capsys, "run", "one-pass-kv4", "edge-npu", "--json", "--fidelity", "bound", *more))
                    for more in (("--bits", "activation=16"), ()))  # fmt: skip
    assert wide["resident"] == {"kv": narrow["resident"]["kv"], "activation": 2 * narrow["resident"]["activation"]}


def test_a_report_of_a_cascade(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    printed(capsys, "run", "one-pass", "edge-npu", "-o", str(tmp_path / "a.json"))
    printed(capsys, "report", str(tmp_path / "a.json"), "-o", str(tmp_path / "a.html"))
    page = (tmp_path / "a.html").read_text()
    assert "for the cascade" in page and "tokens/s" not in page


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("passes one-pas", "found 'one-pas', which is no shipped cascade, expected a YAML file or one-pass"),
        ("passes one-pass --rank q", "cascade one-pass: found no rank 'q', expected one of e, f, m, m0, m1, p"),
        ("passes one-pass --ranks m=3", "--ranks m: found no such rank, expected one of e, f, m0, m1, p (set its parts m1 and m0)"),
        ("passes one-pass --ranks p", "--ranks: found 'p', expected RANK=N, joined by commas"),
        ("run one-pass edge-npu --stage decode", "--stage belongs to a model, and one-pass is a cascade, with --ranks"),
        ("run one-pass edge-npu --tokens 3", "--tokens belongs to a model, and one-pass is a cascade, with --ranks"),
        ("run llama-3.1-8b edge-npu --ranks m1=2", "--ranks belongs to a cascade, and llama-3.1-8b is none"),
        ("run --gemm 2,2,2 edge-npu --ranks m1=2", "--ranks belongs to a cascade, and --gemm is none"),
        ("run edge-npu one-pass", "found the machine before the model, expected MODEL MACHINE: one-pass edge-npu"),
        ("run none.yaml edge-npu", "none.yaml: cannot be read"),
    ],
)
def test_what_is_refused(words: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = printed(capsys, *words.split(), code=2)
    assert text in error and len(error.splitlines()) == 1
