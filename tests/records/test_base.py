"""Plain data that nobody wrote does not become a record, and is not worked out first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from archmodel.forms import Ratio
from archmodel.located import Node
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.engines.systolic import Params
from archmodel.records.mapping import Certificate
from archmodel.records.result import OpResult


@dataclass(frozen=True)
class Share:
    of: Fraction


def test_a_fraction_reads_back() -> None:
    assert from_plain(Share, to_plain(Share(Fraction(-3, 7)))) == Share(Fraction(-3, 7))


@pytest.mark.parametrize("found", ["1e999999999", "3/2 ", "1/2/3", 0.5, None, "x"])
def test_what_is_no_fraction(found: object) -> None:
    shown = "nothing" if found is None else repr(found)
    with pytest.raises(SpecError) as error:
        from_plain(Share, {"of": found})
    assert str(error.value) == f"not a Share record: of: expected a fraction such as 3/2, found {shown}"


@pytest.mark.parametrize("found", ["1e999999999", "1e-100", "1" * 41, "1/0"])
def test_a_ratio_too_long_to_write_out(found: str) -> None:
    with pytest.raises(SpecError) as error:
        Ratio()(Node(found, "place"))
    assert str(error.value) == f"found {found!r}, expected a number such as 3/2"
    assert Ratio()(Node("1.5e2", "place")) == 150


@dataclass(frozen=True)
class Count:
    of: int
    at: float = 0.0


@pytest.mark.parametrize(("field", "found"), [("of", 10**101), ("of", -(10**400)), ("at", 1e308), ("at", float("nan"))])
def test_a_number_that_no_sum_survives(field: str, found: float) -> None:
    with pytest.raises(SpecError, match=rf"^not a Count record: {field}: expected a number nearer to 0 than 1e\+100, found "):
        from_plain(Count, {"of": 1, field: found})


def test_an_operator_without_a_clock() -> None:
    row = OpResult("g", "gemm", "array", 1, 0, 0, (), 0.0, "array", "cycle", (), ())
    with pytest.raises(SpecError) as error:
        replace(row, clock_hz=0)
    assert str(error.value) == "operator g: clock_hz is 0, expected at least 1"
    with pytest.raises(SpecError, match=r"^operator g: cycles is -1, expected at least 0$"):
        replace(row, cycles=-1)


def test_a_quoted_text_of_several_lines_stays_on_one() -> None:
    with pytest.raises(SpecError) as error:
        from_plain(Params, {"rows": 8, "cols": 8, "port_bytes": 8, "dataflows": ["two\nlines"]})
    assert str(error.value) == (
        "not a Params record: systolic engine: dataflows is two lines, expected one of ws, is, os"
    )


@pytest.mark.parametrize(("value", "bound"), [(35141, 35141), (35254680599.5, 35254680598.0), (7, 6.5)])
def test_a_certificate_of_cycles_or_of_picojoules_reads_back(value: float, bound: float) -> None:
    proof = Certificate("energy", value, bound, 10, 3)
    back = from_plain(Certificate, to_plain(proof))
    assert back == proof and (type(back.value), type(back.lower_bound)) == (type(value), type(bound))
