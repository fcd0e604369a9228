"""Located pieces of YAML, and the list of what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field

from archmodel.records.base import SpecError


@dataclass
class Node:
    """A piece of YAML: text, None (a plain null), a list or a mapping.

    place      file:line:column of it, and ``key_place`` that of its key
    unquoted   whether text stands without quotes, and may thus be a number or a bool
    """

    value: str | list[Node] | dict[str, Node] | None
    place: str
    key_place: str = ""
    unquoted: bool = False

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
        self.lines.append(": ".join(part for part in (place, key, " ".join(text.split())) if part))

    def stop(self) -> None:
        """Raises SpecError with every line, if there is any."""
        if self.lines:
            raise SpecError("\n".join(dict.fromkeys(self.lines)))
