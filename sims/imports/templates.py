"""The part of a template that can be read without executing it: ``{% set NAME = NAME | default(VALUE) %}`` and ``{{NAME}}``.

Loops, macros, calls and includes are refused: a template is a program, and a file that nobody wrote may hold any.
"""

from __future__ import annotations

import re

from archmodel.records.base import SpecError

_MARK = re.compile(r"\{%.{0,4000}?%\}|\{\{.{0,4000}?\}\}|\{#.{0,4000}?#\}", re.DOTALL)
_LITERAL = r"\"[^\"{}]*\"|'[^'{}]*'|[-+.*\w]+"
_SET = re.compile(rf"\{{%[-+]?\s*set\s+(\w+)\s*=\s*(?:(\w+)\s*\|\s*default\(\s*({_LITERAL})\s*\)|({_LITERAL}))\s*[-+]?%\}}")
_USE = re.compile(r"\{\{[-+]?\s*(\w+)\s*[-+]?\}\}")
_PLAIN = re.compile(r"[-+]?\d[\w.+*-]*|inf|[Tt]rue|[Ff]alse|[Nn]one|[Nn]ull")
"""What needs no quotes to be a value."""
MOST_MARKS = 1000
LONGEST = 200
"""Characters of a value."""


def rendered(text: str, shown: str) -> str:
    """The text with its variables in place, line for line.  Raises SpecError where it would have to be executed."""
    if (marks := sum(text.count(mark) for mark in ("{%", "{{", "{#"))) > MOST_MARKS:
        raise SpecError(f"{shown}: found {marks:,} marks of a template, expected at most {MOST_MARKS:,}; render it first")
    values: dict[str, str] = {}

    def replaced(mark: re.Match[str]) -> str:
        lines = "\n" * mark[0].count("\n")
        if mark[0].startswith("{#"):
            return lines
        if given := _SET.fullmatch(mark[0]):
            _assign(given, values, shown)
            return lines
        used = _USE.fullmatch(mark[0])
        if used is None or used[1] not in values:
            raise _refusal(mark, shown, repr(mark[0][:60]))
        return values[used[1]]

    return _MARK.sub(replaced, text) if "{" in text else text


def _assign(given: re.Match[str], values: dict[str, str], shown: str) -> None:
    """Sets a variable: to a literal, to another one, or to a default where that one has no value."""
    name, other, default, value = given.groups()
    literal = value if other is None else values.get(other, default)
    if literal[0] not in "\"'" and literal not in values and not _PLAIN.fullmatch(literal):
        raise _refusal(given, shown, f"{literal[:40]!r}, which has no value")
    literal = values.get(literal, literal).strip("\"'")
    if len(literal) > LONGEST:
        raise _refusal(given, shown, f"a value of {len(literal)} characters")
    values[name] = literal


def _refusal(mark: re.Match[str], shown: str, found: str) -> SpecError:
    before = mark.string[: mark.start()]
    place = f"{shown}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    return SpecError(f"{place}: found {found}, expected plain YAML, {{% set NAME = VALUE %}} or {{{{NAME}}}} of a value set before; "
                     "a template that computes is not executed: render it first")  # fmt: skip
