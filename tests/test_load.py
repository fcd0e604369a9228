from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from archmodel import load
from archmodel.cost import default_costs
from archmodel.records.base import SpecError, from_plain
from archmodel.records.engines import systolic, vector
from archmodel.records.machine import Clock, Engine, Link, Machine, Memory, engine_types
from archmodel.records.mapping import Mapping
from tests.small import SMALL

DRAMS = default_costs().technologies()


def read(text: str, *sets: str) -> Machine:
    return load.machine_from_yaml(textwrap.dedent(text), "m", sets)


def error_of(text: str, *sets: str) -> str:
    with pytest.raises(SpecError) as error:
        read(text, *sets)
    return str(error.value)


def saved(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


class TestReading:
    def test_a_small_machine(self) -> None:
        params = systolic.Params(rows=8, cols=8, port_bytes=8)
        assert read(SMALL) == Machine(
            "m", 16, (Clock("core", 10**9),),
            (Memory("buffer", "sram", 64 << 10), Memory("dram", "lpddr4", 1 << 30, 8 * 10**9, 100_000)),
            (Engine("array", "systolic", "core", params, "buffer", "dram"),),
        )  # fmt: skip

    def test_the_ten_lines_of_the_readme(self) -> None:
        machine = read("""\
            base: edge-npu
            clock: 800 MHz
            node: 16 nm
            engines: {array: {rows: 32, cols: 32}}
            memories: {buffer: {size: 1 MiB}, dram: {bandwidth: 51.2 GB/s, size: 8 GiB}}
            """)
        base = load.load_machine("edge-npu")
        assert machine.name == "m"
        assert machine.clock_hz("core") == 800_000_000
        assert machine.engine("array").params == replace(base.engine("array").params, rows=32, cols=32)
        assert machine.memory("dram") == replace(
            base.memory("dram"), size_bytes=8 << 30, bandwidth_bytes_per_second=51_200_000_000
        )
        assert machine.engine("vector") == base.engine("vector")

    def test_a_base_is_relative_to_its_file(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        saved(tmp_path, "sub/low.yaml", SMALL)
        top = saved(tmp_path, "top.yaml", "base: sub/low.yaml\nclock: 2 GHz\n")
        machine = load.load_machine(top)
        assert (machine.name, machine.clock_hz("core")) == ("top", 2 * 10**9)

    def test_null_removes_what_the_base_has(self) -> None:
        assert [engine.name for engine in read("base: edge-npu\nengines: {vector: }\n").engines] == ["array"]

    def test_an_engine_of_another_type_replaces_the_base_s(self) -> None:
        machine = read("base: edge-npu\nengines: {array: {type: vector, clock: core, port: dram, lanes: 2, port_bytes: 4}}\n")
        assert machine.engine("array").params == vector.Params(lanes=2, port_bytes=4)

    def test_devices_are_machines_with_bases_of_their_own(self) -> None:
        machine = read("""\
            node: 7 nm
            devices: {left: {base: edge-npu, clock: 500 MHz}, right: {base: edge-npu}}
            links: {bridge: {ends: [left, right], bandwidth: 10 GB/s, latency: 1 us, source: made up}}
            """)
        assert [(device.name, device.clock_hz("core")) for device in machine.devices] == [
            ("left", 5 * 10**8),
            ("right", 10**9),
        ]
        assert machine.links == (Link("bridge", ("left", "right"), 10**10, 10**6, "made up"),)

    def test_set_overrides(self) -> None:
        machine = load.load_machine("edge-npu", ["engines.array.rows=32", "memories.dram.bandwidth=51.2 GB/s",
                                                 "clock=0.5 GHz", "engines.array.dataflows=[os]"])  # fmt: skip
        assert machine.engine("array").params.rows == 32
        assert machine.engine("array").params.dataflows == ("os",)
        assert machine.memory("dram").bandwidth_bytes_per_second == 51_200_000_000
        assert machine.clock_hz("core") == 500_000_000

    def test_read_yaml_gives_plain_data(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "a.yaml", "a: [1, 2.5, true, null, '1', 2020-01-01, x]\nb: {c: }\n")
        assert load.read_yaml(path) == {"a": [1, 2.5, True, None, "1", "2020-01-01", "x"], "b": {"c": None}}


class TestFindings:
    def test_all_of_them_at_once_each_with_its_place(self) -> None:
        assert error_of("""\
            node: 16
            clock: 800
            memories:
              dram: {technology: lpddr4, size: 1 KB, bandwith: 8 GB/s}
            engines:
              array: {type: systolic, clock: cor, port: dram, cols: 8.5}
              other: {type: systolik, clock: core}
            color: red
            """).splitlines() == [
            "<m>:8:1: color: found an unknown key, expected clock",
            "<m>:1:7: node: found '16' without a unit, expected a process node such as 16 nm",
            "<m>:2:8: clocks.core: found '800' without a unit, expected a frequency such as 800 MHz",
            "<m>:4:42: memories.dram.bandwith: found an unknown key, expected bandwidth",
            (
                "<m>:4:36: memories.dram.size: found the unit 'KB', expected a size in one of "
                "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"
            ),
            (
                "<m>:4:9: memories.dram: found no bandwidth, expected a bandwidth such as 51.2 GB/s "
                "(engines.array.port needs it)"
            ),
            "<m>:6:57: engines.array.cols: found '8.5', expected a whole number",
            "<m>:6:10: engines.array: found no buffer, expected the name of a memory",
            "<m>:6:10: engines.array: found no rows, expected a whole number",
            "<m>:6:34: engines.array.clock: found 'cor', expected core",
            "<m>:7:17: engines.other.type: found 'systolik', expected systolic",
        ]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("rows: 8", "rows: 1", "<m>:7:74: engines.array.rows: found 1, expected at least 2"),
            ("port_bytes: 8", "port_bytes: 5",
             "<m>:7:10: engines.array: systolic engine: port_bytes 5 does not divide the X word of 8 bytes, expected a divisor of 8"),
            ("buffer: buffer, ", "", "<m>:7:10: engines.array: found no buffer, expected the name of a memory"),
            ("size: 64 KiB", "size: 1 KiB",
             ("<m>:7:10: engines.array: systolic engine: a buffer of 1024 bytes gives P 0 words a bank, and "
              "a 8x8 array needs 1; enlarge the buffer or its share")),
            ("size: 1 GiB", "size: 0 GiB",
             "<m>:5:36: memories.dram.size: found '0 GiB', expected a size of at least 1 B"),
            ("size: 1 GiB, ", "", "<m>:5:9: memories.dram: found no size, expected a size such as 64 KiB"),
            ("port: dram", "port: dran", "<m>:7:62: engines.array.port: found 'dran', expected dram"),
            ("rows: 8", "rows: 8, count: 0", "<m>:7:84: engines.array.count: found 0, expected at least 1"),
            ("rows: 8", "rows: 8, count: 65537", "<m>:7:84: engines.array.count: found 65537, expected at most 65536"),
            ("clock: 1 GHz", "clock: 2000 GHz",
             "<m>:2:8: clocks.core: found '2000 GHz', expected a frequency of at most 1000 GHz"),
            ("16 nm", "1 mm",
             "<m>:1:7: node: found the unit 'mm', expected a process node in one of nm, um"),
            ("100 ns", "2 s", "<m>:5:71: memories.dram.latency: found '2 s', expected a time of at most 1 s"),
            ("8 GB/s", "9e18 B/s",
             "<m>:5:54: memories.dram.bandwidth: found '9e18 B/s', expected a bandwidth of at most 1000000 TB/s"),
            ("1 GiB", "9e18 B", "<m>:5:36: memories.dram.size: found '9e18 B', expected a size of at most 1048576 TiB"),
            ("engines:\n", "engines:\n  v: {type: vector, clock: core, port: dram, lanes: 1048577, port_bytes: 1}\n",
             "<m>:7:53: engines.v.lanes: found 1048577, expected at most 1048576"),
            ("port_bytes: 8", "port_bytes: 0",
             "<m>:7:98: engines.array.port_bytes: found 0, expected at least 1"),
            ("rows: 8", "rows: 8, buffer_split: [1, 1, 1, 1048577]",
             "<m>:7:91: engines.array.buffer_split: found 1048577, expected at most 1048576"),
            ("rows: 8", "rows: 8, dataflows: [wz]", "<m>:7:88: engines.array.dataflows: found 'wz', expected one of ws, is, os"),
            ("rows: 8", "rows: 8, dataflows: []",
             "<m>:7:10: engines.array: systolic engine: found no dataflow, expected some of ws, is, os"),
            ("rows: 8", "rows: 8, dataflows: [ws, os, ws]",
             "<m>:7:10: engines.array: systolic engine: dataflows ws, os, ws, expected each once"),
            ("rows: 8", "rows: 8, overflow: warp", "<m>:7:87: engines.array.overflow: found 'warp', expected one of refuse, wrap"),
            ("rows: 8", "rows: 8, weight: int6",
             "<m>:7:85: engines.array.weight: found 'int6', expected one of int4, int8, bf16, e4m3, e5m2"),
            ("rows: 8", "rows: 8, act: bf16",
             ("<m>:7:10: engines.array: systolic engine: act bf16 beside weight int8, expected two integer formats or two of bf16, e4m3, "
              "e5m2")),
            ("rows: 8", "rows: 8, weight_bits: 8", "<m>:7:77: engines.array.weight_bits: found an unknown key, expected weight"),
            ("rows: 8", "rows: 8, dataflows: [is, ws], weight: int4",
             ("<m>:7:10: engines.array: systolic engine: act int8 and weight int4, expected one format where dataflow is stands beside "
              "ws or os; dataflows: [ws] would do")),
            ("rows: 8", "rows: 8, dataflows: ws", "<m>:7:88: engines.array.dataflows: found 'ws', expected a list"),
            ("rows: 8", "rows: 8, buffer_split: [1, 2]",
             "<m>:7:91: engines.array.buffer_split: found a list, expected a list of 4"),
            ("rows: 8", "rows: 010", "<m>:7:74: engines.array.rows: found '010', expected a whole number"),
            ("type: systolic, ", "", "<m>:7:10: engines.array: found no type, expected one of attention, plain, systolic, units, vector"),
            ("clock: 1 GHz", "clock: {core: 1 GHz}",
             "<m>:2:8: clocks.core: found a mapping, expected a frequency such as 800 MHz"),
            ("node: 16 nm\n", "", "<m>:1:1: found no node, expected a process node such as 16 nm"),
            ("buffer: {", "buf fer: {",
             ("<m>:4:3: memories: found the name 'buf fer', expected a name of letters, digits, _ and -\n"
              "<m>:7:48: engines.array.buffer: found 'buffer', expected one of dram")),
            ("node: 16 nm", "node: 16 nm\nnode: 16 nm",
             "<m>:2:1: node: found the key again, expected it once (first at <m>:1:1)"),
            ("port: dram, ", "", "<m>:7:10: engines.array: found no port, expected the name of a memory"),
            ("port: dram, ", "port: [dram], ", "<m>:7:62: engines.array.port: found a list, expected the name of a memory"),
            ("engines:\n", "engines:\n  v: {type: vector, clock: core, lanes: 1, port_bytes: 1}\n",
             "<m>:7:6: engines.v: found no port, expected the name of a memory"),
            ("bandwidth: 8 GB/s, ", "",
             ("<m>:5:9: memories.dram: found no bandwidth, expected a bandwidth such as 51.2 GB/s "
              "(engines.array.port needs it)")),
            ("lpddr4", "lpddr9", ("<m>:5:22: memories.dram.technology: found 'lpddr9', expected one of "
                                  f"{', '.join(DRAMS)} for engines.array.port")),
            ("technology: lpddr4", "technology: sram", ("<m>:5:22: memories.dram.technology: found 'sram', expected one of "
                                                        f"{', '.join(DRAMS)} for engines.array.port")),
            ("technology: sram", "technology: ddr4",
             "<m>:4:24: memories.buffer.technology: found 'ddr4', expected sram for engines.array.buffer"),
            ("engines:\n", "  spare: {technology: flash, size: 1 B}\nengines:\n",
             f"<m>:6:23: memories.spare.technology: found 'flash', expected one of sram, {', '.join(DRAMS)}"),
            ("size: 64 KiB", "size: 1 GiB",
             ("<m>:7:10: engines.array: systolic engine: a buffer of 1073741824 bytes gives X 12582912 words a bank, "
              "expected at most 262144; the largest usable buffer has 22369706 bytes")),
        ],
    )  # fmt: skip
    def test_one_mistake(self, old: str, new: str, message: str) -> None:
        assert old in SMALL
        assert error_of(SMALL.replace(old, new)) == message

    def test_the_largest_buffer_is_as_large_as_it_says(self) -> None:
        params, most = systolic.Params(rows=8, cols=8, port_bytes=8), 22_369_706
        assert systolic.resolve(params, most).x_words == systolic.MAX_BANK_WORDS
        with pytest.raises(SpecError, match=f"X {systolic.MAX_BANK_WORDS + 1} words .* buffer has {most} bytes"):
            systolic.resolve(params, most + 1)

    @pytest.mark.parametrize("section", ["clocks", "memories", "engines"])
    def test_an_empty_section_over_a_base(self, section: str) -> None:
        what = {"clocks": "clock", "memories": "memory", "engines": "engine"}[section]
        at = f"{section}: found nothing, expected at least one {what} (null removes one)"
        column = len(section) + 3
        assert error_of(f"base: edge-npu\n{section}: {{}}\n") == f"<m>:2:{column}: {at}"
        assert error_of(SMALL, f"{section}={{}}") == f"--set {section}={{}}: {at}"

    def test_an_empty_section_of_a_device(self) -> None:
        text = "node: 7 nm\ndevices: {left: {base: edge-npu, engines: {}}}\n"
        wrong = "found nothing, expected at least one engine (null removes one)"
        assert error_of(text) == f"<m>:2:43: engines: {wrong}"
        device = text.replace(", engines: {}", "")
        assert error_of(device, "devices.left.engines={}") == f"--set devices.left.engines={{}}: devices.left.engines: {wrong}"
        assert error_of(device, "devices={}") == "--set devices={}: devices: " + wrong.replace("engine", "device")

    def test_an_empty_section_over_nothing_is_allowed(self) -> None:
        assert read("base: edge-npu\nlinks: {}\n").links == ()

    def test_clock_and_clocks(self) -> None:
        assert error_of(SMALL + "clocks: {core: 2 GHz}\n") == (
            "<m>:2:1: clock: found clocks beside it, expected clock (short for clocks.core) or clocks"
        )

    def test_a_finding_in_a_base_names_the_base_s_file(self, tmp_path: Path) -> None:
        low = saved(tmp_path, "low.yaml", SMALL.replace("rows: 8", "rows: no"))
        top = saved(tmp_path, "top.yaml", "base: low.yaml\nclock: 2\n")
        with pytest.raises(SpecError) as error:
            load.load_machine(top)
        assert str(error.value).splitlines() == [
            f"{top}:2:8: clocks.core: found '2' without a unit, expected a frequency such as 800 MHz",
            f"{low}:7:74: engines.array.rows: found 'no', expected a whole number",
        ]

    @pytest.mark.parametrize(("text", "found"), [("", "nothing"), ("hello world\n", "'hello world'"), ("[a]\n", "a list")])
    def test_a_base_that_is_no_machine(self, tmp_path: Path, text: str, found: str) -> None:
        low, top = saved(tmp_path, "low.yaml", text), saved(tmp_path, "top.yaml", "base: low.yaml\n" + SMALL)
        with pytest.raises(SpecError) as error:
            load.load_machine(top)
        assert str(error.value) == f"{low}:1:1: found {found}, expected a mapping"

    def test_a_circle_of_bases(self, tmp_path: Path) -> None:
        one = saved(tmp_path, "one.yaml", "base: two.yaml\n")
        two = saved(tmp_path, "two.yaml", "base: one.yaml\n")
        with pytest.raises(SpecError) as error:
            load.load_machine(one)
        assert str(error.value) == (
            f"{two}:1:7: base: found a circle {one} -> {two} -> {one}, expected a file that does not lead back"
        )

    @pytest.mark.parametrize(
        ("base", "message"),
        [
            ("edge-nup", "found 'edge-nup', which is neither a preset nor a file, expected a file or edge-npu"),
            ("[a]", "found a list, expected a file"),
        ],
    )
    def test_a_base_that_is_not_there(self, base: str, message: str) -> None:
        assert error_of(f"base: {base}\nnode: 3\n") == f"<m>:1:7: base: {message}"

    def test_a_machine_that_is_not_there(self) -> None:
        with pytest.raises(SpecError) as error:
            load.load_machine("clowd")
        assert str(error.value) == "found 'clowd', which is neither a preset nor a file, expected a file or cloud"

    @pytest.mark.parametrize("text", ["", "5\n", "- a\n- b\n", "~\n"])
    def test_no_mapping_at_all(self, text: str) -> None:
        assert "expected a mapping" in error_of(text)

    @pytest.mark.parametrize("section", ["clocks", "memories", "engines", "links", "devices"])
    @pytest.mark.parametrize("text", ["3", "[1]", "{a: 3}", "{a: [1]}", "{a: }", ""])
    def test_sections_of_the_wrong_shape(self, section: str, text: str) -> None:
        lines = error_of(f"node: 7 nm\n{section}: {text}\n").splitlines()
        assert lines
        assert all(line.startswith("<m>:2:") and "expected" in line for line in lines)


