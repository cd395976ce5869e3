"""Every scan path gives the same bytes as the portable one and stays inside its buffer."""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

from forstcore import _proc
from forstcore._proc import process_block, scan_path, scan_paths, use_scan_path
from tests import children
from tests.servers import ROOT

from . import json_cases as cases
from .driver import cut, differing, on_every_path, run
from .strategies import inputs

PAGE = mmap.PAGESIZE


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Restore the scan path after the test."""
    before = scan_path()
    yield
    use_scan_path(before)


TABLE = b"\n".join(
    line
    for value in [*cases.GOOD, *cases.BAD, *cases.deep(1023), *cases.deep(1024)]
    for line in (
        b'{"id":"1","x":' + value + b',"data":"2"}',
        b'{"data":' + value + b"}",
        b"{" + value + b":0}",
        value,
    )
)


def test_paths() -> None:
    """The portable path is always there, and last."""
    paths = scan_paths()
    assert paths[-1] == "portable"
    assert len(set(paths)) == len(paths)
    assert scan_path() in paths


@pytest.mark.parametrize("name", scan_paths())
def test_switch(name: str) -> None:
    """A path can be chosen by name."""
    use_scan_path(name)
    assert scan_path() == name


@pytest.mark.parametrize("name", ["", "AVX2", "mmx", "portable ", "portable\0"])
def test_unknown_path(name: str) -> None:
    """An unknown name is rejected and changes nothing."""
    before = scan_path()
    with pytest.raises(ValueError, match=r".+"):
        use_scan_path(name)
    assert scan_path() == before


@pytest.mark.parametrize("name", scan_paths())
def test_path_from_environment(name: str) -> None:
    """The environment chooses the path at import."""
    code = "from forstcore._proc import scan_path; print(scan_path())"
    env = os.environ | {"FORSTCORE_SCAN_PATH": name, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = children.run([sys.executable, "-c", code], env=env, text=True, check=True)
    assert done.stdout.strip() == name


WRONG = {"FORSTCORE_SCAN_PATH": "mmx"}
SAID = f"FORSTCORE_SCAN_PATH: scan path must be one of {', '.join(scan_paths())}, not 'mmx'"


def test_an_unknown_path_in_the_environment_is_an_exception_in_python() -> None:
    """The exception of the import names the variable, the value and the possible values."""
    code = "try:\n import forstcore\nexcept ValueError as error:\n print(error)"
    done = children.run([sys.executable, "-c", code], env=os.environ | WRONG, text=True, check=True)
    assert done.stdout.strip() == SAID


@pytest.mark.real_start
@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-m", "forstcore", "info"),
        (sys.executable, "-m", "server", "--port", "0"),
        (str(Path(sys.executable).with_name("forstcore")), "serve", "--port", "0"),
    ],
    ids=["module", "server", "command"],
)
@pytest.mark.parametrize("log", ["text", "json"])
def test_an_unknown_path_in_the_environment_is_one_line_of_a_command(
    command: tuple[str, ...], log: str
) -> None:
    """Commands and the server print the message, and end with status 2."""
    if not Path(command[0]).exists():
        pytest.skip("the command is not installed")
    env = os.environ | WRONG | {"FORSTCORE_LOG_FORMAT": log}
    done = children.run(command, env=env, cwd=ROOT, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.removesuffix("\n")
    if log == "json":
        line = json.loads(line)["message"]
    assert line == f"forstcore: {SAID}"


def test_default_is_the_best() -> None:
    """Without an explicit choice, the first path runs."""
    code = "from forstcore._proc import scan_path; print(scan_path())"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    env.pop("FORSTCORE_SCAN_PATH", None)
    done = children.run([sys.executable, "-c", code], env=env, text=True, check=True)
    assert done.stdout.strip() == scan_paths()[0]


@settings(max_examples=settings().max_examples * 2)
@given(inputs())
def test_random_inputs(data: bytes) -> None:
    """Random inputs give the same bytes on every path."""
    assert differing(on_every_path(data)) == []


@pytest.mark.parametrize("offset", range(64))
def test_unaligned(offset: int) -> None:
    """The alignment of the input in memory does not matter."""
    padded = memoryview(b'"' * offset + TABLE + b'"' * 64)
    outputs = on_every_path(padded[offset : offset + len(TABLE)])
    assert differing(outputs) == []
    same = outputs["portable"] == process_block(TABLE, on_error="emit")
    assert same


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
def test_streams(size: int, scan_path: str) -> None:
    """A stream in small chunks gives what the portable path gives in one block."""
    output = run(cut(TABLE, size)).output
    use_scan_path("portable")
    # Comparing first keeps a failure from printing it all.
    same = output == process_block(TABLE, on_error="emit")
    assert same


TAILS = [
    b'{"id":"%s"}',
    b'{"id":"%s',
    b'{"data":"%s\\',
    b'{"data":"%s\\u00',
    b'{"data":"%s\xf0\x9f\x98',
    b'{"data":"%s\xe2',
    b'{"x":"%s","y":-1',
    b'{"x":"%s","y":1.5e',
    b'{"x":"%s","y":tru',
    b'{"%s',
    b'{"%s"',
    b'{"%s":',
    b" %s",
]


# Plain text, and text that is not plain from its first byte on.
TEXTS = [b"a" * length for length in range(70)]
TEXTS += [rb"\n" + b"a" * length for length in range(135)]
TEXTS += ["é".encode() * length for length in range(70)]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_end_of_page(tail: bytes, end: bytes) -> None:
    """An input that ends with its page is read to its end and no further."""
    with mmap.mmap(-1, PAGE) as area, memoryview(area) as view:
        for text in TEXTS:
            data = tail % text + end
            area[PAGE - len(data) :] = data
            with view[PAGE - len(data) :] as part:
                outputs = on_every_path(part)
            assert differing(outputs) == []
            assert outputs["portable"] == process_block(data, on_error="emit")


@pytest.mark.parametrize("tail", TAILS)
def test_guard_pages(guarded: memoryview, tail: bytes) -> None:
    """Not one byte beyond either end is read: a single one would kill the process."""
    for text in TEXTS:
        line = tail % text
        for end in (b"", b"\n"):
            data = line + end
            expected = process_block(data, on_error="emit")
            for start in (0, PAGE - len(data)):
                guarded[start : start + len(data)] = data
                part = guarded[start : start + len(data)]
                assert on_every_path(part) == dict.fromkeys(scan_paths(), expected)
                stream = _proc.RecordStream(on_error="emit")
                output = stream.feed(part) + stream.finish()
                part.release()
                assert output == expected
