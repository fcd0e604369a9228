"""The page in a real Chromium, where there is one: nothing to complain about, at the width of a phone and of a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sims.report.html.page import page as html_of

from .browser import Page, chromium, find_chromium
from .saving import decoded, named, product
from .test_html import EVIL

PROGRAM = find_chromium()
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no chromium or google-chrome on PATH; the page was checked without a browser only"),
    pytest.mark.xdist_group("browser"),
]
PLOTS = ("roofline", "time", "energy", "area", "timeline", "activations", "buffers")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    with chromium(PROGRAM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def tab(browser: Page) -> Page:
    browser.console.clear()
    browser.requests.clear()
    return browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html_of([decoded()]), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_complaint_no_request_and_no_sideways_scrolling(tab: Page, file: Path, width: int, dark: bool) -> None:
    tab.open(file, width, dark=dark)
    assert tab.console == []
    assert [url for url in tab.requests if not url.startswith("data:")] == [file.as_uri()]
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    for name in PLOTS:
        box = tab.value(f"(() => {{ const svg = document.querySelector('#r1-{name} svg.main-svg').getBoundingClientRect();"
                        f" const own = document.getElementById('r1-{name}').getBoundingClientRect();"
                        " return [svg.width, own.width, svg.height]; })()")  # fmt: skip
        assert box[0] == pytest.approx(box[1], abs=1), f"{name} is as wide as its place"
        assert 250 < box[0] < width
        assert box[2] > 150


def test_hovering_tells_an_operator(tab: Page, file: Path) -> None:
    tab.open(file, 1440)
    told = tab.value("""(async () => {
        const plot = document.getElementById('r1-roofline'), trace = plot.data.findIndex((one) => one.mode === 'markers');
        Plotly.Fx.hover(plot, [{curveNumber: trace, pointNumber: 0}]);
        await new Promise((done) => setTimeout(done, 200));
        return document.querySelector('#r1-roofline .hoverlayer').textContent; })()""")
    assert "cycles of array" in told
    assert "op/B" in told


def test_marks_stand_where_the_figures_say(tab: Page, file: Path) -> None:
    tab.open(file, 1440)
    count = tab.value("document.querySelectorAll('#r1-roofline .scatterlayer path.point').length")
    assert count == len(decoded().result.ops)


def test_a_name_that_is_a_script_does_not_run(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    path.write_text(html_of([named(product(64, 64, 64), EVIL)]), encoding="utf-8")
    tab.open(path, 1440)
    assert tab.console == []
    assert tab.value("document.title").startswith(EVIL)
    assert tab.value("document.images.length") == 0


def test_a_script_that_slipped_in_would_be_refused_and_seen(tab: Page, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "slipped.html"
    path.write_text(file.read_text().replace("</main>", "</main><script>document.title = 'taken'</script><img src='https://example.org/x'>"))
    with pytest.raises(AssertionError, match="Content Security Policy"):
        tab.open(path, 1440)
    assert tab.value("document.title") != "taken"
