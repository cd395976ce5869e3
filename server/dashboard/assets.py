"""The static files of the dashboard, read at start: requests never access the file system."""

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
    """A static file.

    Attributes:
        body: its content.
        content_type: its media type.
        etag: its entity tag, including the quotes.
    """

    body: bytes
    content_type: str
    etag: str


class Assets:
    """All static files of the dashboard.

    The files refer to each other by relative paths below a directory named by a digest of their
    content. Browsers may therefore cache them forever: a new version has a new path.

    Attributes:
        digest: the name of the directory.
        page: the HTML page, with the digest inserted.
        files: the other files, by name.

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
