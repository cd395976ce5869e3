"""Brokers for tests of sinks."""

from __future__ import annotations

from tests.sources.conftest import kafka, mosquitto, nats_server, redis_server

__all__ = ["kafka", "mosquitto", "nats_server", "redis_server"]
