"""The command as a process of its own: what start-up loads, exit codes, pipes, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archmodel import __version__

ROOT = Path(__file__).resolve().parents[2]
MODULE = (sys.executable, "-m", "sims.cli")


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MODULE, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("map", "-h"), ("sim", "--help"), ("list", "--help"), ("--version",)])
def test_help_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    heavy = ("numpy", "amaranth", "yaml", "rich", "networkx", "ml_dtypes")
    probe = (f"import sys; from sims.cli import main; code = main({list(words)})\n"
             f"sys.exit(code or [m for m in {heavy} if m in sys.modules] or 0)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_exit_codes_and_streams() -> None:
    fine, wrong = ran("run", "--gemm", "4,4,4", "edge-npu"), ran("run", "no-such-model", "cloud")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    assert "Traceback" not in wrong.stderr


def test_version_and_overview() -> None:
    assert ran("--version").stdout == f"archmodel {__version__}\n"
    out = ran().stdout
    assert all(f"\n  {verb} " in out for verb in ("run", "map", "sim", "list"))


def test_a_reader_that_stops_early_is_no_error() -> None:
    with subprocess.Popen([*MODULE, "list", "models", "--json"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*MODULE, "list", "models"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_call_into_compiled_code() -> None:
    """A thread that never ends stands for a long simulation."""
    probe = ("import sys, time; from sims import cli; from sims.commands import waiting\n"
             "cli._dispatch = lambda words: waiting.interruptible(lambda: (print('ready', flush=True), time.sleep(1000)))\n"
             "waiting.GRACE_SECONDS = 0.1\n"
             "sys.exit(cli.main([]))")  # fmt: skip
    # A test run in the background of a shell ignores Ctrl-C, and its children would inherit that.
    with subprocess.Popen([sys.executable, "-c", probe], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 2
    assert err.startswith("archmodel: interrupted by Ctrl-C; ")
    assert err.count("\n") == 1
