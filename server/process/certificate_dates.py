"""A warning about a certificate that clients refuse because of its dates."""

from __future__ import annotations

import logging
import ssl

__all__ = ["warn_of_dates"]

_LOGGER = logging.getLogger("forstcore")
_NOT_YET_VALID, _HAS_EXPIRED = 9, 10  # Codes of OpenSSL, X509_V_ERR_….
_FLIGHTS = 3  # After these, the client has received the certificate.


def warn_of_dates(path: str | None, server: ssl.SSLContext | None) -> None:
    """Log a warning if a certificate has expired, or is not valid yet.

    It is no error, because the clock of a machine that starts may be wrong.

    Args:
        path: the certificate; None without TLS.
        server: the TLS context that uses it.
    """
    if path is None or server is None:
        return
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # Trust the certificate itself, so that its dates are what can be wrong.
    client.load_verify_locations(path)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_FLIGHTS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                if error.verify_code in (_NOT_YET_VALID, _HAS_EXPIRED):
                    _LOGGER.warning(
                        "tls_cert %s: clients refuse it: %s", path, error.verify_message
                    )
                return
            except ssl.SSLError:
                # The other end has refused something else, such as a missing certificate.
                return
