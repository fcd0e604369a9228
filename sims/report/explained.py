"""Why a mapping costs what it does, for people and as plain data: what binds, what more would bring, what constraints cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archmodel.records.base import to_plain
from archmodel.records.goal import Limit
from mapper.differences import Change, Difference, differences
from mapper.more import Gain, gains
from mapper.prices import Price, prices

from .grid import grid, lines
from .mapped import Answer, number, summary


@dataclass(frozen=True)
class Why:
    """What is said of an answer beside its figures, each part where it was asked for or there is something to say.

    prices       the free optimum, and what each constraint costs
    differences  from the best mapping, of one that was given
    """

    answer: Answer
    best: Answer
    gains: list[Gain] | None = None
    prices: tuple[float, list[Price]] | None = None
    differences: list[Difference] | None = None

    @classmethod
    def of(cls, answer: Answer, best: Answer, explained: bool) -> Why:
        """``explained`` looks for what more would bring and what constraints cost, a search each."""
        goal, where = best.goal, (best.graph, best.machine, best.costs, best.goal)
        bound = explained and (goal.limits or (goal.constraints and goal.constraints.rules))
        pair = (answer.mapping, answer.result), (best.mapping, best.result)
        return cls(
            answer, best, gains(*where, best.value) if explained else None, prices(*where, best.value) if bound else None,
            differences(best.after, best.machine, *pair) if answer is not best else None,
        )  # fmt: skip

    def text(self) -> str:
        """Tables, each after an empty line."""
        parts = [] if self.gains is None else [gains_text(self.best, self.gains)]
        parts += [] if self.prices is None else [prices_text(self.best, *self.prices)]
        parts += [] if self.differences is None else [differences_text(self.differences)]
        return "".join(f"\n{part}" for part in parts)

    def plain(self) -> dict[str, Any]:
        """The keys ``more``, ``constraints``, ``best`` and ``differences``, those that there are."""
        found: dict[str, Any] = {} if self.gains is None else {"more": gains_plain(self.gains)}
        found |= {} if self.prices is None else {"constraints": prices_plain(*self.prices)}
        if self.differences is not None:
            found |= {"best": summary(self.best), "differences": [_plain(item) for item in self.differences]}
        return found


def _plain(item: Difference) -> dict[str, Any]:
    changes = [{"what": change.what, "mine": change.mine, "best": change.best, "energy_pj": change.energy_pj, "cycles": change.cycles}
               for change in item.changes]  # fmt: skip
    return {"einsums": list(item.einsums), "energy_pj": item.energy_pj, "cycles": item.cycles, "changes": changes}


UNITS = {"latency": "cycles", "energy": "pJ", "edp": "pJ x cycles"}


def gains_text(answer: Answer, found: Sequence[Gain]) -> str:
    """A row for each resource: what one more unit and twice as many save, and the next size that changes anything."""
    rows = [[gain.resource, f"{number(gain.have):,} {gain.unit}", _saved(gain.one_more, answer.value), _saved(gain.twice, answer.value),
             _next(gain, answer.value)] for gain in found]  # fmt: skip
    title = f"what more of a resource saves, in {UNITS[answer.goal.objective]} of {_amount(answer.value)}"
    text = grid(title, ("resource", ">have", ">one step more", ">twice", "next size that saves"), rows)
    refused = [(gain.resource, gain.why) for gain in found if gain.why]
    return text + (lines(refused) if refused else "")


def _saved(then: float | None, now: float) -> str:
    if then is None:
        return "refused"
    return "nothing" if then == now else _amount(now - then)


def _amount(value: float) -> str:
    """All digits of what has few of them, four of the others."""
    return f"{value:,.0f}" if abs(value) < 1e13 else f"{value:.4g}"


def _next(gain: Gain, now: float) -> str:
    if gain.next is None or gain.then is None:
        return "-"
    return f"{gain.next:,}: {_amount(now - gain.then)}"


def gains_plain(found: Sequence[Gain]) -> list[dict[str, Any]]:
    """The keys of a Gain, numbers as JSON has them."""
    return [{"resource": gain.resource, "unit": gain.unit, "have": number(gain.have), "step": gain.step, "one_more": gain.one_more,
             "twice": gain.twice, "next": gain.next, "then": gain.then, "why": gain.why} for gain in found]  # fmt: skip


def prices_text(answer: Answer, free: float, found: Sequence[Price]) -> str:
    """A line for each constraint: where it was written, what it says, what it costs by itself and beside all the others."""
    over, unit = answer.value - free, UNITS[answer.goal.objective]
    title = f"what constraints cost, in {unit}: together {_amount(over)} above the free optimum of {_amount(free)}\n"
    return title + lines([(price.rule.place, f"{said(price)}: alone {_cost(price.alone)}, beside the others {_cost(price.last)}")
                          for price in found])  # fmt: skip


def _cost(value: float | None) -> str:
    return "unknown, as nothing is left" if value is None else "nothing" if not value else _amount(value)


def prices_plain(free: float, found: Sequence[Price]) -> dict[str, Any]:
    """The free optimum, and each constraint with its line and its costs."""
    each = [{"place": price.rule.place, "constraint": said(price), "alone": price.alone, "last": price.last} for price in found]
    return {"free_optimum": free, "each": each}


def said(price: Price) -> str:
    """A constraint in a few words."""
    rule = price.rule
    if isinstance(rule, Limit):
        return f"{rule.what} at most {number(rule.most):,}"
    plain = {key: value for key, value in to_plain(rule).items() if key != "tree" and value not in ("", None, [], "*")}
    defaults = {"least": 1, "multiple": 1}
    words = [f"{key} {_short(value)}" for key, value in plain.items() if defaults.get(key) != value]
    return f"{type(rule).__name__.removesuffix('Rule').lower()}: {', '.join(words)}" if words else type(rule).__name__.lower()


def _short(value: Any) -> str:
    return "/".join(_short(item) for item in value) if isinstance(value, list) else str(value).lower() if value is True else str(value)


def differences_text(found: Sequence[Difference]) -> str:
    """What the best mapping does otherwise, and what that saves: of a tree, and of each difference by itself."""
    if not found:
        return "The mapper finds nothing better: the best mapping is this one.\n"
    text = []
    for item in found:
        title = f"{' + '.join(item.einsums)}: the best mapping {_saving(item.energy_pj, item.cycles)}\n"
        text.append(title + (lines([(change.what, _change(change)) for change in item.changes]) if item.changes else ""))
    return "\n".join(text)


def _change(change: Change) -> str:
    alone = "not legal by itself" if change.energy_pj is None or change.cycles is None else _saving(change.energy_pj, change.cycles)
    both = f"{change.best} instead of {change.mine}"
    return f"{both}: {alone}" if change.what not in ("fusion", "engine") else both


def _saving(energy_pj: float, cycles: int) -> str:
    """What is saved, and what is paid for it, in words."""
    amounts = [(energy_pj, "pJ"), (cycles, "cycles")]
    saved, paid = ([f"{abs(value):,.0f} {unit}" for value, unit in amounts if value * sign > 0] for sign in (1, -1))
    parts = ([f"saves {' and '.join(saved)}"] if saved else []) + ([f"takes {' and '.join(paid)} more"] if paid else [])
    return ", ".join(parts) or "saves nothing"
