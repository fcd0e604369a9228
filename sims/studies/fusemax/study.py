"""The FuseMax study: every point evaluated, beside what was published, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..record import Cell, Column, Study, Table, error, mean
from . import graphs
from . import points as model
from .charts import charts
from .published import (
    ENERGY_WITHOUT_SPURIOUS,
    LENGTHS,
    MEANS,
    MODELS,
    NAMES,
    VARIANTS,
    around,
    pareto,
    published,
    published_layer,
)

SOURCE = ("FuseMax, MICRO 2024, arXiv 2406.10491, and its artifact FPSG-UIUC/micro24-fusemax-artifact (commit f543beb). One encoder "
          "layer, batch 64, counted as published: no fill, no drain that another tile hides, no limit of the buffer.")  # fmt: skip
NOTES = (
    "Time, cycles and traffic: nothing in our model was fitted to them. The spilled share of FLAT is a whole number of keys here and a "
    "fraction there, which moves its traffic by 0.05 % at most (4K).",
    "Unfused attention from 256K: the paper's mapper (Timeloop, for energy times delay) keeps an eighth of the queries (a sixteenth at "
    "128 elements a head) and reads K and V once for each; our mapping does the same.",
    "Energy of the buffer: two figures for each size, fitted to the artifact's own energies. Registers are those of a single "
    "element and a single lane, as the artifact counts them; it also counts the sums that leave FuseMax's array, 0.05 % that we leave out.",
    "Energy with the artifact's extra reads: from 64K (FLAT) and 256K on, Timeloop's elision of first reads fails, and the buffer is read "
    "once more for the weights (FLAT), for scores and weights (+Cascade, at XLM and 1M another half more) or for RNV (FuseMax; two "
    "thirds of it at BERT 256K). The column counts one more read of each.",
    "+Cascade's energies leave the exponential out: the artifact counts it under a name that it doesn't sum up. Restored, they are 1.8 to "
    "3.5 % higher.",
    "Unfused energies and those of linear layers come from Timeloop's mapper and are not in the artifact by level; ours keep each operand "
    "in the buffer while it is used. XLM's linear layers move more in the artifact, whose mapper cuts weights that exceed the buffer.",
)  # fmt: skip


def study() -> Study:
    """Some seconds of evaluations, 24 points of five variants and the linear layers around them."""
    tables = (_means(), _latency(), _hardware(), _traffic(), _energy(), _utilisation(), _end_to_end(), _linear(), _pareto())
    return Study("fusemax", "FuseMax: attention in one pass, beside FLAT and unfused", SOURCE, tables, charts(), NOTES)


Key = tuple[str, str, str]
FIELDS = ("seconds", "traffic_bytes", "energy_pj")
WHICH = (Column("variant"), Column("model"), Column("length"))


def _keys() -> Iterator[Key]:
    return ((variant, name, length) for variant in VARIANTS for name in MODELS for length in LENGTHS)


def _said(key: Key) -> tuple[str, str, str]:
    return NAMES[key[0]], key[1], key[2]


def _compared(name: str, title: str, unit: str, ours: Callable[[model.Found], float], field: str, note: str = "") -> Table:
    """A table of every point: what was published, what we say, the error."""
    rows: list[tuple[Cell, ...]] = []
    for key in _keys():
        mine, said = ours(model.attention(*key)), published(*key, field)
        rows.append((*_said(key), said, mine, error(mine, said)))
    columns = (*WHICH, Column(f"published {unit}", "number"), Column(f"ours {unit}", "number"), Column("error", "error"))
    return Table(name, title, columns, tuple(rows), note)


def _latency() -> Table:
    table = _compared("latency", "Attention: time and cycles", "s", lambda found: found.seconds, "seconds", "- : no published point here")
    cycles = [model.attention(*key).cycles for key in _keys()]
    return Table(table.name, table.title, (*table.columns, Column("cycles", "count")),
                 tuple((*row, count) for row, count in zip(table.rows, cycles, strict=True)), table.note)  # fmt: skip


def _hardware() -> Table:
    """+Binding in both conventions."""
    rows: list[tuple[Cell, ...]] = []
    for name in MODELS:
        for length in LENGTHS:
            paper, ours = model.attention("binding", name, length).cycles, model.hardware(name, length)
            tiles = (LENGTHS[length] // model.SIDE) ** 2 * graphs.BATCH * MODELS[name][1]
            rows.append((name, length, paper, ours.cycles, ours.cycles / paper - 1, paper / tiles, ours.cycles / tiles, ours.provenance))
    columns = (Column("model"), Column("length"), Column("published cycles", "count"), Column("hardware cycles", "count"),
               Column("more", "error"), Column("published a tile", "number"), Column("hardware a tile", "number"),
               Column("provenance"))  # fmt: skip
    note = "fill, drain, the first loads and the last store included; the port's 256 bytes a cycle are 56 % of the paper's memory"
    return Table("hardware", "+Binding: what papers count, and what our attention engine of that size takes", columns, tuple(rows), note)


def _traffic() -> Table:
    return _compared("traffic", "Attention: DRAM traffic", "bytes", lambda found: found.traffic_bytes, "traffic_bytes")


def _energy() -> Table:
    table = _compared("energy", "Attention: energy", "pJ", lambda found: found.energy_pj, "energy_pj")
    rows: list[tuple[Cell, ...]] = []
    for row, key in zip(table.rows, _keys(), strict=True):
        counted = counted_energy(*key)
        rows.append((*row, counted, error(counted, published(*key, "energy_pj"))))
    return Table(table.name, table.title, (*table.columns, Column("with extra reads pJ", "number"), Column("its error", "error")),
                 tuple(rows), "extra reads: those of the buffer that the artifact counts and no mapping needs")  # fmt: skip


def counted_energy(variant: str, name: str, length: str) -> float:
    """Picojoules with the artifact's extra reads, at the points that have them."""
    return model.attention(variant, name, length, model.extra_reads(variant, name, length)).energy_pj


def _utilisation() -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key in _keys():
        found, two, one = model.attention(*key), published(*key, "util_2d"), published(*key, "util_1d")
        array, lanes = found.utilisation("array"), found.utilisation("lanes")
        rows.append((*_said(key), two, array, error(array, two), one, lanes, error(lanes, one)))
    columns = (*WHICH, Column("published 2D", "number"), Column("ours 2D", "number"), Column("error 2D", "error"),
               Column("published 1D", "number"), Column("ours 1D", "number"), Column("error 1D", "error"))  # fmt: skip
    return Table("utilisation", "Attention: utilisation of the 2D and of the 1D array", columns, tuple(rows))


def layer_seconds(variant: str, name: str, length: str) -> float:
    """Attention and the linear layers around it."""
    return model.attention(variant, name, length).seconds + model.linear(variant, name, length).seconds


def layer_energy(variant: str, name: str, length: str) -> float:
    """Picojoules of the same, with the artifact's extra reads."""
    return counted_energy(variant, name, length) + model.linear(variant, name, length).energy_pj


def _end_to_end() -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key in _keys():
        said, spent = published_layer(*key, "seconds"), published_layer(*key, "energy_pj")
        ours, ours_spent = layer_seconds(*key), layer_energy(*key)
        rows.append((*_said(key), said, ours, error(ours, said), spent, ours_spent, error(ours_spent, spent)))
    columns = (*WHICH, Column("published s", "number"), Column("ours s", "number"), Column("error", "error"),
               Column("published pJ", "number"), Column("ours pJ", "number"), Column("energy error", "error"))  # fmt: skip
    return Table("end-to-end", "One encoder layer: attention and linear layers", columns, tuple(rows),
                 "energies with the artifact's extra reads")  # fmt: skip


def _linear() -> Table:
    rows: list[tuple[Cell, ...]] = []
    for variant in ("flat", "binding"):
        for name in MODELS:
            for length in LENGTHS:
                found = model.linear(variant, name, length)
                said, moved, spent = (published(around(variant), name, length, field) for field in FIELDS)
                rows.append((NAMES[variant], name, length, said, found.seconds, error(found.seconds, said),
                             error(found.traffic_bytes, moved), error(found.energy_pj, spent)))  # fmt: skip
    columns = (Column("machine of"), *WHICH[1:], Column("published s", "number"), Column("ours s", "number"), Column("error", "error"),
               Column("traffic error", "error"), Column("energy error", "error"))  # fmt: skip
    return Table("linear", "Linear layers: Q, K, V, Z and the feed-forward layer", columns, tuple(rows))


def means() -> dict[tuple[str, str], float]:
    """Of 24 points, +Binding over another variant; energies with the artifact's extra reads."""
    pairs = [(name, length) for name in MODELS for length in LENGTHS]

    def over(measure: Callable[[str, str, str], float], other: str, speed: bool) -> float:
        ratios = [measure("binding", *pair) / measure(other, *pair) for pair in pairs]
        return mean([1 / ratio for ratio in ratios] if speed else ratios)

    measures: dict[str, Callable[[str, str, str], float]] = {
        "attention speed-up": lambda *key: model.attention(*key).seconds, "attention energy": counted_energy,
        "end-to-end speed-up": layer_seconds, "end-to-end energy": layer_energy,
    }  # fmt: skip
    return {(what, other): over(measures[what], other, what.endswith("speed-up")) for what, other in MEANS}


def energy_without_spurious() -> float:
    """The mean attention energy of +Binding over FLAT, nothing read that no mapping needs."""
    return mean([model.attention("binding", name, length).energy_pj / model.attention("flat", name, length).energy_pj
                 for name in MODELS for length in LENGTHS])  # fmt: skip


def _means() -> Table:
    rows: list[tuple[Cell, ...]] = [(what, NAMES[other], MEANS[what, other], value, error(value, MEANS[what, other]))
                                    for (what, other), value in means().items()]  # fmt: skip
    value = energy_without_spurious()
    rows.insert(2, ("attention energy, extra reads removed", "FLAT", ENERGY_WITHOUT_SPURIOUS, value, error(value, ENERGY_WITHOUT_SPURIOUS)))
    columns = (Column("+Binding: mean of 24 points"), Column("over"), Column("published", "number"), Column("ours", "number"),
               Column("error", "error"))  # fmt: skip
    return Table("means", "Means", columns, tuple(rows))


def _pareto() -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in MODELS:
        for side in (16, 32, 64, 128, 256, 512):
            found, known = model.array_of(name, side), pareto().get((name, side), {})
            area, said, moved = (known.get(field) for field in ("area_um2", "seconds", "traffic_bytes"))
            rows.append((name, side, area, said, found.seconds, error(found.seconds, said), moved, found.traffic_bytes,
                         error(found.traffic_bytes, moved)))  # fmt: skip
    columns = (Column("model"), Column("side", "count"), Column("published um2", "number"), Column("published s", "number"),
               Column("ours s", "number"), Column("error", "error"), Column("published bytes", "number"), Column("ours bytes", "number"),
               Column("traffic error", "error"))  # fmt: skip
    return Table("pareto", "Arrays of other sizes, +Binding at 256K", columns, tuple(rows),
                 "areas are the paper's: no row of a cost table says what its elements take")  # fmt: skip