class TestSets:
    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("engines.array.rows=no", "engines.array.rows: found 'no', expected a whole number"),
            ("engines.array.rwos=3", "engines.array.rwos: found an unknown key, expected rows"),
            ("engines.aray.rows=3", "engines.aray: found no such key, expected array"),
            ("clock=800", "clocks.core: found '800' without a unit, expected a frequency such as 800 MHz"),
            ("rows", "expected PATH=VALUE, such as engines.array.rows=32"),
            ("=3", "expected PATH=VALUE, such as engines.array.rows=32"),
            ("clocj=3", "clocj: found an unknown key, expected clock"),
            ("engines.array.rows=", "engines.array: found no rows, expected a whole number"),
        ],
    )
    def test_errors_name_the_option(self, option: str, message: str) -> None:
        assert error_of(SMALL, option) == f"--set {option}: {message}"

    def test_all_options_are_checked_at_once(self) -> None:
        assert len(error_of(SMALL, "engines.x.y=1", "clock=1", "memories.dram.size=1").splitlines()) == 3

    def test_a_value_that_is_not_yaml(self) -> None:
        assert error_of(SMALL, "node=[1").startswith("--set node=[1:")


def test_a_new_engine_type_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archmodel.records import engines

    saved(tmp_path, "dummy.py", """\
        from dataclasses import dataclass
        from fractions import Fraction

        TYPE = "dummy"


        @dataclass(frozen=True)
        class Params:
            share: Fraction
            on: bool = True
            label: str | None = None
            sizes: tuple[int, ...] = ()
        """)  # fmt: skip
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    assert engine_types() == ("attention", "dummy", "plain", "systolic", "units", "vector")
    machine = read(
        "node: 5 nm\nclock: 1 GHz\nengines: {d: {type: dummy, clock: core, share: 1/3, on: false, sizes: [1, 2]}}\n"
    )
    assert str(machine.engine("d").params) == "Params(share=Fraction(1, 3), on=False, label=None, sizes=(1, 2))"
    assert load.machine_from_yaml(load.machine_to_yaml(machine)) == machine


