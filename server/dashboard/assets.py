"""The files of the dashboard, read once: nothing that a request says becomes a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asset", "Assets"]

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file.

    Attributes:
        body: its bytes.
        content_type: its media type.
        etag: the validator of its bytes, quotes included.
    """

    body: bytes
    content_type: str
    etag: str


class Assets:
    """All files of the dashboard.

    They refer to each other by relative paths below a directory that is named after what they
    hold: a browser may keep them for ever, and a new version is at a new place.

    Attributes:
        digest: that name.
        page: the page itself, which knows it.
        files: the others, by name.

    Raises:
        OSError: a file cannot be read.
    """

    def __init__(self) -> None:
        read = {
            path.name: path.read_bytes()
            for path in sorted(_STATIC.iterdir())
            if path.suffix in _TYPES
        }
        self.digest = _digest(b"\0".join(read.values()))
        page = read.pop("index.html").replace(b"{{digest}}", self.digest.encode())
        self.page = _asset("index.html", page)
        self.files = {name: _asset(name, body) for name, body in read.items()}


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, _TYPES[Path(name).suffix], f'"{_digest(body)}"')


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
