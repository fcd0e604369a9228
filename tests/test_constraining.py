"""Files of constraints: every form of every rule, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.load import load_constraints, record_to_yaml
from archmodel.records.base import SpecError, to_plain
from archmodel.records.constraints import (
    AxisRule,
    EngineRule,
    GroupRule,
    KeepRule,
    OrderRule,
    Rule,
    TileRule,
    TreeRule,
)
from archmodel.records.goal import Goal, Limit
from archmodel.records.mapping import Compute, Loop

EVERY = """\
limits: {energy: 4e6, buffer: 4096}
einsums:
  "*":
    tiles:
      buffer: {m: 64, n: [32, 64], k: {min: 8, max: 64, multiple: 8}}
      register: {C: {m: 2}}
  qk:
    order: {buffer: [C, A], register: {only: [[A], [B]], not: [B, A]}}
    spatial: {rows: [m, k], cols: {n: 16}, x: {not: k}, y: {only: [m, k], m: 4}, z: []}
    keep: {A: [buffer, register]}
    bypass: {B: register}
    engine: array
fuse:
  - [qk, softmax]
apart: [[qk, av]]
"""
RULES: tuple[Rule, ...] = (
    TileRule("*", "buffer", "m", only=(64,)),
    TileRule("*", "buffer", "n", only=(32, 64)),
    TileRule("*", "buffer", "k", least=8, most=64, multiple=8),
    TileRule("*", "register", "m", "C", (2,)),
    OrderRule("qk", "buffer", (("C", "A"),)),
    OrderRule("qk", "register", (("A",), ("B",)), (("B", "A"),)),
    AxisRule("qk", "rows", ("m", "k")),
    AxisRule("qk", "cols", ("n",), counts=(("n", 16),)),
    AxisRule("qk", "x", None, ("k",)),
    AxisRule("qk", "y", ("m", "k"), counts=(("m", 4),)),
    AxisRule("qk", "z", ()),
    KeepRule("qk", "A", "buffer", True),
    KeepRule("qk", "A", "register", True),
    KeepRule("qk", "B", "register", False),
    EngineRule("qk", ("array",)),
    GroupRule(("qk", "softmax"), True),
    GroupRule(("qk", "av"), False),
)


def saved(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text)
    return path


def test_every_form_becomes_its_rule(tmp_path: Path) -> None:
    found, limits = load_constraints(saved(tmp_path, EVERY))
    assert found.rules == RULES
    assert limits == (Limit("energy", 4e6), Limit("buffer", 4096))


def test_every_rule_knows_its_line(tmp_path: Path) -> None:
    path = saved(tmp_path, EVERY)
    found, limits = load_constraints(path)
    places = [int(item.place.removeprefix(f"{path}:")) for item in (*limits, *found.rules)]
    assert places == [1, 1, 5, 5, 5, 6, 8, 8, 9, 9, 9, 9, 9, 10, 10, 11, 12, 14, 15]


def test_trees_stand_as_mappings_are_printed(tmp_path: Path) -> None:
    tree = Loop("m", 4, Compute("gemm", "array"))
    path = saved(tmp_path, record_to_yaml({"trees": [to_plain(tree)]}))
    assert load_constraints(path)[0].rules == (TreeRule(tree),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", "c.yaml:1:1: found a list, expected a mapping"),
        ("einsum: {}", "c.yaml:1:1: einsum: found no such key, expected einsums"),
        ("einsums: {qk: {tile: {}}}", "c.yaml:1:16: einsums.qk.tile: found no such key, expected tiles"),
        ("einsums: {qk: {tiles: {buffer: {m: 0}}}}", "einsums.qk.tiles.buffer.m: found '0', expected a whole number of at least 1"),
        ("einsums: {qk: {tiles: {buffer: {m: []}}}}", "einsums.qk.tiles.buffer.m: found no size, expected at least one"),
        ("einsums: {qk: {tiles: {buffer: {m: {min: 9, max: 8}}}}}", "m at buffer: from 9 to 8, expected the smaller one first"),
        ("einsums: {qk: {tiles: {buffer: {m: {min: 9, mux: 8}}}}}", "m.mux: found no such key, expected max"),
        ("einsums: {qk: {order: {buffer: {only: [A], nor: [B]}}}}", "buffer.nor: found no such key, expected not"),
        ("einsums: {qk: {order: {buffer: [A, {}]}}}", "einsums.qk.order.buffer: found a mapping, expected a name"),
        ("einsums: {qk: {spatial: {rows: {m: x}}}}", "einsums.qk.spatial.rows: found 'x', expected a whole number of at least 1"),
        ("fuse: [[a]]", "c.yaml:1:8: fuse: found group of a: expected at least 2 Einsums"),
        ("fuse: {}", "c.yaml:1:7: fuse: found nothing, expected a list"),
        ("limits: {energy: -1}", "c.yaml:1:18: limits.energy: found '-1', expected a number such as 4e6"),
        ("limits: {energy: 0}", "c.yaml:1:18: limits.energy: found limit energy: 0.0, expected a number above 0"),
        ("trees: [{kind: Lop}]", "c.yaml:1:9: trees: found no tree: tree: expected a kind of Loop"),
    ],
)
def test_mistakes_are_found_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        load_constraints(saved(tmp_path, text))
    assert said in str(error.value)


def test_two_limits_on_one_thing_are_refused_with_both_places(tmp_path: Path) -> None:
    _, limits = load_constraints(saved(tmp_path, "limits:\n  energy: 4e6\n"))
    with pytest.raises(SpecError) as error:
        Goal(limits=(*limits, Limit("energy", 5e6, "--limit energy=5e6")))
    assert str(error.value) == f"goal: two limits on energy ({tmp_path}/c.yaml:2 and --limit energy=5e6), expected one"
