"""Units: named parts of one engine that work side by side, each at a rate of its own for each operator.

It describes what has no generated hardware here, such as a GPU's streaming multiprocessor or a published accelerator.
An operator is that of an Einsum: ``exp2``, or ``mul+add`` where a map and its reduction are done as one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated

from ..base import SpecError, Within, check_fields, shown

TYPE = "units"
Side = Annotated[int, Within(1, 1 << 16)]
MAX_CYCLES = 1 << 20


@dataclass(frozen=True)
class Params:
    """What a machine's description says of an engine of units.

    units       their names
    rows        of each unit's lanes; a sum over them leaves at the bottom
    cols        of each unit's lanes
    operations  what a unit does and the cycles of one lane for one point: mma mul+add 4, alu max 1/2
    actions     what an operation costs, where that isn't an action of its own name: alu exp2 mul 3
    """

    units: tuple[str, ...]
    rows: tuple[Side, ...]
    cols: tuple[Side, ...]
    operations: tuple[str, ...]
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, "engine of units")
        if not self.units or len(set(self.units)) != len(self.units):
            raise SpecError(f"engine of units: units are {', '.join(self.units) or 'none'}, expected at least one, each once")
        for name, sides in (("rows", self.rows), ("cols", self.cols)):
            if len(sides) != len(self.units):
                raise SpecError(f"engine of units: {len(sides)} {name}, expected one for each of {len(self.units)} units")
        for what, named in (("operations", [entry[:2] for entry in self.rates]), ("actions", [entry[:3] for entry in self.costs])):
            if odd := [entry for entry, times in Counter(named).items() if times > 1]:
                raise SpecError(f"engine of units: {what} have {' '.join(odd[0])} twice, expected it once")

    @cached_property
    def rates(self) -> tuple[tuple[str, str, Fraction], ...]:
        """(unit, operator, cycles of one lane for one point) of each of ``operations``."""
        return tuple(map(self._rate, self.operations))

    def _rate(self, line: str) -> tuple[str, str, Fraction]:
        parts = line.split()
        if len(parts) != 3 or parts[0] not in self.units or (cycles := _cycles(parts[2])) is None:
            raise SpecError(f"engine of units: operations: found {shown(line)}, expected a unit ({', '.join(self.units)}), an operator and "
                            "its cycles, such as 'alu max 1/2'")  # fmt: skip
        return parts[0], parts[1], cycles

    @cached_property
    def costs(self) -> tuple[tuple[str, str, str, int], ...]:
        """(unit, operator, action, how often) of each of ``actions``.  Raises SpecError for a line that is none."""
        rated = {(unit, operator) for unit, operator, _ in self.rates}
        found = []
        for line in self.actions:
            parts = line.split()
            if len(parts) != 4 or (parts[0], parts[1]) not in rated or (times := _cycles(parts[3])) is None or times.denominator > 1:
                raise SpecError(f"engine of units: actions: found {shown(line)}, expected a unit and an operator of operations, an action "
                                "of the cost table and how often, such as 'alu exp2 mul 3'")  # fmt: skip
            found.append((parts[0], parts[1], parts[2], int(times)))
        return tuple(found)


def _cycles(text: str) -> Fraction | None:
    """Cycles up to MAX_CYCLES, or None for other text."""
    parts = text.split("/")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) <= 7 for part in parts) or not int(parts[-1]):
        return None
    cycles = Fraction(*map(int, parts))
    return cycles if 0 < cycles <= MAX_CYCLES else None
