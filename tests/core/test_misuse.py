"""Misuse of the core's objects raises an exception and never crashes."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from forstcore import Filter, LineSplitter, RecordStream, StreamStateError
from forstcore._proc import Batcher
from server.http._chunked import ChunkedDecoder

from .driver import held

LINE = b'{"id":"1","data":"x","b":[1,2,3]}\n'
MAKERS: dict[str, Callable[[], Any]] = {
    "RecordStream": RecordStream,
    "LineSplitter": LineSplitter,
    "Batcher": Batcher,
    "Filter": lambda: Filter({"id": "1"}),
}


@pytest.mark.parametrize("name", MAKERS)
def test_init_runs_once(name: str) -> None:
    made = MAKERS[name]()
    arguments = [{"data": "x"}] if name == "Filter" else []
    with pytest.raises(StreamStateError, match="make another one"):
        made.__init__(*arguments)


def test_a_second_init_changes_nothing() -> None:
    stream = RecordStream(on_error="emit", first_line=7)
    with pytest.raises(StreamStateError):
        stream.__init__(on_error="skip", filter=Filter({"id": "2"}))  # type: ignore[misc]
    assert stream.feed(b"x\n" + LINE) == RecordStream(on_error="emit", first_line=7).feed(
        b"x\n" + LINE
    )


def test_init_while_another_thread_is_in_feed(cases: ModuleType) -> None:
    wanted = {f"a{number}": {"ne": number} for number in range(100)}
    stream = RecordStream(filter=Filter(wanted), processor=cases.hold)
    with held(cases, stream, LINE * 1000) as results:
        for _ in range(100):
            with pytest.raises(StreamStateError):
                stream.__init__(filter=Filter({"b": 1}))  # type: ignore[misc]
            gc.collect(0)
    assert results[0].count(b"\n") == 1001


def test_a_first_filter_is_not_set_while_another_thread_is_in_feed(cases: ModuleType) -> None:
    stream = RecordStream(processor=cases.hold)
    with held(cases, stream, LINE * 1000) as results, pytest.raises(StreamStateError):
        stream.__init__(filter=Filter({"id": "2"}), on_error="fail")  # type: ignore[misc]
    assert results[0].count(b"\n") == 1001


CLASSES: list[Any] = [RecordStream, LineSplitter, Batcher]


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("call", [lambda made: made.feed(LINE), lambda made: made.finish()])
def test_without_init(cls: Any, call: Callable[[Any], object]) -> None:
    with pytest.raises(StreamStateError, match="__init__"):
        call(cls.__new__(cls))


def test_a_filter_without_init() -> None:
    with pytest.raises(StreamStateError, match="__init__"):
        RecordStream(filter=Filter.__new__(Filter))


def test_an_init_that_failed_may_be_repeated() -> None:
    stream = RecordStream.__new__(RecordStream)
    with pytest.raises(ValueError, match="max_line_size"):
        stream.__init__(max_line_size=0)  # type: ignore[misc]
    stream.__init__(max_line_size=100)  # type: ignore[misc]
    assert stream.feed(LINE)


def test_init_that_is_called_from_its_own_arguments() -> None:
    class Items(dict[str, Any]):
        def items(self) -> Any:
            if not self.get("seen"):
                self["seen"] = True
                made.__init__({"id": "inner"})  # type: ignore[misc]
            return [("id", "outer")]

    made = Filter.__new__(Filter)
    with pytest.raises(StreamStateError):
        made.__init__(Items())  # type: ignore[misc]
    assert RecordStream(filter=made).feed(b'{"id":"inner"}\n{"id":"outer"}\n').count(b"\n") == 1


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))]
)
def test_copies_are_refused(name: str, duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        duplicate(MAKERS[name]())


def test_subclasses_may_have_arguments_of_their_own() -> None:
    class Named(RecordStream):
        def __init__(self, name: str) -> None:
            super().__init__(on_error="emit")
            self.name = name

    assert Named("x").feed(LINE)


def test_a_native_processor_outlives_its_stream_in_a_cycle(cases: ModuleType) -> None:
    class Cycle(RecordStream):
        me: object

    made, live = cases.states()
    stream = Cycle(processor=cases.count)
    stream.feed(LINE)
    stream.me = stream
    del stream
    gc.collect()
    assert cases.states() == (made + 1, live)


def test_two_threads_in_one_stream(cases: ModuleType) -> None:
    stream = RecordStream(processor=cases.hold)
    with held(cases, stream, LINE * 1000) as results, pytest.raises(StreamStateError):
        stream.feed(b"")
    assert results[0].count(b"\n") == 1001


def test_the_decoder_checks_what_it_is_given() -> None:
    decoder = ChunkedDecoder()
    decoder.__init__()  # type: ignore[misc]
    for buffer, size in ((bytearray(3), 4), (bytearray(3), -1)):
        with pytest.raises(ValueError, match="size"):
            decoder.decode(buffer, size)
    with pytest.raises(BufferError):
        decoder.decode(b"read-only", 3)
