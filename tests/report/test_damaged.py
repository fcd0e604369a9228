"""A file of results that was damaged or made up is refused in one line by whoever reads it, or has its page; never a traceback."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from archmodel.records.base import from_plain, record_hash
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from sims.cli import main
from sims.report.saved import to_records

from .saving import product

PLAIN = to_records(product(64, 256, 512))


def told(plain: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``report`` says of a file, empty where it makes the page; it does one of both."""
    path, out = folder / "damaged.json", folder / "out.html"
    path.write_text(json.dumps(plain))
    out.unlink(missing_ok=True)
    capsys.readouterr()
    code = main(["report", str(path), "-o", str(out)])
    said = capsys.readouterr().err
    assert (code == 0) == out.exists()
    assert code in (0, 2)
    assert code == 0 or len(said.splitlines()) == 1
    return said.replace(str(path), "FILE") if code else ""


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("ops.0.clock_hz", 0, "operator gemm: clock_hz is 0, expected at least 1"),
        ("ops.0.cycles", -1, "operator gemm: cycles is -1, expected at least 0"),
        ("ops.0.cycles", 10**400, "ops.0.cycles: expected a number nearer to 0 than 1e+100"),
        ("ops.0.cycles", 5, "operator gemm: its causes sum to 35141 cycles, expected 5"),
        ("ops.0.bytes.0.1", -8, "operator gemm: dram is -8, expected at least 0"),
        ("ops.0.repeat", 0, "operator gemm: repeat is 0, expected at least 1"),
        ("ops.0.provenance", "sure", "provenance 'sure': expected rtl-confirmed, "),
        ("ops.0.name", "other", "'gemm' is not in all of its graph, mapping and result; write it again with archmodel run -o"),
        ("area_by.0.1.value", 1e300, "area_by.0.1.value: expected a number nearer to 0 than 1e+100"),
        ("area_by.0.1.provenance", "sure", "provenance 'sure': expected rtl-confirmed, "),
        ("ops", [], "result: no operator, expected at least one"),
        ("clock_hz", 0, "result: clock_hz is 0, expected at least 1"),
        ("resident.0.1", -1, "result: weight is -1, expected at least 0"),
    ],
)
def test_figures_that_cannot_be_are_refused(where: str, value: Any, message: str, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    plain = copy.deepcopy(PLAIN)
    put(plain["records"]["result"], where.split("."), value)
    said = told(plain, tmp_path, capsys)
    assert said.startswith("archmodel: FILE: ")
    assert message in said


def put(node: Any, path: list[str], value: Any) -> None:
    for step in path[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[int(path[-1]) if isinstance(node, list) else path[-1]] = value


def places(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all scalars."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, item in items for place in places(item, (*path, str(key)))] if isinstance(node, (dict, list)) else [path]


def test_made_up_files_have_a_page_or_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One scalar changed anywhere in the records, and the hash made right again, as a forger would."""
    draw, told_of = random.Random(1), []
    everywhere = places(PLAIN["records"])
    for _ in range(120):
        plain = copy.deepcopy(PLAIN)
        value = draw.choice([0, -1, 1, 7, 10**30, 1e300, 0.5, "", "x", "<b>", None, True, [], {}])
        put(plain["records"], list(draw.choice(everywhere)), value)
        records = plain["records"]
        try:
            parts = tuple(from_plain(cls, records[name]) for cls, name in ((Graph, "graph"), (Machine, "machine"), (Mapping, "mapping")))
            records["result"]["record_hash"] = record_hash(parts)
        except ValueError:
            pass  # no record any more: refused for that
        told_of.append(told(plain, tmp_path, capsys))
    assert 10 < told_of.count("") < 110, "some have a page and some a line"
