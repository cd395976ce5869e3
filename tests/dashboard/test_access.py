"""Access to the dashboard: headers, tokens, other sites, and the option that disables it."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import OpenPage
from tests.servers import Server, StartServer

TOKEN = "hush-4711"


def ask(
    server: Server, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """Send a request and return the status, the headers and the body of its response."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        if path == "/dashboard/news" and response.status == 200:
            return response.status, names, response.readline()
        return response.status, names, response.read()
    finally:
        connection.close()


@pytest.fixture
def guarded(start_server: StartServer, tmp_path: Path) -> Server:
    """A server that requires a token."""
    (tmp_path / "token").write_text(TOKEN)
    return start_server("--token-file", str(tmp_path / "token"))


def files_of(server: Server) -> list[str]:
    page = ask(server, "/")[2].decode()
    return [part.split('"')[0] for part in page.split('="') if part.startswith("dashboard/static/")]


def test_the_policy_lets_nothing_in_that_is_not_ours(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server()
    policy = ask(server, "/")[1]["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "base-uri 'none'"):
        assert rule in policy.split("; ")
    assert "unsafe" not in policy
    page = open_page(server).page
    expect(page.get_by_role("status").first).to_have_text("Live")
    page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.textContent = 'window.wasRun = true'; document.body.append(script); }"
    )
    assert page.evaluate("() => window.wasRun") is None
    refused = page.evaluate(
        "() => fetch('http://127.0.0.1:9/', {mode: 'no-cors'}).then(() => '', error => error.name)"
    )
    assert refused == "TypeError"


def test_files_may_be_kept(start_server: StartServer) -> None:
    server = start_server()
    paths = files_of(server)
    assert len(paths) == 3
    for path in paths:
        status, headers, body = ask(server, f"/{path}")
        assert status == 200
        assert "immutable" in headers["cache-control"]
        assert headers["x-content-type-options"] == "nosniff"
        assert body
        again = ask(server, f"/{path}", {"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, b"")
    page = ask(server, "/")[1]
    assert page["cache-control"] == "no-cache"
    etag = page["etag"]
    # RFC 9110, section 13.1.2: a list, compared weakly; `*` stands for anything.
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        assert ask(server, "/", {"If-None-Match": known})[0] == 304
    for unknown in ('"other"', etag.strip('"'), f'"{etag}"'):
        assert ask(server, "/", {"If-None-Match": unknown})[0] == 200


def test_only_files_of_the_page_can_be_had(start_server: StartServer) -> None:
    server = start_server()
    place = files_of(server)[0].rsplit("/", 1)[0]
    assert ask(server, f"/{place}/main.js")[0] == 200
    for name in ("index.html", "../news.py", "..%2Froutes.py", "%2e%2e/auth.py", "none.js", ""):
        assert ask(server, f"/{place}/{name}")[0] in (403, 404), name
    assert ask(server, "/dashboard/static/0000000000000000/main.js")[0] == 404


def test_a_reader_is_asked_for_the_token(guarded: Server, open_page: OpenPage) -> None:
    assert ask(guarded, "/dashboard/news")[0] == 401
    assert ask(guarded, "/dashboard/news", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    page = open_page(guarded).page
    box = page.get_by_label("Bearer token")
    expect(box).to_be_focused()
    box.fill("guess")
    box.press("Enter")
    expect(page.get_by_text("The token is not correct")).to_be_visible()
    box.fill(TOKEN)
    box.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Live")
    expect(box).to_be_hidden()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#paste-status")).to_have_text("3 results, 1 error")
    page.reload()
    expect(page.get_by_role("status").first).to_have_text("Live")
    assert TOKEN not in page.url


def test_a_token_is_still_wanted_for_everything_else(guarded: Server) -> None:
    for path in ("/version", "/metrics", "/processors", "/dashboard", "/dashboard/", "//"):
        assert ask(guarded, path)[0] == 401
    assert ask(guarded, "/dashboard/static/../../metrics")[0] in (401, 404)


def test_the_own_page_is_no_stranger(start_server: StartServer) -> None:
    server = start_server()
    own = f"127.0.0.1:{server.port}"
    for scheme in ("http", "https"):
        assert ask(server, "/version", {"Origin": f"{scheme}://{own}"})[0] == 200
    for origin in (
        f"http://localhost:{server.port}",
        "http://127.0.0.1",
        f"ftp://{own}",
        f"http://{own}/",
        own,
        "null",
        f"http://{own}@example.test",
    ):
        assert ask(server, "/version", {"Origin": origin})[0] == 403, origin


def test_pages_of_other_sites_get_no_news(start_server: StartServer) -> None:
    server = start_server()
    for site in ("cross-site", "same-site"):
        assert ask(server, "/dashboard/news", {"Sec-Fetch-Site": site})[0] == 403
    assert ask(server, "/", {"Host": "example.test"})[0] == 403
    for site in ("same-origin", "none"):
        assert ask(server, "/dashboard/news", {"Sec-Fetch-Site": site})[0] == 200


def test_it_can_be_turned_off(start_server: StartServer) -> None:
    server = start_server("--no-dashboard")
    for path in ("/", "/dashboard/news"):
        status, _, body = ask(server, path)
        assert status == 404
        assert "/dashboard" not in json.loads(body)["detail"].replace("no '/dashboard", "")
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert ask(server, "/version", origin)[0] == 403


def test_viewers_are_let_go_when_the_server_ends(start_server: StartServer) -> None:
    server = start_server()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", "/dashboard/news")
    response = connection.getresponse()
    assert "history" in json.loads(response.readline())
    assert "point" in json.loads(response.readline())
    ended: list[int] = []
    ending = threading.Thread(target=lambda: ended.append(server.stop()))
    ending.start()
    # A response that is cut off would raise an exception here.
    assert all(b"point" in line for line in response)
    ending.join()
    connection.close()
    assert ended == [0]
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""


def test_there_is_room_for_so_many_viewers(start_server: StartServer) -> None:
    server = start_server()
    connections = []
    try:
        for _ in range(100):
            connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
            connections.append(connection)
            connection.request("GET", "/dashboard/news")
            assert connection.getresponse().status == 200
        status, headers, _ = ask(server, "/dashboard/news")
        assert status == 503
        assert headers["retry-after"]
    finally:
        for connection in connections:
            connection.close()
