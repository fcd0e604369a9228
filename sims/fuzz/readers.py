"""The table of readers.  A new one is one entry: real files, how they are read, what is done with what was read."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from archmodel.cost import Costs, default_costs
from archmodel.load import (
    CASCADES,
    PRESETS,
    cascade_from_yaml,
    cascade_to_yaml,
    costs_to_yaml,
    load_cascade,
    load_constraints,
    load_costs,
    load_machine,
    load_record,
    machine_from_yaml,
    machine_to_yaml,
    plain_from_yaml,
    read_yaml,
    record_to_yaml,
)
from archmodel.records.cascade import Cascade
from archmodel.records.constraints import Constraints
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from archmodel.records.program import Program, to_bytes
from archmodel.workload.config import read_config
from archmodel.workload.families import FAMILIES
from archmodel.workload.model import Model

from ..commands.emit import read_program
from ..commands.output import dump
from ..imports import translate
from ..imports.report import costs, files
from ..imports.result import Imported
from ..report.rows import to_json
from ..report.saved import Saved, read_saved, to_records
from ..report.table import stage_table
from .mutation import Source, json_text
from .trial import Reader

CONFIGS = Path(__file__).resolve().parents[2] / "tests" / "workload" / "configs"
"""Published configs; an installed package has none, and does with the families' own keys."""
EXAMPLES = CONFIGS.parents[1] / "imports" / "examples"
FOREIGN = (
    ("timeloop-conv1d-3level", "timeloop-conv1d-3level.ert"), ("timeloop-conv1d-spatial", "timeloop-conv1d-3level.ert"),
    ("accelforge-simple", "accelforge-two-matmuls", "accelforge-fused"), ("zigzag-tpu",), ("zigzag-gemm", "zigzag-tpu-mapping"),
)  # fmt: skip
SMALL_PROBLEM = (b"problem: {shape: {dimensions: [K], data_spaces: [{name: A, projection: [[[K]]]}, "
                 b"{name: Z, projection: [[[K]]], read_write: true}]}, instance: {K: 2}}\n")  # fmt: skip
GEMM = (5, 40, 72)
"""m, n, k of the product that every accepted machine prices: ragged on every array."""
PROGRAM_COMMANDS = 2000
"""A Program that has no more is executed; it may loop 2**128 times, and then it is only checked."""
LOCATED = r".*:\d+:\d+: |.*: (?:cannot be read|larger than|found a byte that|not YAML: found a (?:character|lone))"
"""file:line:column, or a finding about a file as a whole."""
AFTER_BASE = "base: edge-npu\n{}\n"


def _json(text: str) -> Source:
    return Source(text.encode(), json.loads(text))


# --- config.json ----------------------------------------------------------------------------------------------------


@cache
def _config_sources() -> tuple[Source, ...]:
    found = [_json(path.read_text(encoding="utf-8")) for path in sorted(CONFIGS.glob("*.json"))]
    for name, family in FAMILIES.items():
        keys = {key: family.defaults.get(field, 8) for field, key in family.keys.items()}
        found.append(_json(json.dumps({"model_type": name, **keys}, indent=1, default=str)))
    return tuple(found)


def _use_model(model: Model) -> None:
    model.totals()
    if model.patch:
        model.prefill()
    elif model.encoder:
        model.prefill(16)
    else:
        model.decode(1, 64)


# --- Machines, graphs, mappings -------------------------------------------------------------------------------------


@cache
def _machine_sources() -> tuple[Source, ...]:
    presets = [Source(path.read_bytes(), read_yaml(path)) for path in sorted(PRESETS.glob("*.yaml"))]
    short = ("clock: 800 MHz\nengines: {array: {rows: 32, cols: 32}}", "name: x\nmemories: {dram: {bandwidth: 8 GB/s, size: 8 GiB}}",
             "engines: {vector: null}\ndevices: {left: {base: cloud}, right: {base: ecp5-tiny}}\n"
             "links: {l: {ends: [left, right], bandwidth: 1 GB/s, latency: 1 us}}")  # fmt: skip
    return (*presets, *(Source(AFTER_BASE.format(text).encode(), {"base": "edge-npu"}) for text in short))


def _use_machine(machine: Machine) -> None:
    """A product on it, its devices set aside, and the description that it prints.

    On storage levels it is bounded only: how long a search takes there depends on how small they are.
    """
    from archmodel import evaluate, search
    from archmodel.workload.gemm import gemm_graph

    if machine_from_yaml(machine_to_yaml(machine), machine.name) != machine:
        raise AssertionError("the machine doesn't read back what it prints")
    graph, alone = gemm_graph(*GEMM), replace(machine, devices=())
    if machine.engine_of_type("plain"):
        evaluate(graph, None, alone, "bound")
    else:
        evaluate(graph, search(graph, alone), alone)


