"""Brokers with TLS, client certificates and passwords: successful logins, and error messages."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from forstcore.errors import SinkError, SourceError
from forstcore.sinks import SinkLimits, open_sink
from forstcore.sinks.publishing import open_sink_of_source
from forstcore.sources import Batch, Notice, open_source
from tests import children
from tests.certificates import Authority, make_authority
from tests.servers import StartServer
from tests.sinks.writing import outputs, run, until, write
from tests.sources.live import check_delivery
from tests.sources.secured import SECURED, Secured


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module", params=SECURED)
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured") / request.param
    secured = SECURED[request.param](directory, authority, is_expired=False)
    secured.prepare()
    yield secured
    secured.broker.stop()


def test_records_come_through_publishers_and_subscribers(
    broker: Secured, start_one: StartServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    server = start_one("--source", f"readings={broker.url()}", log=log)
    check_delivery(server, "readings")
    with urllib.request.urlopen(f"{server.url}/sources") as response:
        listed = response.read().decode()
    assert "localhost" in listed
    assert "s3cret" not in listed + log.read_text()


def test_records_come_through_a_sink(broker: Secured) -> None:
    assert write_and_read(broker.url()) == list(range(50))


def write_and_read(url: str) -> list[int]:
    """Write to the place that a source reads, and return the records read."""
    found: list[int] = []

    async def scenario() -> None:
        source = open_source("in", url)
        reader = source.open("now")
        assert isinstance(await reader.read(), Batch)
        sink = open_sink_of_source("in", url, SinkLimits())
        writer = await sink.open(None)
        await asyncio.gather(*await write(writer, *outputs(0, 50)))
        while len(found) < 50:
            item = await reader.read()
            assert isinstance(item, Batch)
            found.extend(json.loads(line)["n"] for line in item.lines.splitlines())
        await writer.close()
        await sink.close()
        await reader.close()
        await source.close()

    run(scenario)
    return found


def troubles(url: str) -> tuple[str, str]:
    """Return why a source cannot be read, and why it cannot be written where it reads."""
    found: list[str] = []

    async def scenario() -> None:
        source = open_source("in", url)
        reader = source.open("now")
        item = await reader.read()
        assert isinstance(item, Notice)
        sink = open_sink_of_source("in", url, SinkLimits())
        writer = await sink.open(None)
        await write(writer, *outputs(0, 1))
        await until(sink.trouble)
        trouble = sink.trouble()
        assert trouble is not None
        found.extend((item.detail, trouble.detail))
        await writer.close()
        await sink.close()
        await reader.close()
        await source.close()

    run(scenario)
    return found[0], found[1]


def check(url: str, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    """Check that errors about a URL name a reason, each in a line of the log, and no password."""
    caplog.set_level(logging.INFO, "forstcore")
    for detail in troubles(url):
        assert re.search(pattern, detail), detail
    messages = [each.getMessage() for each in caplog.records if each.name == "forstcore"]
    assert len(messages) == 2
    for message in messages:
        assert re.search(pattern, message)
        assert "\n" not in message
        assert "s3cret" not in message
        assert "wr0ng" not in message


def test_a_wrong_password(broker: Secured, caplog: pytest.LogCaptureFixture) -> None:
    reason = r"invalid username-password|[Nn]ot authorized|Authorization Violation"
    check(broker.url(password="wr0ng"), reason, caplog)


def test_an_unknown_authority(
    broker: Secured, stranger: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    check(
        broker.url(ca=stranger.ca),
        r"verify failed: (unable to get local issuer|self-signed) certificate",
        caplog,
    )


def test_another_host(broker: Secured, caplog: pytest.LogCaptureFixture) -> None:
    check(broker.url(host="127.0.0.1"), r"not valid for '127\.0\.0\.1'", caplog)


def test_no_certificate(broker: Secured, caplog: pytest.LogCaptureFixture) -> None:
    # In TLS 1.3, the client has finished the handshake when the server refuses it. If it has sent
    # data since, the system may drop the alert.
    reason = "(?i)certificate|reset|lost|broken pipe"
    check(broker.url(has_certificate=False), reason, caplog)


@pytest.mark.parametrize("scheme", SECURED)
def test_a_certificate_that_has_expired(
    scheme: str, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secured = SECURED[scheme](tmp_path / f"{scheme}-expired", authority, is_expired=True)
    try:
        check(secured.url(), "certificate has expired", caplog)
    finally:
        secured.broker.stop()


# redis-py does not read the file again.
@pytest.mark.parametrize("broker", ["mqtts", "natss"], indirect=True)
def test_it_goes_on_once_the_trusted_authorities_are_right(
    broker: Secured, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(Path(stranger.ca).read_bytes())
    right = Path(authority.ca).read_bytes()

    async def scenario() -> None:
        source = open_source("in", broker.url(ca=str(ca)))
        reader = source.open("now")
        states: list[str] = []
        while "up" not in states:
            item = await reader.read()
            assert isinstance(item, Notice)
            states.append(item.state)
            ca.write_bytes(right)
        assert states == ["down", "up"]
        await reader.close()
        await source.close()

    run(scenario)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("tls_ca={0}/none", "has tls_ca=.*/none, which cannot be read: No such file"),
        ("tls_ca={0}/bad", "has TLS files that cannot be used: "),
        ("tls_cert={0}/bad", "has TLS files that cannot be used: "),
        ("tls_key={0}/bad", "has a tls_key without a tls_cert"),
        ("tls_cert={0}/locked.pem&tls_key={0}/locked.key", "the key is encrypted"),
    ],
)
@pytest.mark.parametrize("scheme", ["rediss", "mqtts", "natss", "https"])
def test_files_that_cannot_be_used(
    authority: Authority, tmp_path: Path, scheme: str, options: str, reason: str
) -> None:
    (tmp_path / "bad").write_text("secret\n")
    if "locked" in options:
        cert, key = authority.issue("locked")
        (tmp_path / "locked.pem").write_bytes(Path(cert).read_bytes())
        command = ["openssl", "pkcs8", "-topk8", "-in", key, "-passout", "pass:x"]
        children.run([*command, "-out", str(tmp_path / "locked.key")], check=True)
    needed = {"rediss": "?stream=a", "mqtts": "/a?qos=1", "natss": "?subject=a", "https": "/in?a=b"}
    url = f"{scheme}://localhost{needed[scheme]}&{options.format(tmp_path)}"
    with pytest.raises(SinkError, match=reason):
        open_sink("out", url)


def test_options_of_tls_need_tls() -> None:
    with pytest.raises(SourceError, match="options that redis: does not know: tls_ca"):
        open_source("in", "redis://localhost/0?stream=a&tls_ca=x")
