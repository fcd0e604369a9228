"""The one place that reads YAML.  Every error names file, line and column, and all of a description come at once.

Only plain YAML is read: no tags, anchors or aliases, at most 1 MiB, 64 levels and 50,000 nodes, no key twice.  Other tools' files
(``load_foreign``) may also have tags, which are kept and construct nothing, and aliases, whose nodes count wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archmodel.bounded import read_bounded
from archmodel.located import Findings, Node, one_line
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.machine import Machine
from archmodel.schema import SECTIONS, build, choice, plain_of
from archmodel.tree import Foreign, Tree

if TYPE_CHECKING:
    from archmodel.cost import Costs, Row
    from archmodel.records.cascade import Cascade
    from archmodel.records.constraints import Constraints
    from archmodel.records.goal import Limit

PRESETS = Path(__file__).parent / "presets"
CASCADES = Path(__file__).parent / "cascade" / "shipped"
MAX_BYTES = 1 << 20
LONGEST_NUMBER = 100
"""Characters; longer ones take long to work out."""


def list_machines() -> tuple[str, ...]:
    """The names of the presets."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def load_machine(name_or_path: str | Path, sets: Iterable[str] = ()) -> Machine:
    """The machine of a preset's name or a file's path, with ``PATH=VALUE`` overrides such as ``engines.array.rows=32``.

    Raises SpecError: one line per finding, ``file:line:column: key: found ..., expected ...``.
    """
    return load_located(name_or_path, sets)[0]


def load_located(name_or_path: str | Path, sets: Iterable[str] = ()) -> tuple[Machine, Node]:
    """The machine, and the tree it was read from, bases and overrides merged, in which every value knows its place."""
    path = _find(str(name_or_path), Path())
    if path is None:
        raise SpecError(_no_machine(str(name_or_path)))
    return _machine(_text(path), _shown(path), path, path.stem, sets)


def machine_from_yaml(text: str, name: str = "machine", sets: Iterable[str] = ()) -> Machine:
    """The machine that a text describes; ``base:`` is relative to the working directory.  Raises as load_machine."""
    return _machine(text, f"<{name}>", None, name, sets)[0]


def machine_to_yaml(machine: Machine) -> str:
    """The machine as YAML which ``machine_from_yaml`` reads back as an equal machine."""
    return _dump(plain_of(machine))


def record_to_yaml(record: Any) -> str:
    """Any record as YAML, every field in base units; ``record_from_yaml`` is its inverse."""
    return _dump(to_plain(record))


def record_from_yaml(cls: Any, text: str) -> Any:
    """The record of type ``cls`` that ``record_to_yaml`` printed.  Raises SpecError."""
    return from_plain(cls, plain_from_yaml(text, f"<{getattr(cls, '__name__', 'record')}>"))


def load_record(cls: Any, path: str | Path) -> Any:
    """The record of type ``cls`` in a file that ``record_to_yaml`` printed.  Raises SpecError, which names the file."""
    plain = read_yaml(path)
    try:
        return from_plain(cls, plain)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def list_cascades() -> tuple[str, ...]:
    """The names of the shipped cascades."""
    return tuple(sorted(path.stem for path in CASCADES.glob("*.yaml")))


def load_cascade(name_or_path: str | Path, extents: Mapping[str, int] | None = None) -> Cascade:
    """The cascade of a shipped name or a file's path; ``extents`` replace those of its ranks.

    Raises SpecError: one line per finding, ``file:line:column: found ..., expected ...``.
    """
    name = str(name_or_path)
    shipped = name in list_cascades()
    path = CASCADES / f"{name}.yaml" if shipped else Path(name)
    if not shipped and path.suffix not in (".yaml", ".yml"):
        raise SpecError(f"found {name!r}, which is no shipped cascade, expected a YAML file or {choice(name, list_cascades())}")
    return cascade_from_yaml(_text(path), f"archmodel/cascade/shipped/{path.name}" if shipped else name, path.stem, extents)


def cascade_from_yaml(text: str, shown: str = "<cascade>", name: str = "cascade", extents: Mapping[str, int] | None = None) -> Cascade:
    """The cascade that a text describes; ``shown`` stands for it in errors.  Raises as load_cascade."""
    from archmodel.cascade.read import build as build_cascade

    findings = Findings()
    cascade = build_cascade(_parse(text, shown, findings), name, findings, extents or {})
    findings.stop()
    assert cascade is not None, "a cascade without findings"
    return cascade


def cascade_to_yaml(cascade: Cascade) -> str:
    """The cascade as YAML which ``cascade_from_yaml`` reads back as an equal one."""
    from archmodel.cascade.read import plain_of as plain_cascade

    return _dump(plain_cascade(cascade))


def load_costs(path: str | Path) -> Costs:
    """This project's costs with the rows of a user's table in their place.  Raises SpecError, a line a finding, as load_machine."""
    from archmodel.cost import default_costs
    from archmodel.cost.own import own_costs

    findings = Findings()
    tree = _parse(_text(Path(path)), str(path), findings)
    costs = own_costs(tree, Path(path).name, default_costs(), findings)
    findings.stop()
    return costs