@cache
def _work() -> tuple[Graph, Machine, Mapping]:
    """A product on the edge preset, and its mapping."""
    from archmodel import search
    from archmodel.workload.gemm import gemm_graph

    graph, machine = gemm_graph(*GEMM), load_machine("edge-npu")
    return graph, machine, search(graph, machine)


@cache
def _model_work() -> tuple[Graph, Machine, Mapping]:
    """A decode step of a small model, for its graph and the trees of its mapping."""
    from archmodel import load_model, search

    graph, machine = load_model("opt-1.3b").decode(1, 8), load_machine("cloud")
    return graph, machine, search(graph, machine)


def _records(*records: Any) -> tuple[Source, ...]:
    return tuple(Source(text.encode(), plain_from_yaml(text)) for text in map(record_to_yaml, records))


@cache
def _graph_sources() -> tuple[Source, ...]:
    return _records(_work()[0], _work()[0], _work()[0], _model_work()[0])


@cache
def _mapping_sources() -> tuple[Source, ...]:
    return _records(_work()[2], _work()[2], _work()[2], _model_work()[2])


def _use_graph(graph: Graph) -> None:
    from archmodel import evaluate, search

    machine = load_machine("edge-npu")
    evaluate(graph, search(graph, machine), machine)


def _use_mapping(mapping: Mapping) -> None:
    from archmodel import evaluate, lower

    graph, machine, _ = _work() if mapping.graph == _work()[0].name else _model_work()
    evaluate(graph, mapping, machine)
    if mapping.graph == _work()[0].name:
        lower(graph, mapping, machine, "gemm")


def _set(path: Path) -> Machine:
    return load_machine("edge-npu", [path.read_bytes()[:100_000].decode("utf-8", "surrogateescape")])


@cache
def _set_sources() -> tuple[Source, ...]:
    options = ("engines.array.rows=32", "clock=800 MHz", "memories.dram={size: 1 GiB, bandwidth: 1 GB/s}", "engines.vector=null", "name=x")
    return tuple(Source(option.encode()) for option in options)


# --- Cascades -------------------------------------------------------------------------------------------------------


@cache
def _cascade_sources() -> tuple[Source, ...]:
    return tuple(Source(path.read_bytes(), read_yaml(path)) for path in sorted(CASCADES.glob("*.yaml")))


def _use_cascade(cascade: Cascade) -> None:
    """Its passes, its graph's products, and the description that it prints; where it is small, its values."""
    from archmodel.cascade.graph import graph_of
    from archmodel.cascade.passes import analysed_ranks, passes

    if cascade_from_yaml(cascade_to_yaml(cascade)) != cascade:
        raise AssertionError("the cascade doesn't read back what it prints")
    for rank in analysed_ranks(cascade):
        passes(cascade, rank)
    graph = graph_of(cascade)
    for einsum in graph.einsums:
        if einsum.is_gemm:
            graph.gemm(einsum)


# --- Costs ----------------------------------------------------------------------------------------------------------


@cache
def _cost_sources() -> tuple[Source, ...]:
    rows = default_costs().rows
    texts = [costs_to_yaml(part) for part in (rows[:4], rows[12:20], rows[30:36], rows[-8:])]
    return tuple(Source(text.encode(), plain_from_yaml(text)) for text in texts)


def _use_costs(costs: Costs) -> None:
    """A product and a softmax priced by them."""
    from archmodel import evaluate

    graph, machine, mapping = _work()
    result = evaluate(graph, mapping, machine, costs=costs)
    _answer(Saved(result, graph, machine, mapping, "archmodel run"))


# --- Constraints ----------------------------------------------------------------------------------------------------

RULES = """\
limits: {energy: 4e6, buffer: 4096}
einsums:
  "*":
    tiles: {buffer: {d: 64, v: [32, 64], e: {min: 8, max: 64, multiple: 8}}, register: {attn.heads: {v: 2}}}
  attn.av:
    order: {buffer: [attn.heads, attn.probs], register: {only: [[attn.probs], [attn.heads]], not: [attn.v.cache, attn.probs]}}
    spatial: {rows: {only: [k, v], v: 4}, cols: {k: 16}}
    keep: {attn.probs: [buffer, register]}
    engine: array
fuse: [[attn.qk, attn.scale]]
apart: [[attn.qk, attn.av]]
"""


def _constraint_sources() -> tuple[Source, ...]:
    return (Source(RULES.encode(), plain_from_yaml(RULES)), *_mapping_sources()[:1])


def _use_constraints(found: tuple[Constraints, tuple[Limit, ...]]) -> None:
    """Checked against a model on a plain machine, as before a search."""
    from mapper.constraints import check

    check(found[0], _model_work()[0], load_machine("plain-a3"))
    Goal(limits=found[1], constraints=found[0])


# --- Results --------------------------------------------------------------------------------------------------------


@cache
def _result_sources() -> tuple[Source, ...]:
    from archmodel import evaluate

    works = [_work(), _work(), _model_work()]
    saved = [Saved(evaluate(graph, mapping, machine), graph, machine, mapping, "archmodel run") for graph, machine, mapping in works]
    bound = Saved(evaluate(works[0][0], None, works[0][1], "bound"), *works[0][:2], None, "archmodel run")
    return tuple(_json(_answer(each)) for each in (*saved, bound))


