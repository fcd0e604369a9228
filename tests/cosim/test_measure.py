"""What docs/attention.csv says a tile costs is what the generated hardware takes, and what the model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archmodel.engines.attention import lower, run
from archmodel.engines.sequencing import Event
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.program import Program
from sims import measure
from sims.cosim.drive import Engine, Observed
from sims.measure import Built, Point, cells, points

SIZES = (4, 8, 16)
SMALL = Built(4)


def rows_of(built: Built) -> list[dict[str, str]]:
    return [row for row in measure.table() if all(row[name] == str(value) for name, value in vars(built).items())]


@pytest.mark.parametrize("built", [SMALL, replace(SMALL, rescale="fused")], ids=lambda built: built.rescale)
def test_small_engines_are_measured_again(built: Built) -> None:
    """Every bit of their results too.  15 s to build one, 3 s to run it."""
    mine = [point for point in points(built.size) if point.built == built]
    with Engine(built.hardware()) as engine:
        assert [cells(point, measure.measure(point, engine)) for point in mine] == rows_of(built)


def test_an_engine_with_fewer_contexts_and_words_takes_as_long() -> None:
    """As its table on an engine with more: so one stands for several.  15 s to build it; it watches that its buffers move no
    more than three words a slot."""
    point = Point(SMALL, buffer_words=3)
    hardware = point.scheduled_for()
    job = point.job()
    program = lower(job.work, hardware, job.bases)
    memory = job.memory.copy()
    with Engine(hardware) as engine:
        seen = engine.run(program, job.port, memory)
    assert seen.status == "done"
    assert np.array_equal(job.found(memory), job.wanted())
    assert cells(point, measure.read(point, seen.trace, seen.cycles)) in rows_of(SMALL)


@pytest.mark.parametrize("size", SIZES)
def test_the_cycle_model_says_what_was_measured(size: int) -> None:
    """All rows: period, finish, row and whole Program.  Three seconds a size."""
    assert [cells(point, measure.modelled(point)) for point in points(size)] == [row for row in measure.table() if row["size"] == str(size)]


def test_the_cycle_model_says_what_was_measured_at_32x32() -> None:
    """With split lanes; fused ones were not measured there.  Ten seconds."""
    mine = [point for point in points(32) if point.built.rescale == "split"]
    assert [cells(point, measure.modelled(point)) for point in mine] == rows_of(Built(32))


class Pretender:
    """An engine that answers as the model does, but for one fault."""

    def __init__(self, late: int = 0, wrong: int = 0) -> None:
        self.late, self.wrong = late, wrong

    def run(self, program: Program, port: Port, memory: Any) -> Observed:
        found = run(program, SMALL.hardware(), port, memory)
        memory ^= self.wrong
        trace = tuple(Event(event.unit, event.start + self.late * at, event.end) for at, event in enumerate(found.trace))
        return Observed("done", found.cycles, trace)


def test_a_wrong_bit_and_a_lost_cycle_are_seen() -> None:
    point = Point(SMALL)
    assert cells(point, measure.measure(point, Pretender())) in rows_of(SMALL)  # type: ignore[arg-type]
    assert cells(point, measure.measure(point, Pretender(late=1))) not in rows_of(SMALL)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="ends as 'done' with a wrong result"):
        measure.measure(point, Pretender(wrong=1))  # type: ignore[arg-type]
    repeated = Point(SMALL, queries=1, interval=0)
    with pytest.raises(SpecError, match="with a wrong result"):
        measure.measure(repeated, Pretender(wrong=1))  # type: ignore[arg-type]


def test_the_command_says_whether_the_model_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_text(measure.TABLE.read_text())
    monkeypatch.setattr(measure, "TABLE", tmp_path / "copy.csv")
    good = [row for row in measure.table() if row["size"] == "4"]
    for rows, code in ((good, 0), ([{**good[0], "tile": "41"}, *good[1:]], 1)):
        monkeypatch.setattr(measure, "measured", lambda size, rows=rows: rows)
        assert measure.main(["4", "--write"]) == code
        assert measure.table()[: len(rows)] == rows

    def refuses(size: int) -> None:
        raise SpecError("verilator: not found")

    monkeypatch.setattr(measure, "measured", refuses)
    assert measure.main(["4"]) == 2
