"""The figures of the page: stream numbers, staleness, percentiles, and layout on phones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import OpenPage
from tests.server.raw import RawStream
from tests.servers import Server, StartServer, launch

Load = Callable[[Server], None]


def chart_of(page: Page, title: str) -> Locator:
    return page.locator("figure").filter(has=page.get_by_text(title, exact=True))


def test_a_stream_has_the_number_that_the_log_has(open_page: OpenPage, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = launch(log=log)
    try:
        address = (server.host, server.port)
        with RawStream(address) as first:
            first.send(b'{"id":"1","data":"x"}\n')
            first.end()
            first.read_rest()
        with RawStream(address) as second, RawStream(address) as third:
            for stream in (second, third):
                stream.send(b'{"id":"1","data":"x"}\n')
                stream.read_line()
            # Each viewer sees the same numbers, also one who comes back.
            for _ in range(2):
                page = open_page(server).page
                expect(page.locator("#streams th")).to_have_text(["2", "3"])
                page.close()
        page = open_page(server).page
        expect(page.locator("#streams-caption")).to_have_text("No stream is open.")
        assert server.stop() == 0
    finally:
        server.kill()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(entry["stream"] for entry in entries) == [1, 2, 3]
    assert {entry["process"] for entry in entries} == {server.process.pid}


def test_nothing_is_said_before_it_is_known(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    with RawStream((server.host, server.port)) as stream:
        stream.send(b'{"id":"1","data":"x"}\n')
        stream.read_line()
        page = open_page(server).page
        # As it comes from the server, before any script has run.
        html = page.request.get(server.url).text()
        assert "No stream is open" not in html
        assert "is declared" not in html
        assert "none" not in re.sub(r"<[^>]*>", "", html)
        expect(page.locator("#streams-caption")).to_have_text("One stream is open.")


def test_figures_of_a_server_that_is_gone_are_dimmed(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server()
    page = open_page(server, reduced_motion="reduce").page
    value = chart_of(page, "Bytes").locator(".value").first
    with RawStream((server.host, server.port)) as stream:
        stream.send(b'{"id":"1","data":"x"}\n')
        stream.read_line()
        expect(page.locator("#streams tr")).to_have_count(1)
        lively = value.evaluate("e => getComputedStyle(e).color")
        assert server.stop() == 0
    status = page.get_by_role("status").first
    expect(status).to_have_text(re.compile(r"; the figures are those of \d\d:\d\d:\d\d$"))
    dimmed = value.evaluate("e => getComputedStyle(e).color")
    assert dimmed != lively
    assert status.evaluate("e => getComputedStyle(e).color") != dimmed
    # The texts can still be read.
    assert Axe().run(page).response["violations"] == []
    start_server("--port", str(server.port))
    expect(status).to_have_text("Live", timeout=15_000)
    expect(value).not_to_have_css("color", dimmed)


def test_a_chart_shows_the_values_under_the_pointer(
    start_server: StartServer, open_page: OpenPage, load: Load
) -> None:
    server = start_server()
    page = open_page(server).page
    expect(page.get_by_role("status").first).to_have_text("Live")
    chart = chart_of(page, "Open streams")
    value, when = chart.locator(".value"), chart.locator(".scale span").last
    expect(value).to_have_text("0")
    load(server)
    expect(value).to_have_text("1")
    expect(chart.locator("path.first").last).to_have_attribute("d", re.compile("L.*L.*L.*L"))
    page.get_by_role("button", name="Pause").click()
    chart.locator("svg").hover(position={"x": 2, "y": 10})
    expect(when).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(value).to_have_text("0")
    expect(chart.locator(".cursor")).to_have_attribute("visibility", "visible")
    page.get_by_role("heading", name="forstcore").hover()
    expect(when).to_have_text("now")
    expect(value).to_have_text("1")
    expect(chart.locator(".cursor")).to_have_attribute("visibility", "hidden")


def test_times_have_percentiles(start_server: StartServer, open_page: OpenPage, load: Load) -> None:
    server = start_server()
    page = open_page(server).page
    processing = chart_of(page, "Processing time of a record").locator(".percentiles")
    expect(processing).to_have_text("no records in this time")
    load(server)
    time = r"([\d.]+) ([nµm]?s)"
    texts = re.compile(rf"^p50 {time} · p95 {time} · p99 {time}$")
    expect(processing).to_have_text(texts)
    found = texts.match(
        chart_of(page, "Wait for the event loop").locator(".percentiles").inner_text()
    )
    assert found is not None
    units = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
    values = [float(found[place]) * units[found[place + 1]] for place in (1, 3, 5)]
    assert 0 < values[0] <= values[1] <= values[2]


def test_streams_come_before_the_charts_on_a_phone(
    start_server: StartServer, open_page: OpenPage
) -> None:
    page = open_page(start_server(), viewport={"width": 360, "height": 740}).page
    headings = page.get_by_role("heading", level=2)
    expect(headings).to_contain_text(["Streams", "Last five minutes", "Processors"])
    expect(page.get_by_role("heading", name="Streams")).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(headings).to_contain_text(["Last five minutes", "Streams", "Processors"])
