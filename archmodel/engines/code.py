"""Streams of commands before they are encoded: those that repeat at a constant distance in memory become loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archmodel.records.commands import ADDRESS_REGISTERS

DEEPEST = 3
"""Loops in each other, so that at most six LOOP and END stand between two commands."""
LONGEST = 12
"""Items of a loop's body that are looked for."""
Steps = tuple[int, ...]
"""What each address register gains per iteration of a loop."""
Encode = Callable[..., bytes]


@dataclass(frozen=True)
class Command:
    """One command; of a move, ``base`` is its address in memory and ``register`` the one that a loop moves it by."""

    name: str
    fields: tuple[tuple[str, int], ...]
    register: int | None = None
    base: int = 0

    depth = 0
    size = 1


@dataclass(frozen=True)
class Repeat:
    """A loop: its body, how often, and what the address registers gain per iteration."""

    count: int
    steps: Steps
    body: tuple[Item, ...]

    @property
    def depth(self) -> int:
        return 1 + max(item.depth for item in self.body)

    @property
    def size(self) -> int:
        """Instructions."""
        return 2 + sum(item.size for item in self.body)


Item = Command | Repeat


def encoded(code: Sequence[Item], encode: Encode) -> list[bytes]:
    """The instructions of ``code``, by the ``instruction`` of an engine."""
    out: list[bytes] = []
    for item in code:
        if isinstance(item, Repeat):
            gains = {f"step{r}": gain for r, gain in enumerate(item.steps)}
            out += [encode("loop", count=item.count, **gains), *encoded(item.body, encode), encode("end")]
        else:
            address = {} if item.register is None else {"base": item.base, "register": item.register}
            out.append(encode(item.name, **dict(item.fields), **address))
    return out


def folded(code: Sequence[Item], deepest: int = DEEPEST) -> tuple[Item, ...]:
    """The same commands with fewer instructions: blocks that follow each other at a constant distance are one loop."""
    now = tuple(code)
    while (shorter := _folded_once(now, deepest)) != now:
        now = shorter
    return now


def _folded_once(code: tuple[Item, ...], deepest: int) -> tuple[Item, ...]:
    out: list[Item] = []
    kinds = _kinds(code)
    at = 0
    while at < len(code):
        length, count, steps = max(_repeats(code, kinds, at, deepest), key=lambda found: _saved(code, at, *found[:2]), default=(1, 1, ()))
        if _saved(code, at, length, count) > 0:
            out.append(Repeat(count, steps, code[at : at + length]))
            at += length * count
        else:
            out.append(code[at])
            at += 1
    return tuple(out)


def _saved(code: tuple[Item, ...], at: int, length: int, count: int) -> int:
    """Instructions that a loop over ``length`` items from ``at`` on spares."""
    return (count - 1) * sum(item.size for item in code[at : at + length]) - 2


def _kinds(code: tuple[Item, ...]) -> list[int]:
    """A number for each item, the same for those that differ in nothing but addresses; comparing them spares most comparisons."""
    known: dict[object, int] = {}

    def kind(item: Item) -> object:
        return (item.count, item.steps, *map(kind, item.body)) if isinstance(item, Repeat) else (item.name, item.fields, item.register)

    return [known.setdefault(kind(item), len(known)) for item in code]


def _repeats(code: tuple[Item, ...], kinds: list[int], at: int, deepest: int) -> list[tuple[int, int, Steps]]:
    """(items, rounds, steps) of each block from ``at`` on that is followed by itself."""
    found = []
    for length in range(1, min(LONGEST, (len(code) - at) // 2) + 1):
        if kinds[at] != kinds[at + length] or kinds[at : at + length] != kinds[at + length : at + 2 * length]:
            continue
        first = code[at : at + length]
        if any(item.depth >= deepest for item in first) or (steps := _distance(first, _block(code, at, length, 1))) is None:
            continue
        count = 2
        while _distance(_block(code, at, length, count - 1), _block(code, at, length, count)) == steps:
            count += 1
        found.append((length, count, steps))
    return found


def _block(code: tuple[Item, ...], at: int, length: int, number: int) -> tuple[Item, ...]:
    return code[at + number * length : at + (number + 1) * length]


def _distance(first: tuple[Item, ...], second: tuple[Item, ...]) -> Steps | None:
    """By how much the addresses of ``second`` lie beyond those of ``first``, or None where more than addresses differs."""
    steps: dict[int, int] = {}
    if len(first) != len(second) or not all(_gap(a, b, steps) for a, b in zip(first, second, strict=True)):
        return None
    return tuple(steps.get(register, 0) for register in range(ADDRESS_REGISTERS))


def _gap(a: Item, b: Item, steps: dict[int, int]) -> bool:
    """Whether two items differ by ``steps``, completed on the way."""
    if isinstance(a, Repeat):
        alike = isinstance(b, Repeat) and (a.count, a.steps, len(a.body)) == (b.count, b.steps, len(b.body))
        return alike and isinstance(b, Repeat) and all(_gap(x, y, steps) for x, y in zip(a.body, b.body, strict=True))
    if isinstance(b, Repeat) or (a.name, a.fields, a.register) != (b.name, b.fields, b.register):
        return False
    return a.register is None or steps.setdefault(a.register, b.base - a.base) == b.base - a.base
