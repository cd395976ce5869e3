"""Ways to log in to NATS other than a password: a token, an nkey, and a credentials file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nats
import pytest

from forstcore.errors import SourceError
from forstcore.sources import open_source
from tests.sources.brokers import NatsServer
from tests.sources.nats_identities import credentials, new_key
from tests.sources.test_tls import troubles, write_and_read


def started(directory: Path, config: str, **login: Any) -> NatsServer:
    """Start a server with more configuration, and make a stream in it."""

    class Server(NatsServer):
        more = config

    broker = Server(directory)

    async def add_stream() -> None:
        async with await nats.connect(f"nats://127.0.0.1:{broker.port}", **login) as client:
            await client.jetstream().add_stream(name="READINGS", subjects=["readings"])

    asyncio.run(add_stream())
    return broker


def check(broker: NatsServer, option: str, wrong: str) -> None:
    """Write and read with an option, and not with another value."""
    url = f"nats://127.0.0.1:{broker.port}?stream=READINGS&subject=readings"
    try:
        assert write_and_read(f"{url}&{option}") == list(range(50))
        for detail in troubles(f"{url}&{wrong}"):
            assert "Authorization Violation" in detail
    finally:
        broker.stop()


def test_a_token(tmp_path: Path) -> None:
    broker = started(tmp_path, "authorization { token: s3cret }\n", token="s3cret")
    check(broker, "token=s3cret", "token=wr0ng")


def test_an_nkey(tmp_path: Path) -> None:
    key, other = new_key(), new_key()
    right, wrong = tmp_path / "right.nk", tmp_path / "wrong.nk"
    right.write_bytes(key.seed + b"\n")
    wrong.write_bytes(other.seed)
    config = f"authorization {{ users: [ {{ nkey: {key.public_key.decode()} }} ] }}\n"
    broker = started(tmp_path, config, nkeys_seed=str(right))
    check(broker, f"nkey={right}", f"nkey={wrong}")


def test_credentials(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.creds", tmp_path / "wrong.creds"
    credentials(wrong)
    broker = started(tmp_path, credentials(right), user_credentials=str(right))
    check(broker, f"creds={right}", f"creds={wrong}")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("nkey={0}/none", "No such file"),
        ("nkey={0}/bad", "has no seed"),
        ("creds={0}/bad", "has no JWT and seed"),
        ("creds={0}/bad&token=x", "more than one of"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, options: str, reason: str) -> None:
    (tmp_path / "bad").write_text("SUSECRET\n")
    with pytest.raises(SourceError, match=reason) as caught:
        open_source("in", f"nats://127.0.0.1?stream=a&{options.format(tmp_path)}")
    assert "SECRET" not in str(caught.value)
