"""What the attention engine's parts do, for trees that are counted as papers count them."""

from __future__ import annotations

from fractions import Fraction

from archmodel.engines import Unit
from archmodel.records.machine import Engine, Machine


def units(machine: Machine, engine: Engine) -> tuple[Unit, ...]:
    """The array, keys over its rows and queries over its columns, and the lanes below it.

    An exponential is a chain: a subtraction, then as many multiply-adds as its polynomial has degrees.
    """
    del machine
    has, once = engine.params, Fraction(1)
    both = (("max", once), ("exp", Fraction(has.degree + 1)), ("add", once))
    chain = (("exp", "mac", has.degree), ("exp", "add", 1))
    return (Unit("array", has.rows, has.cols, (("mul+add", once), *both), chain),
            Unit("lanes", 1, has.cols, (*both, ("mul", once), ("div", once)), (*chain, ("mul", "mac", 1))))  # fmt: skip
