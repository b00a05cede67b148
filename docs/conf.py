"""How the site is built: Sphinx, pages in Markdown, the reference from docstrings, nothing from any network.

    make docs                   # install the extra shoal[docs], then build
    open build/docs/index.html  # the site; search works from the file system, too

Warnings are errors. The extensions in `docs/extensions` typeset mathematics as MathML, read docstrings, ask the
command line for its flags, and show notebooks.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from extensions.house import theme  # noqa: E402 - the path comes first

from shoal import __version__  # noqa: E402

project = "Shoal"
author = "the Shoal contributors"
project_copyright = "the Shoal contributors, Apache-2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "extensions.commands",
    "extensions.docstrings",
    "extensions.exercises",
    "extensions.links",
    "extensions.mathml",
    "extensions.notebooks",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["extensions", "exercises/**", "notebooks/README.md"]
suppress_warnings = [
    "toc.empty_glob",  # notebooks may be missing
    "ref.python",  # names of attributes look for a target of their own; some find two, and none is needed
]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

add_module_names = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_custom_sections = [("Source", "notes_style"), ("Sources", "notes_style")]

html_theme = "furo"
html_title = "Shoal"
html_static_path = ["static"]
html_css_files = ["shoal.css"]
html_favicon = "static/fish.svg"
html_logo = "static/shoal.svg"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # excerpts would have to be fetched, which a browser refuses for files
html_theme_options = {
    "light_css_variables": theme("light"),
    "dark_css_variables": theme("dark"),
    "footer_icons": [],
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
