"""The event loop of a server process, which serves new connections first.

asyncio handles all ready sockets in one iteration, in the order in which they became ready. Ten
thousand clients that each send a byte now and then make iterations long, and a new client waits
for a full iteration at each step. So if many sockets are ready, this event loop serves a bounded
number of idle connections in each iteration. Without epoll (macOS, Windows), asyncio's own event
loop is used.

A second epoll watches idle connections, and the first one watches the second. So connections that
are not served in an iteration cost nothing in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["CROWD", "run", "set_idle_check"]

T = TypeVar("T")

CROWD = 64
"""Maximum number of idle connections served in one iteration."""

if sys.platform == "linux":

    class FairSelector(selectors.EpollSelector):
        """A selector that reports idle connections last, and a bounded number at a time.

        Attributes:
            is_idle: returns whether a file descriptor belongs to an idle connection.
        """

        def __init__(self) -> None:
            super().__init__()
            self.is_idle: Callable[[int], bool] = lambda _: False
            # The epoll of the base class, to change what it watches without changing its keys.
            self._first = select.epoll.fromfd(os.dup(self.fileno()))
            self._last = select.epoll()
            self._first.register(self._last, select.EPOLLIN)
            # Descriptors that `_last` watches instead of `_first`.
            self._deferred: set[int] = set()

        def close(self) -> None:
            self._last.close()
            self._first.close()
            super().close()

        def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
            key = super().unregister(fileobj)
            if key.fd in self._deferred:
                self._deferred.remove(key.fd)
                with contextlib.suppress(OSError):
                    # As in the base class: it may have been closed already.
                    self._last.unregister(key.fd)
            return key

        def modify(
            self, fileobj: FileDescriptorLike, events: int, data: object = None
        ) -> selectors.SelectorKey:
            if self._deferred:
                self._restore(self.get_key(fileobj))
            return super().modify(fileobj, events, data)

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = super().select(timeout)
            if len(ready) > CROWD:
                ready = [each for each in ready if not self._defer(each[0])]
            elif not self._deferred:
                return ready
            return ready + self._select_last()

        def _select_last(self) -> list[tuple[selectors.SelectorKey, int]]:
            found = self._last.poll(0, CROWD)
            ready = []
            for descriptor, event in found:
                key = self.get_key(descriptor)
                events = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                events |= selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                ready.append((key, events & key.events))
                if len(found) < CROWD:
                    # Few enough are ready.
                    self._restore(key)
            return ready

        def _defer(self, key: selectors.SelectorKey) -> bool:
            """Let `_last` watch a connection if it is idle; return whether it is."""
            if not self.is_idle(key.fd):
                return False
            self._first.unregister(key.fd)
            self._last.register(key.fd, _mask(key))
            self._deferred.add(key.fd)
            return True

        def _restore(self, key: selectors.SelectorKey) -> None:
            if key.fd in self._deferred:
                self._deferred.remove(key.fd)
                self._last.unregister(key.fd)
                self._first.register(key.fd, _mask(key))

    def _mask(key: selectors.SelectorKey) -> int:
        reads = select.EPOLLIN if key.events & selectors.EVENT_READ else 0
        return reads | (select.EPOLLOUT if key.events & selectors.EVENT_WRITE else 0)

    class _FairEventLoop(asyncio.SelectorEventLoop):
        def __init__(self) -> None:
            self.selector = FairSelector()
            super().__init__(self.selector)


def run(main: Coroutine[object, object, T]) -> T:
    """Run a server in a new event loop, and return its result."""
    loop_factory = _FairEventLoop if sys.platform == "linux" else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


def set_idle_check(is_idle: Callable[[int], bool]) -> None:
    """Set how the running event loop recognises idle connections.

    Args:
        is_idle: called with the file descriptor of a socket.
    """
    loop = asyncio.get_running_loop()
    if sys.platform == "linux" and isinstance(loop, _FairEventLoop):
        loop.selector.is_idle = is_idle
