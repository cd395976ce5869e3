"""The cluster of Kafka that a client reaches: hosts of two URLs can belong to one or to several."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from forstcore.sources._kafka_client import KafkaUnavailableError, Local, brokers_of

__all__ = ["Cluster", "find_cluster"]

_TIMEOUT = 5.0  # Seconds for a broker to reply.
_CANNOT_TELL = {KafkaError.UNSUPPORTED_VERSION, Local.UNSUPPORTED}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster.

    Attributes:
        identity: what its brokers call it; empty if they do not tell.
        hosts: those of the URL.
    """

    identity: str
    hosts: frozenset[str]

    def is_same(self, other: Cluster) -> bool:
        """Return whether two clusters are one: by the hosts only if brokers do not tell."""
        if self.identity and other.identity:
            return self.identity == other.identity
        return self.hosts == other.hosts


async def find_cluster(options: dict[str, object]) -> Cluster:
    """Ask the brokers which cluster they belong to.

    Args:
        options: those of a consumer or producer.

    Raises:
        KafkaUnavailableError: no broker answers.
    """
    # Making and freeing a client may block.
    return await asyncio.to_thread(_find, options)


def _find(options: dict[str, object]) -> Cluster:
    errors: list[str] = []

    def note(error: KafkaError) -> None:
        if error.code() != Local.ALL_BROKERS_DOWN:
            errors.append(error.str())

    client = AdminClient({**options, "error_cb": note})  # type: ignore[dict-item]
    try:
        # Unlike a request for the metadata of a topic, it never creates one.
        found = client.describe_cluster(request_timeout=_TIMEOUT).result(2 * _TIMEOUT)
    except KafkaException as error:
        if error.args[0].code() in _CANNOT_TELL:
            return Cluster("", brokers_of(options))
        client.poll(0)  # Calls `note`.
        raise KafkaUnavailableError(errors[-1] if errors else error.args[0].str()) from None
    except TimeoutError:
        raise KafkaUnavailableError(f"no answer for {2 * _TIMEOUT:.0f} seconds") from None
    return Cluster(found.cluster_id or "", brokers_of(options))
