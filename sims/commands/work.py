"""What several verbs share: the options that describe the work and the machine, and what these options mean."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archmodel.records.base import SpecError

from .parser import Parser, extents, integer, integers, one_of, widths

if TYPE_CHECKING:
    from archmodel.cost import Costs
    from archmodel.records.cascade import Cascade
    from archmodel.records.graph import Graph
    from archmodel.records.machine import Machine
    from archmodel.workload.model import Model

TOKENS, CONTEXT = 2048, 2048
"""Length of a prompt and of a context where none is given."""
MACHINE = "a machine of `list machines` or a YAML file"
MODEL_OPTIONS = ("stage", "batch", "context", "tokens", "chunk", "decodes", "routing", "mask")


def add_work(parser: Parser) -> None:
    """MODEL, or --gemm in its place, and the stage."""
    parser.add_argument("names", nargs="*", metavar="MODEL MACHINE",
                        help=f"a model of `list models` or a config.json, or a cascade of `list cascades` or its YAML file; "
                             f"{MACHINE}")  # fmt: skip
    work = parser.add_argument_group("what runs")
    work.add_argument("--stage", type=one_of("prefill", "decode", "mixed"), metavar="S",
                      help="prefill, decode, mixed; default mixed with --chunk, --decodes; prefill with --tokens; else decode")  # fmt: skip
    work.add_argument("--batch", type=integer(1), metavar="N", help="sequences (default 1)")
    work.add_argument("--context", type=integer(0), metavar="N", help=f"cached tokens of a decode (default {CONTEXT})")
    work.add_argument("--tokens", type=integer(1), metavar="N", help=f"tokens of each prompt of a prefill (default {TOKENS})")
    work.add_argument("--chunk", type=integers("NEW,CACHED", 0), action="append", metavar="NEW,CACHED",
                      help="a prefill chunk of a mixed step; may be repeated")  # fmt: skip
    work.add_argument("--decodes", type=integers("BATCH,CONTEXT", 0), action="append", metavar="BATCH,CONTEXT",
                      help="decodes of a mixed step; may be repeated")  # fmt: skip
    work.add_argument("--bits", type=widths, default={}, metavar="weight=N,...",
                      help="widths of weight, activation, kv (default 8), which the array's formats must have")  # fmt: skip
    work.add_argument("--routing", type=one_of("uniform", "balanced", "worst", "expected"), metavar="R",
                      help="tokens per expert: uniform (drawn from --seed, the default), balanced, worst, expected")  # fmt: skip
    work.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of all that is drawn (default 0)")
    work.add_argument("--mask", type=Path, metavar="FILE",
                      help="YAML of a mask on every attention, beside the model's own: window, sink, query_block, blocks, ...")  # fmt: skip
    work.add_argument("--ranks", type=extents, metavar="RANK=N,...", help="extents of a cascade's ranks, such as m1=8,p=512")
    work.add_argument("--gemm", type=integers("M,N,K"), metavar="M,N,K", help="one matrix product in place of MODEL")


def add_machine(parser: Parser) -> None:
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="PATH=VALUE",
                        help="change the machine, such as engines.array.rows=32; may be repeated")  # fmt: skip


def add_costs(parser: Parser) -> None:
    parser.add_argument("--costs", type=Path, metavar="FILE", help="a table of your own, whose rows replace this project's (docs/costs.md)")


def costs_of(given: argparse.Namespace) -> Costs:
    """The user's costs, or this project's.  Raises SpecError, a line a finding."""
    from archmodel.cost import default_costs

    if given.costs is None:
        return default_costs()
    from archmodel.load import load_costs

    return load_costs(given.costs)


def add_output(parser: Parser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=what)


def names_of(given: argparse.Namespace, verb: str) -> tuple[str, str]:
    """(model, machine); the model is empty with --gemm.  Raises SpecError when there are too few or too many."""
    names: list[str] = given.names
    wanted = "MACHINE beside --gemm" if given.gemm else "MODEL MACHINE"
    if len(names) != (1 if given.gemm else 2):
        found = " ".join(names) or "nothing"
        raise SpecError(f"archmodel {verb}: found {found}, expected {wanted}; `archmodel list models` and "
                        "`archmodel list machines` name them")  # fmt: skip
    if not given.gemm and _swapped(names[0], names[1]):
        raise SpecError(f"archmodel {verb}: found the machine before the model, expected {wanted}: {names[1]} {names[0]}")
    return ("", names[0]) if given.gemm else (names[0], names[1])


def _swapped(first: str, second: str) -> bool:
    from archmodel.load import list_cascades, list_machines
    from archmodel.workload.zoo import zoo_names

    named = (*zoo_names(), *list_cascades())
    return (first in list_machines() and not Path(first).exists()) or (second in named and not Path(second).exists())


def machine_of(name: str, sets: list[str]) -> Machine:
    from archmodel.load import load_machine

    return load_machine(name, sets)


def graph_of(given: argparse.Namespace, model: str) -> Graph:
    """The graph that the options describe.  Raises SpecError for options that contradict each other."""
    from archmodel.workload.operators import Bits

    bits = Bits(**given.bits)
    if given.ranks and (given.gemm or not is_cascade(model)):
        raise SpecError(f"--ranks belongs to a cascade, and {model or '--gemm'} is none; leave it out")
    if given.gemm:
        from archmodel.workload.gemm import gemm_graph

        _refuse_model_options(given, "--gemm is one product")
        m, n, k = given.gemm
        return gemm_graph(m, n, k, bits)
    if is_cascade(model):
        from archmodel.cascade.graph import graph_of as graph_of_cascade

        _refuse_model_options(given, f"{model} is a cascade, with --ranks")
        return graph_of_cascade(cascade_of(model, given.ranks, given.bits))
    from archmodel.workload.zoo import find_model

    graph = _stage(given, find_model(model), {"bits": bits, "routing": given.routing or "uniform", "seed": given.seed})
    return graph if given.mask is None else _masked(graph, given.mask)


def _masked(graph: Graph, file: Path) -> Graph:
    from archmodel.load import load_record
    from archmodel.records.mask import Mask
    from archmodel.workload.masking import with_mask

    try:
        return with_mask(graph, load_record(Mask, file))
    except SpecError as error:
        raise SpecError(str(error) if str(error).startswith(str(file)) else f"{file}: {error}") from None


def _refuse_model_options(given: argparse.Namespace, what: str) -> None:
    if extra := next((name for name in MODEL_OPTIONS if getattr(given, name) is not None), None):
        raise SpecError(f"--{extra} belongs to a model, and {what}; leave one of them out")


def is_cascade(name: str) -> bool:
    """Whether a name is that of a shipped cascade, or of a YAML file, which no model is."""
    from archmodel.load import list_cascades

    return name in list_cascades() or Path(name).suffix in (".yaml", ".yml")


def cascade_of(name: str, ranks: dict[str, int] | None, bits: dict[str, int]) -> Cascade:
    """The cascade with other extents; ``bits`` by class are for those of its tensors that have its common width."""
    from archmodel.load import load_cascade

    cascade = load_cascade(name, ranks)
    if not bits:
        return cascade
    inputs = tuple(replace(tensor, bits=bits.get(tensor.kind, tensor.bits)) if tensor.bits == cascade.bits else tensor
                   for tensor in cascade.inputs)  # fmt: skip
    return replace(cascade, inputs=inputs, bits=bits.get("activation", cascade.bits))


def _stage(given: argparse.Namespace, model: Model, options: dict[str, Any]) -> Graph:
    stage = given.stage or _default_stage(given, model)
    used = {"prefill": ("batch", "tokens", "context"), "decode": ("batch", "context"), "mixed": ("chunk", "decodes")}[stage]
    for name in ("batch", "tokens", "context", "chunk", "decodes"):
        if getattr(given, name) is not None and name not in used:
            raise SpecError(f"--{name} is no option of stage {stage}, which takes {', '.join(f'--{n}' for n in used)}")
    if stage == "mixed":
        if not given.chunk and not given.decodes:
            raise SpecError("--stage mixed: found neither --chunk NEW,CACHED nor --decodes BATCH,CONTEXT, expected at least one")
        return model.mixed(given.chunk or (), given.decodes or (), **options)
    if stage == "decode":
        context = CONTEXT if given.context is None else given.context
        return model.decode(batch=given.batch or 1, context=context, **options)
    if given.tokens is not None and given.context is not None:
        raise SpecError("--tokens and --context both give the length of a prefill; leave one of them out")
    tokens = given.tokens if given.tokens is not None else given.context
    return model.prefill(tokens if tokens is not None or model.patch else TOKENS, batch=given.batch or 1, **options)


def _default_stage(given: argparse.Namespace, model: Model) -> str:
    if given.chunk or given.decodes:
        return "mixed"
    return "prefill" if given.tokens is not None or model.encoder else "decode"
