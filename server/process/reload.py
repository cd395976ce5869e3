"""Reloading the configuration on SIGHUP, without interrupting streams."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence

from aiohttp import web

from forstcore.config import options_of
from forstcore.errors import LoadError
from server.config import ServerConfig
from server.errors import in_words
from server.http.acceptor import Acceptor
from server.http.access import ACCESS_POLICY
from server.live.feed_registry import FEEDS
from server.pipelines.registry import PIPELINES
from server.process.certificate_dates import warn_of_dates
from server.process.listen import check_exposure, tls_context
from server.process.reload_processors import report_compilation
from server.process.reload_reports import Message
from server.process.temporary_files import check_spool_directory
from server.streams.registry import REGISTRY

__all__ = ["RELOADABLE", "Reloader"]

RELOADABLE = frozenset(
    {
        "allow_host",
        "allow_origin",
        "buffer_size",
        "compression",
        "heartbeat",
        "max_chunk_rate",
        "max_connections",
        "max_line_size",
        "max_ratio",
        "max_spool_size",
        "max_stream_bytes",
        "max_stream_records",
        "max_streams",
        "processors",
        "spool_dir",
        "stall",
        "timeout",
        "tls_cert",
        "tls_client_ca",
        "tls_key",
        "token",
        "token_file",
        "worker_kind",
        "workers",
    }
)
"""Options that take effect for new streams; all others need a restart."""


class Reloader:
    """Read the configuration, certificates, the token and processors again.

    If any of them is invalid, all previous ones stay in effect.

    Args:
        app: the application.
        acceptor: receives the certificates.
        read: reads the configuration.
        before: called before each reload.
        after: called after each reload, with the number of requests when it began, and with
            messages for the log.
        is_first: whether this process is the one that logs about certificates and processors.

    Thread-safety: the event loop.
    """

    def __init__(
        self,
        app: web.Application,
        acceptor: Acceptor,
        read: Callable[[], ServerConfig],
        before: Callable[[], object],
        after: Callable[[int, Sequence[Message]], object],
        *,
        is_first: bool,
    ) -> None:
        self._app = app
        self._acceptor = acceptor
        self._read = read
        self._before = before
        self._after = after
        self._is_first = is_first
        self._requests = 0
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Reload now, or once more after a reload that is in progress."""
        self._requests += 1
        self._is_due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._is_due:
            self._is_due = False
            requests = self._requests
            messages: list[Message] = []
            self._before()
            try:
                messages = await self._reload()
            except (OSError, ValueError, LoadError) as error:
                text = f"the configuration is unchanged: {in_words(error)}"
                messages = [Message(logging.ERROR, text)]
            finally:
                self._after(requests, messages)

    async def _reload(self) -> list[Message]:
        registry = self._app[REGISTRY]
        old = registry.config
        read = self._read()
        check_exposure(read)
        differing = [
            declared.name
            for declared, _, _ in options_of(ServerConfig)
            if getattr(read, declared.name) != getattr(old, declared.name)
        ]
        fixed = {name for name in differing if name not in RELOADABLE}
        if bool(read.tls_cert) != bool(old.tls_cert):
            fixed |= {name for name in differing if name.startswith("tls_")}
        changed = {name: getattr(read, name) for name in differing if name not in fixed}
        new = dataclasses.replace(old, **changed, token_is_in_file=read.token_is_in_file)
        check_spool_directory(new)
        tls = tls_context(new)
        # Importing modules may take any time.
        await asyncio.to_thread(registry.loader.reload, new.processors)
        registry.use(new)
        self._app[FEEDS].config = new
        self._app[ACCESS_POLICY].use(new)
        self._acceptor.tls = tls
        if self._is_first:
            warn_of_dates(new.tls_cert, tls)
        report_compilation(registry, is_logged=self._is_first)
        self._app[PIPELINES].take_processors(registry.loader)
        named = ", ".join(sorted(changed.keys() - {"token"})) or "no option has changed"
        text = f"reloaded the configuration, certificates, token and processors: {named}"
        messages = [Message(logging.INFO, text)]
        if fixed:
            text = f"a change of these options needs a restart: {', '.join(sorted(fixed))}"
            messages.append(Message(logging.WARNING, text))
        return messages
