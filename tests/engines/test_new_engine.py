"""A new engine is one file a layer: this test adds one from files alone and takes it through every verb."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import archmodel.engines
import archmodel.records.engines
import mapper
import rtl
from archmodel import emit, evaluate, load_machine, load_model, search

RECORDS = '''
from dataclasses import dataclass
TYPE = "echo"

@dataclass(frozen=True)
class Params:
    speed: int = 4
'''
ENGINE = '''
from archmodel.records.figure import Figure
from archmodel.records.result import OpResult

def supports(graph, einsum, engine):
    return None if einsum.map == "exp" else "only exponentials"

def ideal_cycles(einsum, engine):
    return einsum.work / engine.params.speed

def area(machine, engine, costs):
    return (("all", Figure(1.0, None, None, "published", ("a test",))),)

def evaluate(work):
    def row(e):
        cycles = -(-e.work // work.engine.params.speed) * e.repeat
        return OpResult(e.name, e.group, work.engine.name, work.machine.clock_hz(work.engine.clock), cycles, 0, (),
                        float(cycles), "array", "closed form",
                        (("compute", cycles),), (), e.repeat)
    return {e.name: row(e) for e in work.einsums}
'''
RTL = "def emit(hardware):\n    return f'module echo; // speed {hardware.speed}\\nendmodule\\n'\n"
SEARCHER = '''
from archmodel.records.mapping import Compute
from mapper.found import Found

class Searcher:
    def __init__(self, machine, engine, costs, goal):
        self.engine = engine

    def __call__(self, graph, einsum):
        return Found(Compute(einsum.name, self.engine.name), space=7, evaluated=1)
'''
MACHINE = """
name: with-echo
node: 16 nm
clocks: {core: 1 GHz}
memories:
  buffer: {technology: sram, size: 320 KiB}
  dram: {technology: lpddr4, size: 16 GiB, bandwidth: 16 GB/s, latency: 100 ns}
engines:
  echo: {type: echo, clock: core, speed: 8}
  vector: {type: vector, clock: core, port: dram, lanes: 16, port_bytes: 16}
  array: {type: systolic, clock: core, buffer: buffer, port: dram, rows: 16, cols: 16}
"""
PLACES = ((archmodel.records.engines, RECORDS), (archmodel.engines, ENGINE), (rtl, RTL), (mapper, SEARCHER))


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    """The files of an engine type `echo`, one in each layer, found through the packages' paths."""
    for package, text in PLACES:
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "echo.py").write_text(text)
        package.__path__.append(str(folder))
    yield tmp_path
    for package, _ in PLACES:
        package.__path__.remove(str(tmp_path / package.__name__))
        sys.modules.pop(f"{package.__name__}.echo", None)
    archmodel.engines.module_of.cache_clear()


def test_an_engine_of_files_alone_is_loaded_mapped_priced_and_emitted(echo: Path) -> None:
    machine_file = echo / "machine.yaml"
    machine_file.write_text(MACHINE)
    machine = load_machine(str(machine_file))
    graph = load_model("gpt2").decode(batch=1, context=8)
    mapping = search(graph, machine)
    result = evaluate(graph, mapping, machine)
    rows = {op.name: op for op in result.ops}
    work = next(einsum for einsum in graph.einsums if einsum.name == "attn.softmax.exp")
    assert (rows[work.name].engine, rows[work.name].cycles) == ("echo", -(-work.work // 8) * work.repeat)
    assert {op.engine for op in result.ops} == {"echo", "vector", "array"}
    assert mapping.certificate is not None and mapping.certificate.space > 7
    assert evaluate(graph, None, machine, "bound").seconds <= result.seconds
    assert emit(machine, "echo") == "module echo; // speed 8\nendmodule\n"
