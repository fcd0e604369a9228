"""What a search is for, from the command line: every option's mistakes, and that the goal arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.records.goal import Goal, Limit
from sims.cli import parser_of
from sims.commands.goal import goal_of
from sims.commands.work import machine_of

from .helpers import said

GEMM = ("map", "--gemm", "64,64,64", "edge-npu")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--objective", "enrgy"), "--objective: found 'enrgy', expected latency, energy, edp; did you mean energy?"),
        (("--tiles", "perfct"), "--tiles: found 'perfct', expected ragged, perfect; did you mean perfect?"),
        (("--limit", "energy"), "--limit energy: found no number, expected WHAT=N such as energy=4e6"),
        (("--limit", "energy=much"), "--limit energy=much: found 'much', expected a number such as 4e6"),
        (("--limit", "energy=0"), "--limit energy=0: limit energy: 0.0, expected a number above 0"),
        (("--limit", "enrgy=4"), "--limit enrgy=4: no measure or level 'enrgy' of edge-npu; did you mean energy?"),
        (("--limit", "bufer=4"), "--limit bufer=4: no measure or level 'bufer' of edge-npu; did you mean buffer?"),
        (("--limit", "energy=4", "--limit", "energy=5"), "two limits on energy (--limit energy=4 and --limit energy=5), expected one"),
        (("--budget-nodes", "0"), "--budget-nodes: found '0', expected an integer of at least 1"),
        (("--budget", "0"), "--budget: found '0', expected seconds above 0"),
        (("--budget", "-3"), "--budget: found '-3', expected seconds above 0"),
        (("--budget", "nan"), "--budget: found 'nan', expected seconds above 0"),
        (("--budget", "1", "--budget-nodes", "2"), "--budget and --budget-nodes both say when to stop; leave one of them out"),
        (("--constrain", "none.yaml"), "none.yaml: cannot be read (No such file or directory); expected a description"),
    ],
)
def test_mistakes_name_the_option_and_what_is_right(words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, *GEMM, *words)
    assert (found.code, found.out) == (2, "")
    assert text in found.err and found.err.count("\n") == 1


def test_options_make_the_goal(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("limits: {buffer: 4096}\neinsums: {gemm: {engine: array}}\n")
    words = ("--objective", "edp", "--limit", "latency=9e3", "--tiles", "perfect", "--budget-nodes", "7", "--constrain", str(file))
    given = parser_of("map").read([*GEMM[1:], *words])
    goal = goal_of(given, machine_of("edge-npu", []))
    limits = (Limit("buffer", 4096), Limit("latency", 9e3))
    assert goal == Goal("edp", limits, "perfect", 7, None, goal.constraints)
    assert goal.constraints is not None and len(goal.constraints.rules) == 1


def test_json_has_the_figures_beside_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, *GEMM, "--json").json
    assert plain["objective"] == "latency" and plain["optimal"] is True and plain["gap"] == 0
    assert plain["edp"] == plain["energy_pj"] * plain["cycles"]
    assert sum(plain["energy_by_level"].values()) == pytest.approx(plain["energy_pj"], rel=1e-12)
    assert {"traffic", "lower_bound", "evaluated", "space", "nodes", "scope", "cpu_seconds", "mapping", "certificate"} <= plain.keys()


def test_run_takes_the_mapping_of_an_objective(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--gemm", "64,64,64", "plain-a3")
    ran = said(capsys, "run", *words, "--objective", "energy", "--json").json
    mapped = said(capsys, "map", *words, "--objective", "energy", "--json").json
    assert (ran["energy_pj"], ran["cycles"]) == (mapped["energy_pj"], mapped["cycles"]) == (3928064, 2048)
    assert mapped["lower_bound"] == 3928064 and mapped["optimal"] is True and mapped["gap"] == 0
    assert mapped["energy_by_level"] == {"dram": 2457600, "buffer": 147456, "register": 1060864, "mac": 262144}
    rows = {(row["level"], row["tensor"]): (row["reads"], row["writes"]) for row in mapped["traffic"]}
    assert rows["dram", "a"] == rows["dram", "b"] == (4096, 0) and rows["dram", "c"] == (0, 4096)
