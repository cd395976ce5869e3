"""Reloading certificates and the token on SIGHUP, without interrupting streams."""

from __future__ import annotations

import logging

from server.config import ServerConfig, read_token
from server.http.acceptor import Acceptor
from server.http.access import AccessPolicy
from server.process.listen import tls_context

__all__ = ["reload_credentials"]

_LOGGER = logging.getLogger("forstcore")


def reload_credentials(config: ServerConfig, policy: AccessPolicy, acceptor: Acceptor) -> None:
    """Read the files again, for new connections and requests. On an error, change nothing.

    Args:
        config: the paths of the files.
        policy: receives the token.
        acceptor: receives the certificates.
    """
    try:
        token, tls = read_token(config), tls_context(config)
    except (OSError, ValueError) as error:
        name = getattr(error, "filename", None)
        reason = f"cannot read {name}: {error}" if name else str(error)
        _LOGGER.error("certificates and token are unchanged: %s", reason)
        return
    policy.use_token(token)
    acceptor.tls = tls
    _LOGGER.info("reloaded certificates and token")
