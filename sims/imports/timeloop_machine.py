"""A Timeloop v4 architecture and its energies to a machine of one plain engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from archmodel.records.engines.plain import Axis, Level, Params
from archmodel.records.machine import Machine

from .estimates import access_pj, multiply_add_pj
from .fields import Field
from .result import machine_of
from .work import tensor_name

NODE_NM = 45
"""Where the source names no technology."""
_RANGE = re.compile(r"(.*?)\[(\d+)\.\.(\d+)\]")
_DUMMY = "dummy_storage"


@dataclass
class Part:
    """A component on the way from the outermost memory to compute: a level, a fan-out alone, or compute; ``skips`` what it lets past,
    ``made_of`` its class."""

    name: str
    kind: str
    attributes: dict[str, Field]
    spatial: tuple[int, int]
    axes: list[Axis] = field(default_factory=list)
    skips: frozenset[str] = frozenset()
    made_of: Field | None = None



def parts_of(architecture: Field) -> list[Part]:
    """The components from the outermost memory to compute, which is the last."""
    version = architecture.get("version")
    if version is not None:
        if version.text() not in ("0.4", "0.3"):
            raise version.wrong(f"found {version.node.shown()}, expected 0.4")
        version.translated("the format's version")
    written = architecture.get("nodes")
    found = list(_written(written) if written else _dumped(architecture.need("subtree", "nodes or subtree"), (1, 1)))
    if sum(part.kind == "level" for part in found) < 2 or found[-1].kind != "level":
        raise architecture.wrong("found no memory with compute as the last component, expected both")
    found[-1].kind = "compute"
    return found


def _written(nodes: Field) -> Iterator[Part]:
    """Components in a user's file: each container's and component's ``spatial`` fans out above it."""
    for node in nodes.items():
        if node.node.tag not in ("Container", "Component", "Parallel", "Hierarchical", "Nothing", ""):
            raise node.wrong(f"found the tag {node.node.tag}, expected Container or Component")
        if node.node.tag in ("Parallel", "Hierarchical"):
            raise node.wrong(f"found !{node.node.tag}, expected one chain of containers and components")
        spatial = node.get("spatial")
        mesh = (1, 1) if spatial is None else (_mesh(spatial, "meshX"), _mesh(spatial, "meshY"))
        if node.node.tag == "Container":
            yield _part(node, "fanout", mesh)
        else:
            yield _part(node, "", mesh)


def _mesh(spatial: Field, key: str) -> int:
    size = spatial.get(key)
    if size is None:
        return 1
    size.translated("the sizes of axes")
    return size.whole()


def _dumped(level: Field, outside: tuple[int, int]) -> Iterator[Part]:
    """Components as the front end dumps them: instances in all, of which those outside are a part."""
    for tree in level.items():
        for key in ("name", "attributes"):
            if part := tree.get(key):
                part.refused("the name of a container, which a machine of levels has none of") if key == "name" else _technology_kept(part)
        local = tree.get("local")
        for node in local.items() if local else []:
            attributes = node.need("attributes", "attributes").fields()
            mesh = tuple(attributes[key].whole() if key in attributes else 1 for key in ("meshX", "meshY"))
            grown = mesh[0] // outside[0], mesh[1] // outside[1]
            for key in ("meshX", "meshY"):
                if key in attributes:
                    attributes[key].translated("the sizes of axes")
            yield _part(node, "", grown)
            if node.get("class") is None or node.need("class", "a class").text() != _DUMMY:
                outside = mesh[0], mesh[1]
        inner = tree.get("subtree")
        if inner:
            yield from _dumped(inner, outside)


def _technology_kept(attributes: Field) -> None:
    for key, part in attributes.fields().items():
        if key in ("technology", "global_cycle_seconds"):
            part.translated("node, clock")


