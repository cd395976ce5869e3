"""TLS of connections to brokers and servers."""

from __future__ import annotations

import ssl
from pathlib import Path

from forstcore.sources._url import SourceUrl

__all__ = ["ClientTls"]


class ClientTls:
    """The TLS options of a client: trusted authorities, and its certificate.

    Args:
        url: the URL, whose options `tls_ca`, `tls_cert` and `tls_key` name files: the authorities
            to trust instead of the system's, and the client's certificate with its key.

    Attributes:
        ca, cert, key: the files, None for none.

    Raises:
        SourceError, SinkError: a file cannot be used.
    """

    def __init__(self, url: SourceUrl) -> None:
        self.ca = url.take("tls_ca") or None
        self.cert = url.take("tls_cert") or None
        self.key = url.take("tls_key") or None
        self._stamps: list[int] = []
        if self.key and not self.cert:
            raise url.error(url.name, "has a tls_key without a tls_cert")
        for option, name in (("tls_ca", self.ca), ("tls_cert", self.cert), ("tls_key", self.key)):
            try:
                if name is not None:
                    Path(name).read_bytes()
            except OSError as error:
                reason = f"{option}={name}, which cannot be read: {error.strerror}"
                raise url.error(url.name, f"has {reason}") from None
        try:
            self._context = self._load()
        except OSError as error:
            raise url.error(url.name, f"has TLS files that cannot be used: {error}") from None

    def context(self) -> ssl.SSLContext:
        """Return the context of a new connection. Files that have changed are read again.

        Raises:
            OSError: a file can no longer be used.
        """
        if self._current_stamps() != self._stamps:
            self._context = self._load()
        return self._context

    def _current_stamps(self) -> list[int]:
        names = (self.ca, self.cert, self.key)
        return [Path(name).stat().st_mtime_ns for name in names if name is not None]

    def _load(self) -> ssl.SSLContext:
        stamps = self._current_stamps()
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key, _no_password)
        self._stamps = stamps
        return context


def _no_password() -> str:
    """Refuse an encrypted key, instead of prompting for its password."""
    raise OSError("the key is encrypted: keys with a password are not supported")
