"""Pipelines that would read their own results, again and again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote_to_bytes

from forstcore.sinks._rotated_file import numbered
from forstcore.sources import SourceUrl

__all__ = ["feeds"]

_WITH_TLS = ("rediss", "mqtts", "natss")


def feeds(name: str, sink: str, source: str) -> bool:
    """Return whether a source reads what a sink writes, as far as their URLs tell.

    Args:
        name: name of the pipeline, and of a stream whose URL does not name it.
        sink, source: the valid URLs.
    """
    read, written = SourceUrl(name, source), SourceUrl(name, sink)
    if (server := _server(read)) != _server(written):
        return False
    match server[0]:
        case "file":
            paths, path = _path(read), _path(written)
            if written.take("max_size") or written.take("max_age"):
                path = path.with_name(numbered(path.name, 1))
            return path == paths or _matches(paths.parts, path.parts, "**", _is_file)
        case "redis":
            stream = read.take("stream", name)
            return (read.path, stream) == (written.path, written.take("stream"))
        case "kafka":
            return read.take("topic", name) == written.take("topic", name)
        case "nats":
            wanted, subject = read.take("subject"), written.take("subject")
            if not wanted:
                return read.take("stream", name) == written.take("stream")
            return _matches(wanted.split("."), subject.split("."), ">", _is_token)
        case "mqtt":
            levels = read.path.removeprefix("/").split("/")
            if levels[0] == "$share":
                levels = levels[2:]
            topic = written.path.removeprefix("/")
            return _matches(levels, topic.split("/"), "#", _is_level)
    return False


def _server(url: SourceUrl) -> tuple[str, str]:
    scheme = url.scheme.removesuffix("s") if url.scheme in _WITH_TLS else url.scheme
    return scheme, url.address.rpartition("@")[2].lower()


def _path(url: SourceUrl) -> Path:
    path = Path(os.fsdecode(unquote_to_bytes(os.fsencode(url.raw_path))))
    return path.parent.resolve() / path.name


def _is_file(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (name[:1] != "." or pattern[:1] == ".")


def _is_token(name: str, pattern: str) -> bool:
    return pattern in ("*", name)


def _is_level(name: str, pattern: str) -> bool:
    return pattern in ("+", name)


def _matches(
    pattern: Sequence[str], name: Sequence[str], any_number: str, is_one: Callable[[str, str], bool]
) -> bool:
    """Return whether a name matches a pattern, part by part.

    Args:
        pattern, name: their parts.
        any_number: the pattern that any number of parts match.
        is_one: returns whether a single part matches.
    """
    if not pattern:
        return not name
    first, *rest = pattern
    if first == any_number:
        return any(
            _matches(rest, name[start:], any_number, is_one) for start in range(len(name) + 1)
        )
    return bool(name) and is_one(name[0], first) and _matches(rest, name[1:], any_number, is_one)
