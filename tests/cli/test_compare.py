"""``archmodel compare``: two results, two machines, what is the same, and what cannot be compared."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sims.cli import main

from ..compare.results import check_sums
from .helpers import said

RUNS = {
    "a": ("mixtral-8x7b", "cloud", "--batch", "3"),
    "slow": ("mixtral-8x7b", "cloud", "--batch", "3", "--set", "engines.array.count=8", "--set", "clock=800 MHz"),
    "vector": ("mixtral-8x7b", "cloud", "--batch", "3", "--set", "engines.vector.lanes=64"),
    "dense": ("llama-3.1-8b", "cloud", "--batch", "2", "--context", "100"),
    "bound": ("mixtral-8x7b", "cloud", "--batch", "3", "--fidelity", "bound"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("compare")
    found = {name: str(folder / f"{name}.json") for name in RUNS}
    for name, words in RUNS.items():
        assert main(["run", *words, "-o", found[name]]) == 0
    return found


PAIRS = [("a", "slow"), ("slow", "a"), ("a", "vector"), ("a", "dense"), ("a", "bound"), ("bound", "a")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_tables_add_up_and_fit(files: dict[str, str], one: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "compare", files[one], files[other])
    assert found.code == 0, found.err
    assert check_sums(found.out) > 20
    said_by_users = [line for line in found.out.splitlines() if "archmodel run" not in line]
    assert max(map(len, said_by_users)) <= 100


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_json_is_whole_and_exact(files: dict[str, str], one: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "compare", files[one], files[other], "--json").json
    sides = [json.loads(Path(files[name]).read_text()) for name in (one, other)]
    cycles = [sum(op["cycles"] for op in side["ops"]) for side in sides]
    assert (plain["cycles"]["a"], plain["cycles"]["b"]) == tuple(cycles)
    assert Fraction(plain["cycles"]["exact"]) == cycles[1] - cycles[0] == sum(row["difference"] for row in plain["cycles"]["parts"])
    for key in ("seconds", "area_um2") + (("energy_pj",) if "bound" not in (one, other) else ()):
        assert sum(Fraction(row["exact"]) for row in plain[key]["parts"]) == Fraction(plain[key]["exact"])
        assert plain[key]["difference"] == pytest.approx(plain[key]["b"] - plain[key]["a"])
    assert plain["a"]["command"].startswith(f"archmodel run {RUNS[one][0]} cloud")


def test_the_differing_inputs_come_first(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "compare", files["a"], files["slow"], "--json").json
    inputs = {(row["part"], row["path"]): (row["a"], row["b"]) for row in plain["inputs"]}
    assert {path for part, path in inputs if part == "machine"} == {"clocks.core", "engines.array.count"}
    assert inputs["machine", "clocks.core"] == ("995 MHz", "800 MHz")
    assert inputs["machine", "engines.array.count"] == (16, 8)
    assert inputs["mapping", "attn.o.slice"] == (256, 512)
    assert not [path for part, path in inputs if part in ("graph", "run")]
    text = said(capsys, "compare", files["a"], files["slow"]).out
    assert text.index("what differs") < text.index("the wholes") < text.index("time by operator group")


def test_a_table_of_costs_is_an_input(files: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Whatever a Result gains as an input shows up by itself; the table of costs did."""
    plain = json.loads(Path(files["a"]).read_text())
    plain["records"]["result"]["costs"] = "mine 1234"
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(plain))
    inputs = said(capsys, "compare", files["a"], str(mine), "--json").json["inputs"]
    assert [(row["part"], row["path"], row["b"]) for row in inputs] == [("run", "costs", "mine 1234")]


def test_the_work_differs_too(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "compare", files["a"], files["dense"], "--json").json
    inputs = {(row["part"], row["path"]): (row["a"], row["b"]) for row in plain["inputs"]}
    assert inputs["run", "model"] == ("mixtral-8x7b", "llama-3.1-8b")
    assert inputs["run", "batch"] == (3, 2)
    assert inputs["graph", "attn.qk.ranks.b"] == (3, 2)
    assert inputs["graph", "ffn.down"][0] is None
    assert {row["cause"] for row in plain["cycles"]["by_cause"]} >= {"compute", "memory", "only in A", "only in B"}


