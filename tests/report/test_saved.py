"""A file of results reads back as the records it was written from, and anything else is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archmodel.records.base import SpecError
from sims.cli import main
from sims.report.saved import Saved, read_saved, to_records

WORDS = ["run", "mixtral-8x7b", "cloud", "--batch", "3", "--set", "memories.dram.size=100 GiB", "-o"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "result.json"
    assert main([*WORDS, str(path)]) == 0
    return path


def test_reads_back_what_was_written(file: Path) -> None:
    found = read_saved(file)
    assert found.command.startswith("archmodel run mixtral-8x7b cloud --batch 3 --set 'memories.dram.size=100 GiB' -o ")
    assert found.mapping is not None
    assert found.mapping.certificate is not None
    plain = json.loads(file.read_text())
    assert to_records(found)["records"] == plain["records"]
    assert found.result.cycles == plain["cycles"]
    assert found.machine.memory("dram").size_bytes == 100 << 30


def test_the_bound_has_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "bound.json"
    assert main(["run", "gpt2", "edge-npu", "--fidelity", "bound", "-o", str(path)]) == 0
    assert read_saved(path).mapping is None


def change(file: Path, folder: Path, **changed: Any) -> str:
    """What is said of the file with other values at the paths ``a__b=...``."""
    plain = json.loads(file.read_text())
    for where, value in changed.items():
        *parents, last = where.split("__")
        node = plain
        for parent in parents:
            node = node[parent]
        node[last] = value
    path = folder / "changed.json"
    path.write_text(json.dumps(plain))
    with pytest.raises(SpecError) as error:
        read_saved(path)
    return str(error.value).replace(str(path), "FILE")


def test_a_number_too_large_for_a_float_is_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_text(file.read_text().replace('"bound_seconds": ', '"bound_seconds": 1e999', 1))
    with pytest.raises(SpecError) as error:
        read_saved(path)
    assert str(error.value).startswith(f"{path}: holds 1e999")
    assert str(error.value).endswith(", expected a number that JSON has")


def test_records_of_different_runs_are_refused(file: Path, tmp_path: Path) -> None:
    assert change(file, tmp_path, records__machine__node_nm=16) == (
        "FILE: its graph, machine and mapping are not those that its result is of; write it again with archmodel run -o"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"records": None}, "FILE: found no records of a run, expected a file that `archmodel run -o FILE.json` wrote"),
        ({"records__result__ops": 3}, "FILE: not a Result record: ops: expected a list, found 3"),
        ({"records__result__clock_hz": "fast"}, "FILE: not a Result record: clock_hz: expected int, found 'fast'"),
        ({"records__graph": []}, "FILE: not a Graph record: expected a mapping of fields, found a list"),
    ],
)
def test_what_is_no_result_is_refused(file: Path, tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    assert change(file, tmp_path, **changed) == message


def test_the_parts_belong_together_in_python_too(file: Path) -> None:
    found = read_saved(file)
    with pytest.raises(SpecError, match="are not those that its result is of"):
        Saved(found.result, found.graph, found.machine, None, found.command)


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nan.json"
    path.write_text('{"cycles": NaN}')
    with pytest.raises(SpecError, match="holds NaN, expected a number that JSON has"):
        read_saved(path)
