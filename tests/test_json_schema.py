"""The JSON Schema accepts what the reader accepts, and both refuse what is wrong within one file."""

from __future__ import annotations

import copy
import functools
import random
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import archmodel.records.engines
from archmodel.json_schema import machine_schema
from archmodel.keys import SECTIONS, TOP, engine_keys, memory_keys, technologies
from archmodel.load import PRESETS, list_machines, machine_from_yaml, plain_from_yaml, read_yaml
from archmodel.records.base import SpecError
from archmodel.records.machine import engine_types
from tests.small import SMALL

SCHEMA = machine_schema()
README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
OVER = "base: edge-npu\n"


def passes(text: str) -> bool:
    valid: bool = Draft202012Validator(SCHEMA).is_valid(plain_from_yaml(text))
    return valid


def reads(text: str) -> bool:
    try:
        machine_from_yaml(text)
    except SpecError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", list_machines())
def test_every_preset_is_valid(name: str) -> None:
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(read_yaml(PRESETS / f"{name}.yaml"))] == []


def test_the_readme_s_machines_are_valid() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert blocks
    assert all(passes(block) and reads(block) for block in blocks)


RIGHT = {
    "written out": SMALL,
    "a number as text": SMALL + "source: 2017\n",
    "without spaces": SMALL.replace("64 KiB", "64KiB"),
    "exponent": SMALL.replace("1 GHz", "1e9 Hz"),
    "part of an engine": OVER + "engines: {array: {rows: 32, cols: 32}}\n",
    "removed": OVER + "engines: {vector: }\n",
    "removed section": OVER + "engines:\n",
    "default again": OVER + "memories: {dram: {latency: }}\n",
    "other type": OVER + "engines: {array: {type: vector, clock: core, port: dram, lanes: 2, port_bytes: 4}}\n",
    "devices": "node: 7 nm\ndevices: {left: {base: edge-npu, clock: 500 MHz}, right: {base: edge-npu}}\n"
               "links: {bridge: {ends: [left, right], bandwidth: 10 GB/s, latency: 1 us}}\n",
}  # fmt: skip


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_both_accept(text: str) -> None:
    assert reads(text)
    assert passes(text)


