"""An AccelForge architecture to a machine of one plain engine.

An action moves ``bits_per_action`` bits, 1 unless it says more, so a word here has as many.  Energies are in joules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from archmodel.records.engines.plain import Axis, Level, Params
from archmodel.records.machine import Machine

from .accelforge_work import Sets
from .estimates import access_pj, multiply_add_pj
from .fields import Field
from .result import machine_of

NODE_NM = 7
"""AccelForge's machines name none that a machine here could take."""
MAC_BITS = 8
LARGEST_JOULES = Fraction(1, 1000)
"""Of an action; energies above it are in no unit, and taken for picojoules."""


@dataclass
class Arch:
    """What becomes of components: ``axes`` by (component, axis' name there); ``homes`` are tensors that live in the outermost level."""

    machine: Machine
    axes: dict[tuple[str, str], Axis]
    homes: set[str] = field(default_factory=set)


def arch_of(top: Field, sets: Sets | None, name: str) -> Arch:
    """Raises SpecError where a component has no energy, or where there is more than one outermost memory."""
    nodes = top.need("nodes", "a list of nodes").items()
    actions = {id(node.node): _actions(node) for node in nodes}
    unit = _unit(actions.values())
    computes = [node for node in nodes if node.node.tag == "Compute"]
    if not computes:
        raise top.wrong("found no !Compute, expected one")
    compute = actions[id(computes[-1].node)].get("compute")
    hz = _rate(compute) or Fraction(10**9)
    levels: list[Level] = []
    axes: dict[tuple[str, str], Axis] = {}
    waiting: list[Axis] = []
    for node in nodes:
        if node.node.tag not in ("Memory", "Compute", "Container", "Fanout"):
            raise node.wrong(f"found the tag {node.node.tag or 'none'}, expected Memory, Container or Compute: one chain of components")
        if node.node.tag == "Compute" and node is not computes[-1]:
            node.refused("a machine has one kind of compute unit; the innermost stands for it")
            continue
        label = node.need("name", "a name")
        label.translated("engines.array.levels")
        found = {part.need("name", "a name").text(): _axis(node, part, axes) for part in _list(node.get("spatial"))}
        axes |= {(label.text(), key): axis for key, axis in found.items()}
        waiting += found.values()
        if node.node.tag == "Memory" or node is computes[-1]:
            if waiting and not levels:
                raise node.wrong("found it many times outside of every memory, expected one outermost memory")
            if waiting:
                levels[-1] = replace(levels[-1], axes=tuple(waiting))
                waiting = []
        if node.node.tag == "Memory":
            levels.append(_level(node, actions[id(node.node)], unit, hz, sets, outermost=not levels))
    for key, part in computes[-1].fields().items():
        _uncounted(key, part)
    params = Params(tuple(levels), _compute_pj(computes[-1], compute, unit))
    return Arch(machine_of(name, NODE_NM, int(hz), params, "AccelForge"), axes)


def _compute_pj(node: Field, action: Field | None, unit: Fraction) -> Fraction:
    if action is None or action.get("energy") is None:
        said = f"a multiply-add of {MAC_BITS} bits at {NODE_NM} nm by this project's costs"
        node.need("component_class", "a class").approximated(said)
        return multiply_add_pj(MAC_BITS, NODE_NM)
    return action.need("energy", "an energy").number() * unit


def _list(part: Field | None) -> list[Field]:
    return part.items() if part else []


def _axis(node: Field, part: Field, axes: dict[tuple[str, str], Axis]) -> Axis:
    label, fanout = part.need("name", "a name"), part.need("fanout", "a number of instances")
    owner = node.need("name", "a name").text()
    taken = {axis.name for axis in axes.values()}
    own = label.text() if label.text() not in taken else f"{owner}_{label.text()}"
    label.translated(f"axis {own}")
    fanout.translated("the size of an axis")
    for key, rule in part.fields().items():
        if key in ("may_reuse", "reuse"):
            rule.refused("which tensors must, or may, be shared on an axis is not kept: all may")
        elif key not in ("name", "fanout"):
            rule.refused("a constraint of AccelForge's search; constraints here are a file of their own")
    return Axis(own, fanout.whole(1, 1 << 20))


def _actions(node: Field) -> dict[str, Field]:
    """The actions of a memory or compute, by name."""
    if node.node.tag not in ("Memory", "Compute"):
        return {}
    wanted = ("compute",) if node.node.tag == "Compute" else ("read", "write")
    found = {}
    given = node.get("actions")
    for action in given.items() if given else ():
        label = action.need("name", "a name")
        found[label.text()] = action
        if label.text() in wanted:
            label.translated("an action's energy and rate")
        else:
            action.refused("an action that is not counted here")
    for name in wanted:
        if (name not in found or found[name].get("energy") is None) and node.get("component_class") is None:
            raise node.wrong(f"found no energy of {name}, expected actions with an energy each, or a component_class")
    return found