def load_constraints(path: str | Path) -> tuple[Constraints, tuple[Limit, ...]]:
    """The rules and the limits of a file (docs/mapper.md has the keys).  Raises SpecError, a line a finding, as load_machine."""
    from archmodel.constraining import build as build_constraints

    findings = Findings()
    found = build_constraints(_parse(_text(Path(path)), str(path), findings), findings, _plain)
    findings.stop()
    return found


def costs_to_yaml(rows: tuple[Row, ...]) -> str:
    """A table that ``load_costs`` reads back as these rows."""
    from archmodel.cost.own import plain_of

    return _dump(plain_of(rows))


def load_foreign(path: str | Path, rendered: Callable[[str, str], str]) -> Node:
    """The located tree of another tool's file; ``rendered`` takes its text and name and gives plain YAML, line for line.

    Raises SpecError as read_yaml.
    """
    findings, shown = Findings(), str(path)
    tree = _parse(rendered(_text(Path(path)), shown), shown, findings, foreign=True)
    findings.stop()
    return tree


def read_yaml(path: str | Path) -> Any:
    """The dicts, lists and scalars of a YAML file.  Raises SpecError."""
    return plain_from_yaml(_text(Path(path)), str(path))


def plain_from_yaml(text: str, shown: str = "<text>") -> Any:
    """The dicts, lists and scalars of a YAML text; ``shown`` stands for it in errors.  Raises SpecError."""
    findings = Findings()
    tree = _parse(text, shown, findings)
    findings.stop()
    return _plain(tree)


def _dump(data: Any) -> str:
    import yaml

    return yaml.safe_dump(data, sort_keys=False, width=120)


def _machine(text: str, shown: str, path: Path | None, name: str, sets: Iterable[str]) -> tuple[Machine, Node]:
    findings = Findings()
    tree = _parse(text, shown, findings)
    tree = _resolved(tree, path.parent if path else Path(), (path,) if path else (), findings)
    if findings.broken:
        findings.stop()
    for option in sets:
        tree = _merged(tree, _set_layer(tree, option, findings), findings)
    machine = build(tree, name, findings)
    findings.stop()
    assert machine is not None, "a machine without findings"
    return machine, tree


def _find(name: str, folder: Path) -> Path | None:
    if name in list_machines():
        return PRESETS / f"{name}.yaml"
    path = folder / name
    try:
        return path if path.is_file() else None
    except OSError:  # a name too long for the system, a folder that may not be searched
        return None


def _no_machine(name: str) -> str:
    return f"found {name!r}, which is neither a preset nor a file, expected a file or {choice(name, list_machines())}"


def _shown(path: Path) -> str:
    return f"archmodel/presets/{path.name}" if path.parent == PRESETS else str(path)


def _resolved(tree: Node, folder: Path, chain: tuple[Path, ...], findings: Findings) -> Node:
    """The tree laid over its bases, those of its devices too."""
    if not isinstance(tree.value, dict):
        return tree
    parts = {key: node for key, node in _with_clocks(tree, findings).items() if key != "base"}
    devices = parts.get("devices")
    if devices is not None and isinstance(devices.value, dict):
        inner = {key: _resolved(node, folder, chain, findings) for key, node in devices.value.items()}
        parts["devices"] = Node(inner, devices.place, devices.key_place)
    upper = Node(parts, tree.place, tree.key_place)
    base = _base(tree.value["base"], folder, chain, findings) if "base" in tree.value else None
    return upper if base is None else _merged(base, upper, findings)


def _base(node: Node, folder: Path, chain: tuple[Path, ...], findings: Findings) -> Node | None:
    """The resolved tree of a ``base:``, without the base's own name; None with a finding where there is none."""
    path = _find(node.value, folder) if isinstance(node.value, str) else None
    wrong = ""
    if path is None:
        wrong = _no_machine(node.value) if isinstance(node.value, str) else f"found {node.shown()}, expected a file"
    elif path.resolve() in [seen.resolve() for seen in chain]:
        circle = " -> ".join(_shown(step) for step in (*chain, path))
        wrong = f"found a circle {circle}, expected a file that does not lead back"
    if wrong or path is None:
        findings.add(node.place, "base", wrong)
        findings.broken = True
        return None
    tree = _resolved(_parse(_text(path), _shown(path), findings), path.parent, (*chain, path), findings)
    if not isinstance(tree.value, dict):
        findings.add(tree.place, "", f"found {tree.shown()}, expected a mapping")
        findings.broken = True
        return None
    tree.value.pop("name", None)
    return tree


