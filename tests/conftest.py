"""What every test shares: reproducible hypothesis runs, one thread a worker, hardware tests first."""

from __future__ import annotations

import os
from pathlib import Path

# Before NumPy is imported: two workers on two cores must not start two threads each.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import pytest
from hypothesis import HealthCheck, settings

HARDWARE = ("cosim", "rtl", "synth")

# The same examples in every run: a test passes or fails by what the code is, not by what was drawn.
settings.register_profile(
    "archmodel",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("archmodel")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of hardware and starts them first: they are the longest, and nothing should wait for them."""
    for item in items:
        if {*item.path.relative_to(Path(__file__).parent).parts} & {*HARDWARE}:
            item.add_marker(pytest.mark.rtl)
    items.sort(key=lambda item: item.get_closest_marker("rtl") is None)
