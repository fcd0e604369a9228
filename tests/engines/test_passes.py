"""Traffic as products of sums along loops is what the closed form counts step by step."""

from __future__ import annotations

from dataclasses import replace

from archmodel.engines.systolic import price
from archmodel.engines.systolic.energy import energy_pj
from archmodel.engines.systolic.passes import traffic
from mapper.space import grid, in_every_order

from ..mapper.helpers import aim, generator, integers, random_hardware, random_port


def test_traffic_equals_the_closed_forms_and_energy_with_it() -> None:
    """Of 20,000 tilings, some of which go on from what memory holds."""
    rng, seen = generator(5), 0
    while seen < 20_000:
        shape, requantise, hardware = dict(zip("mnk", integers(rng, 3, 150), strict=True)), bool(rng.integers(2)), random_hardware(rng)
        work = in_every_order(grid(shape, requantise, hardware))
        work = work[rng.permutation(len(work))[:300]]
        if not len(work):
            continue
        work = replace(work, init=rng.random(len(work)) < 0.3)
        where = aim(hardware, random_port(rng))
        cost, found = price(work, hardware, where.port), traffic(work, hardware)
        for name in ("read_bytes", "write_bytes", "stored", "requantised"):
            assert (getattr(cost, name) == getattr(found, name)).all(), (name, shape, hardware)
        for name in ("filled", "streamed"):
            assert all((counts == getattr(found, name)[buffer]).all() for buffer, counts in getattr(cost, name).items())
        assert (energy_pj(cost, hardware, where.prices) == energy_pj(found, hardware, where.prices)).all()
        seen += len(work)
