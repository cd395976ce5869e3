"""Checks of names and values in a configuration, which explain what is meant instead."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping

__all__ = ["check_environment", "check_hosts", "check_listening", "suggestion"]

_OTHERS = ("CONFIG", "SERVER", "SCAN_PATH")
"""Variables that are no options of the server: for the file, for commands, for the core."""

_OF_WORKERS = ("WORKER", "LISTENER_FDS", "LOADS_FD", "RELOADS_FD")
"""Variables that a supervisor sets for its workers, all of them."""

_BUILD = ("SANITIZE", "ANNOTATE", "BENCHMARK_NAMESPACE")
"""Variables of builds and benchmarks."""

# Kubernetes sets these for each Service, here for one called forstcore.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_(ADDR|PORT|PROTO))?")
_LINK_LOCAL = re.compile(r"fe[89ab][0-9a-f]:[0-9a-f:]*", re.IGNORECASE)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.IGNORECASE)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the one that may be meant, if any."""
    found = difflib.get_close_matches(name, list(known), 1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def check_environment(environ: Mapping[str, str], prefix: str, options: Collection[str]) -> None:
    """Check that there are no variables with the prefix that mean nothing.

    Args:
        environ: the environment.
        prefix: of the variables of the server.
        options: names of the options.

    Raises:
        ValueError: there is one; the message names it.
    """
    known = {name.upper() for name in options} | {*_OTHERS}
    if all(prefix + name in environ for name in _OF_WORKERS):
        known |= {*_OF_WORKERS}
    for name in sorted(environ):
        rest = name.removeprefix(prefix)
        if rest == name or rest in known or rest in _BUILD or _SERVICE_LINK.fullmatch(rest):
            continue
        others = (prefix + each for each in sorted(known))
        raise ValueError(f"there is no variable {name}{suggestion(name, others)}")
    port = environ.get(f"{prefix}PORT", "")
    if "://" in port:
        raise ValueError(
            f"{prefix}PORT must be a whole number, not {port!r}: Kubernetes sets it for a Service "
            "of that name; set enableServiceLinks: false, or give --port"
        )


def check_listening(defaults: Mapping[str, object], *levels: Mapping[str, object]) -> None:
    """Check that no source of settings names both a socket and an address.

    Args:
        defaults: the default address, which may be there.
        levels: the settings of each source.

    Raises:
        ValueError: one does.
    """
    for level in levels:
        for name, default in defaults.items():
            if level.get("unix_socket") and level.get(name, default) != default:
                raise ValueError(f"unix_socket and {name} exclude each other: set one of them")


def check_hosts(host: str, allowed: Iterable[str]) -> None:
    """Check that the address to listen on, and the names to accept, are names or addresses.

    Raises:
        ValueError: one is not; the message names it.
    """
    if not _is_host(host):
        raise ValueError(f"host must be a name or an IP address, without a port, not {host!r}")
    if _LINK_LOCAL.fullmatch(host):
        raise ValueError(f"host {host} is link-local and needs its interface: {host}%eth0")
    for name in allowed:
        if not _is_host(name):
            raise ValueError(
                f"allow_host must be a name or an IP address, without scheme and port, not {name!r}"
            )


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        # A number with dots that is no address would be a name.
        is_number = re.fullmatch(r"[\d.]+", text) is not None
        return len(text) <= 253 and not is_number and _NAME.fullmatch(text) is not None
    return True
