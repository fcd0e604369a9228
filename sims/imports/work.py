"""Einsums that another tool's workload describes, to a cascade: tensors get capitals, ranks lower case, windows are unrolled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade
from archmodel.records.equation import Equation, Index, Term
from archmodel.records.graph import Tensor

from .fields import Field

_ODD = re.compile(r"[^A-Za-z0-9_]")


def tensor_name(name: str) -> str:
    """A tensor's name as a cascade has it: it begins with a capital letter."""
    plain = _ODD.sub("_", name)
    return plain[:1].upper() + plain[1:] if plain[:1].isalpha() else f"T{plain}"


def rank_name(name: str) -> str:
    """A rank's name as a cascade has it: in lower case."""
    plain = _ODD.sub("_", name).lower()
    return plain if plain[:1].isalpha() else f"r{plain}"


@dataclass(frozen=True)
class Access:
    """A tensor of an Einsum; each of ``axes`` is the ranks that it sums, several for a window such as p + r."""

    name: str
    axes: tuple[tuple[str, ...], ...]
    bits: int

    @property
    def ranks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rank for axis in self.axes for rank in axis))

    @property
    def windows(self) -> tuple[tuple[str, ...], ...]:
        return tuple(axis for axis in self.axes if len(axis) > 1)


@dataclass(frozen=True)
class Line:
    """One Einsum: where it stands, its name there, what it reads and gives.  Its name in a graph is that of its result.

    operator  of its inputs; empty is a copy of one, a product of several
    """

    where: Field
    name: str
    inputs: tuple[Access, ...]
    output: Access
    operator: str = ""


def joined(lines: Sequence[Line]) -> list[Line]:
    """Lines in which a tensor has one list of ranks: where another reads it by other names of them, it reads a tensor of its own."""
    own = {access.name: access.ranks for line in reversed(lines) for access in (*line.inputs[::-1], line.output)}
    own |= {line.output.name: line.output.ranks for line in lines}
    return [replace(line, inputs=tuple(_apart(line, access, own) for access in line.inputs)) for line in lines]


def _apart(line: Line, access: Access, own: Mapping[str, tuple[str, ...]]) -> Access:
    if access.ranks == own[access.name]:
        return access
    name = f"{access.name}_{'_'.join(rank for rank in access.ranks if rank not in own[access.name]) or 'again'}"
    line.where.approximated(f"{access.name} is read by other names of its ranks, as {name}: joined through the outermost memory alone")
    return replace(access, name=name)


@dataclass
class Work:
    """A workload: extents by rank, in the source's names made ours; ``cascade`` is the same as a record."""

    name: str
    extents: dict[str, int]
    lines: list[Line]
    source: str = ""
    cascade: Cascade = field(init=False)

    def __post_init__(self) -> None:
        self.cascade = self._cascade()

    def _cascade(self) -> Cascade:
        made = {line.output.name: line.output for line in self.lines}
        read = {access.name: access for line in self.lines for access in line.inputs}
        used = {rank for line in self.lines for access in (*line.inputs, line.output) for rank in access.ranks}
        inputs = tuple(Tensor(name, _kind(name), access.ranks, access.bits) for name, access in sorted(read.items()) if name not in made)
        bits = self.lines[-1].output.bits
        widths = tuple((name, access.bits) for name, access in sorted(made.items()) if access.bits != bits)
        try:
            return Cascade(self.name, tuple((rank, extent) for rank, extent in sorted(self.extents.items()) if rank in used), (), inputs,
                           tuple(map(_equation, self.lines)), (), bits, widths, None, self.source)  # fmt: skip
        except SpecError as error:
            raise self.lines[0].where.wrong(str(error)) from error


def _kind(name: str) -> str:
    return "weight" if re.match(r"(?i)w\d*$|.*(weight|filter)", name) else "activation"


def _equation(line: Line) -> Equation:
    """Several inputs are multiplied; ranks that the result lacks are summed."""
    reads = list(dict.fromkeys(rank for access in line.inputs for rank in access.ranks))
    over = tuple(rank for rank in reads if rank not in line.output.ranks)
    operators = {1: "copy", 2: "mul", 3: "muladd"}
    if len(line.inputs) not in operators:
        raise line.where.wrong(f"found {len(line.inputs)} inputs of {line.name}, expected 1 to 3")
    terms = tuple(Term(access.name, tuple(map(Index, access.ranks))) for access in line.inputs)
    output = Term(line.output.name, tuple(map(Index, line.output.ranks)))
    return Equation(output, line.operator or operators[len(terms)], terms, "add" if over else "none", over)
