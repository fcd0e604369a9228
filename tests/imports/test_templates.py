"""The part of a template that is read, and that the rest is refused with its place, soon."""

from __future__ import annotations

import time

import pytest

from archmodel.records.base import SpecError
from sims.imports.templates import rendered


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a: 1\n", "a: 1\n"),
        ("{% set X = X | default(3) %}\na: {{X}}\n", "\na: 3\n"),
        ('{% set X = X | default("inf") %}a: {{ X }}', "a: inf"),
        ("{% set X = 1 %}{% set Y = X %}{% set X = 2 %}{{X}}{{Y}}", "21"),
        ("{% set Y = X | default(4) %}{{Y}}", "4"),
        ("a: 1 {# a remark\nof two lines #}\nb: 2\n", "a: 1 \n\nb: 2\n"),
        ("a: {b: {c: 1}}\n", "a: {b: {c: 1}}\n"),
    ],
)
def test_it_is_read_line_for_line(text: str, made: str) -> None:
    assert rendered(text, "a.yaml") == made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {{X}}\n", "a.yaml:2:4: found '{{X}}', expected plain YAML"),
        ("{{ ''.__class__ }}", "a.yaml:1:1: found"),
        ("{{X * 10 ** 9}}", "a.yaml:1:1: found"),
        ("{% include 'b.yaml' %}", "a.yaml:1:1: found"),
        ("{% set X = range(10 ** 9) %}", "a.yaml:1:1: found"),
        ("{% set X = Y %}", "a.yaml:1:1: found 'Y', which has no value"),
        ('{% set X = "' + "x" * 300 + '" %}', "a.yaml:1:1: found a value of 300 characters"),
        ("{%" * 400_000, "a.yaml: found 400,000 marks of a template, expected at most 1,000; render it first"),
        ("{{" * 999 + "x" * 900_000, ""),
    ],
)
def test_what_computes_is_refused_soon(text: str, said: str) -> None:
    begin = time.process_time()
    try:
        rendered(text, "a.yaml")
    except SpecError as error:
        assert str(error).startswith(said) and said
    else:
        assert not said
    assert time.process_time() - begin < 1
