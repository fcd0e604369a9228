"""Streams of commands folded into loops: the same commands, in the same order, at the same addresses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from archmodel.engines.code import DEEPEST, Command, Item, Repeat, encoded, folded
from archmodel.engines.sequencing import walk
from archmodel.records.engines.attention import decode, instruction

Commands = list[tuple[str, int]]


def unrolled(code: Sequence[Item], offsets: tuple[int, ...] = (0, 0, 0, 0)) -> Commands:
    """(name and fields, address) of each command."""
    out: Commands = []
    for item in code:
        if isinstance(item, Repeat):
            for number in range(item.count):
                out += unrolled(item.body, tuple(at + number * step for at, step in zip(offsets, item.steps, strict=True)))
        else:
            offset = 0 if item.register is None else offsets[item.register]
            out.append((f"{item.name} {item.fields} {item.register}", item.base + offset))
    return out


def load(register: int, base: int, **fields: int) -> Command:
    return Command("move", tuple({"inner": 1, "outer": 1, **fields}.items()), register, base)


def random_code(seed: int) -> list[Item]:
    """Nests of loops, written out, with a disturbance here and there."""
    rng = np.random.Generator(np.random.PCG64(seed))
    code: list[Item] = []
    for outer in range(int(rng.integers(1, 4))):
        for middle in range(int(rng.integers(1, 6))):
            code.append(load(0, 1000 * outer + 100 * middle, wait=int(rng.random() < 0.1)))
            code += [load(1 + which, outer * 7 + middle * 5 + inner * 3) for inner in range(int(rng.integers(1, 9))) for which in range(2)]
    return code


@pytest.mark.parametrize("seed", range(80))
def test_folding_changes_no_command(seed: int) -> None:
    code = random_code(seed)
    short = folded(code)
    assert unrolled(short) == unrolled(code)
    assert sum(item.size for item in short) <= len(code)
    assert max(item.depth for item in short) <= DEEPEST
    stream = b"".join((*encoded(short, instruction), instruction("halt")))
    bases = [fields["base"] for name, fields, _ in _until_halt(stream)]
    assert bases == [base for _, base in unrolled(code)]


def _until_halt(stream: bytes) -> list[tuple[str, dict[str, int], int]]:
    found = []
    for name, fields, control in walk(stream, decode):
        if name == "halt":
            break
        found.append((name, fields, control))
    return found


def test_a_nest_becomes_a_nest() -> None:
    code = [load(0, 100 * outer + inner) for outer in range(50) for inner in range(40)]
    assert folded(code) == (Repeat(50, (100, 0, 0, 0), (Repeat(40, (1, 0, 0, 0), (code[0],)),)),)


def test_no_nest_is_deeper_than_control_hides() -> None:
    code = [load(0, 10_000 * a + 1000 * b + 100 * c + d) for a in range(4) for b in range(4) for c in range(4) for d in range(4)]
    for deepest in (1, 2, DEEPEST):
        assert 1 <= max(item.depth for item in folded(code, deepest)) <= deepest
        assert unrolled(folded(code, deepest)) == unrolled(code)


def test_what_saves_nothing_stays() -> None:
    code = (load(0, 0), load(0, 1))
    assert folded(code) == code
