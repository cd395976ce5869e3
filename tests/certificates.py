"""Certificates that are valid for the duration of a test."""

from __future__ import annotations

import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import children

__all__ = ["Certificates", "make_certificates", "tls_options"]


@dataclass
class Certificates:
    """Files of a throwaway authority, a server and a client."""

    directory: Path

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def client(self, name: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.path("server.pem"))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context


def make_certificates(directory: Path) -> Certificates:
    """Make those of a server and of two clients."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    made = Certificates(directory)

    def issue(name: str, *more: str) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"]
        command += ["-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.pem"), *more]
        children.run(command, check=True)

    issue("server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    issue("friend")
    issue("stranger")
    return made


def tls_options(certificates: Certificates) -> list[str]:
    """Return the options of a server with its certificate."""
    files = (certificates.path("server.pem"), certificates.path("server.key"))
    return ["--tls-cert", files[0], "--tls-key", files[1]]