@pytest.mark.parametrize(
    ("cls", "data", "message"),
    [
        (Clock, {"name": "a", "hz": "fast"}, "not a Clock record: hz: expected int, found 'fast'"),
        (Clock, {"name": "a", "hz": 0}, "not a Clock record: clock a: hz is 0, expected at least 1"),
        (Clock, {"name": "a"}, "not a Clock record: found no hz"),
        (Clock, {"name": "a", "hz": 1, "x": 2}, "not a Clock record: unknown field 'x'"),
        (Clock, {"name": "a", "hz": 10**12 + 1}, "not a Clock record: clock a: hz is 1000000000001, expected at most 1000000000000"),
        (Memory, {"name": "m", "technology": "sram", "size_bytes": 2**61},
         "not a Memory record: memory m: size_bytes is 2305843009213693952, expected at most 1152921504606846976"),
        (Link, {"name": "l", "ends": ["a", "b"], "bandwidth_bytes_per_second": 0, "latency_picoseconds": 0},
         "not a Link record: link l: bandwidth_bytes_per_second is 0, expected at least 1"),
        (Machine, {"name": "m", "node_nm": 10001, "clocks": [], "memories": [], "engines": []},
         "not a Machine record: machine m: node_nm is 10001, expected at most 10000"),
        (Mapping, [], "not a Mapping record: expected a mapping of fields, found a list"),
        (Mapping, 3, "not a Mapping record: expected a mapping of fields, found 3"),
        (Mapping, None, "not a Mapping record: expected a mapping of fields, found nothing"),
        (Mapping, "x" * 99, f"not a Mapping record: expected a mapping of fields, found '{'x' * 57}..."),
        (Mapping, {"graph": "g", "machine": "m", "trees": {}}, "not a Mapping record: trees: expected a list, found a mapping"),
        (Mapping, {"graph": "g", "machine": "m", "trees": [3]},
         "not a Mapping record: trees.0: expected a mapping of fields, found 3"),
        (Mapping, {"graph": "g", "machine": "m", "trees": [{"kind": "Lop"}]},
         "not a Mapping record: trees.0: expected a kind of Loop, Storage, Compute, Sequence, Parallel, Peel, found 'Lop'"),
        (Mapping, {"graph": "g", "machine": "m", "trees": [{}]},
         "not a Mapping record: trees.0: expected a kind of Loop, Storage, Compute, Sequence, Parallel, Peel, found nothing"),
        (Mapping, {"graph": "g", "machine": "m", "trees": [{"kind": "Loop", "rank": "k", "tile": 1.5, "body": []}]},
         "not a Mapping record: trees.0.tile: expected int, found 1.5"),
        (Link, {"name": "l", "ends": ["a"], "bandwidth_bytes_per_second": 1, "latency_picoseconds": 0},
         "not a Link record: ends: expected a list of 2, found 1 items"),
        (Engine, {"name": "v", "type": "vector", "clock": "c", "params": {"lanes": "2", "port_bytes": 1}},
         "not an Engine record: not a Params record: lanes: expected int, found '2'"),
        (Engine, {"name": "a", "type": "systolic", "clock": "c", "params": {"rows": 2, "cols": 257}},
         "not an Engine record: not a Params record: systolic engine: cols is 257, expected at most 256"),
        (Engine, {"name": "a", "type": "systolic", "clock": "c", "params": {"rows": 2, "cols": 2, "buffer_split": [1, 1, 1, 0]}},
         "not an Engine record: not a Params record: systolic engine: buffer_split is 0, expected at least 1"),
        (Engine, {"name": "v", "type": "vector", "clock": "c", "params": [1]},
         "not an Engine record: engine v: params: expected a mapping of fields, found a list"),
    ],
)  # fmt: skip
def test_a_record_that_is_not_one(cls: type, data: object, message: str) -> None:
    with pytest.raises(SpecError) as error:
        from_plain(cls, data)
    assert str(error.value) == message


def test_a_record_s_text_that_is_none() -> None:
    with pytest.raises(SpecError) as error:
        load.record_from_yaml(Clock, "name: a\nhz: fast\n")
    assert str(error.value) == "not a Clock record: hz: expected int, found 'fast'"


def test_importing_it_loads_neither_yaml_nor_numpy() -> None:
    code = (
        "import sys, archmodel.load; print([m for m in ('yaml', 'numpy', 'pydantic', 'networkx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
