"""Certificates that are valid for the duration of a test."""

from __future__ import annotations

import shutil
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import children

__all__ = [
    "Authority",
    "Certificates",
    "expired_yesterday",
    "make_authority",
    "make_certificates",
    "tls_options",
]

_NEW_KEY = ["-newkey", "ec", "-nodes", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


@dataclass
class Certificates:
    """Files of a temporary authority, a server and a client."""

    directory: Path

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def client(self, name: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.path("server.pem"))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context


def make_certificates(directory: Path) -> Certificates:
    """Create the files of a server and of two clients."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    made = Certificates(directory)

    def issue(name: str, *more: str) -> None:
        command = ["openssl", "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN={name}"]
        command += ["-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.pem"), *more]
        children.run(command, check=True)

    issue("server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    issue("friend")
    issue("stranger")
    return made


def expired_yesterday() -> list[str]:
    """Return the options with which `openssl x509` makes an expired certificate."""
    help_text = children.run(["openssl", "x509", "-help"]).stderr
    if b"-not_after" in help_text:
        # Versions that have it refuse negative days.
        yesterday = datetime.now(UTC) - timedelta(days=1)
        dates = [f"{yesterday - timedelta(days=days):%Y%m%d%H%M%SZ}" for days in (1, 0)]
        return ["-not_before", dates[0], "-not_after", dates[1]]
    return ["-days", "-1"]


def tls_options(certificates: Certificates) -> list[str]:
    """Return the options of a server with its certificate."""
    files = (certificates.path("server.pem"), certificates.path("server.key"))
    return ["--tls-cert", files[0], "--tls-key", files[1]]


@dataclass
class Authority:
    """A temporary authority, which nothing trusts by default.

    Attributes:
        directory: the directory of its files.
        ca: the file of its certificate.
    """

    directory: Path

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    def issue(self, name: str, *hosts: str, is_expired: bool = False) -> tuple[str, str]:
        """Issue a certificate for hosts; return its file, and that of its key.

        Args:
            name: the common name, and the name of the files.
            hosts: host names; none for a client.
            is_expired: whether it was valid only in the past.
        """
        cert, key, request = (
            str(self.directory / f"{name}.{end}") for end in ("pem", "key", "csr")
        )
        command = ["openssl", "req", *_NEW_KEY, "-subj", f"/CN={name}"]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        if hosts:
            names = ",".join(f"DNS:{host}" for host in hosts)
            command += ["-addext", f"subjectAltName={names}"]
        children.run([*command, "-keyout", key, "-out", request], check=True)
        command = ["openssl", "x509", "-req", "-in", request, "-copy_extensions", "copy"]
        command += ["-CA", self.ca, "-CAkey", str(self.directory / "ca.key"), "-CAcreateserial"]
        validity = expired_yesterday() if is_expired else ["-days", "2"]
        children.run([*command, *validity, "-out", cert], check=True)
        return cert, key


def make_authority(directory: Path) -> Authority:
    """Create an authority with a new key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    directory.mkdir(exist_ok=True)
    made = Authority(directory)
    command = ["openssl", "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", "/CN=authority"]
    children.run([*command, "-keyout", str(directory / "ca.key"), "-out", made.ca], check=True)
    return made
