"""Building a graph costs milliseconds (the best of several tries, so that a busy machine doesn't fail the test)."""

from __future__ import annotations

import time
from collections.abc import Callable

from archmodel.workload.zoo import zoo_model


def best_of(tries: int, action: Callable[[], object]) -> float:
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def test_mixtral_builds_fast() -> None:
    model = zoo_model("mixtral-8x7b")
    assert best_of(5, lambda: model.prefill(2048)) < 0.05
    assert best_of(5, lambda: model.decode(16, 4096)) < 0.02