def _modelled(actions: dict[str, Field], *names: str) -> bool:
    """Whether a component model, which is not run, would give an energy."""
    return any(name not in actions or actions[name].get("energy") is None for name in names)


def _unit(actions: Iterable[dict[str, Field]]) -> Fraction:
    """Picojoules of one of the file's units of energy."""
    energies = [action.need("energy", "an energy") for found in actions for action in found.values() if action.get("energy")]
    plain = any(energy.number() > LARGEST_JOULES for energy in energies)
    for energy in energies:
        if plain:
            energy.approximated("taken for pJ: an action of more than a millijoule is in no unit")
        else:
            energy.translated("pJ")
    return Fraction(1) if plain else Fraction(10**12)


def _level(node: Field, actions: dict[str, Field], unit: Fraction, hz: Fraction, sets: Sets | None, outermost: bool) -> Level:
    read, write = actions.get("read"), actions.get("write")
    bits = _bits(read)
    words = _words(node.get("size"), bits, outermost)
    if read is None or write is None or _modelled(actions, "read", "write"):
        read_pj, write_pj, said = access_pj(None if words is None else max(1, words * bits // 8), bits, NODE_NM)
        node.need("component_class", "a class").approximated(f"the energies of {said} at {NODE_NM} nm by this project's costs")
    else:
        read_pj, write_pj = (action.need("energy", "an energy").number() * unit * bits / _bits(action) for action in (read, write))
    rates = [None if (rate := _rate(action)) is None else rate * _bits(action) / bits / hz for action in (read, write)]
    held, bypass = _held(node, sets)
    for key, part in node.fields().items():
        _uncounted(key, part)
    name = node.need("name", "a name").text()
    return Level(name, read_pj, write_pj, words, bits, None, rates[0], rates[1], () if outermost else held, bypass)


def _uncounted(key: str, part: Field) -> None:
    if key in ("leak_power", "area"):
        part.refused("leakage and area are not taken from a description of levels")
    elif key in ("enabled", "total_latency"):
        part.refused("an expression that is not executed")


def _bits(action: Field | None) -> int:
    bits = action.get("bits_per_action") if action else None
    if bits is None:
        return 1
    bits.translated("word_bits")
    return bits.whole(1, 1 << 16)


def _rate(action: Field | None) -> Fraction | None:
    """Actions a second; None where there is no bound."""
    if action is None:
        return None
    rate = action.get("throughput")
    if (latency := action.get("latency")) is not None:
        latency.refused("a latency of an action; its throughput is kept")
    if rate is None or rate.text() in ("inf", ".inf"):
        if rate is not None:
            rate.translated("no bandwidth: unbounded")
        return None
    if rate.number() <= 0:
        raise rate.wrong(f"found {rate.node.shown()}, expected actions a second above 0")
    rate.translated("bandwidth, clock")
    return rate.number()


def _words(size: Field | None, bits: int, outermost: bool) -> int | None:
    if size is None:
        return None
    if size.text() in ("inf", ".inf"):
        size.translated("no words: unbounded")
        return None
    if any(char.isalpha() and char not in "eE" for char in size.text()):
        size.refused("an expression that is not executed; unbounded here")
        return None
    words = size.number() / bits
    if words < 1:
        raise size.wrong(f"found {size.node.shown()}, expected room for one action of {bits} bits")
    if words.denominator == 1:
        size.translated("words")
    else:
        size.approximated(f"rounded down to whole words of {bits} bits")
    return int(words)


def _held(node: Field, sets: Sets | None) -> tuple[tuple[str, ...], bool]:
    """What a level holds (nothing named: all), and whether a tensor may skip it."""
    given = node.get("tensors")
    if given is None:
        return (), True
    known = {}
    for key, part in given.fields().items():
        found = sets.of(part.text()) if sets and key in ("keep", "may_keep") else None
        if found is None:
            part.refused("no set of tensors that can be read without executing it" if key in ("keep", "may_keep") else
                         "a constraint of AccelForge's search; constraints here are a file of their own")  # fmt: skip
        else:
            known[key] = found
            part.translated("holds, bypass")
    if sets is None:
        return (), True
    keep, may = known.get("keep", frozenset()), known.get("may_keep", frozenset() if "keep" in known else sets.everything)
    sets.known[node.need("name", "a name").text()] = keep
    may |= keep
    if 0 < len(keep) < len(may):
        given.approximated("a tensor that must be kept may be skipped too, as others may")
    return () if may == sets.everything else tuple(sorted(may)), keep != may
