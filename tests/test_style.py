"""Style, types, layers and links, as tests: what a reviewer would otherwise have to look for."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("archmodel", "mapper", "rtl", "sims")
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
BIN = Path(sys.executable).parent


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add, so that what lies ignored in the tree is no concern."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:  # an unpacked source archive
        return sorted({path for pattern in patterns for path in ROOT.rglob(pattern) if ".venv" not in path.parts})
    return sorted(path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file())


PYTHON = tracked("*.py")
PAGES = [path for path in tracked("*.md") if path.parent == ROOT or path.is_relative_to(ROOT / "docs")]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def passes(*command: str) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_lint() -> None:
    passes("ruff", "check", "--no-cache")


def test_types() -> None:
    passes("mypy")


def test_layers() -> None:
    passes("lint-imports", "--no-cache", "--no-logo")


def test_files_are_short() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert not {path: n for path, n in lengths.items() if n >= LONGEST_FILE}


def test_functions_are_short() -> None:
    long = []
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines >= LONGEST_FUNCTION:
                    long.append(f"{shown(path)}:{node.lineno} {node.name} has {lines} lines")
    assert not long, "\n".join(long)


def test_every_module_says_what_it_is_for() -> None:
    modules = [p for p in PYTHON if p.name != "__init__.py" and p.relative_to(ROOT).parts[0] in PACKAGES]
    assert not [shown(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text()))]


def imported(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports, inside functions too; a relative import keeps its dots."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


@pytest.mark.parametrize("path", [p for p in PYTHON if p.is_relative_to(ROOT / "archmodel/records")], ids=shown)
def test_records_import_only_the_standard_library_numpy_and_each_other(path: Path) -> None:
    depth = len(path.relative_to(ROOT / "archmodel/records").parts)
    for name in imported(path):
        if name.startswith("."):
            assert len(name) - len(name.lstrip(".")) <= depth, f"{shown(path)}: {name} leaves archmodel.records"
        else:
            allowed = name.split(".")[0] in {*sys.stdlib_module_names, "numpy"} or name.startswith("archmodel.records")
            assert allowed, f"{shown(path)} imports {name}"


@pytest.mark.parametrize("name", ["pydantic", "cocotb", "pyosys", "plotly", "jinja2"])
def test_core_does_not_import_what_extras_install(name: str) -> None:
    core = [path for path in PYTHON if path.is_relative_to(ROOT / "archmodel") or path.is_relative_to(ROOT / "mapper")]
    assert not [shown(path) for path in core if any(i.split(".")[0] == name for i in imported(path))]


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_resolve(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)", text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert not broken, f"{shown(page)} links to {broken}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_nothing_names_a_place_outside_the_project() -> None:
    outside = re.compile(r"/work\b(?!load)|\.\./shared|\bshared/(?:data|papers|tools)|/home/\w|/root\b")
    found = []
    for path in tracked("*.py", "*.md", "*.toml", "*.yaml", "*.json", "*.cpp", "Makefile", ".ci/*"):
        if path == Path(__file__).resolve():
            continue
        lines = enumerate(path.read_text().splitlines(), 1)
        found += [f"{shown(path)}:{number}" for number, line in lines if outside.search(line)]
    assert not found, "\n".join(found)


def test_the_face_loads_nothing_heavy() -> None:
    """Importing the package loads none of the heavy libraries; they are imported where they are used."""
    heavy = ("networkx", "amaranth", "numpy", "rich", "ml_dtypes", "cocotb", "pyosys")
    probe = f"import sys, archmodel; sys.exit(' '.join(m for m in {heavy} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"import archmodel loads {done.stderr}"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "archmodel: no Python at '{python}'; name one that is 3.11 or newer: make PYTHON=/path/to/python3"),
        ("old-3.9.2", "archmodel: {python} is Python 3.9.2, expected 3.11 or newer: make PYTHON=/path/to/python3"),
    ],
)
def test_make_says_which_python_it_needs(tmp_path: Path, answer: str | None, message: str) -> None:
    python = tmp_path / "python3"
    if answer:
        python.write_text(f"#!/bin/sh\necho {answer}\n")
        python.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-s", f"PYTHON={python}", "test"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=clean, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == message.format(python=python)
