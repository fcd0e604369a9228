"""The cross-check of the attention engine can fail: every planted fault is caught, by exactly the checks named here.

That a lane rounds once or twice hides behind results of bf16; ``test_attention_elements`` sees it.  A minute, builds included.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sims.cosim.attention.faults import FAULTS, FLOAT_FAULTS
from sims.cosim.drive import Engine
from sims.cosim.faults import Fault, caught_by

from .attention_configurations import CONFIGURATIONS

SEEDS, FLOAT_SEEDS, LARGEST, WILD = range(24), range(48), 14, 6
pytestmark = pytest.mark.xdist_group("attention faults")

WRONG_CYCLES = {"cycles", "commands", "wild cycles"}
WRONG_MODEL_CYCLES = WRONG_CYCLES | {"closed form"}
WRONG_MODEL_DATA = {"memory image", "model result"}
WRONG_GOLDEN = {"model result", "hardware result"}
WRONG_PROGRAM = {"memory image", "hardware result", "model result"}
CAUGHT_BY = {
    ("memory", "a cycle more latency"): WRONG_CYCLES,
    ("memory", "five cycles between beats"): WRONG_CYCLES,
    ("memory", "stalls of responses a cycle late"): WRONG_CYCLES,
    ("memory", "a bit flipped"): {"memory image", "hardware result"},
    ("cycle model", "issue takes four cycles"): WRONG_MODEL_CYCLES,
    ("cycle model", "tiles enter amid a period"): {"closed form", "commands", "cycles"},
    ("cycle model", "a tile leaves a cycle early"): WRONG_MODEL_CYCLES,
    ("cycle model", "a command waits for the one before"): WRONG_MODEL_CYCLES,
    ("cycle model", "store a cycle longer"): WRONG_MODEL_CYCLES,
    ("closed form", "starts a cycle early"): {"closed form"},
    ("closed form", "store a cycle shorter"): {"closed form"},
    ("closed form", "tiles enter amid a period"): {"closed form"},
    ("datapath", "sums never rescaled"): WRONG_MODEL_DATA,
    ("datapath", "results rounded down"): WRONG_MODEL_DATA,
    ("datapath", "hidden keys count"): WRONG_MODEL_DATA,
    ("golden", "every key is seen"): WRONG_GOLDEN,
    ("lowering", "K and V never turn their bank"): WRONG_PROGRAM,
    ("lowering", "every tile goes on with old state"): WRONG_PROGRAM,
    ("lowering", "pattern 0 for all"): WRONG_GOLDEN,
    ("lowering", "nothing masked"): WRONG_GOLDEN,
    ("lowering", "doesn't wait for the load"): WRONG_PROGRAM | {"closed form"},
    ("lowering", "token to the store missing"): {
        "closed form", "commands", "cycles", "hardware result", "hardware stuck", "model refuses", "model result",
    },
}  # fmt: skip
FLOATS_CAUGHT_BY = {
    ("datapath", "columns add from the bottom up"): WRONG_MODEL_DATA,
    ("datapath", "values of hidden keys count"): WRONG_MODEL_DATA,
    ("datapath", "a score of minus infinity counts"): WRONG_MODEL_DATA,
    ("golden", "last keys first"): WRONG_GOLDEN,
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(CONFIGURATIONS["int8 4x4"]) as made:
        yield made


@pytest.fixture(scope="module")
def float_engine() -> Iterator[Engine]:
    with Engine(CONFIGURATIONS["bf16 4x4 split"]) as made:
        yield made


def test_each_fault_is_expected_somewhere() -> None:
    assert [(fault.layer, fault.name) for fault in FAULTS] == list(CAUGHT_BY)
    assert [(fault.layer, fault.name) for fault in FLOAT_FAULTS] == list(FLOATS_CAUGHT_BY)


def test_without_a_fault_nothing_is_reported(engine: Engine, float_engine: Engine) -> None:
    assert caught_by(None, engine, SEEDS, LARGEST, WILD) == set()
    assert caught_by(None, float_engine, FLOAT_SEEDS, LARGEST, WILD) == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.layer}: {fault.name}")
def test_a_planted_fault_is_caught_by_these_checks(fault: Fault, engine: Engine) -> None:
    assert caught_by(fault, engine, SEEDS, LARGEST, WILD) == CAUGHT_BY[fault.layer, fault.name]


@pytest.mark.parametrize("fault", FLOAT_FAULTS, ids=lambda fault: f"floating point, {fault.layer}: {fault.name}")
def test_a_planted_fault_of_floating_point_is_caught_by_these_checks(fault: Fault, float_engine: Engine) -> None:
    assert caught_by(fault, float_engine, FLOAT_SEEDS, LARGEST, wild=1) == FLOATS_CAUGHT_BY[fault.layer, fault.name]


def test_a_fault_is_gone_afterwards(engine: Engine) -> None:
    assert caught_by(None, engine, range(6), LARGEST, wild=2) == set()
