"""The bounds that the page on the architecture lists are those of the code."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import fields

from forstcore import StreamingConfig
from forstcore._client import connection as _connection
from forstcore._client import window as _window
from forstcore.engine import batching as _pending
from forstcore.engine import sequencer as _order
from forstcore.sources import _following
from server.config import ServerConfig
from server.http import body_takeover as takeover
from server.http import compression, protocol
from server.observe import log
from server.process.event_loop import CROWD
from server.streams import error_file
from server.streams import response_writer as outlet
from tests.servers import ROOT

_PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## Every bound")[2]
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
        "body read and not decoded": takeover._BUFFER_SIZE,
        "body behind a head, before the stream begins": protocol._HELD,
        "decompressed and not processed": compression.PIECE,
        "idle connections served in a turn of the event loop": CROWD,
        "results that the socket has not taken": asyncio.run(write_buffer()),
        "those of them that are in memory": outlet._PIECE,
        "lines that wait for a worker": _pending.MOST,
        "lines and results in work": _order._HELD,
        "results in work that could be handed out": _order._READY,
        "rejected lines that wait for the disk": error_file._MOST,
        "files that a source follows": _following.MOST_FILES,
        "output that waits for its reader, of each of standard output and error": (
            log._MOST_WAITING
        ),
        "a line that is kept": _window._LONGEST_LINE,
        "response received and not read": 2 * _connection._READ_SIZE,
    }
    known = defaults()
    rows = [row for row in _ROW.findall(_PAGE) if row[1] != "most"]
    assert len(rows) == sum(line.startswith("| ") for line in _PAGE.splitlines()) - 3
    assert {what for what, _, option in rows if not option} == without_option.keys()
    for what, most, option in rows:
        expected = known[option.replace("-", "_")] if option else without_option[what]
        assert quantity(most) == expected, what
    assert f"past {compression.FREE_GROWTH >> 20} MiB" in _PAGE
