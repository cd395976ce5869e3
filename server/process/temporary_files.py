"""Checking at startup that temporary files can be created."""

from __future__ import annotations

import logging
import tempfile

from server.config import ServerConfig

__all__ = ["check_spool_directory"]

_LOGGER = logging.getLogger("forstcore")


def check_spool_directory(config: ServerConfig) -> None:
    """Check that spool files can be created; log a warning if only the default is missing.

    Python determines the default directory once, by writing a file, which could fail later.

    Raises:
        ValueError: they cannot be created in `spool_dir`.
    """
    try:
        tempfile.TemporaryFile(dir=config.spool_dir).close()
    except OSError as error:
        if config.spool_dir is not None:
            raise ValueError(
                f"spool_dir: cannot create files in {config.spool_dir}: {error.strerror}"
            ) from None
        _LOGGER.warning(
            "no directory for temporary files is writable, so that clients which send everything "
            "before they read will fail: set spool_dir or TMPDIR"
        )
