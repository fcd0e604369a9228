"""The list of sources: what every figure's keys stand for, from which BibTeX is printed."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One publication, data sheet or program.

    kind     type of BibTeX entry: inproceedings, article, phdthesis, misc
    note     what in it is used
    organisations  whether the authors are organisations, not persons
    checked  how the figures taken from it were verified, or that they were not
    """

    key: str
    kind: str
    title: str
    checked: str
    authors: tuple[str, ...] = ()
    venue: str = ""
    year: int | None = None
    doi: str = ""
    url: str = ""
    note: str = ""
    organisations: bool = False

    def __str__(self) -> str:
        """One line: authors (three at most), title, venue, year."""
        names = list(self.authors[:3]) + ["et al."] * (len(self.authors) > 3)
        return ", ".join(part for part in (*names, self.title, self.venue, str(self.year or "")) if part)


@functools.cache
def sources() -> dict[str, Source]:
    """Every source by its key."""
    plain = json.loads(Path(__file__).with_name("sources.json").read_text(encoding="utf-8"))
    return {key: Source(key=key, **{**entry, "authors": tuple(entry.get("authors", ()))}) for key, entry in plain.items()}


def source(key: str) -> Source:
    """The source of a key; text that is no key comes from a user's own table and stands for itself."""
    return sources().get(key) or Source(key, "misc", key, "stated by the user's own table")
