"""``archmodel map``: the best mapping of every matrix product, its loop trees, and the record itself."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .devices import add_devices, fabric_sets, split_of
from .goal import add_goal, goal_of
from .output import check_writable, deliver, dump, wants_json
from .parser import Parser, close_to
from .work import add_costs, add_machine, add_output, add_work, costs_of, graph_of, machine_of, names_of

if TYPE_CHECKING:
    from archmodel.cost import Costs
    from archmodel.records.goal import Goal
    from archmodel.records.graph import Graph
    from archmodel.records.machine import Machine

    from ..report.mapped import Answer, Shown

SHOWN = 24
EXAMPLES = """examples:
  archmodel map llama-3.1-8b cloud --stage prefill
  archmodel map mixtral-8x7b cloud --batch 16 --product attn.q --explain
  archmodel map --gemm 64,256,512 edge-npu -o gemm.yaml
  archmodel map llama-3.1-8b edge-npu --product attn.k --program k.ampg
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    add_work(parser)
    add_goal(parser)
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("--product", action="append", metavar="NAME", help="only this matrix product or tree; may be repeated")
    shown.add_argument("--explain", action="store_true",
                       help="loop trees, what moves, what binds, what one more of each resource saves, what constraints cost")  # fmt: skip
    shown.add_argument("--all", action="store_true", help=f"show all distinct products or trees, not only the {SHOWN} that take most")
    shown.add_argument("--mapping", type=Path, metavar="FILE",
                       help="price this mapping of yours, and say what the best one does otherwise and what that saves")  # fmt: skip
    add_machine(parser)
    add_devices(parser)
    parser.add_argument("--program", type=Path, metavar="FILE",
                        help="write there the Program of the one product that is shown, which emit --program reads")  # fmt: skip
    add_costs(parser)
    add_output(parser, "write the mapping there: FILE.yaml gets the record, which run --mapping reads; FILE.json gets JSON")


def execute(given: argparse.Namespace) -> int:
    model, machine_name = names_of(given, "map")
    check_writable(given.output)
    check_writable(given.program)
    machine, graph, costs = machine_of(machine_name, [*given.sets, *fabric_sets(given)]), graph_of(given, model), costs_of(given)
    goal = replace(goal_of(given, machine), split=split_of(given), overlap=given.overlap)
    best = _searched(graph, machine, costs, goal)
    answer = best if given.mapping is None else _priced(given.mapping, best)
    found = _shown(answer, given.product)
    if given.program is not None:
        _write_program(given.program, answer, found.names)
    if given.output is not None and given.output.suffix in (".yaml", ".yml"):
        from archmodel.load import record_to_yaml

        deliver(record_to_yaml(best.mapping), given.output)
    else:
        deliver(_told(given, answer, best, found), given.output)
    return 0


def _shown(answer: Answer, wanted: list[str] | None) -> Shown:
    """What is asked for by name, or all.  Raises SpecError for a name of neither a product nor a tree."""
    from ..report.mapped import shown

    found = shown(answer)
    for name in wanted or ():
        if name not in found.known:
            raise SpecError(f"--product {name}: no such matrix product; {close_to(name, found.known[:40])}")
    return found if wanted is None else found.only(wanted)


def _searched(graph: Graph, machine: Machine, costs: Costs, goal: Goal) -> Answer:
    from archmodel import evaluate, search

    from ..report.mapped import Answer

    begun = process_time()
    mapping = search(graph, machine, costs, goal)
    spent = process_time() - begun
    return Answer(graph, machine, costs, goal, mapping, evaluate(graph, mapping, machine, costs=costs), spent)


def _priced(file: Path, best: Answer) -> Answer:
    """The user's own mapping, of the same graph on the same machine.  Raises SpecError for one that is not legal, naming the file."""
    from archmodel import evaluate
    from archmodel.load import load_record
    from archmodel.records.mapping import Mapping

    mapping: Mapping = load_record(Mapping, file)
    try:
        result = evaluate(best.graph, mapping, best.machine, costs=best.costs)
    except SpecError as error:
        raise SpecError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
    return replace(best, mapping=mapping, result=result, cpu_seconds=None)


def _told(given: argparse.Namespace, answer: Answer, best: Answer, found: Shown) -> str:
    """What was found, as JSON or as tables."""
    from ..report.explained import Why
    from ..report.map_text import text_of
    from ..report.mapped import to_json

    # What more brings and what constraints cost is of the whole answer, a search each; of one product it would mislead.
    why = Why.of(answer, best, given.explain and given.product is None)
    if wants_json(given.output, given.json):
        return dump(to_json(answer, found) | why.plain())
    most = None if given.all or given.product else SHOWN
    return text_of(answer, found, most, given.explain) + why.text()


def _write_program(file: Path, answer: Answer, names: list[str]) -> None:
    """The canonical bytes of the Program of one product or fused tree, by its name: what one copy of the engine runs."""
    from archmodel import lower
    from archmodel.records.program import to_bytes

    from .output import write_whole

    if len(names) != 1:
        raise SpecError(f"--program {file}: found {len(names)} matrix products, and a Program is of one; name it with --product")
    write_whole(file, to_bytes(lower(answer.graph, answer.mapping, answer.machine, names[0])))
    print(f"wrote {file}", file=sys.stderr)
