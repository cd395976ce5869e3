"""Finding the source of functions."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from forstcore.compiled import Compiled, NotCompiled, compile_processor
from tests import children
from tests.compiled.oracle import same
from tests.servers import ROOT

MODULE = '''\
def same(function):
    return function


@same
@same
def decorated(r):
    text = """
    two lines"""
    return {"v": text, "w": r["w"]}


class Holder:
    @staticmethod
    def inner(r):
        return {"v": "inner", "w": r["w"]}


def make():
    def nested(r):
        return {"v": "nested", "w": r["w"]}

    return nested


nested = make()
alone = lambda r: {"v": "alone", "w": r["w"]}
(
    in_parentheses
) = same(
    lambda r: {
        "v": [each for each in r["w"]], "w": 1
    }
)
pair = (lambda r: {"v": 1}, lambda r: {"v": 2})


def refused(r):
    return {
        "v": r["w"] @ 2,
    }
'''


def load(path: Path, source: str = MODULE) -> ModuleType:
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("sources_of_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FUNCTIONS: dict[str, Callable[[ModuleType], Any]] = {
    "decorated": lambda module: module.decorated,
    "inner": lambda module: module.Holder.inner,
    "nested": lambda module: module.nested,
    "alone": lambda module: module.alone,
    "in_parentheses": lambda module: module.in_parentheses,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_are_found(tmp_path: Path, name: str) -> None:
    function = FUNCTIONS[name](load(tmp_path / "module.py"))
    same(function, [{"w": [1, "x"]}, {"w": 2}])


def reason(function: Any) -> NotCompiled:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    return result


def test_two_on_one_line(tmp_path: Path) -> None:
    module = load(tmp_path / "module.py")
    for function in module.pair:
        same(function, [{"v": 0}])


def test_two_on_one_line_whose_columns_are_unknown(tmp_path: Path) -> None:
    load(tmp_path / "module.py")
    program = "import sys, module; from forstcore.compiled import compile_processor as compiled; "
    program += "print([str(compiled(each)) for each in module.pair])"
    command = [sys.executable, "-X", "no_debug_ranges", "-c", program]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = children.run(command, text=True, env=environment, check=True)
    assert done.stdout.count("cannot be found in its source") == 2


def test_where_a_construct_stands(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    line = MODULE[: MODULE.index('r["w"] @')].count("\n") + 1
    assert str(reason(load(path).refused)).startswith(f"{path}:{line}:14: ")


@pytest.mark.parametrize(
    "source",
    ["\n" + MODULE, MODULE.replace('"alone"', '"another"'), MODULE + "\n(", "", "x = 1\0"],
    ids=["moved", "changed", "not Python", "empty", "null"],
)
def test_a_file_that_has_changed(tmp_path: Path, source: str) -> None:
    path = tmp_path / "module.py"
    function = load(path).alone
    assert isinstance(compile_processor(function), Compiled)
    path.write_text(source)
    assert any(text in str(reason(function)) for text in ("has changed", "cannot be read"))


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    function = load(path).alone
    path.unlink()
    assert isinstance(compile_processor(function), NotCompiled)
    scope: dict[str, Any] = {}
    exec("def f(r):\n    return r\n", scope)  # noqa: S102
    assert "the source cannot be read" in str(reason(scope["f"]))


def test_warnings_of_the_source_are_not_repeated(tmp_path: Path) -> None:
    source = "def f(r):\n    return {'v': r['w'] is 1}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        module = load(tmp_path / "with_warning.py", source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compile_processor(module.f)
    assert "its file has changed" not in str(result)
