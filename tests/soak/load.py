"""Helpers of the clients of a soak: sending and reading at the same time."""

from __future__ import annotations

import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.server.raw import RawStream
from tests.soak.corpus import Batch

__all__ = ["Client", "Load"]

_TIMEOUT = 60.0  # Seconds without a byte after which a client takes its stream for dead.
_JOIN = 120.0


class Load:
    """The load on one server.

    Args:
        address: host and port of the server.
        corpus: what clients send.
        seed: what they choose follows from it, but for the timing.

    Attributes:
        address, corpus: as above.
        ending: set when clients have to end their streams.
        streams: streams that ended as they should, by kind.
        failures: what went wrong, one text for each.
    """

    def __init__(self, address: tuple[str, int], corpus: Sequence[Batch], seed: int) -> None:
        self.address = address
        self.corpus = corpus
        self.ending = threading.Event()
        self.streams: Counter[str] = Counter()
        self.failures: list[str] = []
        self._seed = seed
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, clients: Sequence[tuple[Client, int]]) -> None:
        """Run clients, each as often at once as the number beside it."""
        for client, count in clients:
            for number in range(count):
                chance = random.Random(f"{self._seed} {client.__name__} {number}")
                thread = threading.Thread(target=self._run, args=(client, chance), daemon=True)
                self._threads.append(thread)
                thread.start()

    def end(self) -> None:
        """Have every client end its streams, and wait for that."""
        self.ending.set()
        for thread in self._threads:
            thread.join(_JOIN)
            if thread.is_alive():
                self.failures.append("a client did not end")

    def pause(self, seconds: float) -> bool:
        """Wait; return whether the load continues."""
        return not self.ending.wait(seconds)

    def batches(self, chance: random.Random, count: int) -> Iterator[Batch]:
        """Yield batches, fewer when the load ends."""
        for _ in range(count):
            if self.ending.is_set():
                return
            yield chance.choice(self.corpus)

    def open(
        self, path: str, headers: dict[str, str] | None = None, *, receive_buffer: int = 0
    ) -> RawStream:
        """Open a stream."""
        return RawStream(
            self.address, path, headers, timeout=_TIMEOUT, receive_buffer=receive_buffer
        )

    @contextmanager
    def sending(self, send: Callable[[], None]) -> Iterator[None]:
        """Send in a thread while the block reads; what either raises is raised."""
        errors: list[BaseException] = []

        def run() -> None:
            try:
                send()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            raise (errors[0] if errors else error) from error
        finally:
            thread.join(_TIMEOUT)
        if errors:
            raise errors[0]
        assert not thread.is_alive(), "the server takes nothing more"

    def _run(self, client: Client, chance: random.Random) -> None:
        kind = client.__name__
        while not self.ending.is_set():
            try:
                client(self, chance)
            except Exception:
                with self._lock:
                    self.failures.append(f"{kind}:\n{traceback.format_exc()}")
                # The first failure is what matters; the soak is over.
                self.ending.set()
                return
            with self._lock:
                self.streams[kind] += 1


Client = Callable[[Load, random.Random], None]
"""Has one stream, or whatever it does, and returns; runs again and again."""
