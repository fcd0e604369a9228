"""The page without a browser: whole, alone, small, the same every time, and proof against the strings it shows."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from archmodel import load_cascade, load_machine
from archmodel.cascade.graph import graph_of
from sims.cli import main
from sims.report import units
from sims.report.html import page as module
from sims.report.html.page import page
from sims.report.saved import Saved

from .saving import decoded, named, product, saved

HTML = "{http://www.w3.org/1999/xhtml}"
EVIL = '</script><script>document.title = "taken"</script><img src=x onerror="alert(1)">{{ 7 * 7 }}&amp;'
LARGEST = 5_000_000


@pytest.fixture(scope="module")
def run() -> Saved:
    return decoded()


@pytest.fixture(scope="module")
def text(run: Saved) -> str:
    return page([run])


def parsed(text: str) -> Element:
    """The page, read by the rules of HTML 5; any parse error raises."""
    found: Element = html5lib.HTMLParser(strict=True).parse(text)
    return found


def all_of(root: Element, name: str) -> list[Element]:
    return list(root.iter(HTML + name))


def said(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def outside(text: str) -> list[str]:
    """What a browser would load from somewhere else."""
    loads = [(e.tag, name, value) for e in parsed(text).iter() for name, value in e.attrib.items()
             if name in ("src", "srcset", "href", "action", "data", "poster") and not value.startswith(("#", "data:"))]  # fmt: skip
    style = "".join(said(element) for element in all_of(parsed(text), "style"))
    return [str(load) for load in loads] + re.findall(r"url\([^)]*\)|@import[^;]*", style)


def test_it_is_one_file_that_loads_nothing(text: str) -> None:
    assert outside(text) == []
    assert outside(text.replace("</main>", '<img src="https://example.org/x.png"></main>')), "the check would see an image"
    assert outside(text.replace("</style>", "a{background:url(//x)}</style>")), "and one in the style"


def test_the_policy_names_the_digest_of_every_script(text: str) -> None:
    root = parsed(text)
    (policy,) = (e.attrib["content"] for e in all_of(root, "meta") if e.attrib.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "http" not in policy
    assert "unsafe" not in directives["script-src"]
    scripts = {e.attrib.get("id") or "run": "".join(e.itertext()) for e in all_of(root, "script")}
    library = gzip.decompress(base64.b64decode(scripts["library"])).decode()
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for code in (scripts["run"], library)}
    assert set(directives["script-src"].split()) == digests


def test_the_same_result_gives_the_same_bytes(run: Saved, text: str) -> None:
    assert page([run]) == text


def test_the_largest_model_is_small_enough() -> None:
    found = decoded("deepseek-v3", sets=("memories.dram.size=1000 GiB",))
    assert len(page([found]).encode()) < LARGEST
    assert len(page([found] * 8).encode()) < LARGEST


def plots_of(text: str) -> dict[str, Any]:
    (data,) = (e for e in all_of(parsed(text), "script") if e.attrib.get("id") == "plots")
    return {plot["id"]: plot for plot in json.loads("".join(data.itertext()))}


def test_every_operator_is_in_the_roofline_and_in_the_table(run: Saved, text: str) -> None:
    names = {op.name for op in run.result.ops}
    drawn = " ".join(text for trace in plots_of(text)["r1-roofline"]["data"] for text in trace["text"])
    assert names <= set(re.findall(r"<b>([^<]+)</b>", drawn))
    (table,) = (e for e in all_of(parsed(text), "table") if said(all_of(e, "caption")[0]).startswith("Every operator"))
    assert {said(row[0]) for row in all_of(all_of(table, "tbody")[0], "tr")} == names


def test_the_plots_hold_the_result(run: Saved, text: str) -> None:
    found = plots_of(text)
    assert list(found) == [f"r1-{name}" for name in ("roofline", "time", "energy", "area", "timeline", "activations", "buffers")]
    total = {}
    for name in ("time", "energy", "area"):
        unit = found[f"r1-{name}"]["layout"]["xaxis"]["title"]["text"]
        total[unit] = sum(sum(trace["x"]) for trace in found[f"r1-{name}"]["data"])
    result, energy = run.result, run.result.energy.value if run.result.energy else 0.0
    assert total == pytest.approx({"time (ms)": 1e3 * result.seconds, "energy (J)": 1e-12 * energy, "area (mm2)": 1e-6 * result.area.value})


def test_headlines_have_provenance_and_bounds(run: Saved, text: str) -> None:
    boxes = [box for box in all_of(parsed(text), "div") if len(box) and box[0].tag == HTML + "dt"]
    cards = {said(box[0]): said(box[1]) for box in boxes}
    assert cards["Time"].startswith("31.4 ms per output token; 31,280,513 cycles")
    assert "bounds unknown" in cards["Time"]
    assert run.result.energy is not None
    assert run.result.energy.provenance in cards["Energy"]
    assert "bounds" in cards["Energy"] or "from" in cards["Energy"]
    assert set(cards) >= {"Throughput", "Power", "Area", "Utilisation of array", "Bottleneck", "Bound", "Weights", "KV cache"}


def test_where_it_comes_from(run: Saved, text: str) -> None:
    whole = said(parsed(text))
    for wanted in (run.command, run.result.record_hash, f"archmodel {run.result.version}", "side by side on the rows of the array"):
        assert wanted in whole


def test_what_it_shows_is_text_wherever_it_stands(run: Saved) -> None:
    evil = named(product(64, 64, 64), EVIL)
    text = page([evil, named(run, EVIL)])
    root = parsed(text)
    assert len(all_of(root, "script")) == 3
    assert not all_of(root, "img")
    assert said(all_of(root, "h2")[1]).startswith(EVIL)
    assert not re.search(r"<img|\bon\w+=\"alert", "".join(json.dumps(plot) for plot in plots_of(text).values()))
    assert len(all_of(html5lib.parse(html.unescape(text)), "script")) > 3, "the check would see what is not escaped"


def test_the_bound_has_a_page_too() -> None:
    text = page([decoded("gpt2", fidelity="bound")])
    assert "nothing to draw at this fidelity" in text
    assert "not priced" in text


def test_several_results_share_a_page(run: Saved, text: str) -> None:
    both = page([run, product(64, 64, 64)])
    assert {plot[:2] for plot in plots_of(both)} == {"r1", "r2"}
    assert len(all_of(parsed(both), "article")) == 2
    assert len(both) < len(text) + 100_000, "the library is there once"
    ids = re.findall(r'\bid="([^"]*)"', both)
    assert len(ids) == len(set(ids))


def test_a_missing_library_is_said_before_any_work(run: Saved, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "plotly" else object())
    assert main(["report", "missing.json", "-o", "missing/x.html"]) == 2
    assert capsys.readouterr().err == "archmodel: report: needs plotly, not installed here; python -m pip install 'archmodel[report]'\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "gemm.json"
    assert main(["run", "--gemm", "64,256,512", "edge-npu", "-o", str(path)]) == 0
    return path


def test_the_command_writes_page_and_trace(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, trace = file.with_suffix(".html"), file.with_suffix(".trace.json")
    assert main(["report", str(file), "-o", str(out), "--trace", str(trace)]) == 0
    assert capsys.readouterr().err == f"wrote {out}\nwrote {trace}\n"
    assert "archmodel run --gemm 64,256,512 edge-npu -o" in said(parsed(out.read_text()))
    assert json.loads(trace.read_text())["traceEvents"][0]["name"] == "process_name"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RESULT"], "archmodel report: the following arguments are required: -o/--output; see archmodel report --help"),
        (["-o", "x.html"], "archmodel report: the following arguments are required: RESULT; see archmodel report --help"),
        (["RESULT", "-o", "RESULT"], "archmodel: RESULT: is the result to report on; name another file to write"),
        (["RESULT", "-o", "a.html", "--trace", "RESULT"], "archmodel: RESULT: is the result to report on; name another file to write"),
        (["RESULT", "-o", "a.html", "--trace", "a.html"], "archmodel: a.html: -o and --trace name the same file; name two"),
        (["RESULT", "-o", "none/x.html"], "archmodel: none/x.html: the folder none does not exist; create it, or name another one"),
        (["other.json", "-o", "x.html"], "archmodel: other.json: cannot be read (No such file or directory)"),
    ],
)
def test_mistakes_are_told_in_one_line(words: list[str], message: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["report", *(word.replace("RESULT", str(file)) for word in words)]) == 2
    told = capsys.readouterr().err.replace(str(file), "RESULT")
    assert told.startswith(message)
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_fused_attention_has_its_tree_and_its_share() -> None:
    graph = graph_of(load_cascade("one-pass", {"m1": 8, "m0": 16, "p": 64}))
    run = saved(graph, load_machine("edge-attention"))
    trees = [said(element) for element in all_of(parsed(page([run])), "details") if "fused" in said(element)]
    (tree,) = [text for text in trees if "12 Einsums fused on attention" in text]
    share = units.share(next(op.seconds for op in run.result.ops if op.name == "BQK"), run.result.seconds)
    assert tree.startswith(f"BQK, fused: {share} of the timeBQK: 12 Einsums fused on attention")
    assert "compute SLN on attention.array" in tree
