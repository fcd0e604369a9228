"""Putting an emitted folder in its place: whole or not at all, and never over somebody's own files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from archmodel.records.base import SpecError

from .bundle import MANIFEST

BUILT = ("obj_dir", "testbench.vvp")
"""What the folder's README lets Verilator and Icarus build there; it goes when the folder is emitted again."""
LARGEST_MANIFEST = 1 << 16


def check_folder(path: Path) -> None:
    """Asked before the work starts.  Raises SpecError with the remedy unless ``path`` is free, empty, or emitted and untouched."""
    whole, parent = path.absolute(), path.absolute().parent
    if not parent.is_dir():
        raise SpecError(f"{path}: {parent} is no folder that exists; create it, or name another one")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise SpecError(f"{path}: the folder {parent} is not writable; name another one")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise SpecError(f"{path}: is a {'link' if path.is_symlink() else 'file'}, expected a folder, or a name that is free")
    if path.exists() and Path.cwd().is_relative_to(whole.resolve()):
        raise SpecError(f"{path}: is the folder in which you are; go up, then name it from there")
    if path.exists() and any(path.iterdir()):
        _refuse_foreign(path)


def _refuse_foreign(path: Path) -> None:
    """Raises SpecError where the folder holds anything but what its manifest says was emitted."""
    hashes = _manifest(path)
    for name, entry in _entries(path):
        if name not in hashes:
            raise SpecError(f"{path}: holds {name}, which archmodel emit did not write; move it away or name another folder")
        if entry.is_symlink() or not entry.is_file() or hashlib.sha256(entry.read_bytes()).hexdigest() != hashes[name]:
            raise SpecError(f"{path}: {name} was changed since it was emitted; move it away or name another folder")


def _entries(path: Path) -> Iterator[tuple[str, Path]]:
    return ((entry.name, entry) for entry in sorted(path.iterdir()) if entry.name not in (MANIFEST, *BUILT))


def _manifest(path: Path) -> Mapping[str, str]:
    """The hash of every emitted file, by name."""
    file = path / MANIFEST
    try:
        if file.stat().st_size <= LARGEST_MANIFEST:
            found = json.loads(file.read_bytes())
            if isinstance(found, dict) and "archmodel" in found and isinstance(found.get("files"), dict):
                return dict(found["files"])
    except (OSError, ValueError, RecursionError):
        pass
    raise SpecError(f"{path}: is not empty and was not written by archmodel emit; name another folder")


def place(files: Mapping[str, bytes], path: Path) -> None:
    """Write ``files`` beside ``path``, then move them there as one folder.  Raises SpecError as ``check_folder`` does."""
    check_folder(path)
    target = path.absolute()
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        try:
            new = work / "new"
            new.mkdir()
            for name, data in files.items():
                (new / name).write_bytes(data)
            _swap(new, target, work / "old")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SpecError(f"{path}: cannot be written ({error.strerror}); free space or name another folder") from error


def _swap(new: Path, target: Path, old: Path) -> None:
    """``new`` at ``target``; what stood there at ``old``, or back where it was if that fails."""
    if not target.exists():
        new.rename(target)
        return
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
