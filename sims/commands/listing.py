"""``archmodel list``: the models, machines and cascades that have a name, with what follows from their descriptions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser, one_of
from .work import add_output

if TYPE_CHECKING:
    from archmodel.records.cascade import Cascade
    from archmodel.records.machine import Machine
    from archmodel.workload.model import Model

WHAT = ("models", "machines", "cascades", "studies")


def add_arguments(parser: Parser) -> None:
    parser.add_argument("what", type=one_of(*WHAT), metavar="|".join(WHAT), help="which list")
    add_output(parser, "write the list there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    check_writable(given.output)
    plain, table = {"models": (_plain_models, _model_table), "machines": (_plain_machines, _machine_table),
                    "cascades": (_plain_cascades, _cascade_table), "studies": (_plain_studies, _study_table)}[given.what]  # fmt: skip
    deliver(dump(plain()) if wants_json(given.output, given.json) else table(), given.output)
    return 0


def _models() -> list[Model]:
    from archmodel.workload.zoo import zoo_model, zoo_names

    return [zoo_model(name) for name in zoo_names()]


def _plain_models() -> dict[str, Any]:
    """By name: every total, both conventions of active parameters among them, and where the figures come from."""
    return {model.name: {**model.totals(), "source": model.source, "published": dict(model.published)} for model in _models()}


def _model_table() -> str:
    from ..report import units
    from ..report.grid import grid, lines

    columns = ("model", "attention", "feed-forward", ">layers", ">all", ">active", ">w/o input", ">KV bytes")
    rows = [
        [model.name, _attention(model), _feed_forward(model), str(model.layers + model.decoder_layers), units.count(model.params_total),
         units.count(model.params_active_incl_embeddings), units.count(model.params_active_excl_input_embedding),
         f"{model.kv_bytes_per_token(16):,}" if not model.encoder else "-"]
        for model in _models()
    ]  # fmt: skip
    notes = [("active", "parameters that one token meets, with the input embedding and (w/o input) without it; all: every parameter"),
             ("w", "window: tokens that a query attends in windowed layers"),
             ("KV", "bytes of 16-bit cache that one token leaves in all layers"),
             ("more", "list models --json has every count with its source; a config.json is as good as a name")]  # fmt: skip
    return grid(f"{len(rows)} models", columns, rows) + "\n" + lines(notes)


def _attention(model: Model) -> str:
    if model.mla:
        return "MLA"
    kind = "MHA" if model.kv_heads == model.heads else "MQA" if model.kv_heads == 1 else f"GQA {model.heads}:{model.kv_heads}"
    return f"{kind} w{model.window}" if model.window else kind


def _feed_forward(model: Model) -> str:
    if not model.experts:
        return "gated" if model.gated else "plain"
    return f"{model.topk} of {model.experts} experts" + (f" + {model.shared}" if model.shared else "")


def _machines() -> list[Machine]:
    from archmodel.load import list_machines, load_machine

    return [load_machine(name) for name in list_machines()]


def _plain_machines() -> dict[str, Any]:
    from archmodel.records.base import to_plain

    return {machine.name: to_plain(machine) for machine in _machines()}


def _machine_table() -> str:
    from ..report.grid import grid, lines

    rows = [[machine.name, f"{machine.node_nm} nm", f"{machine.clocks[0].hz / 1e6:,.0f} MHz", _array(machine), *_memories(machine)]
            for machine in _machines()]  # fmt: skip
    sources = [(machine.name, machine.source) for machine in _machines()]
    return grid(f"{len(rows)} machines", ("machine", "node", ">clock", "array", "buffer of each", "memory"), rows) + "\n" + lines(sources)


def _array(machine: Machine) -> str:
    if plain := machine.engine_of_type("plain"):
        return "x".join(str(axis.size) for _, axis in plain.params.axis.values()) + " plain"
    engine = machine.engine_of_type("systolic")
    if engine is None:
        return "-"
    copies = f"{engine.count} x " if engine.count > 1 else ""
    return f"{copies}{engine.params.rows}x{engine.params.cols} {'/'.join(engine.params.dataflows)}"


def _memories(machine: Machine) -> tuple[str, str]:
    from ..report import units

    if plain := machine.engine_of_type("plain"):
        home, *inner = plain.params.levels
        return (" + ".join(f"{level.words:,}" if level.words else "no bound" for level in inner) or "no") + " words", home.name
    engine = machine.engine_of_type("systolic")
    if engine is None:
        return "-", "-"
    buffer, port = (machine.memory(name or "") for name in (engine.buffer, engine.port))
    rate = f" at {units.size(port.bandwidth_bytes_per_second)}/s" if port.bandwidth_bytes_per_second else ""
    return units.size(buffer.size_bytes), f"{units.size(port.size_bytes)} {port.technology}{rate}"


def _cascades() -> list[Cascade]:
    from archmodel.load import list_cascades, load_cascade

    return [load_cascade(name) for name in list_cascades()]


def _plain_cascades() -> dict[str, Any]:
    from archmodel.records.base import to_plain

    return {cascade.name: to_plain(cascade) for cascade in _cascades()}


def _cascade_table() -> str:
    from archmodel.cascade.passes import passes

    from ..report.grid import grid, lines

    rows = [[cascade.name, str(len(cascade.equations)), str(passes(cascade, "m").count), ", ".join(cascade.outputs),
             " ".join(f"{rank}={extent}" for rank, extent in cascade.ranks)] for cascade in _cascades()]  # fmt: skip
    notes = [("passes", "over the keys, rank m; archmodel passes CASCADE has every rank"),
             ("more", "extents are changed with --ranks; a YAML file of your own is as good as a name (docs/cascades.md)")]  # fmt: skip
    return grid(f"{len(rows)} cascades", ("cascade", ">Einsums", ">passes", "results", "extents"), rows) + "\n" + lines(notes)


def _plain_studies() -> dict[str, str]:
    from ..studies.record import studies

    return studies()


def _study_table() -> str:
    from ..report.grid import lines

    found = _plain_studies()
    return f"{len(found)} studies\n\n{lines(list(found.items()))}"
