"""Measure the CPU time of streams by transport, and their memory and descriptors while open.

Prints JSON as input for `python -m benchmarks.scale`. Each figure is the median of several runs,
each with a fresh server. Client and server share the machine. If it has few cores, latencies are
dominated by its scheduler; compare CPU times instead.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import os
import platform
import selectors
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import records
from benchmarks.building import BUILD
from benchmarks.network import unpaced_network
from benchmarks.programs import ENDPOINT, FORST, Running, Server, build, running
from benchmarks.usage import usage
from forstcore import process_block
from tests.certificates import make_certificates, tls_options
from tests.deploy.proxies import start_haproxy, start_nginx
from tests.servers import Server as Started
from tests.servers import launch

_COMMAND: Final = (sys.executable, "-m", "server", "--no-access-log", "--max-streams", "100000")
_LISTENING: Final = ("--port", "{port}")
_PIECE: Final = 1 << 16  # Bytes in an HTTP chunk.
_BODY: Final = 4 << 20
_IDLE: Final = 1000
_STOPPED: Final = 100
_REST_SECONDS: Final = 5.0  # after which an idle stream has released its buffers
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def framed(body: bytes) -> bytes:
    """Encode a body as HTTP chunks."""
    pieces = (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def connect(port: int, *headers: str, context: ssl.SSLContext | None = None) -> socket.socket:
    """Start a streaming request."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        connection = context.wrap_socket(connection)
    head = (
        f"POST {ENDPOINT} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", *headers,
    )  # fmt: skip
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def pour(connection: socket.socket, framed_body: bytes, times: int) -> None:
    """Send a framed body repeatedly, and read the whole response.

    Raises:
        RuntimeError: the request was refused, or the response was truncated.
    """
    connection.setblocking(False)
    busy = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
    pieces = itertools.chain(itertools.repeat(framed_body, times), [b"0\r\n\r\n"])
    unsent = memoryview(next(pieces))
    buffer = bytearray(1 << 20)
    first, last, size = b"", b"", -1
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while size:
            selector.select(30)
            with contextlib.suppress(*busy):
                while unsent:
                    unsent = unsent[connection.send(unsent[: 1 << 18]) :]
                    if not unsent:
                        unsent = memoryview(next(pieces, b""))
            if not unsent:
                selector.modify(connection, selectors.EVENT_READ)
            with contextlib.suppress(*busy):
                while size := connection.recv_into(buffer):
                    first = first or bytes(buffer[: min(size, 12)])
                    last = (last + buffer[max(0, size - 5) : size])[-5:]
    connection.close()
    if (first, last) != (b"HTTP/1.1 200", b"0\r\n\r\n"):
        raise RuntimeError(f"the response was no whole one: {first!r} … {last!r}")


