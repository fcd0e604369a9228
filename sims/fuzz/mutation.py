"""Damage: from real files of a format to files that nobody would write, each a function of a seed alone."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

LARGEST = 9 << 20
"""Bytes of a file; the readers' own limits are below it."""
MOST_PRINTED = 20_000
"""Characters of a tree that a slow printer writes."""

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 255, 256, 4096, 65_536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, 10**6, 10**9, 10**18, 10**100, -10**30,
    0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"), True, False, None,
)  # fmt: skip
TEXTS = (
    "", " ", "NaN", ".nan", ".inf", "-.inf", "~", "null", "yes", "true", "0x_", "0b_", "0_", "1_000", "1:30:00", "0o17", "٣٢", "１６", "²",
    "1e999", "1e-999", "9" * 5000, "-" + "9" * 400, "0." + "3" * 5000, "1/0", "1e99999999", "5/0x", "a" * 5000, "\x1b[31mred\x1b[0m",
    "\u202etxt", "\u2028", "\x00", "\x7f", "\x9b2J", "\ud800", "\ufeff", "two\nlines", "tab\tcr\r", "../../etc/passwd", "/etc/shadow",
    "/dev/zero", "/dev/stdin", "/proc/self/mem", ".", "..", "a/" * 3000, "nul\x00byte", "machine.yaml", "./machine.yaml", "cloud",
    "800 MHz", "64 KiB", "64 kB", "-5 ns", "0 B", "1e99 GB/s", "1e-30 s", "5 GHz GHz", "٣ MHz", "0.1 B", "1e60 TiB", "&a", "*a", "<<",
    "edge-npu", "!!python/object/apply:os.system [ls]", "!!binary aGk=", "!!set {a}", "%YAML 9.9", "---", "...", "? ", "- - -", "{", "}",
    "[", "]", "'", '"', "|", ">", "#", ": ", "core", "array", "buffer", "dram", "systolic", "vector", "gemm", "m", "n", "k", "Loop",
    "Storage", "Compute",
)  # fmt: skip
UNITS = ("B", "kB", "KiB", "GiB", "TB", "Hz", "MHz", "GHz", "THz", "ns", "ps", "s", "B/s", "GB/s", "TiB/s", "nm", "um", "m", "", "µs")
BOMB = b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (i, i, i - 1, i - 1) for i in range(1, 40))
NESTS = (("[", "]"), ("{a: ", "}"), ('{"a":', "}"), ("- ", ""), ("? ", ""), ("- - a: ", ""), ('{"body": ', "}"))
LENGTHS = (70, 500, 3000, 100_000)


@dataclass(frozen=True)
class Source:
    """A real file: its bytes, and the dicts, lists and scalars in it where the format has them (else None)."""

    data: bytes
    tree: Any = None


def mutant(rng: Random, corpus: Sequence[Source], printers: Sequence[Callable[[Any], str]]) -> bytes:
    """One damaged file: values of the parsed tree exchanged, bytes and lines damaged, or both.

    ``printers`` are the ways to write a tree in the format, the quickest first.
    """
    source = rng.choice(corpus)
    rounds = rng.choice((1, 1, 1, 2, 3, 5))
    if source.tree is None or rng.random() < 0.4:
        return _bytes_damaged(rng, source.data, corpus, rounds)
    tree = [copy.deepcopy(source.tree)]  # in a list, so that the root has a place too
    for _ in range(rounds):
        holder, key = rng.choice(places(tree))
        damage = rng.choice(TREE_DAMAGE)
        damage(rng, holder, key, corpus)
        if damage is _grow:  # what grows again within would be too large to write
            break
    try:
        text = printers[0](tree[0])
        text = rng.choice(printers)(tree[0]) if len(text) < MOST_PRINTED else text
        data = text.encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # a tree that the format can't write
        data = source.data
    return _bytes_damaged(rng, data, corpus, int(rng.random() < 0.2))


# --- Trees ----------------------------------------------------------------------------------------------------------


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a tree, parents first."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    return found


def odd(rng: Random) -> Any:
    """A value that a field may not expect."""
    return rng.choice((rng.choice(NUMBERS), rng.choice(TEXTS), f"{rng.choice(NUMBERS)} {rng.choice(UNITS)}", [], {}, [rng.choice(TEXTS)]))


