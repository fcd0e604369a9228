"""The JSON Schema of a machine's description, for editors, made from the tables that the reader validates with.

A schema sees one file: what a description may leave to its base, it may leave out, and names of clocks and memories
are not looked up.  So the reader refuses more.  It accepts two things more: a number in quotes, and a name that YAML
takes for something else, such as ``on``.
"""

from __future__ import annotations

from typing import Any

from archmodel.forms import NAME, RECORD_NAME, Json
from archmodel.keys import CLOCK, FABRIC, FABRIC_MEANING, LINK, SECTIONS, TOP, Key, Nested, engine_keys, memory_keys
from archmodel.load import list_machines
from archmodel.records.machine import engine_types

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def machine_schema() -> Json:
    """JSON Schema (draft 2020-12) of one file.  ``whole`` stands alone; ``over`` lies over a base, where null removes."""
    return {
        "$schema": DIALECT,
        "title": "archmodel machine",
        "description": "A machine: clocks, memories, engines, links and devices, written out or laid over a base.",
        **_either("over", "whole"),
        "$defs": {
            **{f"{kind}-whole": _component(engine_keys(kind), False) for kind in engine_types()},
            **{f"{kind}-over": _component(engine_keys(kind), True) for kind in engine_types()},
            "whole": _machine(False),
            "over": _machine(True),
        },
    }


def _either(with_base: str, without: str) -> Json:
    return {"if": {"type": "object", "required": ["base"]}, "then": _ref(with_base), "else": _ref(without)}


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _machine(over: bool) -> Json:
    """A machine, whole or over a base; its devices have a choice of their own unless they too lie over something."""
    device = _ref("over") if over else _either("over", "whole")
    items = {"clocks": _property(CLOCK, False), "memories": _memory(over), "engines": _engine(over),
             "links": _component(LINK, over), "devices": device}  # fmt: skip
    sections = {name: _section(items[name], meaning, over) for name, meaning in SECTIONS.items()}
    joined = {"description": FABRIC_MEANING, **_component(FABRIC, over)}
    sections["fabric"] = _nullable(joined) if over else joined
    core = {"type": "object", "required": ["core"]}
    base = {"description": TOP["base"].meaning, "anyOf": [{"enum": list(list_machines())}, {"type": "string"}]}
    return {
        **_component(TOP, over, {"base": base, **sections}),
        # clock is short for clocks.core, so both at once contradict each other.
        "not": {"required": ["clock", "clocks"], "properties": {"clocks": core}},
    }


def _section(item: Json, meaning: str, over: bool) -> Json:
    named = _nullable(item) if over else item
    section = {"type": "object", "patternProperties": {f"^{NAME.pattern}$": named}, "additionalProperties": False}
    return {"description": meaning, **(_nullable(section) if over else section)}


def _component(keys: dict[str, Key], over: bool, more: Json | None = None) -> Json:
    properties = {name: _property(key, over) for name, key in keys.items()} | (more or {})
    needed = [] if over else [name for name, key in keys.items() if key.needed]
    return {"type": "object", "properties": properties, "additionalProperties": False, **({"required": needed} if needed else {})}


def _memory(over: bool) -> Json:
    return _component(memory_keys(), over)


def _engine(over: bool) -> Json:
    """An engine by its type; over a base the type may be left out, and then any type's keys are right."""
    kinds = engine_types()
    rules: list[Json] = [{"if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                          "then": _ref(f"{kind}-{'over' if over else 'whole'}")} for kind in kinds]  # fmt: skip
    schema: Json = {"type": "object", "properties": {"type": {"description": "engine type", "enum": list(kinds)}}, "allOf": rules}
    if not over:
        return {**schema, "required": ["type"]}
    properties: Json = {}
    for kind in kinds:
        for name, key in engine_keys(kind).items():
            properties.setdefault(name, []).append(_property(key, over))
    free = {"properties": {name: _any_of(found) for name, found in properties.items()}, "additionalProperties": False}
    rules.append({"if": {"not": {"required": ["type"]}}, "then": free})
    return schema


def _any_of(schemas: list[Json]) -> Json:
    different = [schema for place, schema in enumerate(schemas) if schema not in schemas[:place]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _property(key: Key, over: bool) -> Json:
    if isinstance(key.form, Nested):
        return _records(key.form, key.meaning, over)
    schema = key.form.schema()
    default = {} if key.default is None else {"default": key.default}
    return {"description": key.meaning, **(_nullable(schema) if over else schema), **default}


def _records(form: Nested, meaning: str, over: bool) -> Json:
    """Records by name; a bare value is the one field that a record needs."""
    whole = _component(form.keys, over)
    item = {"anyOf": [_property(form.keys[form.short], over), whole]} if form.short else whole
    named = {f"^{RECORD_NAME.pattern}$": _nullable(item) if over else item}
    records: Json = {"type": "object", "patternProperties": named, "additionalProperties": False}
    return {"description": meaning, **(_nullable(records) if over else records)}


def _nullable(schema: Json) -> Json:
    """The same, or null, which removes what the base has."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if "type" not in schema or "allOf" in schema or "not" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    types: Any = schema["type"]
    return {**schema, "type": [*(types if isinstance(types, list) else [types]), "null"]}