def test_clocks_are_a_factor_of_time(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    factors: dict[str, Any] = {}
    for other in ("slow", "vector"):
        plain = said(capsys, "compare", files["a"], files[other], "--json").json
        factors[other] = {row["factor"]: row["difference"] for row in plain["seconds"]["by_factor"]}
    assert factors["slow"]["clock"] > 0
    assert factors["vector"]["clock"] == 0
    assert "time by factor" in said(capsys, "compare", files["a"], files["slow"]).out
    assert "time by factor" not in said(capsys, "compare", files["a"], files["vector"]).out


def test_a_bound_has_no_energy(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "compare", files["a"], files["bound"]).out
    assert "energy is not compared: B is at fidelity bound, which prices no energy" in out


def test_the_same(files: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    assert main(["run", *RUNS["a"], "-o", str(again)]) == 0
    found = said(capsys, "compare", files["a"], str(again))
    assert found.code == 0
    assert found.out.endswith("A and B are the same: all of their records are equal\n")
    plain = said(capsys, "compare", files["a"], str(again), "--json").json
    assert (plain["same"], plain["inputs"], plain["cycles"]["difference"], plain["energy_pj"]["difference"]) == (True, [], 0, 0)
    assert said(capsys, "compare", "cloud", "cloud").out.splitlines()[-1] == "A and B are the same: all of their records are equal"


def test_machines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: edge-npu\nnode: 7 nm\nmemories: {dram: {bandwidth: 32 GB/s}}\nengines: {array: {rows: 32}}\n")
    plain = said(capsys, "compare", "edge-npu", str(mine), "--json").json
    inputs = {row["path"]: (row["a"], row["b"]) for row in plain["inputs"]}
    assert inputs == {"name": ("edge-npu", "mine"), "node": ("16 nm", "7 nm"), "memories.dram.bandwidth": ("16 GB/s", "32 GB/s"),
                      "engines.array.rows": (16, 32)}  # fmt: skip
    area = plain["area_um2"]
    assert sum(Fraction(row["exact"]) for row in area["parts"]) == Fraction(area["exact"])
    assert {(row["operator"], row["cause"]) for row in area["parts"]} >= {("array", "PEs"), ("vector", "lanes")}
    follows = {row["name"]: (row["a"], row["b"]) for row in plain["follows"]}
    assert follows["bandwidth of the ports"] == (16 * 10**9, 32 * 10**9)
    assert follows["memory on the chip"] == (320 << 10, 320 << 10)
    text = said(capsys, "compare", "edge-npu", str(mine)).out
    assert check_sums(text) > 4
    assert max(map(len, text.splitlines())) <= 100


def test_a_machine_that_lacks_an_engine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: cloud\nengines: {vector: null}\n")
    plain = said(capsys, "compare", "cloud", str(mine), "--json").json
    (gone,) = [row for row in plain["inputs"] if row["path"].startswith("engines")]
    assert (gone["path"], gone["a"]["lanes"], gone["b"]) == ("engines.vector", 128, None)
    gone_too = [row for row in plain["area_um2"]["parts"] if row["operator"] == "vector"]
    assert "lanes" in {row["cause"] for row in gone_too}
    assert all((row["b"], row["difference"]) == (0, -row["a"]) for row in gone_too)


def test_into_a_file(files: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("found.json", "found.txt"):
        out = tmp_path / name
        assert said(capsys, "compare", files["a"], files["slow"], "-o", str(out)).out == ""
    assert json.loads((tmp_path / "found.json").read_text())["kind"] == "results"
    assert (tmp_path / "found.txt").read_text().startswith("A  mixtral-8x7b decode, batch 3")


NEITHER = "neither a file nor a preset, expected a result that `archmodel run -o FILE.json` wrote, or a machine; "
WRONG = [
    (("nope.json", "A"), f"nope.json: {NEITHER}expected one of cloud, ecp5-tiny, edge-attention, edge-npu, plain-a3, tpu-v1"),
    (("clod", "cloud"), f"clod: {NEITHER}did you mean cloud?"),
    (("A", "cloud"), "archmodel compare: {A} is a result and cloud a machine, expected two results (FILE.json) or two machines"),
    (("cloud", "A"), "archmodel compare: {A} is a result and cloud a machine, expected two results (FILE.json) or two machines"),
    (("A", "FOLDER"), "{FOLDER}: is a folder, expected a result (FILE.json) or a machine (a preset or FILE.yaml)"),
    (("A", "OTHER"), "{OTHER}: found no records of a run, expected a file that `archmodel run -o FILE.json` wrote"),
    (("A", "BROKEN"), "{BROKEN}:1:2: not JSON: Expecting property name enclosed in double quotes; is the file complete?"),
    (("A",), "archmodel compare: the following arguments are required: B; see archmodel compare --help"),
    (("A", "A", "A"), "is one argument too many; see archmodel compare --help"),
    (("A", "A", "--jsn"), "archmodel compare: no option --jsn; did you mean --json?"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_what_cannot_be_compared(
    files: dict[str, str], words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"A": files["a"], "FOLDER": str(tmp_path), "OTHER": str(tmp_path / "other.json"), "BROKEN": str(tmp_path / "broken.json")}
    Path(places["OTHER"]).write_text("{}")
    Path(places["BROKEN"]).write_text("{")
    found = said(capsys, "compare", *(places.get(word, word) for word in words))
    assert (found.code, found.out) == (2, "")
    assert message.format(**places) in found.err
    assert len(found.err.splitlines()) == 1
