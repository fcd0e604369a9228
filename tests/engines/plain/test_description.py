"""A plain machine's description: levels by name, outermost first, each mistake at its own line."""

from __future__ import annotations

import textwrap
from fractions import Fraction

import pytest
from jsonschema import Draft202012Validator

from archmodel.json_schema import machine_schema
from archmodel.load import load_machine, machine_from_yaml, machine_to_yaml, plain_from_yaml
from archmodel.records.base import SpecError, from_plain, record_hash, to_plain
from archmodel.records.engines.plain import Axis, Level, Operation, Params

TEXT = textwrap.dedent("""\
    node: 7 nm
    clock: 1 GHz
    engines:
      array:
        type: plain
        clock: core
        levels:
          dram: {read_pj: 200, write_pj: 150.5, bandwidth: 3/2}
          buffer:
            words: 1024
            read_pj: 6
            write_pj: 6
            axes: {rows: 16, cols: {size: 4, ranks: [n], unicast: [weight], reduces: false}}
          register: {words: 64, read_pj: 1, write_pj: 1, bypass: true, holds: [weight, c], buffering: double}
        mac_pj: 1
        operations: {exp: 4, mul+add: {pj: 1, cycles: 2}}
    """)


def params_of(text: str, *sets: str) -> Params:
    params: Params = machine_from_yaml(text, "m", sets).engine("array").params
    return params


def errors_of(text: str, *sets: str) -> str:
    with pytest.raises(SpecError) as error:
        params_of(text, *sets)
    return str(error.value)


def test_levels_axes_and_operations_are_records_in_the_order_of_the_text() -> None:
    assert params_of(TEXT) == Params(
        (Level("dram", Fraction(200), Fraction(301, 2), bandwidth=Fraction(3, 2)),
         Level("buffer", Fraction(6), Fraction(6), 1024, axes=(Axis("rows", 16), Axis("cols", 4, ("n",), ("weight",), False))),
         Level("register", Fraction(1), Fraction(1), 64, bypass=True, holds=("weight", "c"), buffering="double")),
        Fraction(1), operations=(Operation("exp", Fraction(4)), Operation("mul+add", Fraction(1), Fraction(2))),
    )  # fmt: skip


def test_it_reads_back_what_it_prints() -> None:
    machine = machine_from_yaml(TEXT, "m")
    assert machine_from_yaml(machine_to_yaml(machine)) == machine
    assert from_plain(Params, to_plain(machine.engine("array").params)) == machine.engine("array").params


def test_an_editor_finds_it_right() -> None:
    assert [error.message for error in Draft202012Validator(machine_schema()).iter_errors(plain_from_yaml(TEXT))] == []
    assert not Draft202012Validator(machine_schema()).is_valid(plain_from_yaml(TEXT.replace("words: 1024", "wrods: 1024")))


def test_whole_numbers_are_fractions_so_equal_records_hash_alike() -> None:
    one, other = (Params((Level("dram", pj, pj),), pj) for pj in (2, Fraction(2)))  # type: ignore[arg-type]
    assert (one, record_hash(one)) == (other, record_hash(other))


def test_levels_lie_over_those_of_a_base() -> None:
    machine = machine_from_yaml("base: plain-a3\nengines: {array: {levels: {buffer: {words: 99, axes: {cols: }}, register: }}}\n")
    levels = machine.engine("array").params.levels
    have = [(level.name, level.words, [axis.name for axis in level.axes]) for level in levels]
    assert have == [("dram", None, []), ("buffer", 99, ["rows"])]
    assert load_machine("plain-a3", ["engines.array.levels.register.words=17"]).engine("array").params.levels[2].words == 17


def test_products_of_axes_are_instances() -> None:
    assert params_of(TEXT).instances == 64
    assert params_of(TEXT).depth == {"dram": 0, "buffer": 1, "register": 2}
    assert {name: place for name, (place, _) in params_of(TEXT).axis.items()} == {"rows": 1, "cols": 1}


@pytest.mark.parametrize(("old", "new", "message"), [
    ("words: 1024", "wrods: 1024", "<m>:10:9: engines.array.levels.buffer.wrods: found an unknown key, expected words"),
    ("words: 1024", "words: 0", "<m>:10:16: engines.array.levels.buffer.words: found 0, expected at least 1"),
    ("read_pj: 200, ", "", "<m>:8:13: engines.array.levels.dram: found no read_pj, expected a number such as 3/2"),
    ("read_pj: 6", "read_pj: -6", "<m>:11:18: engines.array.levels.buffer.read_pj: found '-6', expected at least 0"),
    ("rows: 16", "rows: 1.5", "<m>:13:22: engines.array.levels.buffer.axes.rows.size: found '1.5', expected a whole number"),
    ("rows: 16", "rows: [16]", "<m>:13:22: engines.array.levels.buffer.axes.rows.size: found a list, expected a whole number"),
    ("buffering: double", "buffering: triple",
     "<m>:14:99: engines.array.levels.register.buffering: found 'triple', expected one of shared, double, single"),
    ("exp: 4", "e x: 4", "<m>:16:18: engines.array.operations.e x: found the name 'e x', expected a name of letters, digits, _, - and +"),
    ("bandwidth: 3/2", "bandwidth: 0", "<m>:8:13: engines.array.levels.dram: level dram: bandwidth is 0, expected more"),
    ("bandwidth: 3/2", "bandwidth: 1, read_bandwidth: 1",
     "<m>:8:13: engines.array.levels.dram: level dram: found bandwidth beside one of reads or writes alone, expected one or the other"),
    ("bandwidth: 3/2", "holds: [c]",
     "<m>:5:5: engines.array: plain engine: level dram holds c alone, expected everything: it is the outermost"),
    ("rows: 16", "cols: 16", "<m>:13:26: cols: found the key again, expected it once (first at <m>:13:16)"),
])  # fmt: skip
def test_a_mistake_is_named_at_its_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    assert errors_of(TEXT.replace(old, new)) == message


def test_levels_as_a_list_are_refused() -> None:
    text = "base: plain-a3\nengines: {array: {levels: [{name: dram}]}}\n"
    assert errors_of(text) == "<m>:2:27: engines.array.levels: found a list, expected a mapping"


def test_names_and_sizes_are_bounded() -> None:
    dram = Level("dram", Fraction(1), Fraction(1))
    with pytest.raises(SpecError, match=r"^plain engine: the level dram appears twice, expected it once$"):
        Params((dram, dram), Fraction(1))
    with pytest.raises(SpecError, match=r"^plain engine: 0 levels, expected 1 to 16$"):
        Params((), Fraction(1))
    wide = Level("dram", Fraction(1), Fraction(1), axes=tuple(Axis(name, 1 << 13) for name in "ab"))
    with pytest.raises(SpecError, match=r"^plain engine: 67,108,864 instances of compute, expected at most 16,777,216$"):
        Params((wide,), Fraction(1))
