"""Requests that are sent byte by byte, and their answers."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from tests.servers import Server

__all__ = ["RECORD", "RESULT", "TOKEN", "Answer", "answer_on", "ask", "connect"]

RECORD = b'{"id":"%d","data":"x"}\n'
RESULT = b'{"id":"%d","result":"processed_x","status":"success"}\n'
TOKEN = "hush-4711"


@dataclass
class Answer:
    """A response that has been read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Return the problem document, which must be one."""
        assert self.headers["content-type"].split(";")[0] == "application/problem+json"
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        assert isinstance(document, dict)
        return document


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=60)


def answer_on(connection: socket.socket, method: str = "GET") -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def ask(server: Server, request: str | bytes) -> Answer:
    """Send the lines of a request as they are; a head needs no CR and no last lines here."""
    if isinstance(request, str):
        request = "\r\n".join([*request.splitlines(), "", ""]).encode()
    with connect(server) as connection:
        connection.sendall(request)
        return answer_on(connection)
