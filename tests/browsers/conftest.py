"""A browser with a page from another origin, which has loaded the npm package."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.conftest import browser
from tests.servers import Server, StartServer
from tests.typescript.conftest import package

__all__ = ["browser", "package"]

_PAGE = """<!doctype html><title>A page</title><link rel="icon" href="data:,">
<script type="module">
import * as forstcore from "/esm/index.js";
Object.assign(globalThis, forstcore);
globalThis.pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
document.title = "ready";
</script>
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def origin(package: Path) -> Iterator[str]:
    """The origin of the page."""
    root = package / "dist"
    (root / "index.html").write_text(_PAGE)
    handler = functools.partial(_Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """The page, which has not contacted a server yet."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(origin)
    page.wait_for_function("document.title === 'ready'")
    yield page
    context.close()


@pytest.fixture
def server(start_one: StartServer, origin: str) -> Server:
    """A server that allows the page."""
    return start_one("--allow-origin", origin)
