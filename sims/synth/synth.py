"""Generated Verilog through Yosys to an FPGA's cells: resources, and a netlist to simulate."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from archmodel.records.base import SpecError

from ..cosim.build import building, cache_folder

MODELS = Path(__file__).with_name("ecp5_models.v")
SECONDS = 900
KNOWN = ("LUT4", "CCU2C", "TRELLIS_FF", "MULT18X18D", "DP16KD")
RUNNER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in open(sys.argv[1]):
    libyosys.run_pass(command.strip(), design)
"""


@dataclass(frozen=True)
class Resources:
    """Cells of an ECP5: look-up tables, carry cells (two bits each), flip-flops, 18x18 multipliers, 18 Kbit block RAMs.

    other  cells of any further kind, by name
    """

    luts: int
    carries: int
    flip_flops: int
    multipliers: int
    block_rams: int
    other: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return (f"{self.luts} LUT4, {self.carries} CCU2C, {self.flip_flops} TRELLIS_FF, {self.multipliers} MULT18X18D, "
                f"{self.block_rams} DP16KD")  # fmt: skip


@dataclass(frozen=True)
class Synthesis:
    """``registers`` are the bits of flip-flops in the flattened design before it is mapped."""

    resources: Resources
    registers: int
    netlist: str


def synth_ecp5(verilog: str, top: str, seconds: float = SECONDS) -> Synthesis:
    """Map ``top`` to a Lattice ECP5.  Raises SpecError without Yosys, for a latch, and for what Yosys refuses."""
    done = synthesised(verilog, _script(top), seconds)
    return Synthesis(_resources(_cells(done / "mapped.json")), _registers(done / "flat.json"), (done / "netlist.v").read_text())


def synthesised(verilog: str, script: tuple[str, ...], seconds: float, files: dict[str, str] | None = None) -> Path:
    """The folder with the results of a script, run now or kept from an earlier run of the same on the same Verilog and ``files``."""
    if find_spec("pyosys") is None:
        raise SpecError("pyosys: not installed; pip install 'archmodel[synth]' brings it")
    inputs = {"engine.v": verilog, "script": "\n".join(script) + "\n", **(files or {})}
    parts = (verilog, *script, *(part for item in sorted((files or {}).items()) for part in item), version("pyosys"))
    folder = cache_folder() / f"synth-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"
    with building(folder):
        if not folder.exists():
            work = Path(tempfile.mkdtemp(prefix="synth-", dir=folder.parent))
            try:
                for name, text in inputs.items():
                    (work / name).write_text(text)
                _yosys(work, seconds)
                for name in files or {}:
                    (work / name).unlink()
                work.rename(folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return folder


def _script(top: str) -> tuple[str, ...]:
    return (
        "read_verilog -sv engine.v",
        f"hierarchy -check -top {top}",
        "proc",
        "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr",
        "flatten",
        "opt -full",
        "tee -q -o flat.json stat -json -width",
        f"synth_ecp5 -top {top}",
        "delete t:$scopeinfo",
        "check -assert",
        "tee -q -o mapped.json stat -json",
        "write_verilog -noattr netlist.v",
    )


def _yosys(work: Path, seconds: float) -> None:
    """Yosys in a process of its own: it can be stopped, and its memory goes with it."""
    command = [sys.executable, "-c", RUNNER, "script"]
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise SpecError(f"yosys: not done after {seconds:g} s; synthesise a smaller array or allow more time") from error
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR") or "ERROR:" in line]
        raise SpecError(f"yosys: {lines[-1].removeprefix('ERROR: ').strip() if lines else f'exit code {done.returncode}'}")


def _cells(path: Path) -> dict[str, int]:
    return dict(json.loads(path.read_text())["design"]["num_cells_by_type"])


def _resources(cells: dict[str, int]) -> Resources:
    luts, carries, flip_flops, multipliers, block_rams = (cells.pop(name, 0) for name in KNOWN)
    return Resources(luts, carries, flip_flops, multipliers, block_rams, tuple(sorted(cells.items())))


def _registers(path: Path) -> int:
    """Bits of all flip-flops; Yosys counts cells by kind and width, as $dff_8."""
    cells = _cells(path)
    return sum(count * int(name.rsplit("_", 1)[1]) for name, count in cells.items() if name.startswith(("$dff_", "$dffe_", "$sdff")))


def simulatable(netlist: str) -> str:
    """A netlist with what its cells do."""
    return MODELS.read_text() + "\n" + netlist
