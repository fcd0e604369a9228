"""Texts that nobody wrote: hostile ones are refused in one line, and whatever is printed reads back."""

from __future__ import annotations

import contextlib
import errno
import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archmodel import load
from archmodel.cost import default_costs
from archmodel.records.base import SpecError
from archmodel.records.engines import systolic, vector
from archmodel.records.machine import Clock, Engine, Link, Machine, Memory
from tests.small import SMALL


def error_of(text: str) -> str:
    with pytest.raises(SpecError) as error:
        load.machine_from_yaml(text, "m")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [ls]\n",
         "<m>:1:4: found the tag 'tag:yaml.org,2002:python/object/apply:os.system', expected plain YAML"),
        ("a: &x [1]\nb: *x\n", "<m>:1:4: found an anchor or alias, expected plain YAML"),
        ("a: *x\n", "<m>:1:4: found an anchor or alias, expected plain YAML"),
        ("[1]: 2\n", "<m>:1:1: found a list as a key, expected text"),
        ("a: 1\n---\nb: 2\n", "<m>:2:1: found a second document, expected one"),
        ("a: [1, 2\n", "<m>:2:1: not YAML: did not find expected ',' or ']'"),
        ("a:\n\tb: 1\n", "<m>:2:1: not YAML: found a tab, expected spaces"),
        ("a: \x07\n", "<m>: not YAML: found a character that text may not hold at offset 3"),
        ("a: \ud800", "<m>: not YAML: found a lone surrogate at offset 3, expected text"),
        ("[" * 5000, "<m>:1:66: found more than 50000 nodes or 64 levels, expected a description"),
        ("- " * 5000, "<m>:1:131: found more than 50000 nodes or 64 levels, expected a description"),
        ("[" + "a," * 60_000 + "]", "<m>:1:100000: found more than 50000 nodes or 64 levels, expected a description"),
        ("#" * (1 << 21), "<m>: found a text above 1 MiB, expected a description"),
    ],
)  # fmt: skip
def test_is_refused_in_one_line(text: str, message: str) -> None:
    found = error_of(text)
    assert "\n" not in found
    assert found == message


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert error_of('{"\\e[31mred\\n\\u202e": 1, node: 16 nm}') == (
        "<m>:1:2: \\x1b[31mred \\u202e: found an unknown key, expected one of "
        "base, name, source, node, clock, convention, clocks, memories, engines, links, devices, fabric"
    )


def test_a_long_key_is_cut() -> None:
    found = error_of(f"node: 16 nm\n? {'k' * 100_000}\n: 1\n")
    assert found.startswith(f"<m>:2:3: {'k' * 197}...: found an unknown key, expected one of base, ")


def test_a_long_line_of_an_error_loses_its_middle() -> None:
    text = str(SpecError(f"found {'x' * 5000}, expected less\nsecond line"))
    assert text.startswith("found xxx")
    assert text.endswith("xxx, expected less\nsecond line")
    assert len(text.split("\n")[0]) == 999


def test_very_many_findings_are_counted() -> None:
    lines = error_of("node: 16 nm\n" + "".join(f"k{i}: 1\n" for i in range(20_000))).split("\n")
    assert len(lines) == 101
    assert lines[0].startswith("<m>:2:1: k0: found an unknown key")
    assert lines[-1] == "<m>:102:1: found 19900 more errors from here on, expected none"


def test_a_base_whose_name_no_system_takes() -> None:
    found = error_of(f"base: {'b' * 300}\n")
    assert found.startswith("<m>:1:7: base: found 'bbb")
    assert ", which is neither a preset nor a file, expected a file or one of " in found


@pytest.mark.parametrize("option", ["na\nme\x1b=\x07", f"{'n' * 5000}=\x07"])
def test_an_option_is_shown_on_one_short_line(option: str) -> None:
    with pytest.raises(SpecError) as error:
        load.load_machine("edge-npu", [option])
    found = str(error.value)
    assert found.startswith(("--set na me\\x1b=\\x07: not YAML: ", f"--set {'n' * 197}...: not YAML: "))
    assert found.endswith("found a character that text may not hold at offset 0")


@pytest.mark.parametrize("text", ["0x_", "0b_", "9" * 5000, ":".join(["59"] * 100_000)])
def test_what_only_looks_like_a_number_is_text(text: str) -> None:
    assert load.plain_from_yaml(f"a: {text}") == {"a": text}


