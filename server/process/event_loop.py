"""The event loop of a server process, which serves new connections first.

asyncio handles all ready sockets in one turn, in the order in which they became ready. Ten
thousand clients that each send a byte now and then make such a turn long, and a new client waits
for a whole turn at each of its steps. Here idle connections share a bounded number of
places in each turn as soon as many are ready. Without epoll (macOS, Windows) nothing changes.

In the kernel, idle connections are watched by a second epoll, which the first one watches. So a
turn costs nothing for connections that are not served in it.
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
"""Most idle connections served in one turn."""

if sys.platform == "linux":

    class FairSelector(selectors.EpollSelector):
        """A selector that reports idle connections last, and few at a time.

        Attributes:
            is_idle: tells by its descriptor whether a connection is idle; others, such as the
                listening socket or a running stream, are reported at once.
        """

        def __init__(self) -> None:
            super().__init__()
            self.is_idle: Callable[[int], bool] = lambda _: False
            # The epoll of the base class, to change what it watches and keep the selector's keys.
            self._first = select.epoll.fromfd(os.dup(self.fileno()))
            self._last = select.epoll()
            self._first.register(self._last, select.EPOLLIN)
            # Descriptors that `_last` watches, and `_first` does not.
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
                    # As in the base class: it may have been closed before.
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
                    # There is no crowd any more.
                    self._restore(key)
            return ready

        def _defer(self, key: selectors.SelectorKey) -> bool:
            """Have `_last` watch a connection that is idle; tell whether it is."""
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
    """Run a server in an event loop of its own, and return what it returns."""
    loop_factory = _FairEventLoop if sys.platform == "linux" else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


def set_idle_check(is_idle: Callable[[int], bool]) -> None:
    """Tell the running event loop which connections are idle.

    Args:
        is_idle: called with the descriptor of a socket.
    """
    loop = asyncio.get_running_loop()
    if sys.platform == "linux" and isinstance(loop, _FairEventLoop):
        loop.selector.is_idle = is_idle
