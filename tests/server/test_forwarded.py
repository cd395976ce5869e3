"""`--trusted-proxy`: the client address in logs, behind proxies and with forged headers."""

from __future__ import annotations

import json
import sys

import pytest

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, StartServer

PROXIES = ("--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.1.2.3")


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("options", "said", "client"),
    [
        ((), ["192.0.2.7"], "127.0.0.1"),
        (("--trusted-proxy", "10.0.0.0/8"), ["192.0.2.7"], "127.0.0.1"),
        (PROXIES, [], "127.0.0.1"),
        (PROXIES, ["192.0.2.7"], "192.0.2.7"),
        (PROXIES, ["2001:db8::7"], "2001:db8::7"),
        # Two proxies, each of which has said whom it was connected by.
        (PROXIES, ["192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (PROXIES, ["192.0.2.7", "10.1.2.3"], "192.0.2.7"),
        (PROXIES, ["10.1.2.3"], "10.1.2.3"),
        # Addresses that the client itself has sent, before those that the proxies add.
        (PROXIES, ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        (PROXIES, ["10.1.2.3, 192.0.2.7"], "192.0.2.7"),
        (PROXIES, ["198.51.100.1, nonsense, 10.1.2.3"], "10.1.2.3"),
        (PROXIES, ['a\\b"c'], "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_proxies_name(
    start_server: StartServer, options: tuple[str, ...], said: list[str], client: str
) -> None:
    server = start_server(*options)
    # Some name several lines of one name, which a dict of headers cannot hold.
    headers = {"X-Forwarded-For": "\r\nX-Forwarded-For: ".join(said)} if said else {}
    with RawStream((server.host, server.port), headers=headers) as stream:
        stream.send(b'{"id":"1","data":"x"}\n')
        stream.end()
        assert stream.read_rest() == b'{"id":"1","result":"processed_x","status":"success"}\n'
    server.stop()
    assert server.process.stderr is not None
    (entry,) = map(json.loads, server.process.stderr)
    assert entry["client"] == client


def test_what_is_no_network_is_refused() -> None:
    for text in ("proxy.test", "10.0.0.1/8"):
        done = children.run(
            [sys.executable, "-m", "server", "--trusted-proxy", text],
            cwd=ROOT, text=True,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("forstcore: trusted_proxy must be an address or a network")
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
