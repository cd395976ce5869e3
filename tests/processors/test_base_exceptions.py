"""Processors that raise what `except Exception` does not catch: only their records are rejected.

Examples are panics of extensions in Rust, which are not subclasses of Exception.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import forstcore
from forstcore.engine import Engine
from forstcore.processors import as_processor
from tests.processors.requesting import EMIT, send
from tests.servers import StartServer


class PanicException(BaseException):
    """The class of a Rust extension's panics."""


ERRORS: dict[str, BaseException] = {
    "SystemExit": SystemExit("x"),
    "KeyboardInterrupt": KeyboardInterrupt("x"),
    "GeneratorExit": GeneratorExit("x"),
    "CancelledError": asyncio.CancelledError("x"),
    "PanicException": PanicException("x"),
}


def refuse(name: str) -> None:
    """Raise the error of a record, if it names one."""
    if name:
        raise ERRORS[name]


class Reading(msgspec.Struct):
    id: int
    error: str = ""


class Checked(Reading):
    """A record whose type raises."""

    def __post_init__(self) -> None:
        refuse(self.error)


def of_dict(record: dict[str, Any]) -> dict[str, Any]:
    refuse(record["error"])
    return {"id": record["id"]}


def of_struct(record: Reading) -> dict[str, Any]:
    refuse(record.error)
    return {"id": record.id}


def of_checked(record: Checked) -> dict[str, Any]:
    return {"id": record.id}


def several(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"id": record["id"]}
    refuse(record["error"])


async def waits(record: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    refuse(record["error"])
    return {"id": record["id"]}


async def waits_for_struct(record: Checked) -> dict[str, Any]:
    return {"id": record.id}


async def waits_for_several(record: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield {"id": record["id"]}
    refuse(record["error"])


COMPILED = (of_dict, of_struct, several)
KINDS = {
    **{f"{each.__name__}-compiled": as_processor(each, compiled=True) for each in COMPILED},
    **{
        each.__name__: as_processor(each, compiled=False)
        for each in (*COMPILED, of_checked, waits, waits_for_struct, waits_for_several)
    },
}


def lines_of(*errors: str) -> bytes:
    return b"".join(
        json.dumps({"id": number, "error": error}).encode() + b"\n"
        for number, error in enumerate(errors, 1)
    )


def rows(output: bytes) -> list[tuple[int, str]]:
    """Return the results with their messages, which are empty for those without an error."""
    found = map(json.loads, output.splitlines())
    return [(row.get("id") or row["line"], row.get("message", "")) for row in found]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", ERRORS)
def test_only_the_record_is_rejected(kind: str, error: str) -> None:
    # One among several, which are read together, and one alone.
    for errors in (("", error, ""), (error,)):
        output = b"".join(forstcore.process(lines_of(*errors), KINDS[kind], on_error="emit"))
        assert rows(output) == [
            (number, f"{each}: x" if each else "") for number, each in enumerate(errors, 1)
        ]


@pytest.mark.skipif(os.name != "posix", reason="worker processes need POSIX")
def test_a_worker_process_survives() -> None:
    pids = forstcore.processor("pids-of-base-exceptions")(pid_or_error)
    lines = lines_of("", *ERRORS, "")
    output = b"".join(
        forstcore.process(lines, pids, on_error="emit", worker_kind="processes", workers=1)
    )
    first, *errors, last = map(json.loads, output.splitlines())
    assert [row["message"] for row in errors] == [f"{each}: x" for each in ERRORS]
    assert first["pid"] == last["pid"] != os.getpid()


def pid_or_error(record: dict[str, Any]) -> dict[str, int]:
    refuse(record["error"])
    return {"pid": os.getpid()}


MODULE = """
import asyncio
from forstcore import processor

class PanicException(BaseException):
    pass

ERRORS = {
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "PanicException": PanicException,
}

def refuse(name):
    if name:
        raise ERRORS[name]("x")

@processor("in-thread")
def in_thread(record: dict) -> dict:
    refuse(record["error"])
    return record

@processor("in-loop")
async def in_loop(record: dict) -> dict:
    refuse(record["error"])
    return record
"""


@pytest.mark.parametrize("name", ["in-thread", "in-loop"])
def test_a_server_goes_on(start_one: StartServer, tmp_path: Path, name: str) -> None:
    path = tmp_path / "raises.py"
    path.write_text(MODULE)
    server = start_one("--processors", str(path))
    expected = [(number, f"{each}: x") for number, each in enumerate(ERRORS, 1)]
    for _ in range(2):
        output = send(server, name, lines_of(*ERRORS, ""), EMIT)
        assert rows(output) == [*expected, (len(ERRORS) + 1, "")]
    assert server.stop() == 0


def test_a_call_that_is_closed_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python closes coroutines that wait when their event loop is closed, with GeneratorExit."""
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    ended: list[str] = []

    async def never(record: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(type(sys.exception()).__name__)

    async def source() -> AsyncIterator[bytes]:
        yield lines_of("", "")

    async def start() -> None:
        results = Engine(as_processor(never), executor=None, workers=1).run(source())
        kept.append(asyncio.ensure_future(anext(results)))
        await started.wait()

    kept: list[Any] = []
    started = asyncio.Event()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    loop.close()
    kept.clear()
    del loop
    gc.collect()
    assert ended == ["GeneratorExit"]
    assert "failed on line" not in caplog.text
    assert not [each for each in ignored if isinstance(each.exc_value, RuntimeError)]
