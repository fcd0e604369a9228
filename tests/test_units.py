from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archmodel import units
from archmodel.records.base import SpecError

KINDS = (units.FREQUENCY, units.BYTES, units.BANDWIDTH, units.TIME, units.LENGTH)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("800 MHz", units.FREQUENCY, 800_000_000),
        ("1.05 GHz", units.FREQUENCY, 1_050_000_000),
        ("3kHz", units.FREQUENCY, 3_000),
        ("1e3 Hz", units.FREQUENCY, 1_000),
        ("64 KiB", units.BYTES, 65_536),
        ("64 kB", units.BYTES, 64_000),
        ("1.5 MiB", units.BYTES, 1_572_864),
        ("2 TiB", units.BYTES, 2 << 40),
        ("51.2 GB/s", units.BANDWIDTH, 51_200_000_000),
        ("1 GiB/s", units.BANDWIDTH, 1 << 30),
        ("2.039 TB/s", units.BANDWIDTH, 2_039_000_000_000),
        ("100 ns", units.TIME, 100_000),
        ("1.5 us", units.TIME, 1_500_000),
        ("0 s", units.TIME, 0),
        ("16 nm", units.LENGTH, 16),
        ("0.18 um", units.LENGTH, 180),
        ("1000 GHz", units.FREQUENCY, 10**12),
        ("1048576 TiB", units.BYTES, 1 << 60),
        ("1e18 B/s", units.BANDWIDTH, 10**18),
        ("1 s", units.TIME, 10**12),
        ("10 um", units.LENGTH, 10_000),
    ],
)
def test_reads_whole_numbers_of_base_units(text: str, kind: units.Quantity, value: int) -> None:
    assert units.parse(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("800", units.FREQUENCY, "found '800' without a unit, expected a frequency such as 800 MHz"),
        ("", units.BYTES, "found '', expected a size such as 64 KiB"),
        ("fast", units.BANDWIDTH, "found 'fast', expected a bandwidth such as 51.2 GB/s"),
        ("8 mhz", units.FREQUENCY, "found the unit 'mhz', expected a frequency in one of Hz, kHz, MHz, GHz"),
        ("1 KB", units.BYTES,
         "found the unit 'KB', expected a size in one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"),
        ("0 KiB", units.BYTES, "found '0 KiB', expected a size of at least 1 B"),
        ("-1 ns", units.TIME, "found '-1 ns', expected a time of 0 or more"),
        ("1.5 B", units.BYTES, "found '1.5 B', expected a size that is a whole number of B"),
        ("0.5 ps", units.TIME, "found '0.5 ps', expected a time that is a whole number of ps"),
        ("1e999 Hz", units.FREQUENCY, "found '1e999 Hz', expected a frequency such as 800 MHz"),
        ("1001 GHz", units.FREQUENCY, "found '1001 GHz', expected a frequency of at most 1000 GHz"),
        ("1048577 TiB", units.BYTES, "found '1048577 TiB', expected a size of at most 1048576 TiB"),
        ("1e19 B/s", units.BANDWIDTH, "found '1e19 B/s', expected a bandwidth of at most 1000000 TB/s"),
        ("1.1 s", units.TIME, "found '1.1 s', expected a time of at most 1 s"),
        ("10001 nm", units.LENGTH, "found '10001 nm', expected a process node of at most 10 um"),
        ("1 GHz 2", units.FREQUENCY, "found '1 GHz 2', expected a frequency such as 800 MHz"),
    ],
)  # fmt: skip
def test_says_what_it_expected(text: str, kind: units.Quantity, message: str) -> None:
    with pytest.raises(SpecError) as error:
        units.parse(text, kind)
    assert str(error.value) == message


def test_long_text_is_cut_to_one_line() -> None:
    with pytest.raises(SpecError) as error:
        units.parse("9" * 10_000 + "\n Hz", units.FREQUENCY)
    assert len(str(error.value)) < 150
    assert "\n" not in str(error.value)


@given(st.sampled_from(KINDS), st.integers(1, 10**18))
def test_text_reads_back_exactly(kind: units.Quantity, value: int) -> None:
    value = min(value, kind.maximum)
    assert units.parse(units.text_of(value, kind), kind) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (100_000, units.TIME, "100 ns"),
        (0, units.TIME, "0 s"),
        (327_680, units.BYTES, "320 KiB"),
        (80 * 10**9, units.BYTES, "80 GB"),
        (80 << 30, units.BYTES, "80 GiB"),
        (1_000_000_000, units.FREQUENCY, "1 GHz"),
        (800_000_000, units.FREQUENCY, "800 MHz"),
        (16, units.LENGTH, "16 nm"),
    ],
)
def test_text_is_what_a_person_would_write(value: int, kind: units.Quantity, text: str) -> None:
    assert units.text_of(value, kind) == text
