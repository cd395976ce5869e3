"""The URL of a source or sink. Errors about it never show its password."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from forstcore._io.passwords import without_password
from forstcore.errors import SinkError, SourceError

__all__ = ["SourceUrl", "place_of"]

_PLACE_OPTIONS = ("stream", "subject", "topic")  # Those that identify the records.

_EXTRAS = {"confluent_kafka": "kafka"}  # The extras of packages, where the name differs.
_CLUSTERS = ("kafka",)  # Schemes whose URL may name several hosts.


class SourceUrl:
    """The URL of one source.

    Args:
        name: name of the source, for errors.
        url: the URL.

    Attributes:
        name: as above.
        scheme: the part before the first colon.
        address: user, password, host and port as in the URL.
        host: host name or address, ``localhost`` if there is none.
        port: the port, None if there is none, or several hosts.
        username, password: decoded, None if there are none.
        path: decoded; ``#``, which MQTT uses, is part of it.
        raw_path: as in the URL, with any ``#`` encoded.

    Raises:
        SourceError: the URL is malformed.
    """

    error: type[SourceError] | type[SinkError] = SourceError
    """The exception class for errors in the URL."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        try:
            parts = urlsplit(url.replace("#", "%23"))
            is_one = "," not in parts.netloc.rpartition("@")[2]
            self.port = parts.port if is_one else None
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise self.error(name, "has a URL that cannot be read") from None
        if not is_one and parts.scheme not in _CLUSTERS:
            raise self.error(name, f"names several hosts, but {parts.scheme}: takes one")
        self.scheme = parts.scheme
        self.address = parts.netloc
        self.host = parts.hostname or "localhost"
        self.username = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None
        self.raw_path = parts.path
        self.path = unquote(parts.path)
        self._options = dict(pairs)
        if len(self._options) < len(pairs):
            raise self.error(name, "has a URL with an option that is given twice")

    def take(self, option: str, default: str = "") -> str:
        """Return the value of an option, and mark it as used."""
        return self._options.pop(option, default)

    def take_prefixed(self, prefix: str) -> dict[str, str]:
        """Return all options whose names have a prefix, without it, and mark them as used."""
        names = [name for name in self._options if name.startswith(prefix)]
        return {name.removeprefix(prefix): self._options.pop(name) for name in names}

    def take_seconds(self, option: str, default: float) -> float:
        """Return the value of an option in seconds.

        Raises:
            SourceError: it is not a number above 0.
        """
        text = self.take(option, str(default))
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise self.error(self.name, f"has {option}={text}, which must be seconds above 0")
        return seconds

    def check_no_path(self, form: str) -> None:
        """Raise SourceError if there is a path, where other brokers have what is read or written.

        Args:
            form: an example of a URL without one.
        """
        if self.path not in ("", "/"):
            raise self.error(
                self.name, f"has the path {self.path}, which {self.scheme}: does not use: {form}"
            )

    def class_of_scheme(
        self, package: str, modules: Mapping[str, tuple[str, str, str]], verb: str
    ) -> Any:
        """Import the module of the scheme, and return its class.

        Args:
            package: the package of the modules.
            modules: for each scheme the module, its class, and the package that it needs.
            verb: what cannot be done without the module, in the past participle.

        Raises:
            SourceError: there is no such scheme, or the package is not installed in a supported
                release.
        """
        if self.scheme not in modules:
            known = ", ".join(f"{scheme}:" for scheme in modules)
            raise self.error(self.name, f"has a URL that starts with none of {known}")
        module, kind, needed = modules[self.scheme]
        try:
            return getattr(importlib.import_module(f"{package}.{module}"), kind)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] != needed:
                raise
            extra = _EXTRAS.get(needed, needed)
            raise self.error(
                self.name, f"needs {needed}: pip install 'forstcore[{extra}]'"
            ) from None
        except ImportError as error:
            raise self.error(self.name, f"cannot be {verb}: {error}") from error

    def check_all_used(self) -> None:
        """Raise SourceError if there are unused options."""
        if self._options:
            unknown = ", ".join(self._options)
            raise self.error(self.name, f"has options that {self.scheme}: does not know: {unknown}")


def place_of(url: str) -> str:
    """Return the URL without passwords and options that do not identify the records."""
    place, mark, query = without_password(url).partition("?")
    kept = [each for each in query.split("&") if each.partition("=")[0] in _PLACE_OPTIONS]
    return place + mark * bool(kept) + "&".join(kept)
