"""Modules with processors: lookup, load errors and reloads."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import forstcore
from forstcore.errors import LoadError
from forstcore.loading import Loader
from forstcore.processors import REGISTRY

DECLARED = """
from forstcore import processor

@processor("{name}")
def {name}(record: dict) -> dict:
    return {{"from": {value!r}}}
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Start without processors, and restore the state of imports after the test."""
    modules, path, flag = dict(sys.modules), list(sys.path), sys.dont_write_bytecode
    REGISTRY.clear()
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = path
    sys.dont_write_bytecode = flag


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def declare(path: Path, name: str, value: str = "here") -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(DECLARED.format(name=name, value=value))
    return str(path)


def output(loader: Loader, name: str) -> bytes:
    return b"".join(forstcore.process(b"{}", loader.processors[name]))


def test_modules_by_name(place: Path) -> None:
    declare(place / "one.py", "one")
    declare(place / "pack" / "two.py", "two")
    loader = Loader(["one", "pack.two"])
    assert list(loader.load()) == ["one", "two"]
    assert output(loader, "two") == b'{"from":"here"}\n'


def test_modules_by_path(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 'helped'")
    path = tmp_path / "json.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "import helper, forstcore\n"
        "@dataclass\n"
        "class Text:\n"
        "    text: str\n"
        "@forstcore.processor('text')\n"
        "def text(record: Text) -> Text:\n"
        "    return Text(helper.VALUE + record.text)\n"
    )
    loader = Loader([str(path)])
    loader.load()
    assert b"".join(forstcore.process(b'{"text":"!"}', "text")) == b'{"text":"helped!"}\n'
    import json

    assert json.dumps({}) == "{}"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    paths = [declare(tmp_path / name / "routes.py", name, name) for name in ("here", "there")]
    loader = Loader(paths)
    loader.load()
    assert output(loader, "here") == b'{"from":"here"}\n'
    assert output(loader, "there") == b'{"from":"there"}\n'


def test_entry_points(place: Path) -> None:
    declare(place / "plugged_in.py", "plugged")
    about = place / "plug-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[forstcore.processors]\nplug = plugged_in\n")
    loader = Loader(["plug"])
    assert list(loader.load()) == ["plugged"]


def test_a_module_that_was_imported_before(place: Path) -> None:
    declare(place / "early.py", "early")
    __import__("early")
    assert list(Loader(["early"]).load()) == ["early"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that"),
        ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(.*broken\.py, line 2\)"),
        ("def", r"SyntaxError: invalid syntax \(broken\.py, line 1\)"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise SystemExit", r"SystemExit \("),
        ("raise KeyboardInterrupt", r"KeyboardInterrupt \("),
        ("raise GeneratorExit", r"GeneratorExit \("),
        ("import asyncio\nraise asyncio.CancelledError('x')", "CancelledError: x"),
        ("x = 1", "declares no processors"),
        (
            "import forstcore\n@forstcore.processor('Bad Name')\ndef f(record): pass",
            r"ValueError: the name of a processor must be .* \(.*broken\.py, line 2\)",
        ),
        (
            "import forstcore\n@forstcore.processor('f')\ndef f(record: int): pass",
            r"TypeError: processor 'f' \(in .*broken\.py, line 2\) takes int",
        ),
        (DECLARED.format(name="healthz", value=1), "cannot be called 'healthz': that is the path"),
        (
            DECLARED.format(name="f", value=1) + DECLARED.format(name="f", value=2),
            r"two processors are called 'f': one in .*line 4, another in .*line 10",
        ),
    ],
)
@pytest.mark.parametrize("by_path", [False, True])
def test_what_cannot_be_loaded(place: Path, text: str, cause: str, by_path: bool) -> None:
    path = place / "broken.py"
    path.write_text(text)
    with pytest.raises(LoadError) as caught:
        Loader([str(path) if by_path else "broken"]).load({"healthz"})
    assert re.search(cause, str(caught.value), re.DOTALL)
    assert "broken" in str(caught.value)
    assert dict(REGISTRY) == {}


@pytest.mark.parametrize("name", ["no_such_module", "no/such/file.py", "no_such.file.py"])
def test_what_is_not_there(name: str) -> None:
    with pytest.raises(LoadError, match=f"cannot load processors from {name}"):
        Loader([name]).load()


def test_names_that_clash(place: Path) -> None:
    declare(place / "one.py", "same")
    declare(place / "two.py", "same")
    with pytest.raises(LoadError, match=r"two processors are called 'same': one in .*one\.py"):
        Loader(["one", "two"]).load()


INTERRUPTED = """
import os, signal
os.kill(os.getpid(), signal.{name})
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_not_reported_as_an_error_of_the_module(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (place / "slow.py").write_text(INTERRUPTED.format(name=name))
    number = signal.Signals[name]
    previous = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Loader(["slow"]).load()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, previous)


