"""How many connections and streams the limit on file descriptors allows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limit on sockets.
    resource = None  # type: ignore[assignment]

__all__ = ["Allowance", "allowance", "raise_descriptor_limit"]

_MARGIN = 64  # Descriptors for modules, sources, threads and log files that are opened later.
_HIGHEST = 1 << 20  # The limit to request if the system has none.
_UNKNOWN = 64  # The number of open descriptors to assume if they cannot be counted.


@dataclass(frozen=True)
class Allowance:
    """Limits of one process.

    Attributes:
        connections: maximum number of open connections.
        streams: maximum number of open streams.
    """

    connections: int
    streams: int


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard limit, or as far as the system allows."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _HIGHEST if hard == unlimited else min(hard, _HIGHEST)
    # macOS refuses values above kern.maxfilesperproc even if the hard limit is higher.
    while soft != unlimited and wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            wanted //= 2
        else:
            return


def allowance(max_connections: int, max_streams: int) -> Allowance:
    """Reduce the configured limits to what the unused descriptors allow.

    A stream may need a second descriptor, for its spool file or its source. These are reserved
    first, so that a running stream never fails for lack of one. An eighth of the connections is
    reserved for other requests, such as health checks.
    """
    unused = _unused_descriptors()
    connections = max(1, min(max_connections, max(unused - max_streams, unused // 2)))
    return Allowance(connections, max(1, min(max_streams, connections - connections // 8)))


def _unused_descriptors() -> int:
    if resource is None:
        return sys.maxsize
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    try:
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        used = _UNKNOWN
    return max(0, limit - used - _MARGIN)