def test_a_record_that_does_not_fit_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "clock.yaml"
    path.write_text("name: core\nhz: fast\n")
    with pytest.raises(SpecError) as error:
        load.load_record(Clock, path)
    assert str(error.value) == f"{path}: not a Clock record: hz: expected int, found 'fast'"


def test_a_bomb_of_aliases() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]
    assert error_of("\n".join(lines)) == "<m>:1:5: found an anchor or alias, expected plain YAML"


def test_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a" * (10 << 20))
    with pytest.raises(SpecError) as error:
        load.load_machine(path)
    assert str(error.value) == f"{path}: larger than 1,048,576 bytes, expected a description"


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"ab\xff\xfe")
    with pytest.raises(SpecError) as error:
        load.load_machine(path)
    assert str(error.value) == f"{path}: found a byte that is not UTF-8 at offset 2, expected text"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads every file, so the refusal is the system call's own."""
    path = tmp_path / "secret.yaml"
    path.write_text(SMALL, encoding="utf-8")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SpecError, match=rf"^{path}: cannot be read \(Permission denied\); expected a description$"):
        load.load_machine(path)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="neither a preset nor a file"):
        load.load_machine(tmp_path)


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text(alphabet=":-[]{}&*!#|>'\"a1 \n", max_size=60))
def test_any_text_reads_or_raises_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        load.machine_from_yaml(text)


@settings(max_examples=200)
@given(st.integers(0, len(SMALL) - 1), st.integers(0, 30), st.text(alphabet=":-[]{},'\"a1 \n", max_size=3))
def test_a_damaged_machine_reads_or_raises_a_spec_error(at: int, cut: int, more: str) -> None:
    with contextlib.suppress(SpecError):
        load.machine_from_yaml(SMALL[:at] + more + SMALL[at + cut :])


DRAMS = default_costs().technologies()
names = st.text(string.ascii_letters + "_", min_size=1, max_size=6)
amounts = st.integers(1, 10**12)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def machines(draw: st.DrawFn, depth: int = 1) -> Machine:
    clocks = [Clock(name, draw(amounts)) for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))]
    first, second, *others = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    technology, latency = st.sampled_from(("sram", *DRAMS)), st.integers(0, 10**9)
    memories = [
        Memory(first, "sram", draw(st.integers(1 << 20, 1 << 24)), draw(st.none() | amounts), draw(latency), draw(texts)),
        Memory(second, draw(st.sampled_from(DRAMS)), draw(st.integers(1, 1 << 60)), draw(amounts), draw(latency)),
        *(Memory(name, draw(technology), draw(amounts), draw(st.none() | amounts), draw(latency)) for name in others),
    ]
    clock = st.sampled_from([c.name for c in clocks])
    engines = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        if draw(st.booleans()):
            params: object = vector.Params(*draw(st.tuples(*[st.integers(1, 99)] * 6)))
            buffer = draw(st.sampled_from((None, first)))
        else:
            side, flows = (
                8 * draw(st.integers(1, 4)),
                draw(st.lists(st.sampled_from(systolic.DATAFLOWS), min_size=1, unique=True)),
            )
            params = systolic.Params(side, side, tuple(flows), port_bytes=8, outstanding=draw(st.integers(1, 255)))
            buffer = first
        kind = "vector" if isinstance(params, vector.Params) else "systolic"
        engines.append(
            Engine(name, kind, draw(clock), params, buffer, second, draw(st.integers(1, 1 << 16)), draw(texts))
        )
    links = [Link(name, (draw(names), draw(names)), draw(amounts), draw(amounts), draw(texts))
             for name in draw(st.lists(names, max_size=2, unique=True))]  # fmt: skip
    inner = draw(st.lists(machines(depth - 1), max_size=2, unique_by=lambda m: m.name)) if depth else []
    return Machine(draw(names), draw(st.integers(1, 10**4)), tuple(clocks), tuple(memories), tuple(engines),
                   tuple(links), tuple(inner), draw(texts))  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(machines())
def test_any_machine_reads_back_what_it_prints(machine: Machine) -> None:
    assert load.machine_from_yaml(load.machine_to_yaml(machine)) == machine
    assert load.record_from_yaml(Machine, load.record_to_yaml(machine)) == machine
