"""What a result rests on, as entries of a bibliography: the tool, the sources of its figures, its machine and its model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from archmodel.records.figure import Figure, strength
from archmodel.records.machine import Engine, Link, Machine, Memory
from archmodel.records.result import Result
from archmodel.sources import Source, source, sources

from .saved import Saved

TITLE = "archmodel: accelerators for transformer models, mapped, priced, generated as hardware, and confirmed cycle by cycle"
AUTHORS = "The archmodel authors"
"""As in CITATION.cff; a test compares."""
SCALING = "stillmaker-2017"
"""The model that brings a figure to another node."""
OWN = "this-project"
"""The key of what this project assumes itself: no publication, so it is said in the tool's own entry."""
VENUE = {"inproceedings": "booktitle", "article": "journal", "phdthesis": "school", "misc": "howpublished"}
"""The BibTeX field that holds the venue of each kind of source."""
_ISSUE = re.compile(r"(.*?),? (\d+)(?:\((\d+)\))?")
_ACRONYM = re.compile(r"\((\w+)\)$")
LONGEST_KEY = 60


@dataclass(frozen=True)
class Entry:
    """One entry: type, key, authors, whether these are organisations, and the other fields as plain text.  What isn't known is left out."""

    kind: str
    key: str
    fields: tuple[tuple[str, str], ...]
    authors: tuple[str, ...] = ()
    organisations: bool = False


def citations(saved: Saved) -> tuple[Entry, ...]:
    """The tool first, then the sources of figures and machine, then the machine's and the model's own words; each key once."""
    keys = dict.fromkeys(_keys(saved.result))
    texts = tuple(dict.fromkeys(_texts(saved.machine)))
    named = [found for text in texts for found in recognised(text)]
    published = dict.fromkeys([*(source(key) for key in keys if key != OWN), *named])
    entries = [_tool(saved.result, OWN in keys), *map(_published, published), *_machine(saved.machine, texts), *_model(saved.result)]
    return tuple(_unique(entries))


def recognised(text: str) -> list[Source]:
    """The listed sources that a text names: by title, by key, or as "Jouppi et al., ISCA 2017"."""
    return [found for found in sources().values() if found.title.casefold() in text.casefold() or _names(text, found)]


def _names(text: str, found: Source) -> bool:
    if re.search(rf"(?<![\w-]){re.escape(found.key)}(?![\w-])", text):
        return True
    acronym = _ACRONYM.search(found.venue)
    if not acronym or not found.authors:
        return False
    return f"{found.authors[0].split()[-1]} et al." in text and f"{acronym[1]} {found.year}" in text


def _keys(result: Result) -> Iterator[str]:
    """Of every figure; the scaling model where it moved one."""
    for figure in _figures(result):
        yield from figure.sources
        if strength(figure.provenance) >= strength("scaled"):
            yield SCALING


def _figures(result: Result) -> Iterator[Figure]:
    for pairs in (result.area_by, result.static_by, *(op.energy_by for op in result.ops)):
        for _, figure in pairs:
            yield figure


def _texts(machine: Machine) -> Iterator[str]:
    parts: tuple[Machine | Memory | Engine | Link, ...] = (machine, *machine.memories, *machine.engines, *machine.links)
    yield from (part.source for part in parts if part.source)
    for device in machine.devices:
        yield from _texts(device)


def _tool(result: Result, assumes: bool) -> Entry:
    said = f"version {result.version}, record {result.record_hash[:16]}"
    own = "; some figures are assumptions of this project, which its cost table states" if assumes else ""
    return Entry("misc", "archmodel", (("title", TITLE), ("note", said + own)), (AUTHORS,), organisations=True)


def _published(found: Source) -> Entry:
    fields = [("title", found.title), *_venue(found)]
    if found.year:
        fields.append(("year", str(found.year)))
    fields += [(name, value) for name, value in (("doi", found.doi), ("url", found.url)) if value]
    used = f"used: {found.note}; " if found.note else ""
    return Entry(found.kind, found.key, (*fields, ("note", f"{used}checked: {found.checked}")), found.authors, found.organisations)


def _venue(found: Source) -> list[tuple[str, str]]:
    """The venue under its kind's name; "IEEE Micro 31(5)" is journal, volume and number."""
    if not found.venue:
        return []
    issue = _ISSUE.fullmatch(found.venue) if found.kind == "article" else None
    if not issue:
        return [(VENUE[found.kind], found.venue)]
    return [(name, value) for name, value in zip(("journal", "volume", "number"), issue.groups(), strict=True) if value]


def _machine(machine: Machine, texts: tuple[str, ...]) -> list[Entry]:
    if not texts:
        return []
    said = "its description says: " + "; ".join(texts)
    return [Entry("misc", f"machine-{machine.name}", (("title", f"Machine {machine.name}"), ("note", said)))]


def _model(result: Result) -> list[Entry]:
    """Where the zoo's hyper-parameters come from; a model of the user's own has no source here."""
    from archmodel.workload.zoo import zoo_model, zoo_names

    if result.model not in zoo_names():
        return []
    said = ("title", f"Hyper-parameters of {result.model}"), ("note", f"taken from: {zoo_model(result.model).source}")
    return [Entry("misc", f"model-{result.model}", said)]


def _unique(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries with keys that BibTeX reads, no two alike."""
    seen: set[str] = set()
    for entry in entries:
        key = stem = re.sub(r"[^A-Za-z0-9.:+-]+", "-", entry.key).strip("-")[:LONGEST_KEY] or "source"
        number = 1
        while key.lower() in seen:
            number += 1
            key = f"{stem}-{number}"
        seen.add(key.lower())
        yield replace(entry, key=key)
