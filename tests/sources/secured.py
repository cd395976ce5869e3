"""Brokers that require TLS, a client certificate and a password."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import quote

import nats

from tests import children
from tests.certificates import Authority
from tests.sources.brokers import Broker, Mosquitto, NatsServer, RedisServer

__all__ = ["PASSWORD", "SECURED", "USER", "Secured"]

USER = "forst"
PASSWORD = "s3cret/:@"
STREAM = "READINGS"


class Secured:
    """A broker, and the URLs of a source in it.

    Args:
        directory: the directory for its files.
        authority: the certificate authority that it trusts.
        is_expired: whether its certificate, which is for ``localhost`` only, has expired.

    Attributes:
        broker: the broker.
        scheme: the scheme of its URLs.
    """

    scheme = ""

    def __init__(self, directory: Path, authority: Authority, *, is_expired: bool) -> None:
        directory.mkdir()
        self.authority = authority
        self.cert, self.key = authority.issue(directory.name, "localhost", is_expired=is_expired)
        self.client = authority.issue(f"{directory.name}-client")
        self.broker = self.make(directory)

    def make(self, directory: Path) -> Broker:
        """Start the broker."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Create whatever is needed before records are written."""

    def path(self) -> str:
        """Return the part of the URL after the port, up to the options for TLS."""
        raise NotImplementedError

    def url(
        self,
        *,
        host: str = "localhost",
        user: str = USER,
        password: str = PASSWORD,
        ca: str | None = None,
        has_certificate: bool = True,
        more: str = "",
    ) -> str:
        """Return the URL of a source; ``more`` are additional options."""
        login = f"{user}:{quote(password, safe='')}@" if user else ""
        url = f"{self.scheme}://{login}{host}:{self.broker.port}{self.path()}"
        url += f"&tls_ca={quote(self.authority.ca if ca is None else ca)}"
        if has_certificate:
            url += f"&tls_cert={quote(self.client[0])}&tls_key={quote(self.client[1])}"
        return url + more


class _Redis(Secured):
    scheme = "rediss"

    def make(self, directory: Path) -> Broker:
        secured = self

        class Server(RedisServer):
            def arguments(self) -> list[str]:
                return [
                    *("--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1"),
                    *("--dir", str(self._directory), "--save", ""),
                    *("--tls-cert-file", secured.cert, "--tls-key-file", secured.key),
                    *("--tls-ca-cert-file", secured.authority.ca, "--tls-auth-clients", "yes"),
                    *("--user", "default", "off"),
                    *("--user", USER, "on", f">{PASSWORD}", "~*", "+@all"),
                ]

        return Server(directory)

    def path(self) -> str:
        return "/0?stream=readings"


class _Mqtt(Secured):
    scheme = "mqtts"

    def make(self, directory: Path) -> Broker:
        passwords = directory / "passwords"
        command = ["mosquitto_passwd", "-b", "-c", str(passwords), USER, PASSWORD]
        children.run(command, check=True)

        class Server(Mosquitto):
            more = (
                f"cafile {self.authority.ca}\ncertfile {self.cert}\nkeyfile {self.key}\n"
                "require_certificate true\nallow_anonymous false\n"
                f"password_file {passwords}\n"
            )

        return Server(directory)

    def path(self) -> str:
        return "/readings?qos=1"


class _Nats(Secured):
    scheme = "natss"

    def make(self, directory: Path) -> Broker:
        class Server(NatsServer):
            more = (
                f'tls {{ cert_file: "{self.cert}", key_file: "{self.key}", '
                f'ca_file: "{self.authority.ca}", verify: true }}\n'
                f'authorization {{ user: "{USER}", password: "{PASSWORD}" }}\n'
            )

        return Server(directory)

    def prepare(self) -> None:
        async def add_stream() -> None:
            context = ssl.create_default_context(cafile=self.authority.ca)
            context.load_cert_chain(*self.client)
            address = f"nats://localhost:{self.broker.port}"
            async with await nats.connect(
                address, tls=context, user=USER, password=PASSWORD
            ) as client:
                await client.jetstream().add_stream(name=STREAM, subjects=["readings"])

        asyncio.run(add_stream())

    def path(self) -> str:
        return f"?stream={STREAM}&subject=readings"


SECURED: dict[str, type[Secured]] = {each.scheme: each for each in (_Redis, _Mqtt, _Nats)}
"""The brokers, by the schemes of their URLs."""
