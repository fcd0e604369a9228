"""What an import gives: records of this project, what became of every field, and what counts otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.cascade import Cascade
from archmodel.records.engines.plain import Params
from archmodel.records.machine import Clock, Engine, Machine
from archmodel.records.mapping import Mapping

from .fields import Entry

ENGINE, CLOCK = "array", "core"


@dataclass(frozen=True)
class Imported:
    """``counts`` are sentences on how the source counts where this project can't."""

    format: str
    machine: Machine | None
    cascade: Cascade | None
    mapping: Mapping | None
    entries: tuple[Entry, ...] = ()
    counts: tuple[str, ...] = ()


def machine_of(name: str, node_nm: int, hz: int, params: Params, source: str) -> Machine:
    """A machine of one plain engine."""
    clock = Clock(CLOCK, max(1, hz))
    return Machine(name, node_nm, (clock,), (), (Engine(ENGINE, "plain", CLOCK, params),), source=source)
