"""What a server says that cannot accept because descriptors or memory have run out.

asyncio tells it with a traceback for each connection that the queue might hold, every second: that
fills a disk which may be why it happened.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from typing import Any

__all__ = ["tell_exhaustion_once"]

_LOGGER = logging.getLogger("forstcore")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_AGAIN = 10.0  # Seconds after which it is told again.


def tell_exhaustion_once(loop: asyncio.AbstractEventLoop) -> None:
    """Have an event loop say in a line, and seldom, that it cannot accept; the rest as ever."""
    told = -_AGAIN

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _EXHAUSTED and "socket" in context):
            loop.default_exception_handler(context)
        elif loop.time() - told >= _AGAIN:
            told = loop.time()
            _LOGGER.error(
                "no connection can be accepted: %s; it is tried again every second",
                os.strerror(error.errno),
            )

    loop.set_exception_handler(handle)