class Ways:
    """The transports of a stream, and the CPU time of the server for each."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        self.body = records.make("110", _BODY)
        self._times = max(1, (megabytes << 20) // len(self.body))
        self._tls = tls_options(make_certificates(directory))
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.results = process_block(self.body)
        self.gzip = gzip.compress(self.body, 1)
        try:
            from compression import zstd  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            from backports import zstd
        self.zstd = zstd.compress(self.body, 1)
        coded = {"gzip": self.gzip, "zstd": self.zstd, "results": self.results}
        coded["gzip results"] = gzip.compress(self.results, 1)
        coded["zstd results"] = zstd.compress(self.results, 1)
        self.sizes = {name: len(data) / len(self.body) for name, data in coded.items()}

    def cost(self, way: str) -> float:
        """Return the server's CPU seconds for receiving a GB of NDJSON and sending its results."""
        options = self._tls if way == "TLS" else []
        coding, _, side = way.partition(" ")
        body = framed(getattr(self, coding) if side == "in" else self.body)
        headers = ["Connection: close"]
        if side == "in":
            headers.append(f"Content-Encoding: {coding}")
        if side == "out":
            headers.append(f"Accept-Encoding: {coding}")
        context = self._context if way == "TLS" else None
        times = max(1, self._times // 4) if side else self._times
        with running(Server(FORST, (*_COMMAND, *_LISTENING, *options))) as here:
            pour(connect(here.port, *headers, context=context), body, 2)
            before = computed(here.pid)
            pour(connect(here.port, *headers, context=context), body, times)
            used = computed(here.pid) - before
        return used / (times * len(self.body)) * 1e9

    def cost_of_proxy(self, start: Callable[..., Any], directory: Path) -> float:
        """Return a load balancer's CPU seconds for forwarding a GB of NDJSON and its results."""
        with two_servers() as servers:
            proxy = start(directory, servers)
            try:
                headers = ("Connection: close",)
                body = framed(self.body)
                pour(connect(proxy.port, *headers), body, 2)
                before = computed(proxy.process.pid)
                pour(connect(proxy.port, *headers), body, self._times)
                used = computed(proxy.process.pid) - before
            finally:
                proxy.stop()
        return used / (self._times * len(self.body)) * 1e9


@contextlib.contextmanager
def two_servers() -> Iterator[list[Started]]:
    """Run two servers, as the load balancer configurations in deploy/ expect them."""
    servers = [launch("--no-access-log") for _ in range(2)]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()
            server.process.communicate()


def open_many(here: Running, count: int, body: bytes) -> list[socket.socket]:
    """Open streams, send records on each, and read all of their results."""
    streams = []
    size = len(process_block(body))
    for _ in range(count):
        stream = connect(here.port)
        stream.sendall(b"%x\r\n%b\r\n" % (len(body), body))
        got = 0
        while got < size:
            got += len(stream.recv(1 << 20))
        streams.append(stream)
    return streams


def computed(pid: int) -> float:
    """Return the CPU seconds of a process and its children, from the scheduler if available."""
    path = Path(f"/proc/{pid}")
    if not (path / "schedstat").exists():
        return usage(pid).cpu_seconds
    children = (path / "task" / str(pid) / "children").read_text().split()
    nanoseconds = sum(int(each.read_text().split()[0]) for each in path.glob("task/*/schedstat"))
    return nanoseconds / 1e9 + sum(map(computed, map(int, children)))


def kernel_memory() -> int:
    """Return the size of the buffers of all TCP sockets in bytes; 0 if unknown."""
    path = Path("/proc/net/sockstat")
    if not path.exists():
        return 0
    (line,) = (each for each in path.read_text().splitlines() if each.startswith("TCP:"))
    return int(line.split()[-1]) * _PAGE


def of_open_streams(body: bytes) -> dict[str, float]:
    """Measure the resources of idle streams."""
    one = body[: body.index(b"\n") + 1]
    many = body[: body.rindex(b"\n", 0, 1 << 19) + 1]
    found: dict[str, float] = {}
    for name, sent in (("idle", one), ("idle after 512 KiB", many)):
        with running(Server(FORST, (*_COMMAND, *_LISTENING))) as here:
            warm = open_many(here, 10, sent)
            before = usage(here.pid).rss_bytes
            files = descriptors(here.pid)
            streams = open_many(here, _IDLE, sent)
            time.sleep(_REST_SECONDS)
            found[name] = (usage(here.pid).rss_bytes - before) / _IDLE
            found["descriptors"] = (descriptors(here.pid) - files) / _IDLE
            found["process"] = float(before)
            close(warm + streams)
    with running(Server(FORST, (*_COMMAND, *_LISTENING, "--stall", "3600"))) as here:
        before, kernel = usage(here.pid).rss_bytes, kernel_memory()
        streams = [connect(here.port) for _ in range(_STOPPED)]
        for stream in streams:
            stream.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                while True:
                    stream.sendall(b"%x\r\n%b\r\n" % (len(many), many))
        found["stopped"] = (usage(here.pid).rss_bytes - before) / _STOPPED
        found["stopped, in the kernel"] = (kernel_memory() - kernel) / _STOPPED
        close(streams)
    return found


def descriptors(pid: int) -> int:
    path = Path(f"/proc/{pid}/fd")
    return len(list(path.iterdir())) if path.exists() else 0


def close(streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.close()


def fastest(body: Path, megabytes: int) -> float:
    """Return the GB/s of a single stream on an idle server."""
    with running(Server(FORST, (*_COMMAND, *_LISTENING))) as here:
        here.client("throughput", body)
        report = here.client("throughput", body, "--total", str(megabytes << 20))
        return float(report["mb_per_s"]) / 1e3


def waits(body: Path, floods: int) -> float:
    """Return the 99th percentile of a record's round trip in µs, with other streams busy."""
    with running(Server(FORST, (*_COMMAND, *_LISTENING))) as here, contextlib.ExitStack() as stack:
        for _ in range(floods):
            flood = subprocess.Popen(
                [
                    *(str(BUILD / "loadclient"), "throughput", "--body", str(body)),
                    *("--total", str(1 << 40), "127.0.0.1", str(here.port), ENDPOINT),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(flood.wait)
            stack.callback(flood.kill)
        time.sleep(0.3)
        count = "5000" if not floods else "300"
        report = here.client("latency", body, "--count", count, "--warmup", "50")
        return float(report["p99_us"])


def main() -> int:
    """Run the measurements and print the medians as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.streams", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each figure")
    parser.add_argument("--megabytes", type=int, default=512, help="NDJSON of a run")
    options = parser.parse_args()
    network = unpaced_network(sys.argv[1:], "benchmarks.streams")
    build()
    seconds_per_gb: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ways = Ways(directory, options.megabytes)
        path = directory / "body.ndjson"
        path.write_bytes(ways.body)

        def median(measure: Callable[[], float]) -> float:
            return statistics.median(measure() for _ in range(options.runs))

        for way in ("plain", "TLS", "gzip in", "zstd in", "gzip out", "zstd out"):
            seconds_per_gb[way] = median(lambda way=way: ways.cost(way))  # type: ignore[misc]
        for start in (start_nginx, start_haproxy):
            with contextlib.suppress(FileNotFoundError):
                way = start.__name__.removeprefix("start_")
                seconds_per_gb[way] = median(
                    lambda start=start: ways.cost_of_proxy(start, directory)  # type: ignore[misc]
                )
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, {network}",
            "cpu_seconds_per_gb": seconds_per_gb,
            "gb_per_second_of_a_stream": median(lambda: fastest(path, options.megabytes)),
            "size_per_input": ways.sizes,
            "bytes_of_a_stream": of_open_streams(ways.body),
            "p99_us_beside_busy_streams": {
                str(floods): median(lambda floods=floods: waits(path, floods))  # type: ignore[misc]
                for floods in (0, 1, 10)
            },
        }
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
