"""Entries of a bibliography as BibTeX, every special character escaped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .citations import Entry

_ESCAPED = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    **{char: f"\\{char}" for char in "%&$#_"},
})  # fmt: skip
_VERBATIM = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C"})
VERBATIM = ("doi", "url")
"""Fields that styles put into \\url, which takes them as they are."""


def escaped(text: str) -> str:
    """Text as LaTeX shows it.  A brace gets a name, because BibTeX counts braces even where they are escaped."""
    return " ".join(text.split()).translate(_ESCAPED)


def to_bibtex(entries: Iterable[Entry]) -> str:
    return "\n".join(_entry(entry) for entry in entries)


def to_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The same as plain data, nothing escaped."""
    return [{"type": entry.kind, "key": entry.key, "authors": list(entry.authors), **dict(entry.fields)} for entry in entries]


def _entry(entry: Entry) -> str:
    lines = [f"  author = {{{' and '.join(_name(name, entry.organisations) for name in entry.authors)}}},"] if entry.authors else []
    lines += [f"  {name} = {_value(name, value)}," for name, value in entry.fields]
    return "\n".join((f"@{entry.kind}{{{entry.key},", *lines, "}\n"))


def _name(name: str, organisation: bool) -> str:
    """A person's name; an organisation's in braces, so that it isn't parted into first and last."""
    return f"{{{escaped(name)}}}" if organisation else escaped(name)


def _value(name: str, value: str) -> str:
    if name in VERBATIM:
        return f"{{{value.translate(_VERBATIM)}}}"
    # Styles write a title small; a second pair of braces keeps its letters.
    return f"{{{{{escaped(value)}}}}}" if name == "title" else f"{{{escaped(value)}}}"