def _replace(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    value = holder[key]
    if type(value) is int and rng.random() < 0.4:
        holder[key] = rng.choice((value + 1, value - 1, -value, value * 2, value * 1000, str(value), float(value)))
    else:
        holder[key] = odd(rng)


def _drop(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    del holder[key]
    if not holder:
        holder.update({}) if isinstance(holder, dict) else holder.append(None)


def _wrap(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    holder[key] = rng.choice(([holder[key]], {"a": holder[key]}, [holder[key]] * 3, {str(key): holder[key]}))


def _borrow(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    """What stands somewhere else, perhaps in another file."""
    other, at = rng.choice(places([rng.choice(corpus).tree]))
    holder[key] = copy.deepcopy(other[at])


def _rename(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    if isinstance(holder, dict):
        holder[rng.choice((rng.choice(TEXTS), f"{key}_", str(key)[:-1], str(key).upper()))] = holder.pop(key)


def _grow(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    """Many more of what is there."""
    value = holder[key]
    count = min(rng.choice((2, 10, 10, 300, 300, 6000)), LARGEST // len(repr(value)))
    if isinstance(value, dict):
        value.update({f"x{i}": odd(rng) for i in range(count)})
    elif isinstance(value, list):
        holder[key] = (value or [0]) * count
    elif isinstance(value, str):
        holder[key] = value * count
    else:
        holder[key] = [value] * count


def _bury(rng: Random, holder: Any, key: Any, corpus: Sequence[Source]) -> None:
    for _ in range(rng.choice((3, 30, 70, 400))):
        holder[key] = {"body": holder[key]} if rng.random() < 0.5 else [holder[key]]


TREE_DAMAGE = (_replace, _replace, _replace, _drop, _wrap, _borrow, _rename, _grow, _bury)


# --- Bytes ----------------------------------------------------------------------------------------------------------


def _bytes_damaged(rng: Random, data: bytes, corpus: Sequence[Source], rounds: int) -> bytes:
    for _ in range(rounds):
        data = rng.choice(BYTE_DAMAGE)(rng, data, corpus)[:LARGEST]
    return data


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    begin = rng.randrange(len(data) + 1)
    return begin, min(len(data), begin + rng.choice((1, 4, 8, 32, 33, 200)))


def _flip(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30)) if data else 0):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _overwrite(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    """An aligned word becomes an extreme one."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data) // size + 1) * size
    word = rng.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), rng.getrandbits(8 * size)))
    return data[:at] + word.to_bytes(size, "little") + data[at + size :]


def _cut(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    begin, end = _span(rng, data)
    return rng.choice((data[:begin], data[begin:], data[:begin] + data[end:]))


def _splice(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    other = rng.choice(corpus).data
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _lines(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    """A line goes, comes twice, moves, or comes very often with a number in it."""
    lines = data.split(b"\n")
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    line = lines[at]
    count = min(rng.choice((0, 0, 1, 2, 2, 100, 100, 10_000)), LARGEST // (len(line) + 1))
    lines[at : at + 1] = [re.sub(rb"(\w)", rb"\g<1>%d" % i, line, count=1) if count > 2 else line for i in range(count)]
    if count == 1:
        lines.insert(to, lines.pop(at))
    return b"\n".join(lines)


def _insert(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + _encoded(rng.choice(TEXTS)) + data[at:]


def _exchange(pattern: bytes, values: Sequence[Any], rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    """One match of ``pattern`` becomes one of ``values``."""
    if not (found := list(re.finditer(pattern, data[: 1 << 16]))):
        return data
    match = rng.choice(found)
    return data[: match.start()] + _encoded(str(rng.choice(values))) + data[match.end() :]


def _swell(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    begin, end = _span(rng, data)
    return data[:begin] + data[begin:end] * rng.choice((2, 100, 5000, 100_000)) + data[end:]


def _fill(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    """As much as the largest file holds of what takes most memory for its length."""
    piece = rng.choice((b"[],", b"{},", b"1,", b"- \n", b'"":[[', b"a: {},\n"))
    return data[: rng.choice((0, 0, len(data) // 2))] + rng.choice((b"[", b'{"a":[', b"")) + piece * (rng.choice((1, 4, 16)) * 3 << 15)


def _nest(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    opening, closing = rng.choice(NESTS)
    depth, at = rng.choice(LENGTHS), rng.randrange(len(data) + 1)
    inside = data[at:] if rng.random() < 0.5 else b"1"
    return data[:at] + (opening * depth).encode() + inside + (closing * depth).encode()


def _encode(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    """Another encoding, other ends of lines, a mark at the beginning."""
    text = data.decode("utf-8", "replace")
    return rng.choice((b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r"), text.encode("utf-16"),
                       text.encode("utf-32-le"), text.encode("latin-1", "replace") + b"\xe9", data.replace(b" ", b"\t"), data + b"\0",
                       b"", data.replace(b":", b": !!str"), data.replace(b": ", b": &a ")))  # fmt: skip


def _alias(rng: Random, data: bytes, corpus: Sequence[Source]) -> bytes:
    return rng.choice((BOMB + data, data + BOMB, b"x: &x\n  a: 1\n<<: *x\n" + data, b"&r\n" + data + b"\nself: *r\n"))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


Damage = Callable[[Random, bytes, Sequence[Source]], bytes]
BYTE_DAMAGE: tuple[Damage, ...] = (
    _flip, _flip, _overwrite, _overwrite, _cut, _splice, _lines, _lines, _insert, _insert, _swell, _fill, _nest, _encode, _alias,
    partial(_exchange, rb"-?\d+(\.\d+)?", NUMBERS), partial(_exchange, rb"-?\d+(\.\d+)?", TEXTS),
    partial(_exchange, rb"[A-Za-z_]\w*", TEXTS), partial(_exchange, rb"\b(?:[kMGT]i?B(?:/s)?|[kMG]?Hz|[pnum]?s|nm)\b", UNITS),
    partial(_exchange, rb"[:{}\[\],\"]", ("", ":", "::", "]", "{", ",")),
)  # fmt: skip


def json_text(tree: Any) -> str:
    """A tree as JSON, NaN and infinities included; flow style of YAML reads it too."""
    return json.dumps(tree)
