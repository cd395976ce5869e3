"""Declaring processors: valid ones, their attributes, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

import forstcore
from forstcore.processors import BUILT_IN, REGISTRY, as_processor
from tests.processors import routes


@pytest.mark.parametrize(
    ("name", "kind", "is_async", "takes", "gives"),
    [
        ("same", "dict", False, "dict[str, Any]", "dict[str, Any]"),
        ("same-async", "dict", True, "dict[str, Any]", "dict[str, Any]"),
        ("twin", "record", False, "StreamingRecord", "ProcessedRecord"),
        ("times", "dict", False, "dict[str, Any]", "Iterator[dict[str, Any]]"),
        ("times-async", "dict", True, "dict[str, Any]", "AsyncIterator[dict[str, Any]]"),
        ("picky", "dict", False, "dict[str, Any]", "dict[str, Any] | None"),
        ("order", "typed", False, "Order", "Order"),
        ("reading", "typed", True, "Reading", "Reading"),
    ],
)
def test_kinds_follow_from_the_signature(
    name: str, kind: str, is_async: bool, takes: str, gives: str
) -> None:
    known = REGISTRY[name]
    assert (known.kind, known.is_async, known.takes, known.gives) == (kind, is_async, takes, gives)
    assert "routes.py, line " in known.place


def test_the_function_stays_what_it_is() -> None:
    assert routes.same({"id": 1}) == {"id": 1}
    assert REGISTRY["same"].function is routes.same
    assert REGISTRY["same"].doc == "Return the record as it is."


def bare(record):  # type: ignore[no-untyped-def]
    return record


def loose(record: object, *_more: int, times: int = 2, **_others: int) -> object:
    return record


def anything(*records: Any) -> Any:
    return records[0]


@pytest.mark.parametrize("function", [bare, loose, anything])
def test_without_a_type_it_takes_dicts(function: Callable[..., Any]) -> None:
    known = as_processor(function)
    assert (known.kind, known.name) == ("dict", function.__name__)
    assert b"".join(forstcore.process(b'{"a": 1}', function)) == b'{"a":1}\n'


def test_a_method_is_a_function() -> None:
    class Counter:
        seen = 0

        def count(self, record: dict[str, Any]) -> dict[str, Any]:
            self.seen += 1
            return record | {"seen": self.seen}

    assert b"".join(forstcore.process(b"{}\n{}", Counter().count)) == b'{"seen":1}\n{"seen":2}\n'


class Click(msgspec.Struct, tag="click"):
    """One of two types of a union."""

    x: int


class Key(msgspec.Struct, tag="key"):
    """The other one."""

    code: str


def test_the_tag_of_a_record_selects_a_type_of_a_union() -> None:
    def name(event: Click | Key) -> str:
        return f"click at {event.x}" if isinstance(event, Click) else f"key {event.code}"

    lines = (
        b'{"type":"click","x":1}\n{"code":"a","type":"key"}\n{"type":"tap"}\n{"type":"key","x":1}'
    )
    results = b"".join(forstcore.process(lines, name, on_error="emit")).splitlines()
    assert results[:2] == [b'"click at 1"', b'"key a"']
    assert [json.loads(line)["code"] for line in results[2:]] == ["wrong_type", "wrong_type"]


def nothing() -> None:
    pass


def named_only(*, record: dict[str, Any]) -> None:
    pass


def two(record: dict[str, Any], other: int) -> None:
    pass


def number(record: int) -> None:
    pass


def union(record: dict[str, Any] | None) -> None:
    pass


def lost(record: NoSuchType) -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


@dataclass
class Odd:
    """A dataclass with a member of two types that JSON cannot distinguish."""

    member: routes.Item | routes.Order


def odd(record: Odd) -> None:
    pass


def untagged(record: routes.Item | routes.Order) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (nothing, "must take the record as its first parameter"),
        (named_only, "must take the record as its first parameter"),
        (two, "parameters that nobody fills: other"),
        (number, "takes int: it must take a dict"),
        (union, r"takes dict\[str, Any\] \| None: it must take a dict"),
        (lost, "annotations that cannot be read: name 'NoSuchType' is not defined"),
        (odd, "takes Odd, which cannot be"),
        (untagged, "takes .*Order, which cannot be"),
        (Odd, "a processor is a function or a native processor's capsule"),
        (7, "a processor is a function or a native processor's capsule"),
    ],
)
def test_what_cannot_be_a_processor(function: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        forstcore.processor("fine")(function)
    assert "fine" not in REGISTRY


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "-a", "_a", "a b", "ü", "a" * 65, 7, "a\n"])
def test_names_that_cannot_be_a_path(name: Any) -> None:
    with pytest.raises(ValueError, match="the name of a processor must be"):
        forstcore.processor(name)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match=r"two processors are called 'same': one in .*routes\.py"):
        forstcore.processor("same")(bare)
    assert REGISTRY["same"].function is routes.same


def test_a_function_that_is_declared_again_takes_its_own_place() -> None:
    def declare(value: int) -> None:
        @forstcore.processor("again")
        def again(record: dict[str, Any]) -> dict[str, Any]:
            return {"value": value}

    for value in (1, 2):
        declare(value)
        assert b"".join(forstcore.process(b"{}", "again")) == b'{"value":%d}\n' % value


def twice_declared(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["id"]}


@pytest.mark.parametrize("compiled", [None, True])
def test_each_declaration_of_a_function_has_its_own_options(compiled: bool | None) -> None:
    forstcore.processor("slow-one", compiled=False, worker_kind="threads")(twice_declared)
    forstcore.processor("fast-one", compiled=compiled)(twice_declared)
    slow, fast = REGISTRY["slow-one"], REGISTRY["fast-one"]
    assert (slow.worker_kind, slow.program) == ("threads", None)
    assert fast.worker_kind is None
    assert fast.program is not None
    with pytest.raises(ValueError, match=r"different options as 'slow-one', 'fast-one': give one"):
        forstcore.process(b'{"id":1}', twice_declared)
    for name in ("slow-one", "fast-one"):
        assert b"".join(forstcore.process(b'{"id":1}', name)) == b'{"id":1}\n'


def test_a_function_has_the_options_of_its_declarations_if_they_agree() -> None:
    for name in ("agree-1", "agree-2"):
        forstcore.processor(name, compiled=False, worker_kind="threads")(twice_declared)
    found = as_processor(twice_declared)
    assert (found.name, found.worker_kind) == ("twice_declared", "threads")
    assert found.compilation is None


def test_a_processor_that_is_not_there() -> None:
    with pytest.raises(LookupError, match=r"no processor 'nix'; declared are: .*same"):
        forstcore.process(b"", "nix")


def test_what_stands_for_a_processor() -> None:
    assert as_processor(None) is BUILT_IN
    assert as_processor("same") is REGISTRY["same"]
    assert as_processor(BUILT_IN) is BUILT_IN


def test_a_decorator_without_a_name_says_so() -> None:
    def count(record: dict[str, object]) -> dict[str, object]:
        return record

    with pytest.raises(TypeError, match=r'needs the name .*: @processor\("count"\)'):
        forstcore.processor(count)  # type: ignore[arg-type]
