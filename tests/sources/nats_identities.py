"""Keys and JWTs of users of NATS, signed as `nsc` does it."""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path
from typing import Any

import nkeys

__all__ = ["credentials", "new_key"]


def new_key(kind: int = nkeys.PREFIX_BYTE_USER) -> nkeys.KeyPair:
    """Return a new key of a user, or of another kind."""
    return nkeys.from_seed(nkeys.encode_seed(secrets.token_bytes(32), kind))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, nats: dict[str, Any]) -> str:
    """Return a JWT about a subject."""
    claims = {
        "jti": secrets.token_hex(8),
        "iat": int(time.time()),
        "iss": issuer.public_key.decode(),
        "sub": subject.public_key.decode(),
        "nats": {"version": 2, **nats},
    }
    parts = ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(issuer.sign(text.encode()))}"


def credentials(path: Path) -> str:
    """Write the credentials of a new user; return the configuration of a server that knows it."""
    operator = new_key(nkeys.PREFIX_BYTE_OPERATOR)
    system, account = new_key(nkeys.PREFIX_BYTE_ACCOUNT), new_key(nkeys.PREFIX_BYTE_ACCOUNT)
    user = new_key()
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    storage = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    limits = {"limits": {**unlimited, "wildcards": True}}
    of_system = _token(operator, system, {"type": "account", **limits})
    limits["limits"].update(storage)
    of_account = _token(operator, account, {"type": "account", **limits})
    of_user = _token(
        account, user, {"type": "user", **dict.fromkeys(("subs", "data", "payload"), -1)}
    )
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    of_operator = _token(operator, operator, {"type": "operator"})
    names = [each.public_key.decode() for each in (system, account)]
    return (
        f"operator: {of_operator}\nsystem_account: {names[0]}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {names[0]}: {of_system}, {names[1]}: {of_account} }}\n"
    )
