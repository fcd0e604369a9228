"""archmodel map and list: the record goes out and comes back; the lists hold every count."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel import load_machine, search
from archmodel.load import list_machines, record_from_yaml
from archmodel.records.base import from_plain, record_hash
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from archmodel.records.program import from_bytes
from archmodel.workload.gemm import gemm_graph
from archmodel.workload.zoo import zoo_model, zoo_names

from .helpers import said

GEMM = ("--gemm", "64,256,512", "edge-npu")


def wanted() -> Mapping:
    found: Mapping = search(gemm_graph(64, 256, 512), load_machine("edge-npu"))
    return found


def test_the_yaml_reads_back_as_the_record_that_search_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mapping.yaml"
    assert said(capsys, "map", *GEMM, "-o", str(path)).code == 0
    found = record_from_yaml(Mapping, path.read_text())
    assert found == wanted()
    assert record_hash(found) == record_hash(wanted())


def test_a_mapping_from_a_file_gives_the_cycles_of_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mapping.yaml"
    said(capsys, "map", *GEMM, "-o", str(path))
    own, searched = said(capsys, "run", *GEMM, "--json", "--mapping", str(path)).json, said(capsys, "run", *GEMM, "--json").json
    assert own["ops"] == searched["ops"]
    assert own["certificate"] is None


def test_json_holds_the_record_and_what_is_proved_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "map", *GEMM, "--json").json
    assert from_plain(Mapping, plain["mapping"]) == wanted()
    assert plain["mapping_hash"] == record_hash(wanted())
    [product] = plain["products"]
    assert (product["m"], product["n"], product["k"]) == (64, 256, 512)
    assert product["cycles"] == said(capsys, "run", *GEMM, "--json").json["cycles"]
    assert plain["certificate"]["value"] == product["cycles"]
    for rank in "mnk":
        assert product["trips"][rank] == -(-product[rank] // product["tile"][rank])


def test_the_loop_tree_is_printed_outermost_first(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "map", *GEMM, "--explain").out
    tree = out[out.index("gemm: ") :].split("\n\n")[0].splitlines()
    depths = [len(line) - len(line.lstrip()) for line in tree]
    assert depths == list(range(0, 2 * len(tree), 2))
    assert tree[-1].strip() == "compute gemm on array"
    assert {line.strip() for line in tree} >= {"a[m,k] stays in dram", "b[k,n] stays in buffer"}
    assert sum("side by side" in line for line in tree) == 2


def test_every_product_is_mapped_and_alike_ones_share_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    graph = zoo_model("llama-3.1-8b").decode(batch=2, context=100)
    words = ("map", "llama-3.1-8b", "cloud", "--batch", "2", "--context", "100")
    plain = said(capsys, *words, "--json").json
    assert {item["name"] for item in plain["products"]} == {e.name for e in graph.einsums if e.is_gemm}
    out = said(capsys, *words).out
    assert "attn.o +1" in out
    assert max(map(len, out.splitlines())) <= 100
    assert said(capsys, *words, "--product", "attn.q", "--explain").out.count("compute attn.q on array") == 1


def test_long_tables_are_cut_unless_all_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("map", "mixtral-8x7b", "cloud", "--stage", "prefill", "--tokens", "200")
    short, full = said(capsys, *words).out, said(capsys, *words, "--all").out
    assert "more that take less; --all shows them" in short
    assert len(full.splitlines()) > len(short.splitlines())


def test_list_models_has_every_total_and_both_conventions(capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "list", "models", "--json").json
    assert tuple(plain) == zoo_names()
    for name, found in plain.items():
        assert zoo_model(name).totals().items() <= found.items()
        assert found["source"]
    assert plain["mixtral-8x7b"]["params_total"] == 46_702_792_704
    assert plain["mixtral-8x7b"]["params_active_incl_embeddings"] == 12_879_925_248
    assert plain["mixtral-8x7b"]["params_active_excl_input_embedding"] == 12_748_853_248


def test_list_machines_reads_back_as_the_presets(capsys: pytest.CaptureFixture[str]) -> None:
    plain = said(capsys, "list", "machines", "--json").json
    assert tuple(plain) == list_machines()
    for name, found in plain.items():
        assert from_plain(Machine, found) == load_machine(name)


@pytest.mark.parametrize("what", ["models", "machines"])
def test_lists_name_everything(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "list", what).out
    assert out.isascii()
    for name in zoo_names() if what == "models" else list_machines():
        assert f"\n{name} " in out


def test_a_fused_tree_is_explained_and_has_a_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("map", "gpt2", "edge-attention", "--stage", "prefill", "--tokens", "64")
    text = said(capsys, *words, "--product", "attn.qk", "--explain").out
    assert "attn.qk: 12 Einsums fused on attention" in text and "compute attn.qk.rnv on attention.lanes" in text
    assert said(capsys, *words).out.count("chosen") == 1
    file = tmp_path / "attention.ampg"
    assert said(capsys, *words, "--product", "attn.qk", "--program", str(file)).code == 0
    assert from_bytes(file.read_bytes(), ("systolic", "attention")).engine == "attention"
    found = said(capsys, *words, "--json").json
    assert [choice["way"] for choice in found["certificate"]["choices"] if choice["chosen"]] == ["one-pass"]
    file = tmp_path / "mapping.yaml"
    assert said(capsys, *words, "-o", str(file)).code == 0
    again = ("run", *words[1:], "--json")
    assert said(capsys, *again, "--mapping", str(file)).json["cycles"] == said(capsys, *again).json["cycles"]
