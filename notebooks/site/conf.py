"""The site: Sphinx reads the notebooks, the pages and the docstrings where they stand; the repository is its source."""

import sys
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

import jaxd2l  # noqa: E402
from notebooks import book  # noqa: E402
from notebooks.site import docstrings  # noqa: E402

project = "jaxd2l"
author = project_copyright = "The jaxd2l developers"
release = jaxd2l.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # copies MathJax into the site
]

root_doc = "notebooks/site/index"
include_patterns = [
    "notebooks/README.md",
    "notebooks/*.ipynb",
    "notebooks/site/*.md",
    "notebooks/site/api/*.rst",  # written by autosummary
    "bench/*.md",
    "parity_tests/**/README.md",
    "parity_tests/README.md",
]
exclude_patterns = [".*", "**/.*"]

nb_execution_mode = "off"  # the notebooks are shown as they were executed and committed
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

html_theme = "furo"
html_title = f"jaxd2l {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "start.html"}
html_show_sourcelink = False
html_copy_source = False
templates_path = [str(HERE / "templates")]


def link_to_the_book(app, doctree):
    """Below a notebook's title stands a link to its section, unless the notebook has one itself."""
    name = Path(app.env.docname).name
    if not app.env.docname.startswith("notebooks/ch"):
        return
    address = book.url(name)
    if all(link.get("refuri") != address for link in doctree.findall(nodes.reference)):
        doctree[0].insert(1, nodes.paragraph("", "", nodes.reference("", "This section of the book", refuri=address)))


def setup(app):
    app.connect("autodoc-process-docstring", docstrings.to_rst, priority=400)  # before Napoleon reads the sections
    app.connect("autodoc-process-signature", docstrings.short_types)
    app.connect("autodoc-skip-member", docstrings.is_field)
    app.connect("doctree-read", link_to_the_book)
