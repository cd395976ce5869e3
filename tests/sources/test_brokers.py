"""Common behaviour of all brokers: one that never responds, and missing client libraries."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forstcore.errors import SourceError
from forstcore.sources import Notice, open_source
from tests import children
from tests.servers import ROOT, StartServer
from tests.sources.live import Subscription

URLS = [
    "redis://127.0.0.1:{}/0",
    "redis://127.0.0.1:{}/0?group=a",
    "mqtt://127.0.0.1:{}/topic",
    "nats://127.0.0.1:{}?stream=a",
    "nats://127.0.0.1:{}?stream=a&durable=b",
    "kafka://127.0.0.1:{}?topic=a",
    "kafka://127.0.0.1:{}?topic=a&group=b",
]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a broker that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("url", URLS)
def test_a_broker_that_never_answers_costs_nothing(
    silent: int, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("needs /proc")
    constants = dict.fromkeys(("_redis_client", "mqtt", "_nats_connection"), "_TIMEOUT")
    for name, constant in {**constants, "_kafka_poller": "TIMEOUT"}.items():
        module = importlib.import_module(f"forstcore.sources.{name}")
        monkeypatch.setattr(module, constant, 0.1)

    def count() -> int:
        return len(list(fds.iterdir()))

    async def scenario() -> None:
        source = open_source("a", url.format(silent))
        before = count()
        reader = source.open("now")
        async with asyncio.timeout(60):
            notice = await reader.read()
        assert isinstance(notice, Notice)
        assert notice.state == "down"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.5):
                await reader.read()
        await reader.close()
        await source.close()
        await asyncio.sleep(0.1)
        assert count() <= before + 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@pytest.mark.one_in(2)
@pytest.mark.parametrize("url", URLS)
def test_a_server_ends_well_although_its_broker_never_answers(
    silent: int, url: str, start_one: StartServer
) -> None:
    server = start_one("--source", f"a={url.format(silent)}")
    with Subscription(server, "a") as live:
        assert live.read_head() == 200
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=8)
    assert server.process.returncode == 0
    assert "Traceback" not in errors
    assert "never retrieved" not in errors


@pytest.mark.parametrize(
    ("scheme", "library"), [("redis", "redis"), ("nats", "nats"), ("kafka", "confluent_kafka")]
)
def test_a_library_that_is_missing_is_named(scheme: str, library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None; from server.cli import main; "
        f"sys.exit(main(['--port', '0', '--source', 'a={scheme}://u:secret@host/topic']))"
    )
    done = children.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    assert f"source 'a' needs {library}: pip install 'forstcore[{scheme}]'" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_only_what_is_read_is_imported() -> None:
    code = (
        "import sys; from forstcore.sources import open_source; open_source('a', 'memory:'); "
        "sys.exit(bool({'redis', 'nats', 'aiohttp', 'confluent_kafka'} & set(sys.modules)))"
    )
    assert children.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_url_that_redis_cannot_have() -> None:
    with pytest.raises(SourceError, match="has a URL that cannot be read"):
        open_source("a", "redis://[/0")
