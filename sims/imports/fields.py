"""Fields of another tool's files: each leaf ends up translated, approximated or refused, and one that nobody asked for is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from archmodel.located import Node, one_line
from archmodel.records.base import SpecError

TRANSLATED, APPROXIMATED, REFUSED = "translated", "approximated", "refused"
NOT_KNOWN = "no counterpart in archmodel is known for it"
LONGEST = 60
"""Characters of a value that a report shows."""
LONGEST_PRODUCT = 200
_ALONE = re.compile(r"\(\s*([-+.\w]+)\s*\)")
"""A number in brackets."""
_PRODUCT = re.compile(r"([*/])")
_NUMBER = re.compile(r"[-+]?\d{1,30}(\.\d{0,30})?([eE][-+]?\d{1,2})?")


@dataclass(frozen=True)
class Entry:
    """What became of a leaf: ``said`` is where it went, in what it differs, or why it has no place."""

    place: str
    path: str
    found: str
    status: str
    said: str


@dataclass
class Ledger:
    """What became of every leaf of the files, by (file, path)."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def note(self, leaf: Field, status: str, said: str) -> None:
        file = leaf.node.place.rpartition(":")[0].rpartition(":")[0]
        shown = one_line("" if leaf.node.value is None else str(leaf.node.value or leaf.node.shown()))
        value = shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."
        self.entries[file, leaf.path] = Entry(leaf.node.place, leaf.path, value, status, said)

    def close(self, roots: list[Field]) -> tuple[Entry, ...]:
        """All entries in the order of the files; a leaf without one is refused."""
        ordered = []
        for root in roots:
            for leaf in root.leaves():
                key = leaf.node.place.rpartition(":")[0].rpartition(":")[0], leaf.path
                if key not in self.entries and leaf.node.value in ({}, [], None):
                    self.note(leaf, TRANSLATED, "empty")
                elif key not in self.entries:
                    self.note(leaf, REFUSED, NOT_KNOWN)
                ordered.append(self.entries[key])
        return tuple(ordered)


@dataclass(frozen=True)
class Field:
    """A node, its path of keys (items by number), and the ledger.  Reading a value does not say what became of it."""

    node: Node
    path: str
    ledger: Ledger

    def get(self, key: str) -> Field | None:
        """The part under a key; None where there is none."""
        part = self.node.value.get(key) if isinstance(self.node.value, dict) else None
        return None if part is None else self._at(key, part)

    def need(self, key: str, expected: str) -> Field:
        found = self.get(key)
        if found is None:
            raise self.wrong(f"found no {key}, expected {expected}")
        return found

    def fields(self) -> dict[str, Field]:
        """The parts of a mapping, by key; of nothing, none."""
        if self.node.value is None:
            return {}
        if not isinstance(self.node.value, dict):
            raise self.wrong(f"found {self.node.shown()}, expected a mapping")
        return {key: self._at(key, part) for key, part in self.node.value.items()}

    def items(self) -> list[Field]:
        """The parts of a list; of nothing, none."""
        if self.node.value is None:
            return []
        if not isinstance(self.node.value, list):
            raise self.wrong(f"found {self.node.shown()}, expected a list")
        return [self._at(str(number), part) for number, part in enumerate(self.node.value)]

    def _at(self, key: str, part: Node) -> Field:
        return Field(part, f"{self.path}.{key}" if self.path else key, self.ledger)

    def text(self) -> str:
        if not isinstance(self.node.value, str):
            raise self.wrong(f"found {self.node.shown()}, expected text")
        return self.node.value

    def texts(self) -> list[str]:
        """A list of texts, or one text, cut at commas or spaces, or into letters where it has neither."""
        if isinstance(self.node.value, list):
            return [item.text() for item in self.items()]
        parts = re.split(r"[\s,]+", self.text().strip())
        return [part for part in parts if part] if len(parts) > 1 else list(parts[0])

    def number(self) -> Fraction:
        """A number, or numbers multiplied and divided, such as 8 * 614e9."""
        text = self.text()
        parts = _PRODUCT.split(_ALONE.sub(r"\1", text)) if len(text) <= LONGEST_PRODUCT else []
        if not parts or not all(_NUMBER.fullmatch(part.strip()) for part in parts[::2]):
            raise self.wrong(f"found {self.node.shown()}, expected a number, or numbers with * and /")
        value = Fraction(parts[0].strip())
        for sign, part in zip(parts[1::2], parts[2::2], strict=True):
            other = Fraction(part.strip())
            if sign == "/" and not other:
                raise self.wrong(f"found {self.node.shown()}, expected no division by 0")
            value = value * other if sign == "*" else value / other
        return value

    def whole(self, least: int = 1, most: int = 1 << 56) -> int:
        value = self.number()
        if value.denominator != 1 or not least <= value <= most:
            raise self.wrong(f"found {self.node.shown()}, expected a whole number of {least} to {most}")
        return int(value)

    def wrong(self, text: str) -> SpecError:
        return SpecError(": ".join(part for part in (self.node.place, one_line(self.path), text) if part))

    def leaves(self) -> Iterator[Field]:
        """Itself, or what has no parts below it."""
        value = self.node.value
        parts = self.fields().values() if isinstance(value, dict) else self.items() if isinstance(value, list) else ()
        if not parts:
            yield self
        for part in parts:
            yield from part.leaves()

    def _said(self, status: str, text: str) -> None:
        for leaf in self.leaves():
            self.ledger.note(leaf, status, text)

    def translated(self, to: str) -> None:
        """All that stands here has its place in ``to``."""
        self._said(TRANSLATED, to)

    def approximated(self, how: str) -> None:
        self._said(APPROXIMATED, how)

    def refused(self, why: str) -> None:
        self._said(REFUSED, why)
