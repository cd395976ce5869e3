"""Brokers for tests of sinks."""

from __future__ import annotations

from tests.sources.conftest import mosquitto, nats_server, redis_server

__all__ = ["mosquitto", "nats_server", "redis_server"]