def _with_clocks(tree: Node, findings: Findings) -> dict[str, Node]:
    """The parts of a tree with ``clock: 800 MHz`` written out as ``clocks: {core: 800 MHz}``."""
    assert isinstance(tree.value, dict)
    parts = dict(tree.value)
    short = parts.pop("clock", None)
    if short is None:
        return parts
    clocks = parts.get("clocks", Node({}, short.place, short.key_place))
    if not isinstance(clocks.value, dict) or "core" in clocks.value:
        findings.add(
            short.key_place, "clock", "found clocks beside it, expected clock (short for clocks.core) or clocks"
        )
        return parts
    parts["clocks"] = Node({**clocks.value, "core": short}, clocks.place, clocks.key_place)
    return parts


def _merged(lower: Node, upper: Node, findings: Findings, at: tuple[str, ...] = ()) -> Node:
    """``upper`` over ``lower``: mappings merge, null removes, an engine of another type replaces, the rest replaces.

    A section of components that is empty in ``upper`` would change nothing, and is a finding.
    """
    if not isinstance(lower.value, dict) or not isinstance(upper.value, dict) or _retyped(lower.value, upper.value):
        return upper
    if not upper.value and _is_section(at):
        what = "memory" if at[-1] == "memories" else at[-1][:-1]
        findings.add(upper.place, ".".join(at), f"found nothing, expected at least one {what} (null removes one)")
    parts = dict(lower.value)
    for key, node in upper.value.items():
        if node.value is None and key in parts:
            del parts[key]
        else:
            parts[key] = _merged(parts[key], node, findings, (*at, key)) if key in parts else node
    return Node(parts, upper.place, upper.key_place)


def _is_section(at: tuple[str, ...]) -> bool:
    """Whether a path is that of a section: ``engines``, ``devices.left.engines``."""
    return len(at) % 2 == 1 and at[-1] in SECTIONS and set(at[:-1:2]) <= {"devices"}


def _retyped(lower: dict[str, Node], upper: dict[str, Node]) -> bool:
    return "type" in lower and "type" in upper and lower["type"].value != upper["type"].value


def _set_layer(tree: Node, option: str, findings: Findings) -> Node:
    """A tree with the one value of ``PATH=VALUE``, located at the option itself."""
    path, equals, value = option.partition("=")
    keys, place = path.strip().split("."), f"--set {one_line(option)}"
    nothing = Node({}, place, place)
    if not equals or not all(keys):
        findings.add(place, "", "expected PATH=VALUE, such as engines.array.rows=32")
        return nothing
    if keys == ["clock"]:
        keys = ["clocks", "core"]
    at: Node | None = tree
    for depth, key in enumerate(keys[:-1]):
        have = at.value if at is not None and isinstance(at.value, dict) else {}
        at = have.get(key)
        if at is None and (depth or key not in (*SECTIONS, "fabric")):
            findings.add(place, ".".join(keys[: depth + 1]), f"found no such key, expected {choice(key, have)}")
            return nothing
    node = _relocated(_parse(value, place, findings), place)
    for key in reversed(keys):
        node = Node({key: node}, place, place)
    return node


def _relocated(node: Node, place: str) -> Node:
    value = node.value
    if isinstance(value, dict):
        value = {key: _relocated(part, place) for key, part in value.items()}
    elif isinstance(value, list):
        value = [_relocated(part, place) for part in value]
    return Node(value, place, place, node.unquoted)


def _text(path: Path) -> str:
    try:
        return read_bounded(path, MAX_BYTES, "a description").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: found a byte that is not UTF-8 at offset {error.start}, expected text") from None


def _parse(text: str, shown: str, findings: Findings, foreign: bool = False) -> Node:
    """The located tree of a YAML text, built from parser events, so that nothing is expanded or constructed.

    A key that stands twice is a finding; what isn't plain YAML raises SpecError.
    """
    import yaml

    if len(text) > MAX_BYTES:
        raise SpecError(f"{shown}: found a text above 1 MiB, expected a description")
    try:
        return (Foreign if foreign else Tree)(shown, findings).of(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
        line = "".join(text.split("\n")[mark.line : mark.line + 1]) if mark else ""
        tab = mark and line[mark.column :].startswith("\t")
        why = "found a tab, expected spaces" if tab else " ".join((error.problem or str(error)).split())
        raise SpecError(f"{where}: not YAML: {why}") from None
    except UnicodeEncodeError as error:
        raise SpecError(f"{shown}: not YAML: found a lone surrogate at offset {error.start}, expected text") from None
    except yaml.reader.ReaderError as error:
        raise SpecError(
            f"{shown}: not YAML: found a character that text may not hold at offset {error.position}"
        ) from None


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(part) for key, part in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(part) for part in node.value]
    if node.value is None or not node.unquoted:
        return node.value
    return _resolved_scalar(node.value)


def _resolved_scalar(text: str) -> Any:
    """Plain text as YAML 1.1 reads it: a bool, int, float or, dates, ``0x_`` and very long numbers included, text."""
    import yaml

    if len(text) > LONGEST_NUMBER:
        return text

    loader: Any = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    if tag.rpartition(":")[2] not in ("bool", "int", "float"):
        return text
    try:
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except ValueError:
        return text
