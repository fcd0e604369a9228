"""``archmodel run``: one stage of a model on a machine, at one of four fidelities, as a table or JSON."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .devices import add_devices, fabric_sets, split_of
from .goal import add_objective
from .output import check_writable, deliver, dump, wants_json
from .parser import Parser, one_of
from .work import add_costs, add_machine, add_output, add_work, costs_of, graph_of, machine_of, names_of

if TYPE_CHECKING:
    from archmodel.cost import Costs
    from archmodel.records.graph import Graph
    from archmodel.records.machine import Machine
    from archmodel.records.mapping import Mapping
    from archmodel.records.result import Result

EXAMPLES = """examples:
  archmodel run llama-3.1-8b cloud --stage prefill --tokens 2048
  archmodel run mixtral-8x7b cloud --batch 16 --context 4096 --json
  archmodel run llama-3.1-70b cloud --batch 32 --split tensor=8
  archmodel run llama-3.1-8b edge-npu --chunk 512,0 --decodes 4,1024
  archmodel run --gemm 64,256,512 edge-npu --fidelity rtl --set memories.buffer.size="512 KiB"
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    add_work(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--fidelity", type=one_of("bound", "analytic", "cycle", "rtl"), default="analytic", metavar="F",
                     help="bound (roofline), analytic (default), cycle (cycle model), rtl (Verilator as well)")  # fmt: skip
    add_objective(how)
    how.add_argument("--mapping", type=Path, metavar="FILE", help="a mapping that `map -o FILE.yaml` wrote, instead of a search")
    add_machine(parser)
    add_devices(parser)
    add_costs(parser)
    add_output(parser, "write the answer there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    """0, or 1 when hardware and model differ at fidelity rtl."""
    model, machine_name = names_of(given, "run")
    check_writable(given.output)
    _check(given)
    from ..machines.checked import slower

    machine, graph = machine_of(machine_name, [*given.sets, *fabric_sets(given)]), graph_of(given, model)
    costs = costs_of(given)
    mapping = _mapping(given, graph, machine, costs)
    try:
        result = _evaluate(given, graph, mapping, machine, costs)
    except RuntimeError as error:
        from ..cosim.evaluate import Mismatch

        if not isinstance(error, Mismatch):
            raise
        print(error, file=sys.stderr)
        return 1
    if mapping is not None:  # a roofline takes the bandwidth as it is written
        result = replace(result, notes=(*result.notes, *slower(machine)))
    if wants_json(given.output, given.json):
        from ..report.rows import to_json
        from ..report.saved import Saved, to_records

        saved = Saved(result, graph, machine, mapping, given.command)
        deliver(dump(to_json(result, mapping) | to_records(saved)), given.output)
    else:
        from ..report.table import stage_table

        deliver(stage_table(result, mapping, machine), given.output)
    return 0


def _check(given: argparse.Namespace) -> None:
    """What the run will need, asked before it starts."""
    if given.routing == "expected" and given.fidelity != "bound":
        raise SpecError(f"--routing expected: a mean is no routing that can run, and --fidelity {given.fidelity} runs one; "
                        "take --fidelity bound, or routing uniform, balanced or worst")  # fmt: skip
    if given.fidelity == "rtl":
        from ..cosim.build import check_tools

        check_tools()


def _mapping(given: argparse.Namespace, graph: Graph, machine: Machine, costs: Costs) -> Mapping | None:
    if given.mapping is not None:
        if given.split is not None or given.overlap:
            raise SpecError("--split and --overlap: the mapping of --mapping has a split and a schedule of its own; leave them out")
        from archmodel.load import load_record
        from archmodel.records.mapping import Mapping

        found: Mapping = load_record(Mapping, given.mapping)
        return found
    if given.fidelity == "bound":
        return None
    from archmodel import search
    from archmodel.records.goal import Goal

    return search(graph, machine, costs, Goal(given.objective, split=split_of(given), overlap=given.overlap))


def _evaluate(given: argparse.Namespace, graph: Graph, mapping: Mapping | None, machine: Machine, costs: Costs) -> Result:
    if given.fidelity == "rtl":
        from ..cosim.evaluate import evaluate as confirm
        from .waiting import interruptible

        assert mapping is not None, "only the bound goes without a mapping"
        return interruptible(lambda: confirm(graph, mapping, machine, seed=given.seed, costs=costs))
    from archmodel import evaluate

    return evaluate(graph, mapping, machine, given.fidelity, costs)
