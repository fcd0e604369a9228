"""The state of emitted Verilog, read from its text: every register and every memory, by module."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

MODULES = re.compile(r"(?ms)^module (\w+)\b.*?^endmodule")
_DECLARED = re.compile(r"(?m)^  (?:output )?reg (?:\[(\d+):0\] )?(\w+)\b")
_ASSIGNED = re.compile(r"(?m)^\s*(?:always @\(posedge \w+\)\s*)?(?:if \(.*\)\s*)?(\w+) <= ")
_INSTANCE = re.compile(r"(?m)^  (archmodel_\w+) (?:#\(([^;]*?)\) )?(\w+) \($")
_PARAMETER = re.compile(r"\.(\w+)\(32'd(\d+)\)")


@dataclass(frozen=True)
class Register:
    name: str
    bits: int


@dataclass(frozen=True)
class Content:
    """One module: its registers, and (module, parameters, instance name) of what it instances."""

    registers: tuple[Register, ...]
    instances: tuple[tuple[str, dict[str, int], str], ...]


def contents(verilog: str) -> dict[str, Content]:
    """What each module of emitted Verilog holds, by name."""
    return {found[1]: _content(found[0]) for found in MODULES.finditer(verilog)}


def _content(text: str) -> Content:
    clocked = set(_ASSIGNED.findall(text))
    registers = tuple(Register(name, int(high or 0) + 1) for high, name in _DECLARED.findall(text) if name in clocked)
    instances = tuple((module, {key: int(value) for key, value in _PARAMETER.findall(parameters)}, name)
                      for module, parameters, name in _INSTANCE.findall(text))  # fmt: skip
    return Content(registers, instances)


def instances_of(modules: dict[str, Content], top: str, without: str = "") -> Counter[str]:
    """How often each module stands in the design under ``top``, itself included; nothing of the module ``without``."""
    counts: Counter[str] = Counter()
    todo = [(top, 1)]
    while todo:
        name, times = todo.pop()
        if name == without:
            continue
        counts[name] += times
        inside = Counter(module for module, _, _ in modules[name].instances) if name in modules else Counter()
        todo += [(module, times * count) for module, count in inside.items()]
    return counts


def memories(modules: dict[str, Content], wrapper: str) -> list[tuple[tuple[str, int, int], int]]:
    """((module that holds it, # for each number; words; bits of a word), how many) of the memories behind ``wrapper``."""
    counts = Counter((_family(name), parameters["DEPTH"], parameters["WIDTH"]) for name, content in modules.items()
                     for module, parameters, _ in content.instances if module == wrapper)  # fmt: skip
    return sorted(counts.items())


def _family(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def state(modules: dict[str, Content], top: str, without: str = "") -> list[tuple[tuple[str, str], int, int]]:
    """((module, register), how many, bits of all) under ``top``.

    Names have # for each number, and what differs only there is counted together; nothing of the module ``without``.
    """
    counts, found = instances_of(modules, top, without), dict[tuple[str, str], list[int]]()
    for name, content in modules.items():
        for register in content.registers if counts[name] else ():
            found.setdefault((_family(name), _family(register.name)), []).extend([register.bits] * counts[name])
    return [(names, len(bits), sum(bits)) for names, bits in sorted(found.items())]
