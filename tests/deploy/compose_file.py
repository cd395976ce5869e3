"""What the compose file for pipelines declares."""

from __future__ import annotations

from typing import Any

import yaml

from tests.deploy.proxies import DEPLOY

__all__ = ["COMPOSE", "DIRECTORY", "PARTITIONS", "SERVICES"]

DIRECTORY = DEPLOY / "pipelines"
COMPOSE = DIRECTORY / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
PARTITIONS = int(SERVICES["kafka"]["environment"]["KAFKA_NUM_PARTITIONS"])
