"""Pages that use a server of another origin."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.server.requests import TOKEN
from tests.servers import Server, StartServer, launch, wait_until
from tests.sources.live import numbers, publish

RECORD = b'{"id":"%d","data":"x"}\n'


def records(first: int, end: int) -> bytes:
    return b"".join(RECORD % number for number in range(first, end))


def run(page: Page, code: str, **values: Any) -> Any:
    """Run the body of an async function in the page, with these variables."""
    names = ", ".join(values)
    return page.evaluate(f"async ({{ {names} }}) => {{ {code} }}", values)


def test_records_go_in_while_results_come_out(page: Page, server: Server) -> None:
    found = run(
        page,
        """
        const client = new ForstStreamingClient(url);
        let produced = 0, seen = 0, early = 0, isOrdered = true, most = 0;
        async function* produce() {
          while (produced < 100_000) {
            yield { id: `${produced++}`, data: "x".repeat(100) };
            if (produced % 10_000 === 0) await pause(1);
          }
        }
        const before = performance.memory.usedJSHeapSize;
        for await (const one of client.streamToForst("streaming-process", produce())) {
          isOrdered &&= one.id === `${seen++}`;
          if (produced < 100_000) early++;
          if (seen % 5000 === 0) most = Math.max(most, performance.memory.usedJSHeapSize - before);
        }
        return { seen, early, isOrdered, most };
        """,
        url=server.url,
    )
    assert found["seen"] == 100_000
    assert found["isOrdered"]
    assert found["early"] > 10_000
    assert found["most"] < 60_000_000


def test_a_page_that_pauses_takes_no_more(page: Page, server: Server) -> None:
    """Neither the page nor the server buffers without limit, and the producer pauses."""
    run(
        page,
        """
        const client = new ForstStreamingClient(url);
        globalThis.state = { produced: 0, seen: 0, isPaused: true, hasEnded: false };
        async function* produce() {
          for (; state.produced < 300_000; state.produced++) {
            yield { id: `${state.produced}`, data: "x".repeat(100) };
          }
        }
        (async () => {
          for await (const one of client.streamToForst("streaming-process", produce())) {
            if (one.id !== `${state.seen++}`) throw new Error(one.id);
            while (state.isPaused) await pause(10);
          }
          state.hasEnded = true;
        })();
        """,
        url=server.url,
    )
    page.wait_for_function("state.seen === 1")
    before = -1
    while (produced := page.evaluate("state.produced")) != before:
        before = produced
        page.wait_for_timeout(500)
    assert 0 < produced < 50_000
    assert page.evaluate("state.seen") == 1
    page.evaluate("state.isPaused = false")
    page.wait_for_function("state.hasEnded && state.seen === 300_000")


@pytest.mark.long
def test_a_server_that_is_killed_loses_nothing(page: Page, server: Server, origin: str) -> None:
    """Each result arrives once and in order, over the WebSockets of three servers."""

    run(
        page,
        """
        const retry = { attempts: 100, delay: 50, maxDelay: 200 };
        const client = new ForstStreamingClient(url, { retry });
        globalThis.state = { seen: 0, connections: 0, hasEnded: false, error: "" };
        async function* produce() {
          for (let id = 0; id < 30_000; id++) {
            yield { id: `${id}`, data: "x" };
            if (id % 100 === 0) await pause(10);
          }
        }
        (async () => {
          const options = {
            resume: true,
            onStatus: ({ type }) => (state.connections += type === "connected"),
          };
          for await (const one of client.streamToForst("streaming-process", produce(), options)) {
            if (one.id !== `${state.seen++}`) throw new Error(one.id);
          }
          state.hasEnded = true;
        })().catch((error) => (state.error = String(error)));
        """,
        url=server.url,
    )
    servers = [server]
    try:
        for place in (3000, 15_000):
            page.wait_for_function("least => state.seen >= least || state.error", arg=place)
            servers[-1].process.send_signal(signal.SIGKILL)
            servers[-1].process.wait()
            servers.append(launch("--port", str(server.port), "--allow-origin", origin))
        page.wait_for_function("state.hasEnded || state.error", timeout=120_000)
    finally:
        for each in servers[1:]:
            each.kill()
    assert page.evaluate("state") == {
        "seen": 30_000,
        "connections": 3,
        "hasEnded": True,
        "error": "",
    }


def test_seven_live_streams_at_once(page: Page, server: Server) -> None:
    """HTTP/1.1 would allow six connections to a server."""
    run(
        page,
        """
        const client = new ForstStreamingClient(url);
        globalThis.streams = Array.from({ length: 7 }, () => ({ ids: [], isOpen: false }));
        for (const state of streams) {
          const options = { onStatus: ({ type }) => (state.isOpen ||= type === "connected") };
          const live = client.followForst("real-time-process", { source: "events" }, options);
          (async () => { for await (const { id } of live) state.ids.push(id); })();
        }
        """,
        url=server.url,
    )
    page.wait_for_function("streams.every(({ isOpen }) => isOpen)")
    assert server.figure("page_streams_open", carrier="web_socket") == 7
    publish(server, records(0, 100))
    page.wait_for_function("streams.every(({ ids }) => ids.length === 100)")
    assert page.evaluate("streams.map(({ ids }) => ids)") == [numbers(0, 100)] * 7


def test_live_streams_resume_over_new_sockets(page: Page, server: Server) -> None:
    run(
        page,
        """
        const client = new ForstStreamingClient(url, { retry: { delay: 10 } });
        globalThis.ids = [];
        globalThis.sockets = [];
        const Original = WebSocket;
        globalThis.WebSocket = class extends Original {
          constructor(url) { super(url); sockets.push(this); }
        };
        const live = client.followForst("real-time-process", { source: "events", from: "start" });
        (async () => { for await (const { id } of live) ids.push(id); })();
        """,
        url=server.url,
    )
    for first in range(0, 50, 10):
        publish(server, records(first, first + 10))
        page.wait_for_function("count => ids.length >= count", arg=first + 10)
        page.evaluate("sockets.at(-1).close()")
    page.wait_for_function("sockets.length > 5")
    assert page.evaluate("ids") == numbers(0, 50)


def test_a_live_stream_that_is_not_read_misses_the_oldest(
    page: Page, start_one: StartServer, origin: str
) -> None:
    server = start_one("--allow-origin", origin, "--queue-size", "100000")
    run(
        page,
        """
        const client = new ForstStreamingClient(url);
        globalThis.state = { seen: 0, missed: 0, isPaused: true, last: "" };
        const options = { onMissed: (count) => (state.missed += count) };
        const wanted = { source: "events", processor: "pass" };
        const live = client.followForst("real-time-process", wanted, options);
        (async () => {
          for await (const { id } of live) {
            state.seen++;
            state.last = id;
            while (state.isPaused) await pause(10);
          }
        })();
        """,
        url=server.url,
    )
    wait_until(lambda: server.open_streams() == 1)
    publish(server, RECORD % 0)
    page.wait_for_function("state.seen === 1")
    line = b'{"id":"%d","data":"' + b"x" * 1000 + b'"}\n'
    for first in range(1, 10_000, 1000):
        publish(server, b"".join(line % number for number in range(first, first + 1000)))
    page.evaluate("state.isPaused = false")
    page.wait_for_function("state.last === '10000'")
    state = page.evaluate("state")
    assert state["seen"] + state["missed"] == 10_001
    assert state["seen"] < 3000


def test_event_source_goes_on_where_it_was(page: Page, server: Server, origin: str) -> None:
    run(
        page,
        """
        globalThis.state = { ids: [], opened: 0 };
        const source = new EventSource(`${url}/real-time-process?source=events`);
        source.onopen = () => state.opened++;
        source.onmessage = ({ data }) => state.ids.push(JSON.parse(data).id);
        """,
        url=server.url,
    )
    page.wait_for_function("state.opened === 1")
    wait_until(lambda: server.open_streams() == 1)
    publish(server, records(0, 10))
    page.wait_for_function("state.ids.length === 10")
    page.context.set_offline(True)
    page.context.set_offline(False)
    publish(server, records(10, 20))
    page.wait_for_function("state.ids.length >= 20")
    assert page.evaluate("state.ids") == numbers(0, 20)


def test_event_source_stops_when_the_stream_has_failed(page: Page, server: Server) -> None:
    run(
        page,
        """
        globalThis.state = { ids: [], failure: "", readyState: 0, opened: 0 };
        const query = "source=events&forst-on-error=fail";
        const source = new EventSource(`${url}/real-time-process?${query}`);
        source.onopen = () => state.opened++;
        source.onmessage = ({ data }) => state.ids.push(JSON.parse(data).id);
        source.addEventListener("failure", ({ data }) => (state.failure = JSON.parse(data).code));
        source.onerror = () => (state.readyState = source.readyState);
        """,
        url=server.url,
    )
    page.wait_for_function("state.opened === 1")
    wait_until(lambda: server.open_streams() == 1)
    publish(server, RECORD % 1 + b'{"id":2}\n')
    page.wait_for_function("state.readyState === EventSource.CLOSED")
    state = page.evaluate("state")
    assert (state["ids"], state["failure"]) == (["1"], "bad_record")


def test_pages_of_other_origins_are_refused(page: Page, start_one: StartServer) -> None:
    server = start_one("--allow-origin", "https://app.test")
    found = run(
        page,
        """
        const client = new ForstStreamingClient(url, { retry: { attempts: 1 } });
        const found = [];
        try {
          const results = client.streamToForst("streaming-process", [{ id: "1" }]);
          for await (const one of results) found.push(one);
        } catch (error) { found.push(error.code); }
        const source = new EventSource(`${url}/real-time-process?source=events`);
        found.push(await new Promise((resolve) => {
          source.onopen = () => resolve("open");
          source.onerror = () => resolve(source.readyState);
        }));
        found.push(await fetch(`${url}/version`).then(() => "read", () => "refused"));
        return found;
        """,
        url=server.url,
    )
    assert found == ["unreachable", 2, "refused"]
    assert server.figure("streams_total") == 0


def test_a_page_with_a_ticket(
    page: Page, start_one: StartServer, origin: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    server = start_one("--allow-origin", origin, "--token-file", str(file))
    found = run(
        page,
        """
        const found = [];
        const take = async (options) => {
          try {
            const client = new ForstStreamingClient(url, { retry: { attempts: 1 }, ...options });
            for await (const { id } of client.streamToForst("streaming-process", [{ id: "1" }])) {
              found.push(id);
            }
          } catch (error) { found.push(`${error.code} ${error.status}`); }
        };
        await take({ token });
        await take({});
        await take({ token: "wrong" });
        const headers = { authorization: `Bearer ${token}` };
        const response = await fetch(`${url}/tickets`, { method: "POST", headers });
        const { ticket } = await response.json();
        await take({ transport: webSocketTransport({ ticket: () => ticket }) });
        return found;
        """,
        url=server.url,
        token=TOKEN,
    )
    assert found == ["1", "refused 401", "refused 401", "1"]


def test_a_server_that_is_full_says_so(page: Page, start_one: StartServer, origin: str) -> None:
    server = start_one("--allow-origin", origin, "--max-streams", "1")
    run(
        page,
        """
        const client = new ForstStreamingClient(url);
        void client.followForst("real-time-process", { source: "events" }).next();
        """,
        url=server.url,
    )
    wait_until(lambda: server.open_streams() == 1)
    found = run(
        page,
        """
        const client = new ForstStreamingClient(url, { retry: { attempts: 1 } });
        try {
          for await (const one of client.streamToForst("streaming-process", [{ id: "1" }])) {}
        } catch (error) { return [error.status, error.retriable, error.detail]; }
        """,
        url=server.url,
    )
    assert found[:2] == [503, True]
    assert "max_streams" in found[2]
