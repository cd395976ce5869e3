"""Logging in to a NATS server: with a password, a token, an nkey or a credentials file."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from nats.aio.client import RawCredentials
from nats.errors import Error

from forstcore.sources._url import SourceUrl

__all__ = ["NatsLogin"]

_CREDENTIALS = re.compile(
    r"-----BEGIN NATS USER JWT-----\n[\w.=-]+\n.*-----BEGIN USER NKEY SEED-----\n(SU\w+)\n",
    re.DOTALL,
)
_SEED = re.compile(r"S[A-Z2-7]{57}")


class NatsLogin:
    """The login data that a client sends to a server.

    Args:
        url: with user and password, or one of the options `token`; `nkey`, a file with the seed of
            a user; and `creds`, a file with a user's JWT and seed.

    Raises:
        SourceError, SinkError: it is incomplete, contradictory or cannot be read.
    """

    def __init__(self, url: SourceUrl) -> None:
        self._user, self._password = url.username, url.password
        self._token = url.take("token") or None
        self._nkey = url.take("nkey")
        self._creds = url.take("creds")
        if self._user and self._password is None:
            raise url.error(
                url.name, "has a user without a password; give a token as the option token="
            )
        given = [bool(each) for each in (self._user, self._token, self._nkey, self._creds)]
        if sum(given) > 1:
            raise url.error(url.name, "has more than one of a user, token=, nkey= and creds=")
        if (self._nkey or self._creds) and importlib.util.find_spec("nkeys") is None:
            raise url.error(url.name, "needs nkeys: pip install 'forstcore[nats]'")
        try:
            self.options()
        except (Error, OSError) as error:
            raise url.error(url.name, f"cannot log in: {error}") from None

    def options(self) -> dict[str, Any]:
        """Return the options of nats-py; files are read again.

        Raises:
            OSError: a file cannot be read.
            nats.errors.Error: a file is malformed.
        """
        if self._nkey:
            return {"nkeys_seed_str": _seed_in(self._nkey)}
        if self._creds:
            return {"user_credentials": _credentials_in(self._creds)}
        return {"user": self._user, "password": self._password, "token": self._token}


def _seed_in(name: str) -> str:
    seed = Path(name).read_text(errors="replace").strip()
    if not _SEED.fullmatch(seed):
        raise Error(f"nats: {name} has no seed of an nkey")
    return seed


def _credentials_in(name: str) -> RawCredentials:
    text = Path(name).read_text(errors="replace").replace("\r\n", "\n")
    found = _CREDENTIALS.search(text)
    # nats-py would search for the JWT forever.
    if found is None or not _SEED.fullmatch(found[1]):
        raise Error(f"nats: {name} has no JWT and seed of a user")
    return RawCredentials(text)
