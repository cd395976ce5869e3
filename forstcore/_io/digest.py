"""The digest of result lines, with which a client or a later run detects damage.

It is XXH3 with 64 bits, which does not protect against forgery.
"""

from __future__ import annotations

from xxhash import xxh3_64

__all__ = ["DIGEST_PATTERN", "digest_text", "new_digest"]

DIGEST_PATTERN = "^xxh3:[0-9a-f]{16}$"
"""Regular expression of a digest as text."""


def new_digest() -> xxh3_64:
    """Return the digest of no lines; its `update` adds bytes."""
    return xxh3_64()


def digest_text(digest: xxh3_64) -> str:
    """Return a digest as text: the name of the algorithm, a colon, and hexadecimal digits."""
    return f"xxh3:{digest.hexdigest()}"
