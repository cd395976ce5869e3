"""HTTP: `https://host/path`, a POST request with NDJSON for each batch of results.

Any 2xx confirms a batch. If the server is overloaded, fails or cannot be reached, the sink retries;
if it refuses a batch, the sink sends smaller ones until it knows which lines are refused.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from forstcore._io.retry_after import retry_after_seconds
from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits, SinkUrl
from forstcore.sinks._broker_sink import BrokerSink, lines_of
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources import without_password
from forstcore.sources._tls import ClientTls
from forstcore.wire import NDJSON

__all__ = ["HttpSink", "HttpWriter"]

_MAX_REQUEST = 1 << 20  # Bytes, except for a single line.
_MAX_ANSWER = 1 << 16  # Bytes of an answer that are read, so that the connection can be used again.
_EXCERPT = 200  # Characters of it in errors.

_AGAIN = {408, 425, 429}
# These concern the request as a whole, so other lines would get the same answer.
_HOPELESS = {401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 426, 431, 451}


class _AgainError(Exception):
    """The server asks to try again."""


class _RefusedError(Exception):
    """The server refuses a batch."""


class HttpSink(BrokerSink):
    """A URL that takes POST requests.

    Args:
        url: as above. `token`, `timeout`, `batch`, `header.NAME` and those of `ClientTls` are
            options; the server gets everything else.
        limits: the bytes that its writer holds.

    Attributes:
        url: where to send requests, without user and password.
        headers: their headers.
        timeout: seconds for a response.
        batch: maximum bytes of a request, except for a single line.
        tls: its TLS, None for none.
    """

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        super().__init__(url.name, limits)
        self.headers = {"Content-Type": NDJSON, "User-Agent": "forstcore"}
        token = url.take("token")
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        if url.username is not None:
            if token:
                raise SinkError(url.name, "has a token, and a user: only one can be sent")
            login = f"{url.username}:{url.password or ''}".encode()
            self.headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        self.timeout = url.take_seconds("timeout", 30.0)
        self.batch = url.take_size("batch", _MAX_REQUEST)
        self.tls = ClientTls(url) if url.scheme == "https" else None
        rest = url.take_rest()
        for name, value in rest.items():
            if name.startswith("header."):
                self.headers[name.removeprefix("header.")] = value
        query = {name: value for name, value in rest.items() if not name.startswith("header.")}
        if any(ord(each) < 32 for pair in self.headers.items() for each in "".join(pair)):
            raise SinkError(url.name, "has a header with a control character")
        host = f"[{url.host}]" if ":" in url.host else url.host
        address = f"{host}:{url.port}" if url.port else host
        search = f"?{urlencode(query)}" if query else ""
        self.url = URL(f"{url.scheme}://{address}{url.raw_path or '/'}{search}", encoded=True)

    def make_writer(self) -> HttpWriter:
        return HttpWriter(self)


class HttpWriter(BrokerWriter):
    """Sends results in POST requests, one at a time.

    Args:
        sink: where to.
    """

    transient_errors = (aiohttp.ClientError, OSError, _AgainError)

    def __init__(self, sink: HttpSink) -> None:
        super().__init__(sink.name, sink.log, sink.limits)
        self._sink = sink
        self._session: aiohttp.ClientSession | None = None
        self._was_used = False  # Whether the session may have an idle connection.
        self._not_before = 0.0  # Earliest time of the next request, by the event loop's clock.
        # An error may come every few requests, so what was achieved before it is kept: how many
        # lines after the confirmed outputs the server has accepted or refused; of these the refused
        # ones, counted from 0, and the reasons; the sizes of the parts that are sent next, the last
        # one first; how often the next line was refused alone.
        self._answered = 0
        self._refused: dict[int, str] = {}
        self._parts: list[int] = []
        self._tried = 0

    async def _connect(self) -> None:
        pause = self._not_before - asyncio.get_running_loop().time()
        if pause > 0:
            await asyncio.sleep(pause)
        tls = self._sink.tls.context() if self._sink.tls is not None else True
        self._session = aiohttp.ClientSession(
            headers=self._sink.headers,
            timeout=aiohttp.ClientTimeout(total=self._sink.timeout),
            connector=aiohttp.TCPConnector(limit=1, ssl=tls),
            auto_decompress=False,
        )
        self._was_used = False

    async def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, outputs: Sequence[Output]) -> None:
        lines: list[bytes] = []
        ends: list[int] = []
        for output in outputs:
            lines += lines_of(output)
            ends.append(len(lines))
        start = 0
        for end in ends:
            while (position := start + self._answered) < end:
                await self._send_next(lines, position)
            count = end - start
            refused = {each: why for each, why in self._refused.items() if each < count}
            self._refused = {
                each - count: why for each, why in self._refused.items() if each >= count
            }
            self._answered -= count
            self._confirm(refused)
            start = end

    def _batch_size(self, lines: list[bytes], first: int) -> int:
        """Return the number of lines of the batch that begins with a line."""
        end, size = first + 1, len(lines[first])
        while end < len(lines) and size + len(lines[end]) < self._sink.batch:
            size += len(lines[end]) + 1
            end += 1
        return end - first

    async def _send_next(self, lines: list[bytes], first: int) -> None:
        """Send the batch that begins with a line, or a part of it if the whole was refused."""
        if not self._parts:
            self._parts = [self._batch_size(lines, first)]
        count = min(self._parts[-1], len(lines) - first)
        self._parts[-1] -= count
        try:
            await self._post(b"\n".join(lines[first : first + count]) + b"\n")
        except _RefusedError as error:
            if count > 1:
                self._parts += [count - count // 2, count // 2]
                return
            self._tried += 1
            if self._tried < self._limits.tries:
                self._parts.append(1)
                return
            self._refused[self._answered] = str(error)
        except BaseException:
            self._parts[-1] += count
            raise
        self._tried = 0
        self._answered += count
        while self._parts and not self._parts[-1]:
            self._parts.pop()

    async def _post(self, body: bytes) -> None:
        assert self._session is not None
        try:
            await self._post_once(self._session, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not self._was_used:
                raise
            # The server may just have closed the idle connection.
            self._was_used = False
            await self._post_once(self._session, body)
        self._was_used = True
        # A server that limits the rate of requests refuses some of them all the time.
        self._pauses.succeeded()

    async def _post_once(self, session: aiohttp.ClientSession, body: bytes) -> None:
        # The session has one connection, so requests arrive in order. Redirects are not followed,
        # since that would send the body again. Large bodies are sent in pieces.
        data = io.BytesIO(body)
        async with session.post(self._sink.url, data=data, allow_redirects=False) as response:
            answer = await response.content.read(_MAX_ANSWER)
            status = response.status
            if 200 <= status < 300:
                return
            if 300 <= status < 400 and (place := response.headers.get("Location")):
                raise SinkError(
                    self._name, f"has moved (HTTP {status}): give the URL {without_password(place)}"
                )
            text = " ".join(answer.decode(errors="replace").split())[:_EXCERPT]
            said = f"HTTP {status} {response.reason or ''}".rstrip() + (f": {text}" if text else "")
            if status in _AGAIN or status >= 500:
                headers = response.headers
                wait = retry_after_seconds(headers) or 0.0
                self._not_before = asyncio.get_running_loop().time() + wait
                raise _AgainError(said)
            if status < 400 or status in _HOPELESS:
                raise SinkError(self._name, f"cannot be written: {said}")
            raise _RefusedError(said)
