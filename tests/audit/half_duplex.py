"""A half-duplex client, which sends everything before it reads, so that the server spools.

It has no frames and cannot resume. So the guarantee is weaker: a response that ends normally is
complete, and any other is recognisably truncated.
"""

from __future__ import annotations

import random
import threading

from tests.oracle import Due, due_of_all, make_lines
from tests.server.raw import Cut, RawStream

__all__ = ["HalfDuplex"]

_LINES = 150_000  # More results than the kernel's buffers hold, so that they are spooled.
_PATIENCE = 8.0  # Seconds, longer than a process is stopped for.
_PAUSE = 1.0


class HalfDuplex:
    """Send the same lines repeatedly, in a thread.

    Args:
        port: the server's.

    Attributes:
        whole: responses that ended normally.
        cut: responses that were recognisably truncated.
        wrong: messages about responses that ended normally but were incomplete.
    """

    def __init__(self, port: int) -> None:
        self.whole = 0
        self.cut = 0
        self.wrong: list[str] = []
        self._port = port
        body = make_lines(random.Random(0), 0, _LINES)
        self._results = due_of_all(body.splitlines(keepends=True))
        self._pieces = [body[at : at + (1 << 18)] for at in range(0, len(body), 1 << 18)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="half-duplex", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the current response."""
        self._ended.set()
        self._thread.join(3 * _PATIENCE)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._once()
            except (Cut, OSError):
                self.cut += 1
            self._ended.wait(_PAUSE)

    def _once(self) -> None:
        headers = {"Forst-On-Error": "emit"}
        address = ("127.0.0.1", self._port)
        with RawStream(
            address, headers=headers, timeout=_PATIENCE, receive_buffer=1 << 16
        ) as request:
            for piece in self._pieces:
                request.send(piece)
            request.end()
            if request.read_head() != 200:
                self.cut += 1
                return
            due = Due(self._results)
            while data := request.read_some():
                due.come(data)
            try:
                due.check()
                self.whole += 1
            except AssertionError as error:
                self.wrong.append(f"a response ended well and is not whole: {error}")
