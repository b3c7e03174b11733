"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

from sphinx.application import Sphinx

from lauedepth import __version__

project = "lauedepth"
author = "The lauedepth developers"
copyright = "The lauedepth developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"lauedepth {__version__}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


def keep_bars(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep the |v| of docstrings, which would name a substitution; ``literals`` hold no bars."""
    del app, what, name, obj, options
    lines[:] = [line.replace("|", "\\|") for line in lines]


def setup(app: Sphinx) -> None:
    """Register the hook, before napoleon's."""
    app.connect("autodoc-process-docstring", keep_bars, priority=100)
