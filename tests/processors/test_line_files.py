"""Files whose lines the engine takes where they are read, instead of in batches."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Generator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore._core.lines import read_lines
from forstcore._io.line_file import LineFile
from forstcore.cli._inputs import Inputs
from forstcore.engine import batch_sizer
from forstcore.processors import BUILT_IN
from forstcore.wire import OnError
from tests.processors.engines import engine_for
from tests.processors.test_compiled_runner import HUGE, MOST, above, lines, several

_MEMBERS = ("lines", "records", "results", "errors", "filtered", "bytes_in", "bytes_out")


class Failing(io.BytesIO):
    """A file that cannot be read any more, once `fails` is set."""

    fails = False

    def readinto(self, buffer: Any) -> int:
        if self.fails:
            raise OSError(5, "broken")
        return super().readinto(buffer)


@given(
    st.lists(st.integers(0, 9).map(lambda size: b"x" * 7**size if size < 7 else b"x" * size)),
    st.integers(0, 3),
    st.data(),
)
def test_nothing_of_a_file_is_lost(texts: list[bytes], cut: int, data: st.DataObject) -> None:
    whole = b"\n".join(texts)
    file = io.BytesIO(whole)
    rest = LineFile(file)
    found: list[bytes] = []
    while True:
        read = read_lines(file, 1 + 10**cut, rest.tail)
        assert read is not None
        piece, rest.tail = read
        if not piece:
            break
        found.append(piece)
        for _ in range(data.draw(st.integers(0, 3))):
            before = rest.taken
            taken = rest.next_lines()
            assert bytes(taken[-1:]) in (b"", b"\n")
            lines_taken = bytes(taken).splitlines(keepends=True)
            some = b"".join(lines_taken[: data.draw(st.integers(0, len(lines_taken)))])
            rest.skip(len(some))
            assert rest.taken == before + len(some)
            found.append(some)
    assert b"".join(found) == whole


def test_an_error_is_left_to_whoever_reads_on() -> None:
    file = Failing(b'{"id":"1"}\n{"id"')
    rest = LineFile(file)
    assert bytes(rest.next_lines()) == b'{"id":"1"}\n'
    rest.skip(11)
    file.fails = True
    assert bytes(rest.next_lines()) == b""
    assert rest.tail == b'{"id"'
    with pytest.raises(OSError, match="broken"):
        read_lines(file, 100, rest.tail)


def no_file(inputs: Inputs) -> Generator[bytes, None, None]:
    for _, piece in inputs.pieces():
        yield piece


def with_files(inputs: Inputs) -> Generator[bytes | LineFile, None, None]:
    for _, part in inputs.parts():
        yield part


def run(
    function: Any,
    paths: list[str],
    source_of: Callable[[Inputs], Generator[bytes | LineFile, None, None]],
    on_error: OnError,
    workers: int = 1,
    keep_rejected: bool = False,
    longest: int = MOST,
) -> tuple[bytes, dict[str, Any], int]:
    """Return the results, the counters, and how many bytes were taken from files."""
    taken = 0

    def counted(source: Iterator[bytes | LineFile]) -> Iterator[bytes | LineFile]:
        nonlocal taken
        for part in source:
            before = part.taken if isinstance(part, LineFile) else 0
            yield part
            if isinstance(part, LineFile):
                taken += part.taken - before

    async def body() -> tuple[bytes, dict[str, Any]]:
        with (
            engine_for(
                function,
                alone=True,
                workers=workers,
                on_error=on_error,
                keep_rejected=keep_rejected,
                max_line_size=longest,
            ) as engine,
            closing(source_of(inputs)) as source,
        ):
            found = []
            async with aclosing(engine.run(counted(source))) as outputs:
                async for output in outputs:
                    found.append(output)
            counts = {each: getattr(engine, each) for each in _MEMBERS}
            return b"".join(found), counts | {"codes": engine.errors_by_code()}

    inputs = Inputs(paths)
    results, counts = asyncio.run(body())
    return results, counts, taken


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches grow to their largest size on slow machines, too."""
    monkeypatch.setattr(batch_sizer, "_KEPT_SECONDS", 1000.0)


def usual(number: int) -> bytes:
    """Return the lines with a number: a record, and rarely something else."""
    found = b'{"id":"%d","n":%d,"text":"%b"}\n' % (number, number, b"x" * (number % 90))
    if number % 9000 == 8999:
        found += b'\nnope\n{"id":"%b","n":0}\n' % (b"x" * MOST)
    if number % 20_000 == 19_999:
        found += b'{"n":1}\n{"id":"%d","n":%d}\n' % (number, HUGE)
    return found


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two files, some megabytes together: some invalid lines, records given back, no last LF."""
    directory = tmp_path_factory.mktemp("files")
    first = directory / "first.ndjson"
    first.write_bytes(b"".join(map(usual, range(90_000))) + b'{"id":"no LF","n":1}')
    second = directory / "second.ndjson"
    second.write_bytes(b"\xef\xbb\xbf" + b"".join(map(usual, range(60_000))))
    return [str(first), str(second)]


@pytest.mark.parametrize("function", [above, several, BUILT_IN], ids=["one", "several", "built-in"])
@pytest.mark.parametrize("on_error", ["skip", "emit"])
def test_results_and_counters_are_those_of_batches(
    function: Any, on_error: OnError, paths: list[str]
) -> None:
    expected, counts, none = run(function, paths, no_file, on_error)
    results, same, taken = run(function, paths, with_files, on_error)
    assert results == expected
    assert same == counts
    assert none == 0
    assert taken > counts["bytes_in"] // 2


def rarely_given_back(number: int) -> bytes:
    """Return a record that is given back in one of 500, alone, in rows and longer than a piece."""
    n = HUGE if number % 500 < number // 10_000 else number
    text = b"x" * (20_000 if number % 1500 == 0 else number % 90)
    return b'{"id":"%d","n":%d,"text":"%b"}\n' % (number, n, text)


@pytest.mark.parametrize("function", [above, several], ids=["one", "several"])
@pytest.mark.parametrize("on_error", ["skip", "emit"])
def test_a_file_is_read_on_where_records_are_given_back(
    function: Any, on_error: OnError, tmp_path: Path
) -> None:
    path = tmp_path / "some.ndjson"
    path.write_bytes(b"".join(map(rarely_given_back, range(100_000))))
    expected, counts, _ = run(function, [str(path)], no_file, on_error, longest=30_000)
    results, same, taken = run(function, [str(path)], with_files, on_error, longest=30_000)
    assert results == expected
    assert same == counts
    assert taken > counts["bytes_in"] * 0.8


@pytest.mark.parametrize(
    "options",
    [{"workers": 2}, {"keep_rejected": True}, {"on_error": "fail"}],
    ids=["two workers", "rejected lines", "the first error"],
)
def test_files_are_read_in_batches_where_that_is_necessary(
    options: dict[str, Any], paths: list[str]
) -> None:
    options = {"on_error": "skip"} | options
    expected, _, _ = run(above, paths, no_file, **options)
    results, _, taken = run(above, paths, with_files, **options)
    assert results == expected
    assert taken == 0


def test_a_function_that_gives_everything_back_gets_batches(tmp_path: Path) -> None:
    path = tmp_path / "huge.ndjson"
    path.write_bytes(lines(lambda i: True, 20_000))
    expected, counts, _ = run(above, [str(path)], no_file, "emit")
    results, same, taken = run(above, [str(path)], with_files, "emit")
    assert (results, same, taken) == (expected, counts, 0)
