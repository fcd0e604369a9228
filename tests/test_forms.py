"""Forms read a value, refuse it in words, and state themselves as JSON Schema; keys take their meaning from docstrings."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator

from archmodel import units
from archmodel.forms import Amount, Boolean, Choice, Form, Name, Ratio, Several, Text, Whole, form_of
from archmodel.keys import inline, meanings
from archmodel.load import plain_from_yaml
from archmodel.located import Node
from archmodel.records.base import OneOf, SpecError, Within, check_fields

RATE = Amount(units.BANDWIDTH)


@pytest.mark.parametrize(
    ("form", "written", "value"),
    [
        (Text(), "as it stands", "as it stands"),
        (Name(), "a-b_1", "a-b_1"),
        (Whole(), "1_000", 1000),
        (Whole(), "320_", 320),
        (Whole(), "-12", -12),
        (Whole(Within(1, 9)), "9", 9),
        (Whole(OneOf((4, 8))), "4", 4),
        (Choice(("ws", "os")), "os", "os"),
        (Boolean(), "true", True),
        (Ratio(), "3/2", Fraction(3, 2)),
        (Ratio(), "1.5", Fraction(3, 2)),
        (RATE, "1.5 kB/s", 1500),
        (Several(Whole(), 2), ["1", "2"], (1, 2)),
        (Several(Choice(("ws", "os"))), [], ()),
    ],
)
def test_what_is_read_is_valid(form: Form, written: Any, value: object) -> None:
    items = [Node(item, "") for item in written] if isinstance(written, list) else written
    assert form(Node(items, "")) == value
    plain = plain_from_yaml(f"x: [{', '.join(written)}]" if isinstance(written, list) else f"x: {written}")["x"]
    assert Draft202012Validator(form.schema()).is_valid(plain)


@pytest.mark.parametrize(
    ("form", "written", "message"),
    [
        (Name(), "1a", "found '1a', expected a name of letters, digits, _ and -"),
        (Whole(), "1.5", "found '1.5', expected a whole number"),
        (Whole(Within(1, 9)), "10", "found 10, expected at most 9"),
        (Whole(Within(1, 9)), "0", "found 0, expected at least 1"),
        (Whole(OneOf((4, 8))), "6", "found 6, expected one of 4, 8"),
        (Whole(OneOf((8,))), "6", "found 6, expected 8"),
        (Choice(("ws", "os")), "is", "found 'is', expected one of ws, os"),
        (Boolean(), "yes please", "found 'yes please', expected true or false"),
        (Ratio(), "1/0/2", "found '1/0/2', expected a number such as 3/2"),
        (RATE, "8", "found '8' without a unit, expected a bandwidth such as 51.2 GB/s"),
        (RATE, "-8 B/s", "found '-8 B/s', expected a bandwidth of at least 1 B/s"),
        (Several(Whole(), 2), "3", "found '3', expected a list of 2"),
    ],
)
def test_what_is_refused_is_not_valid(form: Form, written: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        form(Node(written, ""))
    assert str(error.value) == message
    assert not Draft202012Validator(form.schema()).is_valid(plain_from_yaml(f"x: {written}")["x"])


def test_a_type_s_bounds_are_the_form_s() -> None:
    assert form_of(Annotated[int, Within(2, 5)]) == Whole(Within(2, 5))
    assert form_of(tuple[Annotated[str, OneOf(("a", "b"))], ...]) == Several(Choice(("a", "b")))
    assert form_of(tuple[Annotated[int, Within(1, 3)], int]) == Several(Whole(Within(1, 3)), 2)
    assert form_of(Fraction | None) == Ratio()
    with pytest.raises(TypeError, match="has no form in YAML"):
        form_of(dict[str, int])


@dataclass(frozen=True)
class Example:
    """What stands first is of the record.

    speed   in steps,
            or in strides
    kinds a word each
    Not a field, and no part of one.
    """

    speed: Annotated[int, Within(2, 5)] = 2
    kinds: tuple[Annotated[str, OneOf(("a", "b"))], ...] = ()
    bare: int = 0


def test_meanings_come_from_the_docstring() -> None:
    assert meanings(Example) == {"speed": "in steps, or in strides", "kinds": "a word each"}


def test_a_record_checks_its_bounds() -> None:
    check_fields(Example(5, ("a",), -9), "example")
    with pytest.raises(SpecError, match=r"^example: speed is 6, expected at most 5$"):
        check_fields(Example(6), "example")
    with pytest.raises(SpecError, match=r"^example: kinds is c, expected one of a, b$"):
        check_fields(Example(2, ("a", "c")), "example")


ODD = ("a: b", "# no", "x #y", "true story ", "'", "")


@pytest.mark.parametrize("value", [0, -3, True, "core", "16 GB/s", "3/2", ["ws", "is"], [1, 2], *ODD])
def test_a_value_on_one_line_reads_back(value: Any) -> None:
    assert plain_from_yaml(f"x: {inline(value)}  # a meaning")["x"] == value
