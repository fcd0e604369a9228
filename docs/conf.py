"""The documentation site: the pages of this folder through Sphinx.  ``make docs`` builds it, and so do the tests."""

from archmodel import __version__

project = "archmodel"
author = "The archmodel authors"
release = version = __version__
extensions = ["myst_parser"]
exclude_patterns = ["conf.py"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
# Formulas and figures stand in fences without a language, which is no language to colour.
highlight_language = "none"
html_theme = "furo"
html_title = f"archmodel {__version__}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_last_updated_fmt = None
