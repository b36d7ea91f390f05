"""How Sphinx builds the site: python -m sphinx -W -b html docs build/docs"""

from __future__ import annotations

import doctest
import os
import re
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

import cnnfast

_FILES = re.compile(r"\s*(\w+(\.py|/)  |(model )?-> )")

project = "cnnfast"
author = "The cnnfast developers"
version = release = cnnfast.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
default_role = "py:obj"
highlight_language = "none"  # of blocks that do not say theirs
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what arguments are
numpydoc_show_class_members = False  # autodoc lists them, where the page asks for it
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_show_copyright = False
html_title = f"cnnfast {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["pictures/report.html"]


def setup(app: Sphinx) -> None:
    # Formulas become MathML, which browsers draw themselves: no script, and nothing to download.
    app.add_html_math_renderer("mathml", (_in_line, None), (_on_its_own, None))
    app.config.html_math_renderer = "mathml"
    _draw(Path(app.srcdir))
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _leave_out_files)


def _draw(docs: Path) -> None:
    """Run the page about pictures, which saves them, in the folder from which it shows them."""
    page = (docs / "guides" / "seeing.md").read_text()
    examples = doctest.DocTestParser().get_examples(page.replace("```", ""))
    folder, before = docs / "pictures", Path.cwd()
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    try:
        exec("".join(example.source for example in examples), {})
    finally:
        os.chdir(before)


def _skip(app: Sphinx, what: str, name: str, value: object, *rest: object) -> bool | None:
    """Leave out the fields of named tuples: the docstring of the tuple describes them."""
    return True if str(value.__doc__).startswith("Alias for field number") else None


def _leave_out_files(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Leave out what a module's docstring says of its files, to those who read them."""
    if what == "module":
        lines[:] = [line for line in lines if not _FILES.match(line)]


def _in_line(writer: nodes.NodeVisitor, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _on_its_own(writer: nodes.NodeVisitor, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode
