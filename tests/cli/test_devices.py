"""--devices, --split and --overlap: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .helpers import said

LINK = """rows:
  - {action: link, unit: pj, value: 1.5, low: 1, high: 2, node: 7 nm, voltage: unknown, condition: a bit over a hop, source: a guess,
     provenance: extrapolated}
"""


def test_a_split_shows_its_collectives_and_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("gpt2", "cloud", "--batch", "4", "--context", "64", "--split", "tensor=4")
    text = said(capsys, "run", *words).out
    assert "4 in a ring, split tensor=4; " in text and "collectives  links" in text
    assert "the links between devices are not priced" in " ".join(text.split())
    path = tmp_path / "mapping.yaml"
    assert said(capsys, "map", *words, "-o", str(path)).code == 0
    ways = ("--split", "tensor=4"), ("--devices", "4", "--mapping", str(path)), ("--split", "tensor=4", "--fidelity", "cycle")
    priced = [json.loads(said(capsys, "run", *words[:6], *more, "--json").out) for more in ways]
    assert len({answer["cycles"] for answer in priced}) == 1
    assert len({answer["record_hash"] for answer in priced}) == 1


def test_links_have_the_price_that_a_user_gives_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = tmp_path / "costs.yaml"
    costs.write_text(LINK)
    words = ("run", "gpt2", "cloud", "--batch", "4", "--context", "64", "--split", "tensor=4", "--json")
    free, priced = (json.loads(said(capsys, *words, *more).out) for more in ((), ("--costs", str(costs))))
    assert free["energy_pj"] is None and free["notes"]
    rows = [op for op in priced["ops"] if op["engine"] == "links"]
    assert priced["energy_pj"] > 0 and not any("links" in note for note in priced["notes"])
    for op in rows:
        assert op["energy_by"]["links"]["pj"] == pytest.approx(1.5 * 8 * op["bytes"]["links"], rel=1e-12)


def test_without_a_split_the_best_one_is_found_and_the_others_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "map", "gpt2", "cloud", "--batch", "4", "--context", "64", "--devices", "2").out
    weighed = text.partition("ways to split the stage")[2]
    assert all(word in weighed for word in ("tensor=2", "data=2", "chosen"))


def test_overlap_says_what_it_hides(capsys: pytest.CaptureFixture[str]) -> None:
    alone, beside = (json.loads(said(capsys, "run", "gpt-oss-20b", "cloud", "--context", "64", *more, "--json").out)
                     for more in ((), ("--overlap",)))  # fmt: skip
    assert beside["cycles"] < alone["cycles"]
    assert "steps side by side hide " in said(capsys, "run", "gpt-oss-20b", "cloud", "--context", "64", "--overlap").out


@pytest.mark.parametrize(("words", "says"), [
    (("cloud", "--split", "tensor=5"), "split tensor=5: attn.append_k has 12 kv heads, which 5 devices can neither share evenly nor keep"),
    (("cloud", "--split", "tensr=5"), "--split: found 'tensr=5', expected tensor=N, expert=N or data=N, each once, joined by commas"),
    (("cloud", "--split", "tensor=2,tensor=2"), "--split: found 'tensor=2', expected"),
    (("cloud", "--split", "tensor=2", "--devices", "4"), "--split: it is of 2 devices, and --devices is 4; leave one of them out"),
    (("cloud", "--split", "tensor=9999"), "split: tensor is 9999, expected at most 4096"),
    (("edge-npu", "--devices", "4"), "fabric: found no bandwidth, expected a bandwidth such as 51.2 GB/s"),
    (("cloud", "--devices", "0"), "--devices: found '0', expected an integer of at least 1"),
    (("cloud", "--set", "fabric.topology=torus"), "fabric.topology: found 'torus', expected one of ring, mesh"),
    (("cloud", "--set", "fabric.devices=5000"), "fabric.devices: found 5000, expected at most 4096"),
])  # fmt: skip
def test_what_cannot_be_is_refused(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = said(capsys, "run", "gpt2", *words)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err and "Traceback" not in answer.err
