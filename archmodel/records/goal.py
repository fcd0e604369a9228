"""Goal: what a search minimises, within which limits, over which tiles, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from .base import OneOf, SpecError, check_fields
from .constraints import Constraints
from .mapping import Split

OBJECTIVES = ("latency", "energy", "edp")
TIES = {"latency": "energy", "energy": "latency", "edp": "energy"}
"""What decides between mappings that an objective holds equal."""
TILES = ("usual", "ragged", "perfect")
MEASURES = ("energy", "latency", "edp", "power", "area")
"""What a limit may be on, beside the name of a memory level: pJ, cycles, pJ x cycles, watts, square micrometres."""


@dataclass(frozen=True)
class Limit:
    """``what`` of a mapping must be at most ``most``: one of MEASURES, or the words (of a plain machine) or bytes used of a level.

    ``place`` is where it was written, for errors.
    """

    what: str
    most: float
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.most < float("inf"):
            raise SpecError(f"limit {self.what}: {self.most}, expected a number above 0")


@dataclass(frozen=True)
class Goal:
    """What a mapping is searched for.

    objective  latency (cycles, then energy), energy (then cycles) or edp (energy times cycles, then energy)
    tiles      ragged: any tile size, the last tile of a loop is what is left; perfect: only sizes that divide what they cut; usual: perfect
               where a plain machine's Einsums may be fused, as that is proved, else ragged
    nodes      partial mappings that may be examined before the search stops with what it has; None is as many as a proof takes
    seconds    of CPU time after which it stops; the certificate says with how many nodes that is replayed
    constraints  what mappings may be; None leaves all
    split        how the stage is dealt to several devices; None is the best way
    overlap      whether operators that don't depend on each other run side by side on different engines
    """

    objective: Annotated[str, OneOf(OBJECTIVES)] = OBJECTIVES[0]
    limits: tuple[Limit, ...] = ()
    tiles: Annotated[str, OneOf(TILES)] = TILES[0]
    nodes: int | None = None
    seconds: float | None = None
    constraints: Constraints | None = None
    split: Split | None = None
    overlap: bool = False

    def __post_init__(self) -> None:
        check_fields(self, "goal")
        if self.overlap and self.objective != OBJECTIVES[0]:
            raise SpecError(f"--overlap: a schedule is searched for the least time, and --objective is {self.objective}; leave one of them "
                            "out")  # fmt: skip
        for name, budget in (("nodes", self.nodes), ("seconds", self.seconds)):
            if budget is not None and not 0 < budget < float("inf"):
                raise SpecError(f"goal: {name} is {budget}, expected a number above 0")
        for place, limit in enumerate(self.limits):
            if same := next((other for other in self.limits[:place] if other.what == limit.what), None):
                where = f" ({same.place} and {limit.place})" if same.place and limit.place else ""
                raise SpecError(f"goal: two limits on {limit.what}{where}, expected one")


FASTEST = Goal()
"""The fewest cycles, then the least energy, over all tiles, one operator after another, proved."""
