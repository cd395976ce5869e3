"""An HTTP server that receives POST requests, and responds as a test specifies."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["Answer", "HttpTarget", "Request"]


@dataclass(frozen=True)
class Request:
    """A received request.

    Attributes:
        path: the path with its query.
        headers: the headers.
        body: the body.
        at: monotonic time of the response.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def numbers(self) -> list[int]:
        """The results in it."""
        return [json.loads(line)["n"] for line in self.body.splitlines()]


@dataclass(frozen=True)
class Answer:
    """A response.

    Attributes:
        status: the status; 0 to drop the connection.
        headers: additional headers.
        closes: whether the connection is closed afterwards without announcing it.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False


class HttpTarget:
    """A server on 127.0.0.1.

    Args:
        answer: returns the response to a request.

    Attributes:
        requests: all requests, in order.
        port: its port.
    """

    def __init__(self, answer: Callable[[Request], Answer] = lambda _: Answer()) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self._answer = answer
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._connections: list[socket.socket] = []

    @property
    def taken(self) -> list[int]:
        """The results in requests that were answered with 2xx."""
        return [
            number
            for request in self.requests
            if 200 <= self._answer(request).status < 300
            for number in request.numbers
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before."""
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers.items()), body, time.monotonic())
                answer = target._answer(request)
                target.requests.append(request)
                if answer.status:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    text = b"no thanks" if answer.status >= 400 else b""
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                self.close_connection = answer.closes or not answer.status

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request: Any, client_address: Any) -> None:
                target._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Do not log dropped connections."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and drop all connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for each in self._connections:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._connections.clear()
            self._server = None
