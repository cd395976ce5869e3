"""Load certificates and the token again, on SIGHUP, while streams go on."""

from __future__ import annotations

import logging

from server.config import ServerConfig, read_token
from server.http.acceptor import Acceptor
from server.http.access import AccessPolicy
from server.process.listen import tls_context

__all__ = ["load_again"]

_LOGGER = logging.getLogger("forstcore")


def load_again(config: ServerConfig, policy: AccessPolicy, acceptor: Acceptor) -> None:
    """Use what is in the files now, for new connections and requests; or all that was before.

    Args:
        config: names the files.
        gate: gets the token.
        acceptor: gets the certificates.
    """
    try:
        token, tls = read_token(config), tls_context(config)
    except (OSError, ValueError) as error:
        name = getattr(error, "filename", None)
        what = f"cannot read {name}: {error}" if name else str(error)
        _LOGGER.error("certificates and token stay as they were: %s", what)
        return
    policy.use_token(token)
    acceptor.tls = tls
    _LOGGER.info("certificates and token were loaded again")
