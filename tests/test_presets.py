"""Every preset loads, resolves and says where its figures come from."""

from __future__ import annotations

import pytest

from archmodel.cost import default_costs
from archmodel.load import (
    PRESETS,
    list_machines,
    load_machine,
    machine_from_yaml,
    machine_to_yaml,
    record_from_yaml,
    record_to_yaml,
)
from archmodel.memory.port import port_of
from archmodel.records.base import record_hash
from archmodel.records.engines.systolic import Hardware, resolve
from archmodel.records.machine import Machine

KIB = 1024
MIB = 1024 * KIB


PLAIN = "plain-a3"
BUILT = tuple(name for name in list_machines() if name != PLAIN)


def hardware(machine: Machine) -> Hardware:
    engine = machine.engine("array")
    assert engine.buffer is not None
    return resolve(engine.params, machine.memory(engine.buffer).size_bytes)


def test_the_presets() -> None:
    assert list_machines() == ("cloud", "ecp5-tiny", "edge-attention", "edge-npu", PLAIN, "tpu-v1")


@pytest.mark.parametrize("name", list_machines())
class TestEach:
    def test_has_its_file_s_name(self, name: str) -> None:
        assert load_machine(name).name == name

    def test_reads_back_what_it_prints(self, name: str) -> None:
        machine = load_machine(name)
        assert machine_from_yaml(machine_to_yaml(machine)) == machine
        assert record_from_yaml(Machine, record_to_yaml(machine)) == machine
        assert record_hash(machine) == record_hash(load_machine(name))

    def test_every_component_names_a_source(self, name: str) -> None:
        machine = load_machine(name)
        assert machine.source
        assert all(memory.source for memory in machine.memories)
        assert all(engine.source for engine in machine.engines)

    def test_its_file_is_plain_text_of_lines(self, name: str) -> None:
        assert "\t" not in (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BUILT)
class TestEachWithHardware:
    def test_has_the_two_engines(self, name: str) -> None:
        machine = load_machine(name)
        more = {"attention"} if name == "edge-attention" else set()
        assert {engine.type for engine in machine.engines} == {"systolic", "vector"} | more
        assert hardware(machine).rows == machine.engine("array").params.rows

    def test_requests_in_flight_cover_the_latency(self, name: str) -> None:
        machine = load_machine(name)
        engine, made = machine.engine("array"), hardware(machine)
        port = port_of(machine, engine)
        assert made.outstanding * made.beats("X") * port.interval > port.latency

    def test_the_port_uses_most_of_the_memory(self, name: str) -> None:
        machine = load_machine(name)
        engine = machine.engine("array")
        rate = engine.params.port_bytes * engine.count * machine.clock_hz("core") / port_of(machine, engine).interval
        whole = machine.memory("dram").bandwidth_bytes_per_second
        assert whole is not None
        assert 0.85 * whole <= rate <= whole

    def test_the_cost_table_knows_its_memories(self, name: str) -> None:
        dram = load_machine(name).memory("dram")
        assert default_costs().energy_pj("dram_read", 8, 16, technology=dram.technology).value > 0


def test_edge_npu_is_gemmini_s_size_and_holds_llama_3_1_8b() -> None:
    machine = load_machine("edge-npu")
    made = hardware(machine)
    assert (made.rows, made.cols, made.dataflows) == (16, 16, ("is", "os", "ws"))
    assert machine.memory("buffer").size_bytes == (256 + 64) * KIB
    assert (
        machine.memory("dram").size_bytes > 8_030_261_248 + 16 * 4096 * 65_536
    )  # int8 weights, 64 KiB of cache a token


def test_tpu_v1_has_its_paper_s_memories() -> None:
    machine = load_machine("tpu-v1")
    made = hardware(machine)
    assert machine.clock_hz("core") == 700_000_000
    assert machine.memory("buffer").size_bytes == 28 * MIB
    assert made.banks * made.z_words * 256 * 4 == 4 * MIB
    assert made.banks * made.y_words == 4 * 256


def test_cloud_holds_mixtral_8x7b() -> None:
    machine = load_machine("cloud")
    engine = machine.engine("array")
    assert (engine.count, engine.params.rows, engine.params.cols) == (16, 128, 128)
    assert (
        machine.memory("dram").size_bytes > 46_702_792_704 + 16 * 4096 * 65_536
    )  # int8 weights, 64 KiB of cache a token


def test_ecp5_tiny_fits_its_block_ram_and_multipliers() -> None:
    machine = load_machine("ecp5-tiny")
    made = hardware(machine)
    assert made.rows * made.cols <= 156
    assert machine.memory("buffer").size_bytes * 8 <= 208 * 18 * 1024


def test_plain_a3_is_the_machine_of_the_published_cases() -> None:
    """Three levels at 200, 6 and 1 pJ a word, 128 Ki words, 16x16 elements of 64 words, one pJ a multiply-add; nothing else bounds it."""
    dram, buffer, register = (load_machine(PLAIN).engine("array").params).levels
    assert [(level.read_pj, level.write_pj) for level in (dram, buffer, register)] == [(200, 200), (6, 6), (1, 1)]
    assert (dram.words, buffer.words, register.words) == (None, 131_072, 64)
    assert [(axis.name, axis.size) for axis in buffer.axes] == [("rows", 16), ("cols", 16)]
    assert load_machine(PLAIN).engine("array").params.instances == 256