def _part(node: Field, kind: str, mesh: tuple[int, int]) -> Part:
    name = node.need("name", "a name")
    plain = _RANGE.fullmatch(name.text())
    name.translated("engines.array.levels")
    what = node.get("class")
    if not kind:
        if what is None:
            raise node.wrong("found no class, expected one such as SRAM or intmac")
        kind = "fanout" if what.text() == _DUMMY else "level"
        what.translated("a level, a fan-out alone or, the last one, compute")
    attributes, given = node.get("attributes"), node.get("constraints")
    return Part(plain[1] if plain else name.text(), kind, attributes.fields() if attributes else {}, mesh, skips=_skips(given),
                made_of=what)  # fmt: skip


def _skips(given: Field | None) -> frozenset[str]:
    """Tensors that a component's constraints let past; they count where a mapping doesn't say itself what is kept."""
    spaces = given.get("dataspace") if given else None
    if given is None or spaces is None:
        return frozenset()
    bypass = spaces.get("bypass")
    if bypass is None:
        return frozenset()
    bypass.approximated("what a mapping skips where it says nothing itself; constraints of a search are a file of their own")
    return frozenset(tensor_name(item.text()) for item in bypass.items())


def costs_of(table: Field) -> dict[str, dict[str, Field]]:
    """The energies of actions, by the component's own name: the fields of an ERT."""
    found: dict[str, dict[str, Field]] = {}
    if (version := table.get("version")) is not None:
        version.translated("the format's version")
    for row in table.need("tables", "tables").items():
        name = row.need("name", "a name")
        bare = name.text().rpartition(".")[2] if ".." not in name.text() else _RANGE.sub(r"\1", name.text()).rpartition(".")[2]
        name.translated("engines.array.levels")
        found[bare] = {}
        for action in row.need("actions", "actions").items():
            label = action.need("name", "a name")
            if label.text() == "leak":
                action.refused("leakage is not counted")
            elif label.text() in ("read", "write", "update", "compute"):
                found[bare][label.text()] = action.need("energy", "an energy in pJ")
                label.translated("an action's energy")
            else:
                action.refused("an action that is not counted here")
            if (arguments := action.get("arguments")) is not None:
                arguments.refused("arguments of the estimate, which is done")
    return found


Costs = dict[str, dict[str, Field]] | None
"""Energies by component and action; None where no ERT is given."""


def machine(top: Field, parts: list[Part], costs: Costs, name: str) -> Machine:
    """Raises SpecError where an ERT lacks a level or compute, or where there is more than one outermost memory."""
    levels: list[Level] = []
    axes: list[Axis] = []
    memories = [part for part in parts if part.kind == "level"]
    bits = _word(memories[0], "datawidth")
    mac_pj, node_nm = Fraction(0), _node_nm(top, parts)
    for part in parts:
        part.axes = [Axis(f"{part.name}_{axis}", size) for axis, size in zip("xy", part.spatial, strict=True) if size > 1]
        axes += part.axes
        if part.kind == "fanout":
            continue
        if axes and not levels:
            raise top.wrong(f"found {part.name} many times outside of every memory, expected one outermost memory")
        if axes:
            levels[-1] = replace(levels[-1], axes=tuple(axes))
            axes = []
        if part.kind == "compute":
            mac_pj = _compute_pj(top, part, costs, bits, node_nm)
            _ignore(part.attributes)
            break
        levels.append(_level(top, part, costs, bits, node_nm, outermost=not levels))
    return machine_of(name, node_nm, _hz(top, parts), Params(tuple(levels), mac_pj, counting="timeloop"), "Timeloop v4")


def _compute_pj(top: Field, part: Part, costs: Costs, bits: int, node_nm: int) -> Fraction:
    if costs is None:
        if part.made_of is not None:
            part.made_of.approximated(f"without an ERT a multiply-add of {bits} bits at {node_nm} nm by this project's costs")
        return multiply_add_pj(bits, node_nm)
    energy = _energy(top, part, costs, "compute")
    energy.translated("engines.array.mac_pj")
    return energy.number()


