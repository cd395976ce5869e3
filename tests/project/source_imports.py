"""The imports of a source file, for the tests of layers."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

__all__ = ["cython_imports", "included_headers", "python_imports", "typescript_imports"]

_RUNS_MODULES = {"run_module", "import_module", "__import__"}
_COMMENT = re.compile(r"#.*")
_CYTHON_FROM = re.compile(
    r"^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(?:\(([^)]*)\)|(.+))", re.MULTILINE
)
_CYTHON_IMPORT = re.compile(r"^[ \t]*c?import[ \t]+([\w., \t]+)", re.MULTILINE)
_CYTHON_HEADER = re.compile(r"""\b(?:extern[ \t]+from|include)[ \t]+["']([^"'<]+)["']""")
_C_HEADER = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
_TYPESCRIPT_IMPORT = re.compile(r"""\b(?:from|import)[ \t]*\(?[ \t]*["'](\.[^"']*)["']""")


def python_imports(text: str) -> set[str]:
    """Return the names that Python code imports, and the modules that it runs by their names.

    Raises:
        ValueError: it has a relative import.
    """
    return set(_python_imports(ast.parse(text)))


def _python_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield from (f"{module}.{alias.name}" for alias in aliases)
            case ast.ImportFrom():
                raise ValueError(f"a relative import in line {node.lineno}")
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(function).rpartition(".")[2] in _RUNS_MODULES:
                    yield name
            case ast.List(elts=elements):
                # The arguments of a process, such as [sys.executable, "-m", "forstcore"].
                for pair in itertools.pairwise(elements):
                    match pair:
                        case [ast.Constant(value="-m"), ast.Constant(value=str(name))]:
                            yield name


def cython_imports(text: str) -> tuple[set[str], set[str]]:
    """Return the names that Cython code imports, and those that it cimports.

    Raises:
        ValueError: it has a relative import.
    """
    text = _COMMENT.sub("", text).replace("\\\n", " ")
    found: tuple[set[str], set[str]] = (set(), set())
    for match in _CYTHON_FROM.finditer(text):
        package, inner, flat = match.groups()
        if package.startswith("."):
            raise ValueError(f"a relative import: {match[0].strip()}")
        is_cimport = re.search(r"\bcimport\b", match[0]) is not None
        found[is_cimport].update(f"{package}.{name}" for name in _names(inner or flat))
    for match in _CYTHON_IMPORT.finditer(text):
        found["cimport" in match[0]].update(_names(match[1]))
    return found


def _names(text: str) -> list[str]:
    return [name.split(" as ")[0].strip() for name in text.split(",") if name.strip()]


def included_headers(text: str, *, is_c: bool) -> set[str]:
    """Return the files that C or Cython code includes by a path in quotes."""
    return set(_C_HEADER.findall(text) if is_c else _CYTHON_HEADER.findall(_COMMENT.sub("", text)))


def typescript_imports(text: str) -> set[str]:
    """Return the files beside it that a module of TypeScript imports, without their suffix."""
    return {
        name.removeprefix("./").removesuffix(".js") for name in _TYPESCRIPT_IMPORT.findall(text)
    }
