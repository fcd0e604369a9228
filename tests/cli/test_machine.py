"""``archmodel machine``: what its verbs print, write and refuse."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from archmodel.json_schema import machine_schema
from archmodel.load import PRESETS, list_machines, load_machine, machine_from_yaml, plain_from_yaml
from archmodel.records.machine import Machine

from .helpers import said

MINE = """\
base: edge-npu
clock: 800 MHz
memories:
  dram: {bandwidth: 51.2 GB/s}
engines:
  array: {rows: 32, buffering: 1}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


def test_help_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        answer = said(capsys, "machine", word)
        assert answer.code == 0
        assert re.findall(r"^  machine (\w+)", answer.out, re.MULTILINE) == ["init", "show", "check", "schema"]


class TestInit:
    @staticmethod
    def renamed(machine: Machine, name: str) -> Machine:
        return dataclasses.replace(machine, name=name)

    @pytest.mark.parametrize("base", list_machines())
    def test_the_file_is_the_base_under_another_name(self, base: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        answer = said(capsys, "machine", "init", "--base", base, "-o", str(path))
        assert (answer.code, answer.out, answer.err) == (0, "", f"wrote {path}\n")
        assert load_machine(path) == self.renamed(load_machine(base), "mine")

    @pytest.mark.parametrize("base", list_machines())
    def test_its_commented_defaults_are_the_defaults(self, base: str, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "machine", "init", "--base", base).out
        opened, found = re.subn(r"^( +)# (?=\w+: )", r"\1", text, flags=re.MULTILINE)
        assert found > 5
        assert machine_from_yaml(opened, "mine") == self.renamed(load_machine(base), "mine")

    @pytest.mark.parametrize("base", list_machines())
    def test_every_line_says_what_it_is(self, base: str, capsys: pytest.CaptureFixture[str]) -> None:
        lines = said(capsys, "machine", "init", "--base", base).out.splitlines()
        components = [part for engine in load_machine(base).engines for part in (engine, *getattr(engine.params, "levels", ()))]
        components += [load_machine(base).fabric] if load_machine(base).fabric else []
        assert len(lines) < 30 * len(components)
        assert max(map(len, lines)) <= 124
        for line in lines:
            assert line.startswith("#") or re.fullmatch(r" *\w+:", line) or re.search(r"  # [\w(]", line), line

    def test_an_editor_finds_the_schema_and_the_schema_fits(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "machine", "init").out
        assert text.startswith("# yaml-language-server: $schema=machine.schema.json\n")
        assert Draft202012Validator(machine_schema()).is_valid(plain_from_yaml(text))

    def test_units_meanings_and_values_of_the_base(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = said(capsys, "machine", "init").out.splitlines()
        assert "    bandwidth: 16 GB/s            # shared by all ports to it; needed behind a port" in lines
        assert "    # buffering: 2                # banks of every buffer: 1, or 2 (double buffering)" in lines

    def test_overwrites_nothing(self, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "init", "-o", str(mine))
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == (f"archmodel: {mine}: exists already, and init overwrites nothing; "
                              "name another file, or remove this one first\n")  # fmt: skip
        assert mine.read_text() == MINE

    def test_an_unknown_base(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "init", "--base", "clod")
        assert answer.code == 2
        assert answer.err == (f"archmodel machine init: --base: found 'clod', expected {', '.join(list_machines())}; did you mean cloud?; "
                              "see archmodel machine init --help\n")  # fmt: skip


class TestShow:
    def test_each_value_has_its_origin(self, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "show", str(mine), "--set", "engines.array.cols=64", "--json").json
        found = {value["path"]: (value["value"], value["origin"], value["where"]) for value in answer["values"]}
        assert found["clocks.core"] == ("800 MHz", "file", f"{mine}:2")
        assert found["memories.dram.bandwidth"] == ("51.2 GB/s", "file", f"{mine}:4")
        assert found["engines.array.rows"] == (32, "file", f"{mine}:6")
        assert found["engines.array.cols"] == (64, "set", "--set engines.array.cols=64")
        kind, where = found["engines.array.port_bytes"][1:]
        assert kind == "preset"
        preset, _, line = where.rpartition(":")
        assert "port_bytes: 16" in (PRESETS.parent.parent / preset).read_text().splitlines()[int(line) - 1]
        assert found["engines.array.overflow"] == ("refuse", "default", "")
        assert found["name"] == ("mine", "default", "")

    def test_values_are_those_of_the_record(self, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Every parameter of every engine, every field of every memory, none left out."""
        answer = said(capsys, "machine", "show", str(mine), "--json").json
        found = {value["path"]: value["value"] for value in answer["values"]}
        for engine in load_machine(mine).engines:
            for part in dataclasses.fields(engine.params):
                value = getattr(engine.params, part.name)
                assert found[f"engines.{engine.name}.{part.name}"] == (list(value) if isinstance(value, tuple) else value)

    def test_what_follows(self, capsys: pytest.CaptureFixture[str]) -> None:
        """edge-npu by hand: 320 KiB in 16 shares, of which X has 4: 81,920 bytes, two banks of 2,560 words of 16 bytes."""
        answer = said(capsys, "machine", "show", "edge-npu", "--json").json
        found = {part["path"]: {amount["unit"]: amount["amount"] for amount in part["amounts"]} for part in answer["derived"]}
        assert found["engines.array.X"] == {"bytes": 81_920, "banks": 2, "words a bank": 2560, "bytes a word": 16, "beats a word": 1}
        assert found["engines.array.Z"]["beats a word"] == 4
        assert found["engines.array.Z"]["beats a requantised word"] == 1
        assert found["engines.array.peak"] == {"op/s": 2 * 16 * 16 * 10**9}
        assert found["engines.array.port"] == {"cycles a beat": 1, "cycles of latency": 100, "B/s of all copies": 16 * 10**9}

    def test_buffers_stay_within_the_memory(self, capsys: pytest.CaptureFixture[str]) -> None:
        for name in (name for name in list_machines() if load_machine(name).memories):
            answer = said(capsys, "machine", "show", name, "--json").json
            used = sum(part["amounts"][0]["amount"] for part in answer["derived"] if part["path"][-1] in "XYZP")
            whole = load_machine(name).memory("buffer").size_bytes
            assert 0.95 * whole < used <= whole

    def test_a_port_after_rounding(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "show", "tpu-v1")
        assert "engines.array.port   6 cycles a beat, 70 cycles of latency, 29,866,666,666 B/s of all copies" in answer.out

    def test_the_table(self, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = said(capsys, "machine", "show", str(mine)).out
        lines = out.splitlines()
        assert lines[0] == "mine, resolved"
        assert f"engines.array.rows            32            {mine}:6" in lines
        assert "engines.array.overflow        refuse        default" in lines
        assert re.search(r"^name +mine +the file's name$", out, re.MULTILINE)
        assert re.search(r"^ memories.dram +One 32-bit LPDDR4 channel", out, re.MULTILINE)

    def test_values_of_a_device(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "two.yaml"
        path.write_text("node: 7 nm\ndevices:\n  left: {base: edge-npu, engines: {array: {rows: 64}}}\n")
        answer = said(capsys, "machine", "show", str(path), "--json").json
        found = {value["path"]: value["where"] for value in answer["values"]}
        assert found["devices.left.engines.array.rows"] == f"{path}:3"
        assert any(part["path"] == "devices.left.engines.array.peak" for part in answer["derived"])


class TestCheck:
    def test_presets_are_right(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "check", *list_machines())
        assert (answer.code, answer.err) == (0, "")
        assert re.findall(r"^([\w-]+) +OK: ", answer.out, re.MULTILINE) == list(list_machines())
        (edge,) = (machine for machine in said(capsys, "machine", "check", "edge-npu", "--json").json)
        assert edge == {"name": "edge-npu", "findings": [], "warnings": [], "summary": "16 nm, core 1 GHz, array systolic 512 Gop/s, "
                        "vector 16.0 Gop/s, buffer 320 KiB sram, dram 16 GiB lpddr4 at 16 GB/s"}  # fmt: skip

    def test_an_engine_without_a_peak_is_named_with_its_type(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        mine = tmp_path / "mine.yaml"
        mine.write_text("node: 45 nm\nclock: 1 GHz\nengines:\n  chip: {type: units, clock: core, units: [a], rows: [1], cols: [1], "
                        "operations: [a mul+add 1]}\n")  # fmt: skip
        assert said(capsys, "machine", "check", str(mine)).out.split() == f"{mine}  OK: 45 nm, core 1 GHz, chip units".split()

    @staticmethod
    def warned(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
        (answer,) = said(capsys, "machine", "check", *words, "--json").json
        found: list[str] = answer["warnings"]
        return found

    def test_bandwidth_lost_to_a_narrow_port(self, capsys: pytest.CaptureFixture[str]) -> None:
        sets = ("--set", "memories.dram.bandwidth=51.2 GB/s", "--set", "clock=800 MHz", "--set", "engines.array.rows=64",
                "--set", "engines.array.cols=64")  # fmt: skip
        for engine, warning in zip(("array", "vector"), self.warned(capsys, "edge-npu", *sets), strict=True):
            assert warning == (f"engines.{engine}: bandwidth 51.2 GB/s of dram is rounded to 12.8 GB/s (75 % lost): a port of 16 bytes "
                               "moves a beat each cycle at 800 MHz; port_bytes 64 loses nothing")  # fmt: skip
        wider = ("--set", "engines.array.port_bytes=64", "--set", "engines.vector.port_bytes=64")
        assert self.warned(capsys, "edge-npu", *sets, *wider) == []

    def test_bandwidth_lost_to_whole_cycles(self, capsys: pytest.CaptureFixture[str]) -> None:
        """256 bytes at 34 GB/s take 5.27 cycles of 700 MHz, and so 6; at 664.1 MHz they take 5."""
        array, _ = self.warned(capsys, "tpu-v1")
        assert array == ("engines.array: bandwidth 34.0 GB/s of dram is rounded to 29.9 GB/s (12 % lost): a port of 256 bytes moves a beat "
                         "every 6 cycles at 700 MHz; no other port_bytes loses much less, 664.1 MHz would")  # fmt: skip
        slower = self.warned(capsys, "tpu-v1", "--set", "clock=664 MHz")
        assert [warning for warning in slower if "lost" in warning] == []

    def test_a_port_between_two_widths(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, vector = self.warned(capsys, "tpu-v1")
        assert vector.endswith("; port_bytes 48 loses 1.2 %")
        narrower = self.warned(capsys, "tpu-v1", "--set", "engines.vector.port_bytes=48")
        assert "1.2 % lost" in narrower[-1]

    def test_a_loss_of_less_than_a_hundredth_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.warned(capsys, "edge-npu", "--set", "memories.dram.bandwidth=16.16 GB/s") == []
        assert len(self.warned(capsys, "edge-npu", "--set", "memories.dram.bandwidth=16.17 GB/s")) == 2

    def test_latency_that_nothing_covers(self, capsys: pytest.CaptureFixture[str]) -> None:
        (warning,) = self.warned(capsys, "edge-npu", "--set", "engines.array.outstanding=100")
        assert warning == ("engines.array: 100 requests of 1 cycle in flight do not cover 100 cycles of latency, and the port waits; "
                           "outstanding 101 covers it")  # fmt: skip
        assert self.warned(capsys, "edge-npu", "--set", "engines.array.outstanding=101") == []

    def test_what_no_engine_uses(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "odd.yaml"
        path.write_text("base: edge-npu\nclocks: {slow: 1 MHz}\nmemories: {spare: {technology: sram, size: 1 B}}\n"
                        "links: {wire: {ends: [array, arry], bandwidth: 1 GB/s, latency: 1 ns}}\n")  # fmt: skip
        assert self.warned(capsys, str(path)) == [
            "clocks.slow: no engine uses it", "memories.spare: no engine uses it", "links.wire: there is no 'arry' in this machine",
        ]  # fmt: skip

    def test_nothing_to_run_on(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "empty.yaml"
        path.write_text("node: 7 nm\n")
        assert self.warned(capsys, str(path)) == ["engines: there is none, and nothing can run"]

    def test_devices_are_not_run_yet(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "two.yaml"
        path.write_text("node: 7 nm\ndevices: {left: {base: edge-npu}}\n")
        assert self.warned(capsys, str(path)) == ["devices: devices that differ can be described, and not run yet"]
        answer = said(capsys, "compare", "edge-npu", str(path))
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == ("archmodel: machine two: found devices (left), expected engines of its own alone; devices that differ are "
                              "not modelled yet\n")  # fmt: skip

    def test_the_readme_s_machine_gives_no_cause_for_a_warning(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        readme = (PRESETS.parent.parent / "README.md").read_text()
        (text,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
        path = tmp_path / "readme.yaml"
        path.write_text(text)
        assert self.warned(capsys, str(path)) == []

    def test_all_findings_of_all_machines(self, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text("base: edge-npu\nclock: 800\nengines: {array: {rows: 1, rwos: 2}}\n")
        answer = said(capsys, "machine", "check", str(wrong), str(mine), "nowhere")
        assert answer.code == 2
        assert answer.err.splitlines() == [
            f"archmodel: {wrong}:2:8: clocks.core: found '800' without a unit, expected a frequency such as 800 MHz",
            f"archmodel: {wrong}:3:28: engines.array.rwos: found an unknown key, expected rows",
            f"archmodel: {wrong}:3:25: engines.array.rows: found 1, expected at least 2",
            "archmodel: found 'nowhere', which is neither a preset nor a file, expected a file or one of " + ", ".join(list_machines()),
        ]
        assert " ".join(answer.out.split()).count(" wrong, see below") == 2
        assert answer.out.count("OK: ") == 1

    def test_findings_in_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "check", "edge-npu", "--set", "clock=2", "--json")
        assert answer.code == 2
        (machine,) = json.loads(answer.out)
        assert machine["findings"] == ["--set clock=2: clocks.core: found '2' without a unit, expected a frequency such as 800 MHz"]

    def test_a_port_that_cannot_be(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What only evaluating would meet, met here."""
        answer = said(capsys, "machine", "check", "edge-npu", "--set", "memories.dram.bandwidth=1 B/s")
        assert answer.code == 2
        assert "expected at most 2147483648: the memory's bandwidth is too low for the port's width and clock" in answer.err

    def test_nothing_to_check(self, capsys: pytest.CaptureFixture[str]) -> None:
        answer = said(capsys, "machine", "check")
        assert answer.code == 2
        assert answer.err == "archmodel machine check: the following arguments are required: MACHINE; see archmodel machine check --help\n"


class TestSchema:
    def test_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert said(capsys, "machine", "schema").json == machine_schema()

    def test_is_written(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "machine.schema.json"
        answer = said(capsys, "machine", "schema", "-o", str(path))
        assert (answer.code, answer.out, answer.err) == (0, "", f"wrote {path}\n")
        assert json.loads(path.read_text()) == machine_schema()
