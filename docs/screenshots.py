"""Take the screenshots of the dashboard for the README: `python docs/screenshots.py`.

Starts a server with several kinds of streams, and captures its dashboard in headless Chromium
with the light and the dark color scheme.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
SECONDS = 45.0  # How long the server runs before the screenshots are taken.
SCALE = 1.25
GOOD = b'{"id":"%d","data":"temperature 21.5, humidity 40 %%, battery good, nothing to report"}\n'
BAD = b'{"id":%d,"data":"an id is a string"}\n'


def main() -> int:
    """Take the screenshots."""
    sys.path.insert(0, str(ROOT))
    from tests.servers import launch

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        print("the screenshots need chromium", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    server = launch("--no-access-log")
    try:
        with streams((server.host, server.port)), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            first = browser.new_page()
            # While a viewer is connected, the server records a data point each second.
            first.goto(server.url)
            time.sleep(SECONDS)
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    color_scheme=scheme,
                    viewport={"width": 1100, "height": 940},
                    device_scale_factor=SCALE,
                )
                page.goto(server.url)
                take(page, scheme)
            browser.close()
    finally:
        server.stop()
    return 0


def take(page: Page, scheme: str) -> None:
    """Take the screenshots of the charts and of the form for trying out the server."""
    page.click("#send")
    page.wait_for_selector("#results li.error")
    # The first update does not have the rates of streams yet.
    page.wait_for_timeout(2500)
    page.locator("#try").screenshot(path=IMAGES / f"try-{scheme}.png")
    page.evaluate("() => scrollTo(0, 0)")
    page.screenshot(path=IMAGES / f"dashboard-{scheme}.png")
    for name in ("dashboard", "try"):
        print(IMAGES / f"{name}-{scheme}.png")


@contextlib.contextmanager
def streams(address: tuple[str, int]) -> Iterator[None]:
    """Run streams: a steady one, a varying one, one with invalid lines and one read slowly."""
    stop = threading.Event()
    started = time.monotonic()

    def waves(most: int) -> Callable[[], int]:
        return lambda: int(most * (1.2 + math.sin((time.monotonic() - started) / 4)) / 2)

    kinds: list[tuple[Callable[[], int], int, float]] = [
        (waves(4000), 0, 0),
        (lambda: 1200, 200, 0),
        (lambda: 1, 0, 0),
        (lambda: 1500, 0, 0.1),
    ]
    threads = [
        threading.Thread(target=_send, args=(address, stop, *kind), daemon=True) for kind in kinds
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)


def _send(
    address: tuple[str, int],
    stop: threading.Event,
    batch: Callable[[], int],
    bad_in: int,
    pause: float,
) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(
            b"POST /streaming-process HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        threading.Thread(target=_read, args=(connection, pause), daemon=True).start()
        numbers = itertools.count()
        with contextlib.suppress(OSError):
            while not stop.wait(0.05):
                few = itertools.islice(numbers, batch())
                lines = [(BAD if bad_in and n % bad_in == 7 else GOOD) % n for n in few]
                data = b"".join(lines)
                connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))


def _read(connection: socket.socket, pause: float) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            time.sleep(pause)


if __name__ == "__main__":
    raise SystemExit(main())
