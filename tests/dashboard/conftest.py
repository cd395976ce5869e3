"""A browser, monitored pages, and servers with some activity."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.server.raw import RawStream
from tests.servers import Server, StartServer, launch

# Pages are slow where other tests use all cores.
expect.set_options(timeout=30_000)

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_RECORDS = b"".join(b'{"id":"%d","data":"some reading"}\n' % number for number in range(200))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("needs chromium")
    # The sandbox does not work for root and in many containers.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 or os.environ.get("CI") else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Start servers; all are ended after the test."""
    servers: list[Server] = []

    def start(*options: str, env: dict[str, str] | None = None) -> Server:
        servers.append(launch("--no-access-log", *options, env=env))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@dataclass
class Watched:
    """A page, with its errors and requests.

    Attributes:
        page: the page.
        complaints: its console output and uncaught errors.
        requests: the URLs that it requested.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


OpenPage = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open the dashboard of a server; arguments are those of a browser context."""
    contexts = []

    def open_it(server: Server, **options: object) -> Watched:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        watched = Watched(context.new_page())

        def complain(message: ConsoleMessage) -> None:
            watched.complaints.append(f"{message.type}: {message.text}")

        def ask(request: Request) -> None:
            watched.requests.append(request.url)

        watched.page.on("console", complain)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on("request", ask)
        watched.page.goto(server.url)
        return watched

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture
def load() -> Iterator[Callable[[Server], None]]:
    """Keep a stream of records running through a server; one in 201 is invalid."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def send(server: Server) -> None:
        with RawStream((server.host, server.port), timeout=60) as stream:

            def read() -> None:
                with contextlib.suppress(OSError):
                    while stream.socket.recv(1 << 16):
                        pass

            reader = threading.Thread(target=read)
            reader.start()
            while not stop.wait(0.02):
                stream.send(_RECORDS + b'{"id":1}\n')
            # With keep-alive, the reader would not notice the end of the response.
            with contextlib.suppress(OSError):
                stream.end()
                stream.socket.shutdown(socket.SHUT_RDWR)
            reader.join()

    def start(server: Server) -> None:
        threads.append(threading.Thread(target=send, args=(server,)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()
