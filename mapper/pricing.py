"""What tilings of one GEMM cost, exactly and at least: on all copies, in all rounds, with changes of layout and static power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archmodel.cost import Costs, default_costs
from archmodel.engines import relayouter
from archmodel.engines.systolic import hardware_of, price
from archmodel.engines.systolic.closed_form import Array, Batch
from archmodel.engines.systolic.energy import Tariff, energy_pj, tariff
from archmodel.engines.systolic.passes import traffic
from archmodel.engines.systolic.tiling import ROLES, I, L, Y, ceil_div, quantum
from archmodel.evaluation import machine_static
from archmodel.memory.port import Port, port_of
from archmodel.records.engines.systolic import Hardware
from archmodel.records.machine import Engine, Machine

from .space import FREE, Rules, Sizes, cut_bound, floor, lower_bound

Pair = tuple[Array, Array]
"""Picojoules and cycles."""


@dataclass(frozen=True)
class Target:
    """A systolic engine with all that pricing on it needs.

    turner     changes layouts, if one can
    static_pj  what the whole machine draws in a cycle of the engine, whatever it does
    """

    machine: Machine
    engine: Engine
    hardware: Hardware
    port: Port
    prices: Tariff
    turner: Engine | None
    costs: Costs
    static_pj: float


def target(machine: Machine, engine: Engine, costs: Costs | None = None) -> Target:
    hardware, costs = hardware_of(machine, engine), costs or default_costs()
    return Target(machine, engine, hardware, port_of(machine, engine), tariff(machine, engine, hardware, costs), relayouter(machine), costs,
                  static_pj(machine, engine, costs))  # fmt: skip


def static_pj(machine: Machine, engine: Engine, costs: Costs) -> float:
    """Picojoules that a machine draws in a cycle of an engine, whatever it does."""
    return sum(figure.value for _, figure in machine_static(machine, costs)) * 1e12 / machine.clock_hz(engine.clock)


@dataclass(frozen=True)
class Share:
    """How one instance of a GEMM is dealt out along ``split``: each copy has a product of ``sizes``, ``rounds`` of them one after another.

    runs  products of that shape on all copies together
    rest  what the last copy has of the split rank, once a round, where that is less; else 0
    """

    split: str
    sizes: Sizes
    rounds: int
    runs: int
    rest: int = 0


@dataclass(frozen=True)
class Turn:
    """Changes of layout that a dataflow needs, for one instance."""

    cycles: int = 0
    energy_pj: float = 0.0


@dataclass(frozen=True)
class Task:
    """A GEMM dealt out in one way: what its tilings cost, for one instance."""

    where: Target
    share: Share
    turns: dict[str, Turn]
    requantise: bool
    hardware: Hardware
    rules: Rules = FREE

    def exactly(self, work: Batch) -> Pair:
        """Of tilings in an order."""
        cycles = self._cycles(work, price(work, self.hardware, self.where.port).cycles)
        return self._energy(work, work, cycles, True), cycles

    def at_least(self, work: Batch) -> Pair:
        """The same, bounded from below; energy is exact but for static power."""
        cycles = self._cycles(work, lower_bound(work, self.hardware, self.where.port))
        return self._energy(work, work, cycles, True), cycles

    def of_cuts(self, work: Batch) -> Pair:
        """Bounds of cuts in an order, whatever their tile sizes."""
        cycles = self._cycles(work, cut_bound(work, self.hardware, self.where.port))
        return self._energy(work, self._largest(work), cycles, True), cycles

    def fewest(self, work: Batch) -> Array:
        """Cycles of cuts, bounded from below whatever their tile sizes and order."""
        return self._cycles(work, floor(work, self.hardware, self.where.port))

    def _cycles(self, work: Batch, once: Array) -> Array:
        return once * self.share.rounds + self._extra(work, "cycles").astype(np.int64)

    def _energy(self, work: Batch, last: Batch, cycles: Array, ordered: bool) -> Array:
        """``last``: the tilings that the last copy's slice is cut like."""
        energy = energy_pj(traffic(work, self.hardware, ordered), self.hardware, self.where.prices) * self.share.runs
        if self.share.rest:
            least = traffic(self._last(last), self.hardware, ordered)
            energy = energy + energy_pj(least, self.hardware, self.where.prices) * self.share.rounds
        return energy + self._extra(work, "energy_pj") + self.where.static_pj * cycles

    def _extra(self, work: Batch, what: str) -> Array:
        cost = {flow: getattr(self.turns.get(flow, Turn()), what) for flow in ROLES}
        return np.where(work.output, cost["os"], np.where(work.n_is_i, cost["is"], cost["ws"]))

    def _split_role(self, work: Batch) -> Array:
        if self.share.split == "m":
            return np.where(work.output, L, np.where(work.n_is_i, Y, I))
        return np.where(work.n_is_i, I, Y)

    def _last(self, work: Batch) -> Batch:
        """The slice of the last copy, loops of one trip outermost again."""
        extent, role = work.extent.copy(), self._split_role(work)
        extent[role, np.arange(len(work))] = self.share.rest
        tile = np.minimum(work.tile, extent)
        several = np.take_along_axis(ceil_div(extent, tile), work.order, axis=0) > 1
        order = np.take_along_axis(work.order, np.argsort(several, axis=0, kind="stable"), axis=0)
        return Batch(extent, tile, order, work.output, work.n_is_i, work.requantise, work.init)

    def _largest(self, work: Batch) -> Batch:
        """Cuts with the largest tile of the split rank, of which a slice needs the fewest trips."""
        if not self.share.rest:
            return work
        tile, role, at = work.tile.copy(), self._split_role(work), np.arange(len(work))
        extent = work.extent[role, at]
        trips = ceil_div(extent, tile[role, at])
        grains = {flow: quantum(flow, self.share.split, self.hardware) for flow in ROLES}
        grain = np.where(work.output, grains["os"], np.where(work.n_is_i, grains["is"], grains["ws"]))
        most = (ceil_div(ceil_div(extent, grain), np.maximum(trips - 1, 1)) - 1) * grain
        tile[role, at] = np.where(trips > 1, np.minimum(most, extent), extent)
        return Batch(work.extent, tile, work.order, work.output, work.n_is_i, work.requantise, work.init)


def ranked(objective: str, costs: Pair) -> Pair:
    """What an objective compares first, and what breaks its ties."""
    energy, cycles = costs
    if objective == "latency":
        return cycles, energy
    return (energy, cycles) if objective == "energy" else (energy * cycles, energy)
