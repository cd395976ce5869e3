"""Addresses and networks of IPv4, for compiled processors.

The module ipaddress takes long to import, and there are no addresses before somebody else has
done it.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["is_address", "networks_of", "number_of"]

_NO_PREFIX = 255
# The names of the networks that an attribute of an address is about, and of those that are not.
_NETWORKS = {
    "is_private": ("_private_networks", "_private_networks_exceptions"),
    "is_loopback": ("_loopback_network", ""),
    "is_link_local": ("_linklocal_network", ""),
    "is_multicast": ("_multicast_network", ""),
    "is_reserved": ("_reserved_network", ""),
}


def is_address(value: Any) -> bool:
    """Whether a value is an address or a network of IPv4."""
    module = sys.modules.get("ipaddress")
    return module is not None and type(value) in (module.IPv4Address, module.IPv4Network)


def number_of(value: Any) -> int:
    """Return the number for an address or a network; see vm/addresses.h."""
    if type(value).__name__ == "IPv4Address":
        return int(value) << 8 | _NO_PREFIX
    return int(value.network_address) << 8 | int(value.prefixlen)


def networks_of(attribute: str) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Return the networks whose addresses have an attribute, and those that are excepted.

    Returns:
        None if there is no such attribute, or this version of Python computes it in another way.
    """
    constants = getattr(sys.modules.get("ipaddress"), "_IPv4Constants", None)
    if attribute not in _NETWORKS or constants is None:
        return None
    name, excepted = _NETWORKS[attribute]
    found = _networks(getattr(constants, name, ()))
    return (found, _networks(getattr(constants, excepted, ()))) if found else None


def _networks(value: Any) -> tuple[Any, ...]:
    networks = (value,) if is_address(value) else tuple(value)
    return networks if all(map(is_address, networks)) else ()