def _answer(saved: Saved) -> str:
    return dump(to_json(saved.result, saved.mapping) | to_records(saved))


def _use_result(saved: Saved) -> None:
    """Both forms in which ``run`` prints it."""
    _answer(saved)
    if saved.mapping is not None:
        stage_table(saved.result, saved.mapping, saved.machine)


# --- Programs -------------------------------------------------------------------------------------------------------


@cache
def _program_sources() -> tuple[Source, ...]:
    from archmodel import lower

    graph, machine, mapping = _work()
    return Source(to_bytes(lower(graph, mapping, machine, "gemm"))), Source(to_bytes(_attention()[0]))


@cache
def _attention() -> tuple[Program, Any]:
    """An attention under a mask, and the hardware that it was lowered for."""
    from archmodel.engines.attention import Attention, Bases, lower
    from archmodel.records.engines.attention import Params, resolve
    from archmodel.records.mask import Mask

    hardware = resolve(Params(4, 4, port_bytes=4), 16 * 1024)
    work = Attention(8, 8, 20, 30, heads=3, mask=Mask(causal=True, offset=10))
    return lower(work, hardware, Bases(0, 1000, 2000, 3000, 4000), 2), hardware


def _program(path: Path) -> Program:
    program = read_program(path)
    if to_bytes(program) != path.read_bytes():
        raise AssertionError("the Program doesn't print what it was read from")
    return program


def _use_program(program: Program) -> None:
    """As the cycle model does: checked for its hardware, and executed where that is soon done."""
    from archmodel.engines import attention, systolic
    from archmodel.engines.systolic.rows import hardware_of
    from archmodel.memory.port import port_of
    from archmodel.records.commands import UNITS

    _, machine, _ = _work()
    engine = machine.engine("array")
    cycle: Any = attention.cycle if program.engine == "attention" else systolic.cycle
    hardware = _attention()[1] if program.engine == "attention" else hardware_of(machine, engine)
    cycle.accepts(program, hardware)
    if sum(map(cycle.executed, program.streams[: len(UNITS)])) <= PROGRAM_COMMANDS:
        cycle.run(program, hardware, port_of(machine, engine))


# --- Other tools' files ---------------------------------------------------------------------------------------------


@cache
def _foreign_sources() -> tuple[Source, ...]:
    """Files of one tool, one after another: their keys differ.  An installed package has one of its own only."""
    found = [text for names in FOREIGN if (text := "".join(path.read_text() for name in names for path in EXAMPLES.glob(f"{name}.yaml")))]
    return (*(Source(text.encode()) for text in found), Source(SMALL_PROBLEM))


def _use_import(imported: Imported) -> None:
    """Its files, which read back as they are, and the price of its mapping."""
    texts = files(imported)
    costs(imported)
    if imported.machine is not None and machine_from_yaml(texts["machine.yaml"], imported.machine.name) != imported.machine:
        raise AssertionError("the machine doesn't read back what it prints")
    if imported.cascade is not None and cascade_from_yaml(texts["graph.yaml"]) != imported.cascade:
        raise AssertionError("the cascade doesn't read back what it prints")


YAML = (json_text, json_text, json_text, record_to_yaml)
"""Flow style is quick to write; the last prints block style."""
IN_FILE = r".*\.(?:json|yaml|bin)(?::\d+:\d+)?: "
READERS: dict[str, Reader] = {
    "config": Reader("config.json", _config_sources, read_config, IN_FILE, _use_model, (json_text,)),
    "machine": Reader("machine.yaml", _machine_sources, load_machine, LOCATED, _use_machine, YAML),
    "set": Reader("set.txt", _set_sources, _set, "--set |archmodel/presets/edge-npu.yaml:", _use_machine),
    "graph": Reader("graph.yaml", _graph_sources, lambda path: load_record(Graph, path), IN_FILE, _use_graph, YAML),
    "mapping": Reader("mapping.yaml", _mapping_sources, lambda path: load_record(Mapping, path), IN_FILE, _use_mapping, YAML),
    "cascade": Reader("cascade.yaml", _cascade_sources, load_cascade, LOCATED, _use_cascade, YAML),
    "costs": Reader("costs.yaml", _cost_sources, load_costs, LOCATED, _use_costs, YAML),
    "constraints": Reader("constraints.yaml", _constraint_sources, load_constraints, LOCATED, _use_constraints, YAML),
    "result": Reader("result.json", _result_sources, read_saved, IN_FILE, _use_result, (json_text,)),
    "import": Reader("import.yaml", _foreign_sources, lambda path: translate([path]), r"archmodel import: |.*\.yaml(?::\d+:\d+)?: ",
                     _use_import),
    "program": Reader("program.bin", _program_sources, _program, IN_FILE, _use_program),
}
