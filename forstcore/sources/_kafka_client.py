"""Helpers of Kafka sources and sinks: options of their clients, and errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException

from forstcore.sources._url import SourceUrl

__all__ = [
    "URL_FORM",
    "KafkaUnavailableError",
    "Local",
    "brokers_of",
    "client_options",
    "described",
    "invalid_options",
    "is_final",
]

URL_FORM = "kafka://host:9092?topic=NAME"

_NO_LOG = logging.Logger("librdkafka")
_NO_LOG.disabled = True

_REQUEST_TIMEOUT = 10.0  # Seconds for a broker to reply.

# Options that forstcore sets itself, or that would change how it works.
_RESERVED = {
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "group.id",
    "transactional.id",
    "dr_cb",
    "error_cb",
    "on_commit",
    "logger",
}

_FINAL = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_GROUP_ID,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.FENCED_INSTANCE_ID,
}


class Local:
    """The codes of librdkafka's own errors, whose names start with an underscore in C."""

    ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
    AUTHENTICATION = KafkaError._AUTHENTICATION
    PARTITION_EOF = KafkaError._PARTITION_EOF
    PURGED = KafkaError._PURGE_QUEUE
    TIMED_OUT = KafkaError._TIMED_OUT
    TRANSPORT = KafkaError._TRANSPORT
    UNKNOWN_PARTITION = KafkaError._UNKNOWN_PARTITION
    UNKNOWN_TOPIC = KafkaError._UNKNOWN_TOPIC
    UNSUPPORTED = KafkaError._UNSUPPORTED_FEATURE


class KafkaUnavailableError(Exception):
    """The brokers, or the topic, are not available now."""


def is_final(error: KafkaError) -> bool:
    """Return whether a retry would not help."""
    return error.fatal() or error.code() in _FINAL


def described(error: KafkaError, topic: str) -> str:
    """Return an error in words, with the topic where it is about that."""
    is_about_topic = error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, Local.UNKNOWN_TOPIC)
    return f"{error.str()}: {topic}" if is_about_topic else error.str()


def client_options(url: SourceUrl) -> dict[str, object]:
    """Take the options of a client of librdkafka from a URL, and from the file that it names.

    Raises:
        SourceError, SinkError: they are missing or invalid.
    """
    user, _, hosts = url.address.rpartition("@")
    if not hosts:
        raise url.error(url.name, "has a URL without a host")
    given: dict[str, str] = {}
    if user:
        given["sasl.username"] = url.username or ""
        given["sasl.password"] = url.password or ""
        given["security.protocol"] = "SASL_SSL"
        given["sasl.mechanism"] = "PLAIN"
    if path := url.take("config"):
        given.update(_read_properties(url, Path(path)))
    given.update(url.take_prefixed("kafka."))
    if reserved := sorted(_RESERVED & set(given)):
        raise url.error(url.name, f"has options that forstcore sets itself: {', '.join(reserved)}")
    return {
        "socket.timeout.ms": int(_REQUEST_TIMEOUT * 1000),
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        # Errors are reported by a callback; the library would write them to standard error, too.
        "log_level": 2,
        "logger": _NO_LOG,
        **given,
        "bootstrap.servers": hosts,
    }


def brokers_of(options: Mapping[str, object]) -> frozenset[str]:
    """Return the hosts that the options of a client name."""
    return frozenset(str(options["bootstrap.servers"]).split(","))


def _read_properties(url: SourceUrl, path: Path) -> dict[str, str]:
    """Read a file with a ``name=value`` on each line, as Kafka's own tools do."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise url.error(url.name, f"has a config that cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        if line.strip() and not line.lstrip().startswith("#"):
            if not equals:
                raise url.error(url.name, f"has a config without NAME=VALUE on line {number}")
            found[name.strip()] = value.strip()
    return found


def invalid_options(url: SourceUrl, error: KafkaException) -> Exception:
    """Return the error to raise for options that librdkafka rejects."""
    return url.error(url.name, f"has options that are not valid for Kafka: {error.args[0].str()}")
