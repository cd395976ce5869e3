"""Which errors are retried, how often, and with which delays."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from forstcore import (
    RecordError,
    RequestRefusedError,
    RetryConfig,
    StreamFailedError,
    StreamingErrorHandler,
)
from forstcore.retry import is_retriable, pause_before

QUICK = RetryConfig(attempts=4, delay=0.001)


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def unwritten(cause: Exception) -> aiohttp.ClientOSError:
    """Create the error that aiohttp raises if it cannot write a request, which has no errno."""
    error = aiohttp.ClientOSError(None, "Can not write request body")
    error.__cause__ = cause
    return error


class Operation:
    """Fails with these errors, one after the other, and then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def handle(operation: Callable[[], Awaitable[Any]], config: RetryConfig = QUICK) -> Any:
    return asyncio.run(StreamingErrorHandler(config).handle_streaming_error(operation, "testing"))


PASSING = [
    ConnectionResetError(),
    ConnectionAbortedError(),
    BrokenPipeError(),
    ConnectionRefusedError(),
    TimeoutError(),
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ServerTimeoutError(),
    aiohttp.ClientPayloadError("cut"),
    aiohttp.ClientOSError(errno.ECONNRESET, "reset"),
    unwritten(aiohttp.ClientConnectionResetError("Cannot write to closing transport")),
    os_error(errno.ETIMEDOUT),
    os_error(errno.EPIPE),
    RequestRefusedError(502, "bad gateway"),
    RequestRefusedError(503, "busy"),
    RequestRefusedError(504, "late"),
    StreamFailedError("disconnected", "lost", retriable=True),
]
LASTING = [
    ValueError(),
    KeyError("x"),
    os_error(errno.ENOENT),
    os_error(errno.EACCES),
    PermissionError(),
    ssl.SSLError(),
    aiohttp.InvalidURL("x"),
    aiohttp.ClientError(),
    aiohttp.ClientOSError(None, "of no known cause"),
    unwritten(os_error(errno.EACCES)),
    RecordError("invalid_json", "no", 1, 0),
    RequestRefusedError(400, "bad"),
    RequestRefusedError(401, "who"),
    RequestRefusedError(404, "where"),
    RequestRefusedError(500, "broken"),
    StreamFailedError("bad_record", "no"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert is_retriable(error)
    operation = Operation(error, error)
    assert handle(operation) == "done"
    assert operation.calls == 3


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_lasts_is_raised_at_once(error: Exception) -> None:
    assert not is_retriable(error)
    operation = Operation(error)
    with pytest.raises(type(error)) as caught:
        handle(operation)
    assert caught.value is error
    assert operation.calls == 1
    assert not hasattr(error, "__notes__")


async def ask(url: str, seconds: float = 5) -> None:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
        session.get(url) as response,
    ):
        await response.read()


def failure_of(url: str, seconds: float = 5) -> Exception:
    with pytest.raises((aiohttp.ClientError, TimeoutError)) as caught:
        asyncio.run(ask(url, seconds))
    return caught.value


def test_a_real_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert is_retriable(failure_of(f"http://127.0.0.1:{port}"))


def test_a_real_name_that_is_not_found() -> None:
    assert is_retriable(failure_of("http://nowhere.invalid"))


def test_a_real_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert is_retriable(failure_of(f"http://127.0.0.1:{port}", seconds=0.2))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_real_reset(answer: bytes, reset: bool) -> None:
    async def run() -> Exception:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await asyncio.sleep(0.05)
            if reset:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                writer.transport.abort()
            writer.close()

        async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
            with pytest.raises(aiohttp.ClientError) as caught:
                await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        return caught.value

    assert is_retriable(asyncio.run(run()))


def test_the_last_error_is_raised_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    errors = [ConnectionResetError(str(number)) for number in range(9)]
    operation = Operation(*errors)
    with caplog.at_level(logging.INFO), pytest.raises(ConnectionResetError) as caught:
        handle(operation)
    assert caught.value is errors[3]
    assert operation.calls == 4
    assert caught.value.__notes__ == ["testing: given up after 4 attempts"]
    assert len(caplog.records) == 3
    assert "testing: attempt 1 of 4 failed" in caplog.messages[0]


def test_one_attempt_is_one() -> None:
    operation = Operation(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        handle(operation, RetryConfig(attempts=1))
    assert operation.calls == 1


def test_a_cancelled_operation_is_not_repeated() -> None:
    operation = Operation(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        handle(operation)
    assert operation.calls == 1


def test_the_pause_doubles_up_to_a_limit_and_varies() -> None:
    config = RetryConfig(delay=1.0, max_delay=5.0)
    for failures, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (5000, 5.0)):
        pauses = [pause_before(config, failures) for _ in range(200)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
        assert max(pauses) - min(pauses) > longest / 4


@pytest.mark.parametrize(
    ("name", "value"), [("attempts", 0), ("attempts", -1), ("delay", -0.1), ("max_delay", -1.0)]
)
def test_a_configuration_out_of_range(name: str, value: float) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        RetryConfig(**wrong)
