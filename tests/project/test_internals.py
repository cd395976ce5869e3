"""Each library's private names are used in one module, which checks that they are there."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiohttp
import aiohttp.abc
import aiohttp.web
import pytest

from tests.servers import ROOT

HOMES = {
    "server/http/internals.py",  # of aiohttp and asyncio
    "forstcore/sources/_kafka_client.py",  # of confluent-kafka
    "forstcore/sources/_nats_connection.py",  # of nats-py
    "forstcore/sources/_resp.py",  # of redis
    "forstcore/cluster/_filesystems.py",  # of fsspec
    "forstcore/_addresses.py",  # of ipaddress
    "forstcore/compiled/re_internals.py",  # of re
    "tests/compiled/test_zones.py",  # of zoneinfo
    "tests/preloaded.py",  # of atexit
}
# These are documented.
DOCUMENTED = {"_asdict", "_exit", "_field_defaults", "_fields", "_replace", "_typeshed"}
# All other names are private, too.
PUBLIC = {
    "aiohttp": {*aiohttp.__all__, "__all__", "__version__", "abc", "web"},
    "aiohttp.abc": set(vars(aiohttp.abc)),
    "aiohttp.web": {*aiohttp.web.__all__, "__all__"},
    "asyncio": {*asyncio.__all__, "__all__"},
}
FOLDERS = ("forstcore", "server", "tests", "fuzz", "benchmarks", "examples")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.*")
    if path.suffix in {".py", ".pyx", ".c"} and "node_modules" not in path.parts
)
PYTHON = [path for path in SOURCES if path.suffix == ".py"]


@functools.cache
def nodes_of(path: Path) -> list[ast.AST]:
    return [*ast.walk(ast.parse(path.read_text("utf-8")))]


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.startswith("_") and not name.endswith("_")


def defined(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.alias(asname=str(name))
            ):
                yield name


@functools.cache
def ours() -> set[str]:
    """Find the private names that are defined here, and those of files and folders."""
    files = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    return set(filter(is_private, files.union(*(defined(nodes_of(path)) for path in PYTHON))))


def used(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Find the names in a module that are private to a library."""
    known = ours() | DOCUMENTED
    for node in nodes:
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield from private_in(alias.name)
            case ast.ImportFrom(module=str(module), names=aliases):
                for alias in aliases:
                    yield from private_in(module, alias.name)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                package, *parts = module.split(".")
                if package not in FOLDERS and any(map(is_private, parts)):
                    yield module
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in PUBLIC:
                yield from private_in(module, name)
            case (
                ast.Attribute(attr=name)
                | ast.Call(
                    func=ast.Name(id="getattr" | "hasattr" | "setattr"),
                    args=[_, ast.Constant(value=name), *_],
                )
            ) if is_private(name) and name not in known:
                yield ast.unparse(node)


def private_in(module: str, name: str = "") -> Iterator[str]:
    if module.partition(".")[0] in PUBLIC:
        if module not in PUBLIC or (name and name not in PUBLIC[module]):
            yield f"{module}.{name}"
    elif any(
        is_private(part) and part not in ours() and part not in DOCUMENTED
        for part in (*module.split("."), name)
    ):
        yield f"{module}.{name}"


def test_private_names_are_used_in_one_module_for_each_library() -> None:
    found = {str(path.relative_to(ROOT)): set(used(nodes_of(path))) for path in PYTHON}
    assert {name: names for name, names in found.items() if names and name not in HOMES} == {}
    assert all(map(found.get, HOMES))


def inherited(cls: type) -> set[str]:
    """Return the private names of the classes of libraries that a class is derived from."""
    return set().union(*map(private_of, cls.__mro__))


@functools.cache
def private_of(base: type) -> set[str]:
    """Return the private names of a class of a library; none of ours."""
    if base.__module__.partition(".")[0] in FOLDERS:
        return set()
    names = set(vars(base))
    # Others are not written in Python.
    with contextlib.suppress(OSError, TypeError):
        names |= set(defined(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base))))))
    return set(filter(is_private, names)) - DOCUMENTED


MODULES = [
    path.relative_to(ROOT).with_suffix("")
    for path in PYTHON
    if path.parts[len(ROOT.parts)] in {"forstcore", "server"} and path.stem != "__main__"
]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_class_uses_or_hides_a_private_name_of_its_base(path: Path) -> None:
    try:
        module = importlib.import_module(".".join(path.parts))
    except ModuleNotFoundError as error:
        pytest.skip(f"needs {error.name}")
    if f"{path}.py" in HOMES:
        return
    for node in nodes_of(ROOT / f"{path}.py"):
        cls = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
        if isinstance(cls, type):
            names = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
            assert (names | set(defined(ast.walk(node)))) & inherited(cls) == set()