def _access_pj(top: Field, part: Part, costs: Costs, width: int, node_nm: int) -> tuple[Fraction, Fraction]:
    """pJ of an action that reads, and of one that writes."""
    if costs is None:
        depth = part.attributes.get("depth")
        read_pj, write_pj, said = access_pj(None if depth is None else max(1, depth.whole() * width // 8), width, node_nm)
        if part.made_of is not None:
            part.made_of.approximated(f"without an ERT the energies of {said} at {node_nm} nm by this project's costs")
        return read_pj, write_pj
    read, write = (_energy(top, part, costs, action) for action in ("read", "write"))
    for energy in (read, write):
        energy.translated(f"engines.array.levels.{part.name}")
    update = costs[part.name].get("update")
    if update is not None:
        same = update.number() == write.number()
        update.translated("write_pj") if same else update.approximated(f"counted as a write, which takes {write.text()} pJ")
    return read.number(), write.number()


def _level(top: Field, part: Part, costs: Costs, bits: int, node_nm: int, outermost: bool) -> Level:
    own = _word(part, "datawidth")
    width = _word(part, "width", own)
    block = Fraction(width, own)
    read_pj, write_pj = _access_pj(top, part, costs, width, node_nm)
    words = None
    if (depth := part.attributes.get("depth")) is not None and not outermost:
        depth.translated("words = depth x width / datawidth")
        words = int(depth.whole() * block)
    shared, reading, writing = (_rate(part, key) for key in ("shared_bandwidth", "read_bandwidth", "write_bandwidth"))
    if buffers := part.attributes.get("multiple_buffering"):
        buffers.translated("buffering") if buffers.number() == 1 else buffers.refused("a share of room for next tiles has no counterpart")
    _ignore(part.attributes)
    if shared is not None:
        reading = writing = None
    return Level(part.name, read_pj / block, write_pj / block, words, bits, shared, reading, writing, bypass=True)


def _rate(part: Part, key: str) -> Fraction | None:
    rate = part.attributes.get(key)
    if rate is None or rate.text() == "inf" or rate.number() <= 0:
        return None
    rate.translated(key)
    return rate.number()


def _word(part: Part, key: str, default: int | None = None) -> int:
    word = part.attributes.get(key)
    if word is None:
        return 8 if default is None else default
    word.translated("word_bits, and the scalars of an action")
    return word.whole(1, 1 << 16)


def _energy(top: Field, part: Part, costs: dict[str, dict[str, Field]], action: str) -> Field:
    """The field of an energy.  Raises SpecError where the ERT has none."""
    found = costs.get(part.name, {}).get(action)
    if found is None:
        raise top.wrong(f"found no energy of {part.name}: {action}, expected it in the ERT")
    return found


def _ignore(attributes: dict[str, Field]) -> None:
    """What only an estimate of energy or area needs, which the ERT holds already."""
    known = {"width", "datawidth", "depth", "read_bandwidth", "write_bandwidth", "shared_bandwidth", "meshX", "meshY", "technology",
             "global_cycle_seconds", "multiple_buffering"}  # fmt: skip
    for key, part in attributes.items():
        if key not in known:
            part.refused("a parameter of the estimate, or a rule of Timeloop's that has no counterpart")


def _node_nm(top: Field, parts: list[Part]) -> int:
    """The first technology that is a length; what names another is refused."""
    found = 0
    for part in _attributes(top, parts, "technology"):
        size = re.fullmatch(r"(\d{1,4})\s*nm", part.text())
        if size and found in (0, int(size[1])):
            found = int(size[1])
            part.translated("node")
        else:
            part.refused(f"a machine has one node; {found or NODE_NM} nm stands for it")
    return found or NODE_NM


def _hz(top: Field, parts: list[Part]) -> int:
    for part in _attributes(top, parts, "global_cycle_seconds"):
        part.translated("clocks.core")
        if (seconds := part.number()) > 0:
            return int(1 / seconds)
    return 10**9


def _attributes(top: Field, parts: list[Part], key: str) -> Iterator[Field]:
    for part in parts:
        if key in part.attributes:
            yield part.attributes[key]
