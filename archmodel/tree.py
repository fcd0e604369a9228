"""Events of the YAML parser to a tree in which every value knows its place; ``archmodel.load`` reads the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from archmodel.located import Findings, Node, one_line
from archmodel.records.base import SpecError

MAX_DEPTH = 64
MAX_NODES = 50_000


class Tree:
    """Parser events to one located tree."""

    def __init__(self, shown: str, findings: Findings) -> None:
        self.shown = shown
        self.findings = findings
        self.open: list[tuple[Node, list[Node]]] = []
        self.nodes = 0

    def of(self, events: Iterable[Any]) -> Node:
        import yaml

        root: Node | None = None
        for event in events:
            done: Node | None = None
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise SpecError(f"{self.at(event)}: found a second document, expected one")
            if isinstance(event, yaml.NodeEvent):
                done = self.start(event)
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                done = self.close()
            if done is not None and self.open:
                self.open[-1][1].append(done)
            elif done is not None:
                root = done
        return root or Node(None, f"{self.shown}:1:1")

    def at(self, event: Any) -> str:
        return f"{self.shown}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def start(self, event: Any) -> Node | None:
        """A finished scalar, or None after opening a list or mapping."""
        import yaml

        place = self.at(event)
        self.plain(event, place)
        self.count(1, place)
        if isinstance(event, yaml.ScalarEvent):
            null = event.implicit[0] and event.value in ("", "~", "null", "Null", "NULL")
            return Node(None if null else event.value, place, unquoted=event.implicit[0])
        empty: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.open.append((Node(empty, place), []))
        return None

    def plain(self, event: Any, place: str) -> None:
        import yaml

        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise SpecError(f"{place}: found an anchor or alias, expected plain YAML")
        if event.tag is not None:
            raise SpecError(f"{place}: found the tag {event.tag!r}, expected plain YAML")

    def count(self, nodes: int, place: str) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES or len(self.open) > MAX_DEPTH:
            raise SpecError(f"{place}: found more than {MAX_NODES} nodes or {MAX_DEPTH} levels, expected a description")

    def close(self) -> Node:
        node, parts = self.open.pop()
        if isinstance(node.value, list):
            node.value.extend(parts)
        elif isinstance(node.value, dict):
            self.fill(node.value, parts)
        return node

    def fill(self, mapping: dict[str, Node], parts: Sequence[Node]) -> None:
        for key, node in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key.value, str):
                raise SpecError(f"{key.place}: found {key.shown()} as a key, expected text")
            if key.value in mapping:
                self.twice(mapping, key.value, key.place)
            node.key_place = key.place
            mapping[key.value] = node

    def twice(self, mapping: dict[str, Node], key: str, place: str) -> None:
        first = mapping[key].key_place
        self.findings.add(place, key, f"found the key again, expected it once (first at {first})")


class Foreign(Tree):
    """As other tools write YAML: a tag is kept as text, an alias stands for what it names, ``<<`` lays a mapping under another.

    Of a key that stands twice the last counts, as most readers have it; the one before is kept as ``KEY (overridden)``.
    """

    def __init__(self, shown: str, findings: Findings) -> None:
        super().__init__(shown, findings)
        self.heads: list[tuple[str, str | None, int]] = []
        self.anchors: dict[str, tuple[Node, int]] = {}

    def plain(self, event: Any, place: str) -> None:
        pass

    def start(self, event: Any) -> Node | None:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            return self.again(str(event.anchor), self.at(event))
        self.heads.append(((event.tag or "").removeprefix("!"), event.anchor, self.nodes))
        node = super().start(event)
        return None if node is None else self.headed(node)

    def close(self) -> Node:
        return self.headed(super().close())

    def headed(self, node: Node) -> Node:
        node.tag, anchor, before = self.heads.pop()
        if anchor is not None:
            self.anchors[anchor] = node, self.nodes - before
        return node

    def again(self, anchor: str, place: str) -> Node:
        if anchor not in self.anchors:
            raise SpecError(f"{place}: found the alias {anchor!r} of nothing before it, expected an anchor")
        node, nodes = self.anchors[anchor]
        self.count(nodes, place)
        return replace(node)

    def fill(self, mapping: dict[str, Node], parts: Sequence[Node]) -> None:
        super().fill(mapping, parts)
        under = mapping.pop("<<", None)
        for node in [] if under is None else under.value if isinstance(under.value, list) else [under]:
            if not isinstance(node, Node) or not isinstance(node.value, dict):
                raise SpecError(f"{under.place if under else self.shown}: <<: expected a mapping, or a list of them")
            for key, part in node.value.items():
                mapping.setdefault(key, part)

    def twice(self, mapping: dict[str, Node], key: str, place: str) -> None:
        kept = f"{key} (overridden)"
        if kept in mapping:
            raise SpecError(f"{place}: {one_line(key)}: found the key a third time, expected it once")
        mapping[kept] = mapping.pop(key)
