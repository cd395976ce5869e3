"""How many connections and streams the system's limit on descriptors allows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limit on sockets.
    resource = None  # type: ignore[assignment]

__all__ = ["Allowance", "allowance", "raise_descriptor_limit"]

_MARGIN = 64  # Descriptors for modules, sources, threads and log files opened later.
_HIGHEST = 1 << 20  # Limit to ask for where the system has none.
_UNKNOWN = 64  # Open descriptors assumed where they cannot be counted.


@dataclass(frozen=True)
class Allowance:
    """How much one process may have open at once.

    Attributes:
        connections: most open connections.
        streams: most open streams.
    """

    connections: int
    streams: int


def raise_descriptor_limit() -> None:
    """Raise the soft limit on descriptors to the hard limit, or as far as the system allows."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _HIGHEST if hard == unlimited else min(hard, _HIGHEST)
    # macOS refuses values above kern.maxfilesperproc although the hard limit is higher.
    while soft != unlimited and wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            wanted //= 2
        else:
            return


def allowance(max_connections: int, max_streams: int) -> Allowance:
    """Fit the configured limits into the descriptors that are free now.

    Each stream may need a second descriptor, for its spool file or its source. These are set
    aside first, so that a running stream never fails for want of one. An eighth of the
    connections is kept for requests that are no streams, such as probes.
    """
    free = _free_descriptors()
    connections = max(1, min(max_connections, max(free - max_streams, free // 2)))
    return Allowance(connections, max(1, min(max_streams, connections - connections // 8)))


def _free_descriptors() -> int:
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
