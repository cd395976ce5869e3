"""Compiled processors: addresses and networks of the module ipaddress."""

from __future__ import annotations

import ipaddress
import json
import random
from ipaddress import AddressValueError, IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest

from forstcore._addresses import networks_of
from forstcore.compiled import Compiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.snippets import function_of, function_with

OFFICE = ip_network("203.0.113.0/24")
INTERNAL = [ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16"), ip_network("172.16.5.4/32")]
ZONES = {ip_network("0.0.0.0/0"): "all", "dmz": IPv4Network("198.51.100.128/25")}
GATEWAY = IPv4Address("10.0.0.1")
NAMES: dict[str, Any] = {
    **{"ipaddress": ipaddress, "ip_address": ip_address, "IPv4Address": IPv4Address},
    **{"OFFICE": OFFICE, "INTERNAL": INTERNAL, "ZONES": ZONES, "GATEWAY": GATEWAY},
}
KINDS = ["is_private", "is_loopback", "is_link_local", "is_multicast", "is_reserved"]


def usual() -> list[str]:
    chance = random.Random(1)
    found = ["10.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "203.0.113.9", "8.8.8.8"]
    found += [str(IPv4Address(chance.getrandbits(32))) for _ in range(100)]
    for kind in KINDS:
        for networks in networks_of(kind) or ():
            for network in networks:
                for edge in (network.network_address, network.broadcast_address):
                    found += [str(IPv4Address(int(edge) + i & 0xFFFFFFFF)) for i in (-1, 0, 1)]
    return found


ODD: list[Any] = [
    *(
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.0",
        "1..3.4",
        "1.2.3.4 ",
    ),
    *(
        " 1.2.3.4",
        "1.2.3.4/8",
        "1.2.3.-4",
        "1.2.3.+4",
        "a.b.c.d",
        "1.2.3.٤",
        "1.2.3.1000",
        "1.2.3.4.",
    ),
    *(
        "::1",
        "::ffff:1.2.3.4",
        "fe80::1%eth0",
        ":",
        "1.2.3.4:80",
        "1,2,3,4",
        "0x1.2.3.4",
        "1.2.3.4\n",
    ),
    *(None, 5, 2**32, -1, 3.5, True, [], {}, "é"),
]


def classify(r: dict[str, Any]) -> dict[str, Any]:
    try:
        address = ip_address(r["a"])
    except ValueError:
        return {"error": "no address"}
    if address in OFFICE:
        zone = "office"
    elif address.is_private or any(address in network for network in INTERNAL):
        zone = "internal"
    else:
        zone = "internet"
    return {"zone": zone, "ip": str(address), "text": f"{address}", "version": address.version}


def test_usual_addresses_are_not_given_back() -> None:
    assert same(classify, [{"a": each} for each in [*usual(), "", "1.2.3", "x", "256.1.1.1"]]) == 0
    same(classify, [{"a": each} for each in ODD])


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    records = [{"a": each} for each in usual()]
    assert same(function_of(f"ip_address(a).{kind}", "a", **NAMES), records) == 0
    same(function_of(f"ip_address(a).{kind}", "a", **NAMES), [{"a": each} for each in ODD])
    same(function_of(f"a.{kind}", "a", **NAMES), [{"a": each} for each in ODD])


@pytest.mark.parametrize(
    "expression",
    [
        "str(ipaddress.ip_address(a))", "str(IPv4Address(a))", "IPv4Address(a) in OFFICE",
        "ip_address(a) == GATEWAY", "ip_address(a) != ip_address(a)", "ip_address(a) < GATEWAY",
        "sorted([GATEWAY, ip_address(a)])[0] == GATEWAY", "ip_address(a) == a", "ip_address(a) < a",
        "ip_address(a) > 5", "a in OFFICE", "OFFICE in OFFICE", "ip_address(a) in INTERNAL",
        "ip_address(a) in [GATEWAY]", "ip_address(a) in {GATEWAY}", "ip_address(a) in ZONES['dmz']",
        "[n for n in INTERNAL if ip_address(a) in n]", "str(OFFICE)", "OFFICE == OFFICE",
        "ip_address(a)",
        "{'ip': ip_address(a)}", "repr(ip_address(a))", "f'{ip_address(a):>20}'",
        "int(ip_address(a))",
        "ip_address(a) + 1", "bool(ip_address(a))", "not OFFICE", "{ip_address(a): 1}",
        "len(OFFICE)",
        "ip_address(a).packed", "ip_address(a).is_global", "ip_address(a).is_unspecified",
        "a.version",
        "isinstance(ip_address(a), IPv4Address)", "isinstance(ip_address(a), str)",
        "ip_address(*[a])",
        "ip_address(address=a) == GATEWAY", "'%s' % ip_address(a)",
        "','.join([str(ip_address(a))])",
        "ip_address(a).version + 1", "OFFICE.version", "OFFICE.is_private", "GATEWAY.is_private",
        "hash(ip_address(a))", "ip_address(a) or 1", "ip_address(a) is None", "str(GATEWAY)",
        "ip_address(a).reverse_pointer", "ip_address(a).exploded", "json.dumps(ip_address(a))",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:

    function = function_of(expression, "a", json=json, **NAMES)
    if isinstance(compile_any(function), Compiled):
        same(function, [{"a": each} for each in [*usual()[:40], *ODD]])


def test_handlers_of_its_own_exception() -> None:
    body = (
        "try:\n    return {'a': str(IPv4Address(r['a']))}\n"
        "except AddressValueError:\n    return {'error': 'address'}\n"
        "except ValueError as error:\n    return {'error': str(error)}"
    )

    function = function_with(body, AddressValueError=AddressValueError, **NAMES)
    if isinstance(compile_any(function), Compiled):
        same(function, [{"a": each} for each in [*usual()[:10], *ODD]])
