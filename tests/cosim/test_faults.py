"""The cross-check can fail: every planted fault is caught, by exactly the checks named here, and no other one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from archmodel.engines.sequencing import Event
from archmodel.engines.systolic import timing
from rtl.systolic import emit
from sims.cosim import faults, mutants
from sims.cosim.compare import check, first_difference
from sims.cosim.drive import Engine
from sims.cosim.faults import FAULTS, FLOAT_FAULTS, Fault, caught_by
from sims.cosim.jobs import random_job
from sims.cosim.repeat import job_of, main

from .configurations import CONFIGURATIONS

HARDWARE = CONFIGURATIONS["all 4x4"]
FLOAT_HARDWARE = CONFIGURATIONS["bf16 all 4x4"]
SEEDS = range(40)
pytestmark = pytest.mark.xdist_group("faults")

WRONG_DATA = {"memory image", "hardware result"}
WRONG_CYCLES = {"cycles", "commands", "wild cycles"}
WRONG_MODEL_CYCLES = WRONG_CYCLES | {"closed form"}
WRONG_MODEL_DATA = {"memory image", "model result"}
WRONG_GOLDEN = {"model result", "hardware result"}
WRONG_PROGRAM = {"memory image", "hardware result", "model result"}
CAUGHT_BY = {
    ("rtl", "operands multiplied as unsigned"): WRONG_DATA,
    ("rtl", "sums of 16 bits"): WRONG_DATA,
    ("rtl", "stationary operand captured every cycle"): WRONG_DATA,
    ("rtl", "drained a cycle early"): WRONG_DATA,
    ("rtl", "running sum never restarted"): WRONG_DATA,
    ("rtl", "column 1 never captures"): WRONG_DATA,
    ("rtl", "folds after the first don't accumulate"): WRONG_DATA,
    ("rtl", "bank of X never turned"): WRONG_DATA,
    ("rtl", "outstanding limit ignored"): {"wild cycles"},
    ("rtl", "load ends with its first row"): {
        "commands", "cycles", "hardware result", "hardware stuck", "memory image", "wild cycles",
    },
    ("rtl", "row stride dropped"): WRONG_DATA,
    ("rtl", "rounding dropped"): WRONG_DATA,
    ("rtl", "saturation dropped"): WRONG_DATA,
    ("rtl", "bank of P never turned"): WRONG_DATA,
    ("rtl", "store ends with its first answer"): {
        "commands", "cycles", "hardware bad address", "hardware result", "hardware stuck", "memory image", "wild cycles",
    },
    ("rtl", "token to the store lost"): {
        "commands", "cycles", "hardware result", "hardware stuck", "memory image", "wild cycles",
    },
    ("rtl", "load takes the port from a store"): {"wild cycles"},
    ("rtl", "Z read from the other bank"): WRONG_DATA,
    ("rtl", "address register of Y stuck"): WRONG_DATA,
    ("memory", "a cycle more latency"): WRONG_CYCLES,
    ("memory", "five cycles between beats"): WRONG_CYCLES,
    ("memory", "stalls of responses a cycle late"): WRONG_CYCLES,
    ("memory", "a bit flipped"): WRONG_DATA,
    ("cycle model", "issue takes four cycles"): WRONG_MODEL_CYCLES,
    ("cycle model", "control takes twelve cycles"): {"wild cycles"},
    ("cycle model", "sync takes two cycles"): WRONG_MODEL_CYCLES,
    ("cycle model", "no shortest command"): {"commands", "cycles"},
    ("cycle model", "store pipeline a stage longer"): WRONG_CYCLES,
    ("cycle model", "drain forgotten"): WRONG_MODEL_CYCLES,
    ("cycle model", "load a cycle longer"): WRONG_MODEL_CYCLES,
    ("closed form", "starts a cycle early"): {"closed form"},
    ("closed form", "sync is free"): {"closed form"},
    ("closed form", "store a cycle shorter"): {"closed form"},
    ("closed form", "first loads and last store forgotten"): {"closed form"},
    ("datapath", "rounds half up"): WRONG_MODEL_DATA,
    ("datapath", "wraps instead of saturating"): WRONG_MODEL_DATA,
    ("datapath", "sums don't wrap"): WRONG_MODEL_DATA,
    ("golden", "bias dropped"): WRONG_GOLDEN,
    ("golden", "rounds half up"): WRONG_GOLDEN,
    ("lowering", "X never turns its bank"): WRONG_PROGRAM,
    ("lowering", "row stride a beat too long"): WRONG_PROGRAM,
    ("lowering", "first fold accumulates wrongly"): WRONG_PROGRAM,
    ("lowering", "token to the store missing"): {
        "closed form", "commands", "cycles", "hardware result", "hardware stuck", "model refuses", "model result",
    },
    ("lowering", "doesn't wait for the load"): {"closed form", "hardware result", "memory image", "model result"},
    ("lowering", "broadcast inverted"): WRONG_PROGRAM,
}
FLOATS_CAUGHT_BY = {
    ("rtl", "sticky bit dropped"): WRONG_DATA,
    ("rtl", "rounded half up"): WRONG_DATA,
    ("rtl", "NaN with a payload"): WRONG_DATA,
    ("rtl", "subnormal operand flushed"): WRONG_DATA,
    ("rtl", "subnormal sum flushed"): WRONG_DATA,
    ("rtl", "sum of opposite numbers negative"): WRONG_DATA,
    ("rtl", "infinity minus infinity infinite"): WRONG_DATA,
    ("rtl", "zero times infinity zero"): WRONG_DATA,
    ("rtl", "idle rows of Y at work"): WRONG_DATA,
    ("rtl", "idle rows of X at work"): WRONG_DATA,
    ("rtl", "sticky bit of Z's sum dropped"): WRONG_DATA,
    ("rtl", "converted half up"): WRONG_DATA,
    ("datapath", "columns add from the bottom up"): WRONG_MODEL_DATA,
    ("datapath", "subnormal sums flushed"): WRONG_MODEL_DATA,
    ("datapath", "NaN as the processor has it"): WRONG_MODEL_DATA,
    ("datapath", "converted without rounding"): WRONG_MODEL_DATA,
    ("golden", "adds from the last k on"): WRONG_GOLDEN,
    ("lowering", "idle rows not named"): WRONG_PROGRAM,
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Every RTL fault in one simulator, chosen at run time."""
    with Engine(HARDWARE, mutants.mutated(emit(HARDWARE))) as made:
        yield made