def test_a_handler_that_a_module_installs_stays(place: Path) -> None:
    path = place / "own.py"
    declare(path, "own")
    path.write_text(
        path.read_text() + "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
    )
    previous = signal.getsignal(signal.SIGTERM)
    try:
        Loader(["own"]).load()
        assert "<lambda>" in repr(signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, previous)


# Reload.


def test_a_changed_file_is_loaded_again(place: Path) -> None:
    path = place / "routes.py"
    declare(path, "route", "old")
    loader = Loader(["routes"], again=True)
    loader.load()
    before = loader.processors["route"]
    assert not loader.has_changed()
    # The same size, within the same second.
    declare(path, "route", "new")
    assert loader.has_changed()
    assert not loader.has_changed()
    loader.reload()
    assert output(loader, "route") == b'{"from":"new"}\n'
    assert b"".join(forstcore.process(b"{}", before)) == b'{"from":"old"}\n'


@pytest.mark.parametrize("by_path", [False, True])
def test_a_changed_helper_is_loaded_again(place: Path, by_path: bool) -> None:
    (place / "helper.py").write_text("VALUE = 1")
    path = place / "routes.py"
    path.write_text(
        "import forstcore, helper\n"
        "@forstcore.processor('route')\n"
        "def route(record): return {'value': helper.VALUE}\n"
    )
    loader = Loader([str(path) if by_path else "routes"], again=True)
    loader.load()
    (place / "helper.py").write_text("VALUE = 2")
    assert loader.has_changed()
    loader.reload()
    assert output(loader, "route") == b'{"value":2}\n'


def test_processors_come_and_go_with_their_file(place: Path) -> None:
    path = place / "routes.py"
    declare(path, "first")
    loader = Loader(["routes"], again=True)
    assert list(loader.load()) == ["first"]
    declare(path, "second")
    assert loader.has_changed()
    assert list(loader.reload()) == ["second"]


def test_a_file_that_breaks_changes_nothing_until_it_is_mended(place: Path) -> None:
    path = place / "routes.py"
    declare(path, "route", "old")
    loader = Loader(["routes"], again=True)
    loader.load()
    module = sys.modules["routes"]
    path.write_text("1 / 0")
    assert loader.has_changed()
    with pytest.raises(LoadError, match="ZeroDivisionError"):
        loader.reload()
    path.write_text("raise KeyboardInterrupt")
    assert loader.has_changed()
    with ThreadPoolExecutor(1) as thread, pytest.raises(LoadError, match="KeyboardInterrupt"):
        thread.submit(loader.reload).result()
    assert output(loader, "route") == b'{"from":"old"}\n'
    assert list(REGISTRY) == ["route"]
    assert sys.modules["routes"] is module
    assert not loader.has_changed()
    path.unlink()
    assert not loader.has_changed()
    declare(path, "route", "new")
    assert loader.has_changed()
    loader.reload()
    assert output(loader, "route") == b'{"from":"new"}\n'


def test_libraries_are_not_loaded_again(place: Path) -> None:
    path = place / "routes.py"
    path.write_text("import wave, iniconfig\n" + DECLARED.format(name="route", value="old"))
    for name in ("wave", "iniconfig"):
        sys.modules.pop(name, None)
    loader = Loader(["routes"], again=True)
    loader.load()
    libraries = sys.modules["wave"], sys.modules["iniconfig"]
    declare(path, "route", "new")
    assert loader.has_changed()
    loader.reload()
    assert (sys.modules.get("wave"), sys.modules.get("iniconfig")) == libraries
