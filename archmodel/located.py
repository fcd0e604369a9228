"""Located pieces of YAML, and the list of what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field

from archmodel.records.base import SpecError

MOST_FINDINGS = 100
"""Findings that an error lists; of more it says how many."""


@dataclass
class Node:
    """A piece of YAML: text, None (a plain null), a list or a mapping.

    place      file:line:column of it, and ``key_place`` that of its key
    unquoted   whether text stands without quotes, and may thus be a number or a bool
    tag        of another tool's file, such as Memory
    """

    value: str | list[Node] | dict[str, Node] | None
    place: str
    key_place: str = ""
    unquoted: bool = False
    tag: str = ""

    def shown(self) -> str:
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return (
            "nothing" if self.value is None else repr(self.value if len(self.value) <= 60 else self.value[:57] + "...")
        )


@dataclass
class Findings:
    """The errors of one description, in the order found, each one line; ``broken`` where part of it is missing."""

    lines: list[str] = field(default_factory=list)
    broken: bool = False

    def add(self, place: str, key: str, text: str) -> None:
        self.lines.append(": ".join(part for part in (place, one_line(key), " ".join(text.split())) if part))

    def stop(self) -> None:
        """Raises SpecError with every line, if there is any; of very many, the first with the number of the others."""
        lines = list(dict.fromkeys(self.lines))
        if len(lines) > MOST_FINDINGS:
            where = lines[MOST_FINDINGS].partition(": ")[0]
            lines[MOST_FINDINGS:] = [f"{where}: found {len(lines) - MOST_FINDINGS} more errors from here on, expected none"]
        if lines:
            raise SpecError("\n".join(lines))


def one_line(text: str) -> str:
    """A user's text on one line, cut where it grows long."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