@pytest.fixture(scope="module")
def float_engine() -> Iterator[Engine]:
    """The same for floating point."""
    with Engine(FLOAT_HARDWARE, mutants.mutated(emit(FLOAT_HARDWARE), mutants.FLOAT_MUTATIONS)) as made:
        yield made


def test_there_are_at_least_twenty_faults_and_each_is_expected_somewhere() -> None:
    assert len(FAULTS) >= 20
    assert [(fault.layer, fault.name) for fault in FAULTS] == list(CAUGHT_BY)
    assert [(fault.layer, fault.name) for fault in FLOAT_FAULTS] == list(FLOATS_CAUGHT_BY)
    layers = {fault.layer for fault in FAULTS}
    assert layers == {"rtl", "memory", "cycle model", "closed form", "datapath", "golden", "lowering"}


def test_without_a_fault_nothing_is_reported(engine: Engine, float_engine: Engine) -> None:
    assert caught_by(None, engine, SEEDS) == set()
    assert caught_by(None, float_engine, SEEDS) == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.layer}: {fault.name}")
def test_a_planted_fault_is_caught_by_these_checks(fault: Fault, engine: Engine) -> None:
    assert caught_by(fault, engine, SEEDS) == CAUGHT_BY[fault.layer, fault.name]


@pytest.mark.parametrize("fault", FLOAT_FAULTS, ids=lambda fault: f"floating point, {fault.layer}: {fault.name}")
def test_a_planted_fault_of_floating_point_is_caught_by_these_checks(fault: Fault, float_engine: Engine) -> None:
    assert caught_by(fault, float_engine, SEEDS, wild=1) == FLOATS_CAUGHT_BY[fault.layer, fault.name]


def test_a_fault_is_gone_afterwards(engine: Engine) -> None:
    for fault in FAULTS:
        with faults.planted(fault, engine):
            pass
    assert caught_by(None, engine, range(8), wild=2) == set()


def test_a_mutation_that_finds_nothing_is_an_error() -> None:
    lost = mutants.Mutation("lost", "pe", r"assign nothing = (.*);", "0")
    with pytest.raises(ValueError, match="mutation 'lost' found no line"):
        mutants.mutated(emit(HARDWARE), (lost,))


def test_a_report_shows_the_first_differing_command_and_repeats_itself(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = timing.exec_cycles
    monkeypatch.setattr(timing, "exec_cycles", lambda run, hardware: longer(run, hardware) + 900)
    job = random_job(HARDWARE, 7, stalled=False, largest=16)
    report = check(job, engine).report
    assert report.startswith("model and hardware differ in: cycles, commands, closed form\ncycles: model ")
    number = int(re.search(r"first differing command: number (\d+)", report)[1])  # type: ignore[index]
    assert re.search(rf"model    > +{number} exec ", report)
    assert re.search(rf"hardware > +{number} exec ", report)
    command = re.search(r"repeat: python -m sims.cosim.repeat --hardware '(.*)' (.*)", report)
    assert command is not None
    arguments = ["--hardware", command[1], *command[2].split()]
    again, _ = job_of(arguments)
    assert again.program == job.program
    assert (again.memory == job.memory).all()
    assert main(arguments) == 1
    assert capsys.readouterr().out.strip() == report
    monkeypatch.undo()
    assert main(arguments) == 0
    assert re.fullmatch(r"equal: \d+ cycles, \d+ commands, every output bit\n", capsys.readouterr().out)


def test_repeat_refuses_what_no_report_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hardware", "{", "--seed", "1"]) == 2
    assert capsys.readouterr().err.startswith("repeat: Expecting property name")
    assert main(["--hardware", "{}", "--seed", "1"]) == 2
    assert capsys.readouterr().err.startswith("not a Hardware record: ")


def test_the_first_difference_of_traces_of_unequal_length_is_the_missing_command() -> None:
    model = (Event("load", 3, 20), Event("exec", 21, 40))
    assert first_difference(model, model) == []
    assert first_difference(model, model[:1])[0] == "first differing command: number 1"
