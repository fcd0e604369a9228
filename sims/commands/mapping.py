"""``archmodel map``: the best mapping of every matrix product, its loop trees, and the record itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

from archmodel.records.base import SpecError

from .goal import add_goal, goal_of
from .output import check_writable, deliver, dump, wants_json
from .parser import Parser, close_to
from .work import add_costs, add_machine, add_output, add_work, costs_of, graph_of, machine_of, names_of

if TYPE_CHECKING:
    from archmodel.records.graph import Graph
    from archmodel.records.machine import Machine
    from archmodel.records.mapping import Mapping, Node

    from ..report.trees import Mapped

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
    shown.add_argument("--product", action="append", metavar="NAME", help="only this matrix product; may be repeated")
    shown.add_argument("--explain", action="store_true", help="print the loop tree of each product that is shown")
    shown.add_argument("--all", action="store_true", help=f"show all distinct products, not only the {SHOWN} that take longest")
    add_machine(parser)
    parser.add_argument("--program", type=Path, metavar="FILE",
                        help="write there the Program of the one product that is shown, which emit --program reads")  # fmt: skip
    add_costs(parser)
    add_output(parser, "write the mapping there: FILE.yaml gets the record, which run --mapping reads; FILE.json gets JSON")


def execute(given: argparse.Namespace) -> int:
    model, machine_name = names_of(given, "map")
    check_writable(given.output)
    check_writable(given.program)
    machine, graph, costs = machine_of(machine_name, given.sets), graph_of(given, model), costs_of(given)
    goal = goal_of(given, machine)
    from archmodel import evaluate, search

    from ..report.trees import fused, products

    begun = process_time()
    mapping = search(graph, machine, costs, goal)
    spent = process_time() - begun
    result = evaluate(graph, mapping, machine, costs=costs)
    every, whole = products(graph, mapping, machine, result), fused(mapping)
    items = _chosen(every, whole, given.product)
    whole = {name: tree for name, tree in whole.items() if given.product is None or name in given.product}
    if given.program is not None:
        _write_program(given.program, graph, mapping, machine, [*(item.einsum.name for item in items), *whole])
    if given.output is not None and given.output.suffix in (".yaml", ".yml"):
        from archmodel.load import record_to_yaml

        deliver(record_to_yaml(mapping), given.output)
    elif wants_json(given.output, given.json):
        from ..report.mapped import proof, summary

        figures = summary(graph, mapping, machine, result, costs) | proof(mapping.certificate) | {"cpu_seconds": spent}
        deliver(dump(_plain(graph, mapping, items) | {"objective": goal.objective} | figures), given.output)
    else:
        deliver(_text(graph, mapping, items, whole, given), given.output)
    return 0


def _write_program(file: Path, graph: Graph, mapping: Mapping, machine: Machine, names: list[str]) -> None:
    """The canonical bytes of the Program of one product or fused tree, by its name: what one copy of the engine runs."""
    from archmodel import lower
    from archmodel.records.program import to_bytes

    from .output import write_whole

    if len(names) != 1:
        raise SpecError(f"--program {file}: found {len(names)} matrix products, and a Program is of one; name it with --product")
    write_whole(file, to_bytes(lower(graph, mapping, machine, names[0])))
    print(f"wrote {file}", file=sys.stderr)


def _chosen(items: list[Mapped], whole: dict[str, Node], wanted: list[str] | None) -> list[Mapped]:
    """The products that are asked for by name.  Raises SpecError for a name of neither a product nor a fused tree."""
    if wanted is None:
        return items
    names = [*(item.einsum.name for item in items), *whole]
    for name in wanted:
        if name not in names:
            raise SpecError(f"--product {name}: no such matrix product; {close_to(name, names[:40])}")
    return [item for item in items if item.einsum.name in wanted]


def _plain(graph: Graph, mapping: Mapping, items: list[Mapped]) -> dict[str, Any]:
    from archmodel.records.base import record_hash, to_plain

    from ..report.rows import certificate

    return {
        "model": graph.stage.model, "machine": mapping.machine, "stage": graph.stage.kind, "certificate": certificate(mapping.certificate),
        "mapping_hash": record_hash(mapping), "products": [item.plain for item in items], "mapping": to_plain(mapping),
    }  # fmt: skip


def _text(graph: Graph, mapping: Mapping, items: list[Mapped], whole: dict[str, Node], given: argparse.Namespace) -> str:
    from archmodel.records.mapping import Compute

    from ..report.choices import choices_text
    from ..report.grid import lines
    from ..report.table import certificate_line
    from ..report.trees import explain, mapping_table, merged, outline

    distinct = merged(items)
    shown = distinct if given.all or given.product else distinct[:SHOWN]
    others = sum(isinstance(tree, Compute) for tree in mapping.trees)
    title = f"{graph.name} on {mapping.machine}: {len(items)} matrix product{'s' * (len(items) > 1)}, {len(distinct)} distinct"
    text = mapping_table(title, shown) if shown else ""
    if len(shown) < len(distinct):
        text += f"... {len(distinct) - len(shown)} more that take less; --all shows them\n"
    if given.explain:
        text += "".join("\n" + explain(graph, item, mapping.relayouts) for item in shown)
        text += "".join("\n" + outline(name, tree, mapping.relayouts) for name, tree in whole.items())
    if mapping.certificate is not None and mapping.certificate.choices and not given.product:
        text += "\n" + choices_text(mapping.certificate.choices)
    pairs = [("mapping", certificate_line(mapping)), ("others", f"{others} elementwise operators, streamed without a choice"),
             ("layouts", f"{len(mapping.relayouts)} changes of layout")]  # fmt: skip
    return text + "\n" + lines(pairs)
