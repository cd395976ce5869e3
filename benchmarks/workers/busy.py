"""The function: hash the data of a record again and again."""

import hashlib
import os

import forstcore

ROUNDS = int(os.environ.get("ROUNDS", "40"))


@forstcore.processor("busy", compiled=False)
def busy(record: dict) -> dict:  # type: ignore[type-arg]
    data = digest = record["data"].encode()
    for _ in range(ROUNDS):
        digest = hashlib.sha256(digest + data).digest()
    return {"id": record["id"], "digest": digest.hex()}
