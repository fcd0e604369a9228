"""One page that needs nothing but itself: text and tables as HTML, plots as data, the drawing library compressed inside."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from archmodel.records.base import SpecError

from ..saved import Saved
from . import plots, sections

HERE = Path(__file__).parent
NEEDED = ("jinja2", "plotly")


def check_libraries() -> None:
    """Raises SpecError, with the remedy, unless the libraries of the extra ``report`` are installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SpecError(f"report: needs {' and '.join(missing)}, not installed here; python -m pip install 'archmodel[report]'")


def page(results: Sequence[Saved]) -> str:
    """The whole file for one result or several.  The same results and library versions give the same text."""
    import jinja2
    from plotly.offline import get_plotlyjs

    library, script = get_plotlyjs(), (HERE / "report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    text = environment.get_template("report.html.jinja").render(
        sections=[sections.section(number, saved) for number, saved in enumerate(results, 1)],
        plots=[vars(plot) for number, saved in enumerate(results, 1) for plot in plots.plots(number, saved)],
        trust=sections.trust_words(), version=results[0].result.version, style=(HERE / "style.css").read_text(encoding="utf-8"),
        script=script, library=packed(library), policy=policy(script, library),
    )  # fmt: skip
    return text


@functools.cache
def packed(text: str) -> str:
    """Compressed without a time stamp, so that the same text gives the same bytes."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def policy(*scripts: str) -> str:
    """A Content-Security-Policy: no network at all, and no scripts but these, told by their digests."""
    digests = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data: blob:; "
            "base-uri 'none'; form-action 'none'")  # fmt: skip
