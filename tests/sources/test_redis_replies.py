"""Replies of Redis, however they arrive, with hiredis and without."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from redis.exceptions import ConnectionError, ResponseError

from forstcore.sources import _resp
from forstcore.sources._resp import BoundedParser, Cut

LIMIT = 3000


@pytest.fixture(params=["as installed", "without hiredis"])
def _parsing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without hiredis":
        monkeypatch.setattr(_resp, "hiredis", None)


def encoded(value: Any) -> bytes:
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, str):
        return b"-%b\r\n" % value.encode()
    return b"*%d\r\n%b" % (len(value), b"".join(map(encoded, value)))


def drawn(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.choice(("none", "number", "text", "error", "list", "list") if depth < 4 else "x")
    if kind == "none":
        return None
    if kind == "number":
        return draw.randrange(-5, 10**12)
    if kind == "error":
        return "ERR something"
    if kind == "list":
        return [drawn(draw, depth + 1) for _ in range(draw.randrange(5))]
    return draw.randbytes(draw.choice((0, 1, 10, 40)))


def plain(value: Any) -> Any:
    if isinstance(value, ResponseError):
        return "ERR something"
    return [plain(each) for each in value] if isinstance(value, list) else value


async def replies(data: bytes, count: int, draw: random.Random) -> list[Any]:
    """Parse so many replies, which arrive in pieces."""

    class Connection:
        _reader = asyncio.StreamReader()
        encoder = None

    parser = BoundedParser(1 << 16, limit=LIMIT)
    parser.on_connect(Connection)

    async def arrive() -> None:
        at = 0
        while at < len(data):
            size = draw.choice((1, 7, 100, 3000, 20_000))
            Connection._reader.feed_data(data[at : at + size])
            at += size
            await asyncio.sleep(0)
        Connection._reader.feed_eof()

    arriving = asyncio.create_task(arrive())
    found = [await parser.read_response() for _ in range(count)]
    await arriving
    with pytest.raises(ConnectionError):
        await parser.read_response()
    return found


@pytest.mark.usefixtures("_parsing")
@pytest.mark.parametrize("seed", range(40))
def test_several_replies_in_pieces(seed: int) -> None:
    draw = random.Random(seed)
    values = [drawn(draw) for _ in range(20)]
    found = asyncio.run(replies(b"".join(map(encoded, values)), len(values), draw))
    assert [plain(each) for each in found] == values


@pytest.mark.usefixtures("_parsing")
@pytest.mark.parametrize("seed", range(10))
def test_what_is_too_long_is_cut(seed: int) -> None:
    draw = random.Random(seed)
    long = [b"a" * 100, b"b" * 20_000, b"c" * 100]
    values = [1, [b"x"], long, [b"y"], 2, long, 3]
    found = asyncio.run(replies(b"".join(map(encoded, values)), len(values), draw))
    for value, got in zip(values, found, strict=True):
        if value is not long:
            assert got == value
            continue
        assert got[0] == long[0]
        assert type(got[1]) is Cut
        assert long[1].startswith(got[1])
        assert len(got[1]) <= LIMIT
        assert type(got[2]) is Cut
        assert got[2] == b""
