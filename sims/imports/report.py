"""What an import prints: what became of the fields, how the source counts, and what its mapping costs here."""

from __future__ import annotations

from typing import Any

from archmodel.cascade.graph import graph_of
from archmodel.engines.plain.cost import Cost, cost_of
from archmodel.load import cascade_to_yaml, machine_to_yaml, record_to_yaml
from archmodel.located import one_line
from archmodel.records.base import SpecError

from .fields import APPROXIMATED, REFUSED, TRANSLATED, Entry
from .result import Imported

STATUSES = (TRANSLATED, APPROXIMATED, REFUSED)


def files(imported: Imported) -> dict[str, str]:
    """The text of each file that the import gives, by its name."""
    texts = {"machine.yaml": imported.machine and machine_to_yaml(imported.machine),
             "graph.yaml": imported.cascade and cascade_to_yaml(imported.cascade),
             "mapping.yaml": imported.mapping and record_to_yaml(imported.mapping)}  # fmt: skip
    return {name: text for name, text in texts.items() if text}


def costs(imported: Imported) -> list[Cost]:
    """What each tree of the mapping costs; nothing without one.  Raises SpecError where the machine refuses the mapping."""
    if imported.machine is None or imported.cascade is None or imported.mapping is None:
        return []
    graph, params = graph_of(imported.cascade), imported.machine.engines[0].params
    try:
        return [cost_of(graph, tree, params) for tree in imported.mapping.trees]
    except SpecError as error:
        raise SpecError(f"archmodel import: the mapping is no legal one here: {error}") from error


def plain(imported: Imported, found: list[Cost]) -> dict[str, Any]:
    """The import as JSON has it."""
    energy = {name: float(sum(dict(cost.energy_by)[name] for cost in found)) for name in (dict(found[0].energy_by) if found else ())}
    return {
        "format": imported.format,
        "fields": [{"place": entry.place, "key": entry.path, "value": entry.found, "status": entry.status, "said": entry.said}
                   for entry in imported.entries],
        "counted": {status: _number(imported, status) for status in STATUSES},
        "counting": imported.machine.engines[0].params.counting if imported.machine else None, "differences": list(imported.counts),
        "energy_pj": sum(energy.values()) if found else None, "energy_by_level": energy,
        "cycles": float(sum(cost.cycles for cost in found)) if found else None,
        "traffic": [{"level": row.level, "tensor": row.tensor, "reads": float(row.reads), "writes": float(row.writes)}
                    for cost in found for row in cost.traffic],
        "files": files(imported),
    }  # fmt: skip


def _number(imported: Imported, status: str) -> int:
    return sum(entry.status == status for entry in imported.entries)


def text(imported: Imported, found: list[Cost], every: bool) -> str:
    """One line a field that is approximated or refused, ``every``: of all; alike ones of a file together."""
    from ..report.grid import lines

    numbers = ", ".join(f"{_number(imported, status)} {status}" for status in STATUSES)
    shown = [entry for entry in imported.entries if every or entry.status != TRANSLATED]
    pairs = [("format", imported.format), ("fields", f"{len(imported.entries)}: {numbers}")]
    if imported.machine:
        pairs.append(("counting", imported.machine.engines[0].params.counting))
    pairs += [("differs", said) for said in imported.counts]
    if found:
        cycles = sum(cost.cycles for cost in found)
        pairs.append(("mapping", f"{float(sum(cost.energy_pj for cost in found)):,.2f} pJ, {float(cycles):,.6g} cycles, counted here"))
    return lines(pairs) + ("\n" if shown else "") + "".join(f"{line}\n" for line in _grouped(shown))


def _grouped(entries: list[Entry]) -> list[str]:
    """Entries of which the same is said, in the order of their first."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.status, entry.said), []).append(entry)
    return [f"{status:<12}  {_keys(group)}: {one_line(said)}" for (status, said), group in groups.items()]


def _keys(group: list[Entry]) -> str:
    """Where the first stands, its key and value, and the last parts of the other keys."""
    first, others = group[0], list(dict.fromkeys(entry.path for entry in group[1:]))
    more = ", ".join(others[:2]) + (f" and {len(others) - 2} more" if len(others) > 2 else "")
    return f"{first.place}: {first.path} = {first.found}" + (f" (and {more})" if others else "")
