"""Number formats: their constants as the documents that define them print them."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError
from archmodel.records.formats import FLOATS, FORMATS, format_of

DEFINED = {
    # bits, mantissa bits, bias, least exponent, infinity, largest, NaN, whether conversions saturate
    "fp32": (32, 23, 127, -126, 0x7F800000, 0x7F7FFFFF, 0x7FC00000, False),
    "bf16": (16, 7, 127, -126, 0x7F80, 0x7F7F, 0x7FC0, False),
    "e5m2": (8, 2, 15, -14, 0x7C, 0x7B, 0x7E, True),
    "e4m3": (8, 3, 7, -6, None, 0x7E, 0x7F, True),
}


@pytest.mark.parametrize("name", DEFINED)
def test_constants(name: str) -> None:
    """Everything that compares model, golden and hardware reads these from one place, so they are written again here."""
    known = format_of(name)
    infinity = known.infinity if known.has_infinity else None
    found = (known.bits, known.mantissa_bits, known.bias, known.least_exponent, infinity, known.largest, known.nan, known.saturates)
    assert found == DEFINED[name]


def test_names() -> None:
    assert {name for name, known in FORMATS.items() if known.is_float} == {*FLOATS, "fp32"}
    with pytest.raises(SpecError, match="number format 'fp16', expected one of int4, int8, bf16, e4m3, e5m2, fp32"):
        format_of("fp16")
