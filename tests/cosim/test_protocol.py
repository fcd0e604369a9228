"""The protocol benches pass on sound hardware, and each of their rules is broken by a planted fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.records.base import SpecError
from rtl.systolic import emit
from sims.cosim import protocol
from sims.cosim.mutants import MUTATIONS, mutated
from sims.cosim.protocol import run_benches

from .configurations import CONFIGURATIONS

HARDWARE = replace(CONFIGURATIONS["all 4x4"], outstanding=2)
pytestmark = pytest.mark.xdist_group("benches")
BENCHES = {
    "cycles_are_those_of_the_cycle_model",
    "any_back_pressure_gives_the_same_result",
    "reset_in_any_cycle_is_clean",
    "a_port_that_stalls_forever_ends_at_the_watchdog",
    "a_program_of_other_hardware_is_refused",
}
MESSAGES = {
    None: None,
    "outstanding limit ignored": "3 words in flight, and the limit is 2",
    "saturation dropped": "wrong result",
    "token to the store lost": "watchdog: nothing moved for 3000 cycles",
}


@pytest.mark.parametrize("fault", MESSAGES, ids=str)
def test_the_benches_pass_on_sound_hardware_and_fail_on_faulty(fault: str | None) -> None:
    number = 0 if fault is None else 1 + [mutation.name for mutation in MUTATIONS].index(fault)
    results = run_benches(HARDWARE, verilog=mutated(emit(HARDWARE)), fault=number)
    assert {result.name for result in results} == BENCHES
    failed = [result for result in results if not result.passed]
    wanted = MESSAGES[fault]
    if wanted is None:
        assert failed == []
    else:
        assert any(wanted in result.message for result in failed), results


def test_without_cocotb_the_message_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cocotb_tools.runner", None)
    with pytest.raises(SpecError, match=r"^cocotb: not installed; pip install 'archmodel\[sim\]' brings it$"):
        run_benches(HARDWARE)


def test_a_bench_that_cannot_be_imported_is_an_error_not_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "emit", lambda hardware: mutated(emit(hardware)))
    with pytest.raises(SpecError, match=r"^cocotb: the simulation ended without results"):
        run_benches(HARDWARE, engine="no_such_bench")
