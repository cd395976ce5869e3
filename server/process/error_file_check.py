"""Checking that the error file is not also an input or a log of the server."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from forstcore._io.destination import destination_of, same_file
from forstcore.errors import SourceError
from forstcore.sources._url import SourceUrl
from server.config import ServerConfig
from server.streams.error_file import ErrorFile

__all__ = ["check_error_file"]


def check_error_file(config: ServerConfig, config_file: str | None) -> None:
    """Check that the error file is writable, and not a file that the server reads or logs to.

    Files are compared by device and inode. The pattern of a source must not match the error file
    either, or each rejected line would be read and rejected again, forever.

    Args:
        config: the configuration.
        config_file: its TOML file, if any.

    Raises:
        ValueError: the server reads the file or logs to it, or cannot write it.
    """
    if not config.errors:
        return
    try:
        destination = destination_of(config.errors)
    except OSError as error:
        raise ValueError(f"errors: cannot write {error.filename}: {error.strerror}") from None
    if destination.status is not None:
        _compare(config, config_file, destination.descriptor is not None)
    ErrorFile(config).close()
    if destination.status is None:
        # Now that it exists, patterns may match it.
        try:
            _compare(config, config_file, is_shared=False)
        except ValueError:
            Path(destination.path).unlink()
            raise


def _compare(config: ServerConfig, config_file: str | None, is_shared: bool) -> None:
    assert config.errors is not None
    status = Path(config.errors).stat()
    for use, path in _read_files(config, config_file):
        try:
            is_same = same_file(status, Path(path).stat())
        except OSError:
            continue  # Reported when it is read.
        if is_same:
            raise ValueError(f"errors: {config.errors} is also read by the server: {use}")
    for descriptor, stream in ((1, "standard output"), (2, "standard error")):
        try:
            is_same = same_file(status, os.fstat(descriptor))
        except OSError:
            continue  # Closed.
        if is_same and not is_shared:
            raise ValueError(f"errors: {config.errors} is also {stream}")


def _read_files(config: ServerConfig, config_file: str | None) -> Iterator[tuple[str, str]]:
    named = {
        "config": config_file,
        "token_file": config.token_file,
        "tls_cert": config.tls_cert,
        "tls_key": config.tls_key,
        "tls_client_ca": config.tls_client_ca,
    }
    for option, path in named.items():
        if path:
            yield option, path
    for module in config.processors:
        yield f"processors {module}", module
    for name, url in config.sources.items():
        if url.startswith("file:"):
            with suppress(SourceError):  # Reported when the source is opened.
                pattern = SourceUrl(name, url).path
                for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 (any pattern)
                    yield f"source {name}", path
