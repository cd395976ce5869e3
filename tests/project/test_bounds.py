"""The bounds that the page on the architecture lists are those of the code."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import fields

from forstcore import StreamingConfig
from forstcore._client import connection as _connection
from forstcore._client import window as _window
from forstcore.engine import backlog as _backlog
from forstcore.engine.batch_sizer import MAX_BATCH
from forstcore.sources import _file_set
from server.config import ServerConfig
from server.http import body_protocol, compression, request_handler
from server.observe import nonblocking_output
from server.process.event_loop import CROWD
from server.streams import error_file, response_writer
from tests.servers import ROOT

_PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## Bounds")[2]
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (?:`(?:--)?([a-z_-]+)`)? ?\|$", re.MULTILINE)
_QUANTITY = re.compile(r"(any|[\d,]+)(?: ([KMG])iB)?\b")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


async def write_buffer() -> int:
    """Return the high-water mark of asyncio's connections."""
    ours, others = socket.socketpair()
    with others:
        _, writer = await asyncio.open_connection(sock=ours)
        _, high = writer.transport.get_write_buffer_limits()
        writer.close()
        await writer.wait_closed()
    return high


def quantity(text: str) -> int:
    found = _QUANTITY.match(text)
    assert found is not None, text
    return 0 if found[1] == "any" else int(found[1].replace(",", "")) * _UNITS[found[2] or ""]


def defaults() -> dict[str, object]:
    # Of names that both have, such as buffer_size, the defaults are the same.
    server = {each.name: each.default for each in fields(ServerConfig)}
    client = {each.name: each.default for each in fields(StreamingConfig)}
    assert all(server[name] == client[name] for name in ("timeout", "buffer_size"))
    return {**client, **server}


def test_every_bound_is_as_the_page_says() -> None:
    without_option = {
        "body received, not decoded": body_protocol._BUFFER_SIZE,
        "body received before the stream starts": request_handler._MAX_HELD,
        "body decompressed, not processed": compression.PIECE,
        "idle connections served in one iteration of the event loop, under load": CROWD,
        "results not accepted by the socket": asyncio.run(write_buffer()),
        "spooled results in memory": response_writer._PIECE,
        "lines waiting for a worker": MAX_BATCH,
        "lines and results in process": _backlog._BATCHES_OF_A_WORKER * MAX_BATCH,
        "rejected lines waiting for the disk": error_file._MOST,
        "files followed by a source": _file_set.MAX_FILES,
        "unread output, for each of standard output and standard error": (
            nonblocking_output._MAX_QUEUED
        ),
        "an unacknowledged line": _window._LONGEST_LINE,
        "response received, not read": 2 * _connection._READ_BUFFER,
    }
    known = defaults()
    rows = [row for row in _ROW.findall(_PAGE) if row[1] != "maximum"]
    assert len(rows) == sum(line.startswith("| ") for line in _PAGE.splitlines()) - 3
    assert {what for what, _, option in rows if not option} == without_option.keys()
    for what, most, option in rows:
        expected = known[option.replace("-", "_")] if option else without_option[what]
        assert quantity(most) == expected, what
    assert f"past {compression.FREE_GROWTH >> 20} MiB" in _PAGE
