"""A study as one HTML page that needs nothing but itself: its tables, and the paper's figures redrawn."""

from __future__ import annotations

from archmodel import __version__

from ..report.html.page import HERE, packed, policy
from .record import Study, cells, headings

HEIGHT = 420


def page(study: Study) -> str:
    """The whole file.  The same study and library versions give the same text."""
    import jinja2
    from plotly.offline import get_plotlyjs

    library, script = get_plotlyjs(), (HERE / "report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(loader=jinja2.PackageLoader("sims.studies", "."), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)  # fmt: skip
    tables = [{"title": table.title, "note": table.note, "columns": headings(table), "rows": cells(table)} for table in study.tables]
    plots = [{"id": chart.name, "height": HEIGHT, "data": list(chart.data), "layout": chart.layout} for chart in study.charts]
    return environment.get_template("page.html.jinja").render(
        study=study, tables=tables, plots=plots, version=__version__, style=(HERE / "style.css").read_text(encoding="utf-8"), script=script,
        library=packed(library), policy=policy(script, library),
    )  # fmt: skip
