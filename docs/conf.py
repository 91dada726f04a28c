"""Sphinx builds the documentation from this folder: ``make docs``, offline, with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from lossworks import __version__

project = "Lossworks"
author = "The authors of Lossworks"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference"]
exclude_patterns = ["_ext"]

html_theme = "furo"
html_title = f"Lossworks {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = html_show_copyright = False
smartquotes = False  # two hyphens are a flag
highlight_language = "none"
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": True}
pygments_style, pygments_dark_style = "tango", "monokai"

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # they are run with the other examples, which compares what they print

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
