"""The attacked server, and the checks of its state."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.replies import Reply, replies_in
from tests.hostile.witness import Witness
from tests.servers import Server, launch

__all__ = ["RECORD", "RESULT", "Target", "head", "reset"]

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'

# Whatever is left open is ended by the server within a few seconds.
_OPTIONS = ("--header-timeout", "1.5", "--timeout", "2.5", "--stall", "1", "--max-streams", "100")
_PATIENCE = 15.0
_AT_ONCE = 32  # Connections of one attack.
_MOST_GROWTH = 64 << 20  # Bytes of memory that malloc may keep for its threads.


def head(*lines: str | bytes, start: str = "POST /streaming-process HTTP/1.1") -> bytes:
    """Write the head of a request with the right host."""
    fields = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join([start.encode(), b"Host: localhost", *fields, b"", b""])


def reset(connection: socket.socket) -> None:
    """Close a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Target:
    """A server, a witness beside the attacks, and the server's log.

    Args:
        way: value of ``--takeover``.

    Attributes:
        server: the server.
        witness: the stream that must not be affected.
        log: the lines that the server has written to standard error so far.
    """

    def __init__(self, way: str) -> None:
        self.server: Server = launch(*_OPTIONS, "--takeover", way)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        self.talk(head("Content-Length: 0"))
        self.witness = Witness(self.server)
        self.witness.start()
        self.witness.check()
        self._descriptors = self.descriptors()
        self._memory = self.server.rss()

    def connect(self) -> socket.socket:
        """Open a connection whose reads time out."""
        address = (self.server.host, self.server.port)
        connection = socket.create_connection(address, timeout=_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def talk(self, *pieces: bytes, half_close: bool = False) -> list[Reply]:
        """Send pieces over a new connection; return everything received until the server ends it.

        Args:
            pieces: the data, with a pause before each piece but the first.
            half_close: whether to half-close the connection after them.
        """
        with self.connect() as connection:
            try:
                for number, piece in enumerate(pieces):
                    time.sleep(0.05 if number else 0)
                    connection.sendall(piece)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It may have seen enough.
            return replies_in(self.rest_of(connection))

    def rest_of(self, connection: socket.socket) -> bytes:
        """Read until the server ends the connection; check that nothing belongs to the witness."""
        got: list[bytes] = []
        try:
            while data := connection.recv(1 << 16):
                got.append(data)
        except ConnectionError:
            pass
        found = b"".join(got)
        if hasattr(self, "witness"):
            assert self.witness.mark not in found
        return found

    def talk_all(
        self, attacks: Mapping[str, bytes | Iterable[bytes]], *, half_close: bool = False
    ) -> dict[str, list[Reply]]:
        """Do the same as `talk` for many connections at once."""

        def one(pieces: bytes | Iterable[bytes]) -> list[Reply]:
            parts = [pieces] if isinstance(pieces, bytes) else pieces
            return self.talk(*parts, half_close=half_close)

        return dict(zip(attacks, self.at_once(one, attacks.values()), strict=True))

    def at_once(
        self, attack: Callable[[Any], Any], arguments: Iterable[Any], threads: int = _AT_ONCE
    ) -> list[Any]:
        """Call a function with many arguments, some calls concurrently."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(attack, arguments))

    def ask(self, target: str, method: str = "GET", body: bytes = b"") -> bytes:
        """Send an ordinary request; return the body of its response, which must be a 200."""
        size = f"Content-Length: {len(body)}"
        request = head("Connection: close", size, start=f"{method} {target} HTTP/1.1")
        (reply,) = self.talk(request + body)
        assert reply.status == 200, reply
        return reply.body

    def published(self) -> int:
        """Publish a record to the source in memory; return how many there have been in total."""
        answer = json.loads(self.ask("/sources/events", "POST", b'{"id":"ours"}\n'))
        return int(answer["offset"].partition("-")[2])

    def descriptors(self) -> int:
        """Count the descriptors that the server has open."""
        place = Path(f"/proc/{self.server.process.pid}/fd")
        if not place.exists():
            pytest.skip("needs /proc")
        return len(list(place.iterdir()))

    def check(self) -> None:
        """Check that the server is alive, and that the witness has its results."""
        assert self.server.process.poll() is None
        self.witness.check()

    def check_descriptors(self) -> None:
        """Check that the server has closed every connection, whatever its client does."""
        deadline = time.monotonic() + _PATIENCE
        while self.descriptors() > self._descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.descriptors() <= self._descriptors

    def check_nothing_is_left(self) -> None:
        """Check that the attacks have left neither descriptors, nor streams, nor memory."""
        self.check_descriptors()
        assert self.server.open_streams() == 1  # That of the witness.
        grown = self.server.rss() - self._memory
        assert grown < _MOST_GROWTH, f"{grown >> 20} MiB"

    def stop(self) -> None:
        """End the server; it must have written nothing but its access log."""
        try:
            self.witness.stop()
            assert self.server.stop() == 0
        finally:
            self.server.kill()
            self._reader.join()
            for pipe in (self.server.process.stdout, self.server.process.stderr):
                assert pipe is not None
                pipe.close()
        strange = [line for line in self.log if not line.startswith("{")]
        assert not strange, "".join(strange)[-5000:]
        for line in self.log:
            assert self.witness.mark.decode() not in line
            json.loads(line)

    def _read_log(self) -> None:
        assert self.server.process.stderr is not None
        for line in self.server.process.stderr:
            self.log.append(line)
