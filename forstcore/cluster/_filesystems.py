"""Resolve paths, URLs and glob patterns; file operations that take paths literally."""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fsspec import filesystem, get_filesystem_class
from fsspec.core import has_magic, strip_protocol, url_to_fs
from fsspec.utils import stringify_path

__all__ = ["cat", "found_at", "is_local", "located", "move", "protocols", "remove"]


def located(url: str | os.PathLike[str], options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path there, taken literally.

    A path without ``://`` is local. ``::`` separates two URLs only if the first one names a
    file system that wraps another, such as ``zip`` or ``simplecache``.

    Raises:
        ValueError: the protocol is unknown.
    """
    text: str = stringify_path(url)
    if "://" not in text:
        if text.startswith("~") and not os.path.lexists(text):
            text = os.path.expanduser(text)  # noqa: PTH111 (leaves unknown users)
        # An absolute path, because fsspec expands ~ and strips `file:` from relative ones.
        path = strip_protocol(str(Path(text).absolute()))
        return filesystem("file", **_options_of("file", options)), path
    first = text.partition("::")[0]
    if first != text and "://" in first:
        protocol = first.partition("://")[0]
        kind = get_filesystem_class(protocol)
        if not _wraps(kind):
            kept = {**_named_in(kind, text), **_options_of(protocol, options)}
            return filesystem(protocol, **kept), strip_protocol(text)
    system, path = url_to_fs(text, **options)
    return system, path


def found_at(
    urlpath: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], options: Mapping[str, Any]
) -> tuple[Any, list[str]]:
    """Find files.

    Args:
        urlpath: path, URL or glob pattern, or several of these on one file system. If a file
            of that name exists, it is not a pattern.
        options: options of the file system.

    Returns:
        The file system, and paths on it.

    Raises:
        OSError: no file matches.
        ValueError: the files are on several file systems.
    """
    given = [urlpath] if isinstance(urlpath, str | os.PathLike) else list(urlpath)
    if not given:
        raise ValueError("no input is named")
    system: Any = None
    paths: list[str] = []
    for url in given:
        there, path = located(url, options)
        if system is not None and there != system:
            raise ValueError(f"{url} is on another file system than {given[0]}")
        if system is None:
            # fsspec shares file systems, and their cached listings, within a process.
            there.invalidate_cache()
        system = there
        if not has_magic(path) or _is_file(system, path):
            paths.append(path)
            continue
        matches = system.glob(path, detail=True)
        paths += [each for each in sorted(matches) if not _is_directory(system, matches[each])]
    if not paths:
        raise FileNotFoundError(errno.ENOENT, "matches no files", str(urlpath))
    return system, paths


def protocols(system: Any) -> set[str]:
    """Return the protocol names of a file system."""
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)


def is_local(system: Any) -> bool:
    """Return whether a file system is the local one."""
    return "file" in protocols(system)


# fsspec's own `cat`, `rm` and `mv` expand patterns in the paths that they are given.


def cat(system: Any, paths: Sequence[str]) -> dict[str, bytes]:
    """Read whole files."""
    if not paths:
        return {}
    if any(map(has_magic, paths)):
        return {path: system.cat_file(path) for path in paths}
    found: dict[str, bytes] = system.cat(list(paths))
    return found


def remove(system: Any, paths: Sequence[str]) -> None:
    """Remove files."""
    if any(map(has_magic, paths)):
        for path in paths:
            system.rm_file(path)
    elif paths:
        system.rm(list(paths))


def move(system: Any, old: str, new: str) -> None:
    """Rename a file, replacing an existing one."""
    if has_magic(old) or has_magic(new):
        system.cp_file(old, new)
        system.rm_file(old)
    else:
        system.mv(old, new)


def _options_of(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a file system; some may be nested under the name of its protocol."""
    own = options.get(protocol, {})
    return {**own, **{name: value for name, value in options.items() if name != protocol}}


def _named_in(kind: Any, url: str) -> dict[str, Any]:
    """Return the options of a file system that are part of its URL, such as a host.

    The public `url_to_fs` would treat a `::` in the path as a separator. If fsspec removes this
    private method, these options must be passed separately.
    """
    named: dict[str, Any] = getattr(kind, "_get_kwargs_from_urls", lambda _: {})(url)
    return named


def _wraps(kind: type) -> bool:
    return any(
        "target_protocol" in inspect.signature(vars(each)["__init__"]).parameters
        for each in kind.__mro__
        if each is not object and "__init__" in vars(each)
    )


def _is_directory(system: Any, info: Mapping[str, Any]) -> bool:
    is_link = info.get("islink", False)
    return bool(info["type"] == "directory" or (is_link and system.isdir(info["name"])))


def _is_file(system: Any, path: str) -> bool:
    try:
        return bool(system.info(path)["type"] != "directory")
    except OSError:
        return False
