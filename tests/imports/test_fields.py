"""No field is dropped silently: every leaf of every example is in the ledger once, and so is one that nobody knows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archmodel.records.base import SpecError
from sims.imports import translate
from sims.imports.fields import NOT_KNOWN
from sims.imports.report import costs, files
from sims.imports.templates import rendered
from tests.imports.helpers import EXAMPLES

SETS = {
    "timeloop": ("timeloop-conv1d-3level", "timeloop-conv1d-3level.ert"),
    "timeloop dumped": ("timeloop-conv1d-spatial", "timeloop-conv1d-3level.ert"),
    "timeloop alone": ("timeloop-conv1d-spatial",),
    "accelforge": ("accelforge-simple", "accelforge-two-matmuls", "accelforge-fused"),
    "accelforge spread": ("accelforge-at-mac", "accelforge-one-matmul", "accelforge-at-mac-mapping"),
    "zigzag": ("zigzag-tpu", "zigzag-gemm", "zigzag-tpu-mapping"),
    "zigzag open": ("zigzag-ascend", "zigzag-gemm", "zigzag-open-mapping"),
}
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
TRIES = 24
"""Damaged files of each set."""


def leaves(node: yaml.Node, path: str = "") -> Iterator[str]:
    """Paths of leaves, by PyYAML's own composer."""
    parts: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        own = [(key.value, value) for key, value in node.value if key.value != "<<"]
        laid = [pair for key, value in node.value if key.value == "<<" for pair in value.value]
        parts = own + [(key.value, value) for key, value in laid if key.value not in dict(own)]
    elif isinstance(node, yaml.SequenceNode):
        parts = [(str(number), value) for number, value in enumerate(node.value)]
    if not parts:
        yield path
    for key, value in parts:
        yield from leaves(value, f"{path}.{key}" if path else key)


def composed(text: str) -> yaml.Node:
    return yaml.compose(rendered(text, "text"), Loader=LOADER)


@pytest.mark.parametrize("case", SETS)
def test_every_leaf_is_in_the_ledger_once(case: str) -> None:
    paths = [EXAMPLES / f"{name}.yaml" for name in SETS[case]]
    wanted = Counter((str(path), leaf) for path in paths for leaf in leaves(composed(path.read_text())))
    entries = translate(paths).entries
    assert Counter((entry.place.rsplit(":", 2)[0], entry.path) for entry in entries) == wanted
    assert {entry.status for entry in entries} <= {"translated", "approximated", "refused"}
    assert all(entry.said for entry in entries)


@pytest.mark.parametrize("case", SETS)
def test_a_field_that_nobody_knows_is_refused(case: str, tmp_path: Path) -> None:
    """One new key in every mapping of every file."""
    paths = []
    for name in SETS[case]:
        node = composed((EXAMPLES / f"{name}.yaml").read_text())
        for mapping in mappings(node):
            mapping.value.append((yaml.ScalarNode("tag:yaml.org,2002:str", "unheard_of"), yaml.ScalarNode("tag:yaml.org,2002:int", "7")))
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(yaml.serialize(node, Dumper=DUMPER))
    try:
        entries = translate(paths).entries
    except SpecError as error:
        assert "unheard_of" in str(error)  # where a key is a name, such as an action's or a rank's
        return
    new = [entry for entry in entries if entry.path.endswith("unheard_of")]
    assert new and all(entry.status == "refused" for entry in new if entry.said == NOT_KNOWN)
    assert not any(entry.status == "translated" for entry in new)


def mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Mappings of fields; in those left out, keys are names of ranks, operands, memories or variables."""
    named = {"instance", "memories", "spatial_mapping", "memory_operand_links", "operand_precision", "iteration_space_shape",
             "bits_per_value", "renames"}  # fmt: skip
    if isinstance(node, yaml.MappingNode):
        yield node
        for key, value in node.value:
            if key.value in named and isinstance(value, yaml.MappingNode):
                for _, part in value.value:
                    yield from mappings(part)
            else:
                yield from mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from mappings(part)


@pytest.mark.parametrize("case", SETS)
def test_damaged_files_are_read_or_refused_in_lines(case: str, tmp_path: Path) -> None:
    """Values replaced by others that a field may not expect, keys taken away, parts swapped; seeds are the numbers of the tries."""
    for seed in range(TRIES):
        draw = random.Random(f"{case} {seed}")
        paths = [tmp_path / f"{name}.yaml" for name in SETS[case]]
        broken = draw.randrange(len(paths))
        for number, (path, name) in enumerate(zip(paths, SETS[case], strict=True)):
            node = composed((EXAMPLES / f"{name}.yaml").read_text())
            for _ in range(draw.choice((1, 1, 2, 4)) if number == broken else 0):
                damage(node, draw)
            path.write_text(yaml.serialize(node, Dumper=DUMPER))
        try:
            imported = translate(paths)
            costs(imported)
            files(imported)
        except SpecError as error:
            assert all(len(line) <= 1000 and line.isprintable() for line in str(error).split("\n")), (case, seed)


def damage(node: yaml.Node, draw: random.Random) -> None:
    """One change somewhere in a tree."""
    spots = list(places(node))
    if not spots:
        return
    holder, at = draw.choice(spots)
    if draw.random() < 0.2:
        del holder.value[at]
        return
    junk = ["", "0", "-1", "1e99", "9" * 40, "1/0", "x", "a b", "${X}", "~~", "[0]", "inf", "nan", "{{", "\x07", "ä" * 2000, "1*1*2"]
    value = draw.choice([scalar(draw.choice(junk)), yaml.SequenceNode("tag:yaml.org,2002:seq", []),
                         yaml.MappingNode("tag:yaml.org,2002:map", [(scalar("k"), scalar("v"))]), draw.choice(spots)[0]])  # fmt: skip
    if value is holder or any(value is inner for inner in within(holder)) or any(holder is inner for inner in within(value)):
        value = scalar("y")
    holder.value[at] = (holder.value[at][0], value) if isinstance(holder, yaml.MappingNode) else value


def scalar(text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text)


def places(node: yaml.Node) -> Iterator[tuple[Any, int]]:
    if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
        for at, part in enumerate(node.value):
            yield node, at
            yield from places(part[1] if isinstance(node, yaml.MappingNode) else part)


def within(node: yaml.Node) -> Iterator[yaml.Node]:
    for holder, at in places(node):
        yield holder
        part = holder.value[at]
        yield part[1] if isinstance(part, tuple) else part
