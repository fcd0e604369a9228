"""What a result rests on, as BibTeX that a parser reads, with nothing left out and nothing invented; and CITATION.cff."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import BibliographyData, parse_string

from archmodel import __version__, evaluate, load_machine, search
from archmodel.load import list_machines, read_yaml
from archmodel.records.figure import Figure
from archmodel.records.result import OpResult, Result
from archmodel.sources import sources
from archmodel.workload.gemm import gemm_graph
from archmodel.workload.operators import Bits
from sims.report.bibtex import VERBATIM, to_bibtex, to_json
from sims.report.citations import AUTHORS, OWN, SCALING, TITLE, VENUE, Entry, citations, recognised
from sims.report.saved import Saved

ROOT = Path(__file__).resolve().parent.parent.parent
CFF = read_yaml(ROOT / "CITATION.cff")
REQUIRED = {"inproceedings": {"title", "booktitle", "year"}, "article": {"title", "journal", "year"},
            "phdthesis": {"title", "school", "year"}, "misc": {"title"}}  # fmt: skip
"""Fields that standard BibTeX styles ask for, beside the author."""


@pytest.fixture(scope="module")
def saved() -> Saved:
    machine, graph = load_machine("edge-npu"), gemm_graph(8, 64, 64, Bits())
    mapping = search(graph, machine)
    return Saved(evaluate(graph, mapping, machine), graph, machine, mapping, "archmodel run")


def parsed(*entries: Entry) -> BibliographyData:
    return parse_string(to_bibtex(entries), "bibtex")


SHOWN = {r"\textbackslash{}": "\\", r"\textbraceleft{}": "{", r"\textbraceright{}": "}", r"\textasciitilde{}": "~", r"\textless{}": "<",
         r"\textasciicircum{}": "^", r"\textgreater{}": ">", r"\textbar{}": "|", **{f"\\{char}": char for char in "%&$#_"},
         "{": "", "}": ""}  # fmt: skip
"""What LaTeX shows for each command that may stand in a field; a brace alone shows nothing."""


def plain(text: str) -> str:
    """LaTeX as a reader sees it."""
    return re.sub("|".join(map(re.escape, SHOWN)), lambda found: SHOWN[found[0]], text)


def figures(result: Result) -> list[Figure]:
    pairs = [*result.area_by, *result.static_by, *(pair for op in result.ops for pair in op.energy_by)]
    return [figure for _, figure in pairs]


def test_every_source_of_every_figure_is_there(saved: Saved) -> None:
    keys = {key for figure in figures(saved.result) for key in figure.sources} - {OWN}
    assert len(keys) > 5
    found = parsed(*citations(saved)).entries
    assert keys | {"archmodel", SCALING, "genc-2021", "machine-edge-npu"} == set(found)


def test_the_parser_reads_what_the_sources_say() -> None:
    for key, said in sources().items():
        entry = next(entry for entry in citations_of(key) if entry.key == key)
        read = parsed(entry).entries[key]
        assert read.type == said.kind
        assert plain(read.fields["title"]) == said.title
        names = [" ".join((*map(plain, person.first_names), *map(plain, person.middle_names), *map(plain, person.prelast_names),
                           *map(plain, person.last_names))) for person in read.persons.get("author", [])]  # fmt: skip
        assert names == list(said.authors)
        assert read.fields.get("doi", "") == said.doi
        assert read.fields.get("url", "") == said.url
        assert read.fields.get("year", "") == str(said.year or "")
        assert plain(read.fields["note"]).endswith(f"checked: {said.checked}")
        assert REQUIRED[said.kind] <= set(read.fields.keys()), key


def citations_of(key: str) -> tuple[Entry, ...]:
    """The entries of a result with one figure of one source."""
    op = OpResult("o", "g", "array", 1, 0, 0, (), 0.0, "array", "cycle", (), ())
    area = ("a", Figure(1.0, None, None, "published", (key,)))
    result = Result("m", "x", "decode", 1, 1, 1, 1, "analytic", 1, (op,), (area,), (), 1.0, "", "0", 0, "none", ())
    bare = Saved.__new__(Saved)
    for name, value in (("result", result), ("machine", replace(load_machine("edge-npu"), source="", memories=(), engines=()))):
        object.__setattr__(bare, name, value)
    return (*citations(bare), Entry("misc", OWN, (("title", sources()[OWN].title), ("note", f"checked: {sources()[OWN].checked}"),
                                                   ("year", str(sources()[OWN].year))), sources()[OWN].authors, True))  # fmt: skip


def test_the_scaling_model_is_cited_only_where_it_moved_a_figure() -> None:
    assert SCALING not in {entry.key for entry in citations_of("horowitz-2014")}


def test_what_a_user_s_own_table_names_stands_for_itself() -> None:
    (_, own, *_rest) = citations_of("our lab, 50 % {measured} & unpublished_1")
    read = parsed(own).entries
    assert list(read) == ["our-lab-50-measured-unpublished-1"]
    assert plain(read[own.key].fields["title"]) == "our lab, 50 % {measured} & unpublished_1"


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")), max_size=40))
def test_any_text_survives(text: str) -> None:
    entry = Entry("misc", "k", (("title", text), ("note", f"a {text} b")))
    read = parsed(entry).entries["k"].fields
    assert plain(read["note"]) == " ".join(f"a {text} b".split())
    assert to_json([entry])[0]["title"] == text


@pytest.mark.parametrize("char", list("\\{}~^<>|%&$#_@\"',="))
def test_each_special_character_is_shown_as_itself(char: str) -> None:
    read = parsed(Entry("misc", "k", (("title", f"a{char}b"), ("note", f"{char}{char} c")))).entries["k"].fields
    assert plain(read["note"]) == f"{char}{char} c"
    assert plain(read["title"]) == f"a{char}b"


def test_an_unescaped_brace_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sims.report.bibtex._ESCAPED", {})
    with pytest.raises(Exception, match="syntax error"):
        parsed(Entry("misc", "k", (("note", "a } b"),)), Entry("misc", "l", ()))


def test_verbatim_fields_keep_their_characters() -> None:
    assert VERBATIM == ("doi", "url")
    read = parsed(Entry("misc", "k", (("url", "https://a.b/c_d%20e#f{g}"),))).entries["k"].fields
    assert read["url"] == "https://a.b/c_d%20e#f%7Bg%7D"


def test_keys_are_unique_and_readable() -> None:
    entries = citations_of("a b")[:1] + citations_of("a b")[1:2] + citations_of("a-b")[1:2]
    assert len({entry.key for entry in entries}) == 2
    machine = replace(load_machine("edge-npu"), name="archmodel")
    assert machine.name in {entry.key for entry in citations_of("x")}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017, table 2", ["jouppi-2017"]),
        ("arrays as in TPU v4 (Jouppi et al., ISCA 2023)", ["jouppi-2023"]),
        ("see genc-2021, section 3", ["genc-2021"]),
        ("genc-20213 and xgenc-2021 are no keys", []),
        ("a choice of this project", []),
        ("ISCA 2017, somebody else", []),
    ],
)
def test_sources_that_a_text_names(text: str, keys: list[str]) -> None:
    assert [found.key for found in recognised(text)] == keys


def test_presets_name_sources_that_are_listed() -> None:
    named = {name: {key.key for text in [load_machine(name).source, *(part.source for part in load_machine(name).engines)]
                    for key in recognised(text)} for name in list_machines()}  # fmt: skip
    assert named == {"cloud": {"jouppi-2023"}, "ecp5-tiny": set(), "edge-attention": {"fusemax-2024", "genc-2021"},
                     "edge-npu": {"genc-2021"}, "plain-a3": {"chen-2016"}, "tpu-v1": {"jouppi-2017"}}  # fmt: skip


def test_every_kind_has_a_field_for_its_venue() -> None:
    assert {said.kind for said in sources().values()} <= set(VENUE)


def test_citation_cff_is_valid_and_current() -> None:
    schema = json.loads((Path(__file__).parent / "cff-1.2.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(CFF)
    assert CFF["version"] == __version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (CFF["title"], [author["name"] for author in CFF["authors"]]) == (TITLE, [AUTHORS])
    wrong = {**CFF, "authors": []}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(wrong)
