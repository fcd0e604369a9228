"""Descriptions of other mappers, read into this project's: ``translate`` finds out whose files they are and asks its reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from archmodel.load import load_foreign
from archmodel.records.base import SpecError

from .fields import Field, Ledger
from .result import Imported
from .templates import rendered

FORMATS = ("timeloop", "accelforge", "zigzag")
MOST_FILES = 32


def translate(files: Sequence[Path], name: str = "imported") -> Imported:
    """What files of one format describe together, with what became of each of their fields.

    Raises SpecError, which names file, line and key, where they can't be read as that format.
    """
    if not 1 <= len(files) <= MOST_FILES:
        raise SpecError(f"archmodel import: found {len(files)} files, expected 1 to {MOST_FILES}")
    ledger = Ledger()
    roots = [Field(load_foreign(path, rendered), "", ledger) for path in files]
    found = {str(path): _format(root, path) for path, root in zip(files, roots, strict=True)}
    if len(formats := set(found.values()) - {""}) != 1:
        said = ", ".join(f"{file}: {kind or 'any'}" for file, kind in found.items())
        raise SpecError(f"archmodel import: found {said}, expected files of one of {', '.join(FORMATS)}")
    reader = import_module(f".{formats.pop()}", __package__)
    _no_key_twice(roots)
    imported = _read(reader, roots, name, files)
    return replace(imported, entries=ledger.close(roots))


def _read(reader: ModuleType, roots: Sequence[Field], name: str, files: Sequence[Path]) -> Imported:
    try:
        imported: Imported = reader.read(roots, name)
    except SpecError as error:
        if any(str(error).startswith(str(path)) for path in files):
            raise
        raise SpecError(f"{', '.join(map(str, files))}: {error}") from error  # what a record refuses knows no file
    return imported


def _format(root: Field, path: Path) -> str:
    """Whose file it is; empty where it may be anybody's."""
    if isinstance(root.node.value, dict):
        keys = set(root.node.value)
        if keys & {"architecture", "problem", "ERT", "compound_components"}:
            return "timeloop"
        if keys & {"arch", "workload", "einsums"}:
            return "accelforge"
        if keys & {"memories", "operational_array"}:
            return "zigzag"
        if keys & {"mapping", "variables", "mapper", "renames"}:
            mapping = root.get("mapping")
            return "" if mapping is None else "accelforge" if mapping.get("nodes") else "timeloop"
    if isinstance(root.node.value, list) and root.items() and isinstance(root.items()[0].node.value, dict):
        first = root.items()[0].fields()
        if {"operator_type", "equation", "spatial_mapping", "memory_operand_links"} & set(first):
            return "zigzag"
    raise SpecError(f"{path}: found no key of {', '.join(FORMATS)}, expected an architecture, a workload or a mapping of one of them")


def _no_key_twice(roots: Sequence[Field]) -> None:
    seen: dict[str, str] = {}
    for root in roots:
        for key, part in root.fields().items() if isinstance(root.node.value, dict) else ():
            if key in seen:
                raise part.wrong(f"found it again, expected it in one file (first at {seen[key]})")
            seen[key] = part.node.key_place
