"""Kafka with TLS, passwords and client certificates: successful logins, and error messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from forstcore.sinks import SinkLimits
from forstcore.sinks.publishing import open_sink_of_source
from forstcore.sources import open_source
from tests.certificates import Authority, make_authority
from tests.servers import StartServer
from tests.sinks.writing import outputs, run, write
from tests.sources.kafka_reading import next_batch
from tests.sources.kafka_secured import SecuredKafka
from tests.sources.live import check_delivery
from tests.sources.test_tls import troubles


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    authority = make_authority(tmp_path_factory.mktemp("authority"))
    broker = SecuredKafka(tmp_path_factory.mktemp("kafka"), authority)
    broker.create("readings")
    yield broker
    broker.stop()


def write_and_read(url: str) -> None:
    async def scenario() -> None:
        source = open_source("in", url)
        reader = source.open("now")
        await next_batch(reader)
        sink = open_sink_of_source("in", url, SinkLimits())
        writer = await sink.open(None)
        await asyncio.gather(*await write(writer, *outputs(0, 50)))
        count = 0
        while count < 50:
            count += (await next_batch(reader)).lines.count(b"\n")
        await writer.close()
        await sink.close()
        await reader.close()
        await source.close()

    run(scenario)


def test_a_password_that_is_sent_by_scram(kafka: SecuredKafka) -> None:
    write_and_read(kafka.secured_url("readings") + "&kafka.sasl.mechanism=SCRAM-SHA-256")


def test_a_certificate(kafka: SecuredKafka) -> None:
    cert, key = map(quote, kafka.client)
    write_and_read(
        f"kafka://localhost:{kafka.certificates}?topic=readings&kafka.security.protocol=SSL"
        f"&kafka.ssl.ca.location={quote(kafka.authority.ca)}"
        f"&kafka.ssl.certificate.location={cert}&kafka.ssl.key.location={key}"
    )


def test_a_password_as_it_is(kafka: SecuredKafka, start_one: StartServer) -> None:
    server = start_one("--source", f"readings={kafka.secured_url('readings')}")
    check_delivery(server, "readings")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("password", "Authentication failed"),
        ("authority", "certificate verify failed"),
        ("host", "certificate verify failed"),
        ("expired", "certificate verify failed"),
        ("certificate", "bad certificate"),
    ],
)
def test_what_is_wrong(
    kafka: SecuredKafka,
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
    reason: str,
) -> None:
    caplog.set_level(logging.INFO, "forstcore")
    url = kafka.secured_url("readings")
    if trouble == "password":
        url = kafka.secured_url("readings", password="wr0ng")
    elif trouble == "authority":
        stranger: Authority = make_authority(tmp_path_factory.mktemp("stranger"))
        url = url.replace(quote(kafka.authority.ca), quote(stranger.ca))
    elif trouble == "host":
        url = kafka.secured_url("readings", host="127.0.0.1")
    elif trouble == "expired":
        url = kafka.secured_url("readings", port=kafka.expired)
    else:
        url = f"kafka://localhost:{kafka.certificates}?topic=readings&kafka.security.protocol=SSL"
        url += f"&kafka.ssl.ca.location={quote(kafka.authority.ca)}"
    for detail in troubles(url):
        assert reason in detail
    messages = [each.getMessage() for each in caplog.records if each.name == "forstcore"]
    assert len(messages) == 2
    assert not any(each in message for each in ("s3cret", "wr0ng") for message in messages)
