"""A stream that runs during the attacks, and must not be affected."""

from __future__ import annotations

import secrets
import threading

from tests.server.raw import Cut, RawStream
from tests.servers import Server

__all__ = ["Witness"]

_PAUSE = 0.02  # Seconds between two records.
_PATIENCE = 20.0  # Seconds for a round trip, on a machine that is busy with hostile ones.


class Witness(threading.Thread):
    """Send records one after the other, and compare each result with the expected one.

    Args:
        server: the server that others attack.

    Attributes:
        mark: a text that only its records contain.
        count: results so far.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.mark = secrets.token_hex(16).encode()
        self.count = 0
        self._address = (server.host, server.port)
        self._stop_wanted = threading.Event()
        self._moved = threading.Condition()
        self._trouble = ""

    def run(self) -> None:
        try:
            with RawStream(self._address, timeout=_PATIENCE) as stream:
                while not self._stop_wanted.wait(_PAUSE):
                    self._round(stream)
                stream.end()
                rest = stream.read_rest()
                assert rest == b"", rest
        except (AssertionError, Cut, OSError) as error:
            self._trouble = repr(error)
        with self._moved:
            self._moved.notify_all()

    def check(self) -> None:
        """Wait for a complete round trip; fail if anything but its result was received."""
        with self._moved:
            wanted = self.count + 2  # One may be on its way.
            self._moved.wait_for(lambda: self.count >= wanted or self._trouble, _PATIENCE)
            assert not self._trouble, f"the witness was disturbed: {self._trouble}"
            assert self.count >= wanted, "the witness gets no results"

    def stop(self) -> None:
        """End its stream; fail if it did not end normally."""
        self._stop_wanted.set()
        self.join(_PATIENCE)
        assert not self._trouble, f"the witness was disturbed: {self._trouble}"

    def _round(self, stream: RawStream) -> None:
        stream.send(b'{"id":"%d","data":"%b"}\n' % (self.count, self.mark))
        line = stream.read_line()
        wanted = b'{"id":"%d","result":"processed_%b","status":"success"}\n'
        assert line == wanted % (self.count, self.mark), line
        with self._moved:
            self.count += 1
            self._moved.notify_all()
