"""The site of the documents, for Sphinx: `make docs`.

The whole repository is its source, so that links between pages are the same here and where the
files are shown as they are.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref

import forstcore

ROOT = Path(__file__).parent.parent

project = "forstcore"
version = release = forstcore.__version__
root_doc = "docs/index"
include_patterns = [
    *("*.md", "docs/**.md", "examples/**.md", "benchmarks/*.md", "fuzz/*.md"),
    "clients/typescript/README.md",
]
# The README is the front page where the files are shown; here that is the index.
exclude_patterns = ["README.md", "build", "dist", ".*", "**/node_modules", "**/.build"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
# `name` in a docstring is a name of Python's.
default_role = "py:obj"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_custom_sections = ["Thread-safety", "Cost", "Sources", "While iterating"]

html_theme = "furo"
html_title = "forstcore"
html_copy_source = False
html_show_copyright = False


def stub_signatures() -> dict[str, str]:
    """Read the signatures of compiled code from the stubs beside it, by their full names."""
    found: dict[str, str] = {}
    for path in ROOT.glob("forstcore/*.pyi"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            name = f"forstcore.{getattr(node, 'name', '')}"
            if isinstance(node, ast.FunctionDef):
                found[name] = _signature(node)
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.FunctionDef):
                        what = name if each.name == "__init__" else f"{name}.{each.name}"
                        found[what] = _signature(each)
    return found


def _signature(function: ast.FunctionDef) -> str:
    arguments = function.args
    if arguments.posonlyargs[:1] and arguments.posonlyargs[0].arg == "self":
        del arguments.posonlyargs[0]
    elif arguments.args[:1] and arguments.args[0].arg == "self":
        del arguments.args[0]
    returns = (
        ""
        if function.name == "__init__"
        else f" -> {ast.unparse(function.returns or ast.Constant(None))}"
    )
    return f"({ast.unparse(arguments)}){returns}"


def unlink_directories(app: Any, document: nodes.document) -> None:
    """Leave of links to directories their text: where the files are shown there is a list."""
    page = app.env.doc2path(app.env.docname)
    for link in list(document.findall(pending_xref)):
        if (page.parent / link["reftarget"]).is_dir():
            link.replace_self(link.children)


def setup(app: Any) -> None:
    """Take the signatures of compiled code from its stubs."""
    known = stub_signatures()

    def of_class(_app: Any, page: str, source: list[str]) -> None:
        # Sphinx takes no signature from the event below where it has found none itself.
        if page == "docs/reference/python":
            source[0] = re.sub(
                r"(?<=\.\. autoclass:: )(\w+)$",
                lambda match: match[0] + known.get(f"forstcore.{match[0]}", ""),
                source[0],
                flags=re.MULTILINE,
            )

    def of_function(
        _app: Any, _kind: str, name: str, _what: Any, _options: Any, _given: str, _returns: str
    ) -> tuple[str, str] | None:
        arguments, _, returns = known.get(name, "").partition(" -> ")
        return (arguments, returns) if arguments and returns else None

    app.connect("doctree-read", unlink_directories)
    app.connect("source-read", of_class)
    app.connect("autodoc-process-signature", of_function)
