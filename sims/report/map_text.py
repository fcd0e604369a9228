"""A mapping for people: a table of what is mapped, loop trees where they are asked for, and what is proved."""

from __future__ import annotations

from collections.abc import Sequence

from archmodel.records.mapping import Compute, leaf

from . import plain_map, units
from .choices import choices_text
from .grid import lines
from .mapped import Answer, Shown
from .table import certificate_line
from .trees import Mapped, explain, mapping_table, merged, outline


def text_of(answer: Answer, shown: Shown, most: int | None, explained: bool) -> str:
    """Tables of products on arrays and of trees on plain engines, at most ``most`` rows each; ``explained`` adds the loop trees."""
    parts = []
    if shown.items or not shown.plain:
        parts.append(_products(answer, shown, most, explained))
    if shown.plain:
        parts.append(_plain(answer, shown, most, explained))
    choices = answer.mapping.certificate.choices if answer.mapping.certificate else ()
    if choices and most is not None:
        parts.append(choices_text(choices))
    return "\n".join([*parts, lines(_headlines(answer, shown))])


def _headlines(answer: Answer, shown: Shown) -> list[tuple[str, str]]:
    result, mapping = answer.result, answer.mapping
    cost = f"{result.cycles:,} cycles"
    if result.energy is not None:
        cost += f", {units.energy(result.energy.value)}, {result.energy.value * result.cycles:.4g} pJ x cycles"
    pairs = [("cost", cost)]
    pairs.append(("mapping", certificate_line(mapping) if mapping.certificate else "given, not searched"))
    if shown.items or not shown.plain:
        others = sum(isinstance(tree, Compute) and answer.machine.engine(tree.engine).type != "plain" for tree in mapping.trees)
        pairs += [("others", f"{others} elementwise operators, streamed without a choice"),
                  ("layouts", f"{len(mapping.relayouts)} changes of layout")]  # fmt: skip
    return pairs


def _products(answer: Answer, shown: Shown, most: int | None, explained: bool) -> str:
    distinct = merged(shown.items)
    cut = distinct[:most]
    count = len(shown.items)
    title = f"{answer.graph.name} on {answer.mapping.machine}: {count} matrix product{'s' * (count > 1)}, {len(distinct)} distinct"
    text = (mapping_table(title, cut) if cut else "") + _more(distinct, cut)
    if explained:
        text += "".join("\n" + explain(answer.graph, item, answer.mapping.relayouts) for item in cut)
        text += "".join("\n" + outline(name, tree, answer.mapping.relayouts) for name, tree in shown.whole.items())
    return text


def _plain(answer: Answer, shown: Shown, most: int | None, explained: bool) -> str:
    cut = shown.plain[:most]
    text = plain_map.plain_table(answer, cut) + _more(shown.plain, cut)
    if explained:
        for tree, engine in cut:
            text += f"\n{leaf(tree).einsum} on {engine.name}\n" + plain_map.outline(answer.after, tree, engine)
            text += lines(plain_map.binds(answer, tree, engine))
        text += "\n" + plain_map.traffic_table(answer)
    return text


def _more(every: Sequence[Mapped] | Sequence[object], cut: Sequence[object]) -> str:
    return f"... {len(every) - len(cut)} more that take less; --all shows them\n" if len(cut) < len(every) else ""