WRONG = {
    "list": "[1]",
    "no node": SMALL.replace("node: 16 nm\n", ""),
    "unknown key": SMALL + "color: red\n",
    "unknown key over a base": OVER + "color: red\n",
    "unknown key of a memory": SMALL.replace("bandwidth", "bandwith"),
    "unknown key of an engine": SMALL.replace("rows: 8", "rows: 8, lanes: 3"),
    "unknown key of an engine over a base": OVER + "engines: {array: {rwos: 3}}\n",
    "no unit": SMALL.replace("64 KiB", "64"),
    "bare number over a base": OVER + "clock: 800\n",
    "unit of another quantity": SMALL.replace("64 KiB", "64 GHz"),
    "unknown unit": SMALL.replace("64 KiB", "64 KB"),
    "negative": SMALL.replace("64 KiB", "-64 KiB"),
    "unknown type": SMALL.replace("systolic", "systolik"),
    "no type": SMALL.replace("type: systolic, ", ""),
    "no rows": SMALL.replace("rows: 8, ", ""),
    "no buffer": SMALL.replace("buffer: buffer, ", ""),
    "no port": SMALL.replace("port: dram, ", ""),
    "no size": SMALL.replace("size: 1 GiB, ", ""),
    "too few rows": SMALL.replace("rows: 8", "rows: 1"),
    "too many rows": SMALL.replace("rows: 8", "rows: 512"),
    "rows with a fraction": SMALL.replace("rows: 8", "rows: 8.5"),
    "count of none": SMALL.replace("rows: 8", "rows: 8, count: 0"),
    "unknown dataflow": SMALL.replace("rows: 8", "rows: 8, dataflows: [wz]"),
    "dataflows no list": SMALL.replace("rows: 8", "rows: 8, dataflows: ws"),
    "three shares": SMALL.replace("rows: 8", "rows: 8, buffer_split: [1, 1, 1]"),
    "share of none": SMALL.replace("rows: 8", "rows: 8, buffer_split: [1, 1, 1, 0]"),
    "unknown word": SMALL.replace("rows: 8", "rows: 8, overflow: warp"),
    "unknown technology": SMALL.replace("lpddr4", "lpddr9"),
    "name with a space": SMALL.replace("buffer: {", "buf fer: {").replace("buffer: buffer", "buffer: dram"),
    "null without a base": SMALL + "links:\n",
    "clock and clocks": SMALL + "clocks: {core: 2 GHz}\n",
    "clock as a mapping": SMALL.replace("1 GHz", "{core: 1 GHz}"),
    "base of nothing": "base:\n",
    "base as a list": "base: [edge-npu]\n",
    "one end": OVER + "links: {bridge: {ends: [left], bandwidth: 10 GB/s, latency: 1 us}}\n",
    "device without node": "node: 7 nm\ndevices: {left: {clock: 1 GHz}}\n",
    "unknown key of a device": "node: 7 nm\ndevices: {left: {base: edge-npu, clok: 1 GHz}}\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_both_refuse(text: str) -> None:
    assert text not in (SMALL, OVER)
    assert not reads(text)
    assert not passes(text)


MINE = {"base": "edge-npu", "clock": "800 MHz", "engines": {"array": {"rows": 32, "cols": 32}}, "memories": {"dram": {"size": "8 GiB"}}}
TWO = {"node": "7 nm", "devices": {"l": {"base": "edge-npu", "clock": "1 MHz"}, "r": {"base": "cloud", "engines": {"vector": None}}}}
VALUES = (None, 0, 1, 2, 8, 16, 257, -1, 2.5, 2017, "x", "core", "dram", "1 GHz", "64 KiB", "8 GB/s", "0 s", " 7 nm ", "+2e9 Hz", ".5 GHz",
          "ws", ["ws"], ["os", "is"], [1, 1, 1, 1], {}, [], "systolic", "vector", "sram", "lpddr4", "refuse", "edge-npu")  # fmt: skip
KEYS = (*TOP, *SECTIONS, *memory_keys(), *engine_keys("systolic"), "lanes", "core", "array", "dram", "elsewhere")


def changed(data: Any, draw: random.Random) -> Any:
    """The same with one or two parts removed, replaced or added."""
    data = copy.deepcopy(data)
    for _ in range(draw.randint(1, 2)):
        part = data
        while isinstance(deeper := part[draw.choice(list(part))], dict) and deeper and draw.random() < 0.7:
            part = deeper
        key = draw.choice([*part, draw.choice(KEYS)])
        if key in part and len(part) > 1 and draw.random() < 0.3:
            del part[key]
        else:
            part[key] = copy.deepcopy(draw.choice(VALUES))
    return data


@functools.cache
def accepted() -> tuple[Any, ...]:
    """Of 800 descriptions at random those that the reader accepts."""
    draw = random.Random(3)
    seeds = [*(read_yaml(PRESETS / f"{name}.yaml") for name in list_machines()), MINE, MINE, TWO]
    texts = [yaml.safe_dump(changed(draw.choice(seeds), draw)) for _ in range(800)]
    return tuple(plain_from_yaml(text) for text in texts if reads(text))


def marked(schema: Any) -> list[Any]:
    """What an editor marks although it is right."""
    return [data for data in accepted() if not Draft202012Validator(schema).is_valid(data)]


def test_no_editor_marks_what_is_right() -> None:
    assert 80 < len(accepted()) < 720
    assert marked(SCHEMA) == []


@pytest.mark.parametrize("fault", ["a key forgotten", "a bound too narrow", "null refused"])
def test_a_schema_that_is_wrong_is_seen(fault: str) -> None:
    wrong = copy.deepcopy(SCHEMA)
    if fault == "a key forgotten":
        del wrong["$defs"]["systolic-whole"]["properties"]["outstanding"]
    elif fault == "a bound too narrow":
        wrong["$defs"]["vector-whole"]["properties"]["lanes"]["maximum"] = 16
    else:
        engines = wrong["$defs"]["over"]["properties"]["engines"]["patternProperties"]
        engines.update({name: item["anyOf"][0] for name, item in engines.items()})
    assert marked(wrong)


READER_ONLY = {
    "name that is nowhere": SMALL.replace("port: dram", "port: dran"),
    "beat that divides no word": SMALL.replace("port_bytes: 8", "port_bytes: 5"),
    "buffer that holds no tile": SMALL.replace("64 KiB", "1 KiB"),
    "above the greatest": SMALL.replace("1 GHz", "2000 GHz"),
    "base that is not there": "base: edge-nup\n",
    "DRAM as a buffer": SMALL.replace("technology: sram", "technology: ddr4"),
    "empty section over a base's": OVER + "engines: {}\n",
}


@pytest.mark.parametrize("text", READER_ONLY.values(), ids=READER_ONLY)
def test_what_a_schema_of_one_file_cannot_see(text: str) -> None:
    """Kept as a list, so that the page on the schema says no more than is so."""
    assert not reads(text)
    assert passes(text)


def test_every_key_of_every_engine_type_is_described() -> None:
    for kind in engine_types():
        assert all(key.meaning for key in engine_keys(kind).values()), kind
        properties = SCHEMA["$defs"][f"{kind}-whole"]["properties"]
        assert {name: key.meaning for name, key in engine_keys(kind).items()} == {
            name: part["description"] for name, part in properties.items()
        }


def test_technologies_are_those_of_the_cost_table() -> None:
    memory = SCHEMA["$defs"]["whole"]["properties"]["memories"]["patternProperties"]
    assert next(iter(memory.values()))["properties"]["technology"]["enum"] == list(technologies())


def test_a_new_engine_type_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.py").write_text(
        textwrap.dedent("""\
        from dataclasses import dataclass
        from fractions import Fraction
        from typing import Annotated
        from archmodel.records.base import Within


        @dataclass(frozen=True)
        class Params:
            '''What is said of it.

            share   of the whole,
                    as a fraction
            speed  in steps
            '''
            share: Fraction
            speed: Annotated[int, Within(2, 5)] = 3
            on: bool = True
            label: str | None = None
        """)
    )
    monkeypatch.setattr(archmodel.records.engines, "__path__", [*archmodel.records.engines.__path__, str(tmp_path)])
    properties = machine_schema()["$defs"]["toy-whole"]["properties"]
    assert properties["share"]["description"] == "of the whole, as a fraction"
    assert properties["speed"] == {"description": "in steps", "type": "integer", "minimum": 2, "maximum": 5, "default": 3}
    assert properties["on"] == {"description": "", "type": "boolean", "default": True}
    assert machine_schema()["$defs"]["toy-whole"]["required"] == ["type", "clock", "share"]
