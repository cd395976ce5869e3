"""How much log the same event makes, however often it comes."""

from __future__ import annotations

import json
import logging
import re
import socket
from pathlib import Path

from server.observe.log_limit import LogLimit
from tests.servers import Server, launch

BODY = b'{"fail":true}\n'
REQUEST = (
    b"POST /failing HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
    % (len(BODY), BODY)
)  # fmt: skip
PROCESSORS = """
from forstcore import processor


@processor("failing")
def failing(record: dict) -> dict:
    raise RuntimeError("no")
"""


def record(name: str, line: int, text: str = "x") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "file.py", line, text, (), None)


def test_each_place_has_its_own_bound() -> None:
    limit = LogLimit()
    assert sum(limit.filter(record("forstcore", 1)) for _ in range(1000)) == 50
    assert sum(limit.filter(record("forstcore", 2)) for _ in range(10)) == 10
    assert sum(limit.filter(record("asyncio", 1)) for _ in range(10)) == 10
    assert sum(limit.filter(record("forstcore.access", 1)) for _ in range(1000)) == 1000


def send_and_stop(server: Server, requests: bytes) -> None:
    """Send requests, read the answers, and end the server."""
    try:
        with socket.create_connection((server.host, server.port), timeout=60) as connection:
            connection.sendall(requests)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
        assert server.stop() == 0
    finally:
        server.kill()
        assert server.process.stdout is not None
        server.process.stdout.close()


def test_suppressed_entries_are_counted_and_reported(tmp_path: Path) -> None:
    """Each of many streams may log a failure of its processor with a traceback."""
    (tmp_path / "broken.py").write_text(PROCESSORS)
    log = tmp_path / "log"
    environment = {"PYTHONPATH": str(tmp_path)}
    server = launch("--processors", "broken", "--no-access-log", env=environment, log=log)
    send_and_stop(server, REQUEST * 300)
    text = log.read_text()
    logged = text.count("Traceback")
    (suppressed,) = re.findall(
        r"(\d+) log entries like this one were suppressed: (?=processor)", text
    )
    assert 50 <= logged < 100
    assert logged + int(suppressed) == 300


def test_the_access_log_is_not_bounded(tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = launch(log=log)
    request = REQUEST.replace(b"/failing", b"/streaming-process")
    send_and_stop(server, request * 200)
    # In its development mode, asyncio also reports, in plain text, what takes long.
    entries = [line for line in log.read_text().splitlines() if line.startswith("{")]
    assert [json.loads(line)["event"] for line in entries] == ["stream"] * 200
