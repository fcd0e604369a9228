"""What the cross-check must know of each engine: one module of ``engines`` a type, found by the type's name, like the engine itself.

    HARDWARE                                the record of its hardware
    longest(program, hardware) -> int       cycles of the longest command that shows nothing outside
    random_job(hardware, seed, stalled, largest, wide) -> Job
    given_job(hardware, shape, port, stalls, seed) -> Job
        of what a mismatch report printed as JSON: its own shape of work
    same_cycles(hardware, engine, seed) -> bool     of one wild Program, in engines that have such
    random_hardware(rng, side) -> hardware  anything up to 100 PEs; where side is not 0, of side x side
    computes(hardware) -> str               what, for people
    described(hardware) -> (str, str)       the same with its size, and its port and banks, for a line of a long run
    build_seconds(hardware) -> float        CPU time of generating and building it
    run_seconds(hardware, cycles) -> float  rough time of so many cycles in Verilator, on one core of two
    works(graph, mapping, machine, engine) -> dict[str, tuple[work, ...]]
                                            what one copy runs under a mapping, by rows of its result
    work_cycles(work, hardware, port) -> int    and work_job(work, hardware, port, seed) -> Job
    lane_bits(params) -> tuple[int, ...]    bits of the words that a beat of the port must divide
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.program import Program

Bytes = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.int64]


class Job(Protocol):
    """One Program with its data, and what it should give.  ``recipe``: arguments of ``sims.cosim.repeat`` that make it again."""

    @property
    def hardware(self) -> Any: ...
    @property
    def port(self) -> Port: ...
    @property
    def stalls(self) -> Stalls | None: ...
    @property
    def memory(self) -> Bytes: ...
    @property
    def program(self) -> Program: ...
    @property
    def seed(self) -> int: ...
    @property
    def recipe(self) -> str: ...
    @property
    def shape(self) -> object: ...

    def wanted(self) -> Matrix:
        """The result by definition."""

    def found(self, memory: Bytes) -> Matrix:
        """The result as it stands in memory after a run."""

    def price(self) -> int:
        """Cycles by the closed form, at a port that never stalls."""


def kind_of(hardware: Any) -> str:
    """The type of engine that a hardware record belongs to: the name of its module."""
    return type(hardware).__module__.rpartition(".")[2]


def kinds() -> tuple[str, ...]:
    """Types of engine that have hardware to simulate."""
    return tuple(sorted(module.name for module in iter_modules([str(Path(__file__).with_name("engines"))])))


def side_of(kind: str) -> Any:
    """The module of a type, imported on use."""
    return import_module(f"{__package__}.engines.{kind}")


def generator_of(kind: str) -> Any:
    """The package in ``rtl`` that generates a type: TOP and emit."""
    return import_module(f"rtl.{kind}")
