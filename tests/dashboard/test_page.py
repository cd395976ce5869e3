"""The page as its users see and use it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import OpenPage
from tests.server.raw import RawStream
from tests.servers import Server, StartServer

Load = Callable[[Server], None]


def chart_of(page: Page, title: str) -> Locator:
    """Find a chart by its title."""
    return page.locator("figure").filter(has=page.get_by_text(title, exact=True))


def line_of(page: Page, title: str) -> Locator:
    """Find the first line of a chart."""
    return chart_of(page, title).locator("path.first").last


def test_charts_and_streams_move_under_load(
    start_server: StartServer, open_page: OpenPage, load: Load
) -> None:
    server = start_server()
    page = open_page(server).page
    expect(page.get_by_role("status").first).to_have_text("Live")
    expect(page.locator("#streams-caption")).to_have_text("No stream is open.")
    load(server)
    row = page.locator("#streams tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("/streaming-process")
    expect(row).to_contain_text("flowing")
    expect(row).to_contain_text("sender")
    expect(page.locator("#errors")).to_contain_text("wrong_type")
    line = line_of(page, "Bytes")
    expect(line).to_have_attribute("d", re.compile(r"M.*L.*L"))
    before = line.get_attribute("d") or ""
    expect(line).not_to_have_attribute("d", before)
    for title, value in (
        ("Bytes", r"^[1-9].* [kM]B/s in$"),
        ("Records", r"^[1-9].* k/s in$"),
        ("Error lines", r"^[1-9].*/s$"),
        ("Open streams", r"^1$"),
        ("Processing time of a record", r"^[1-9].* [nµ]s$"),
        ("CPU", r"^[0-9].* % of a core$"),
        ("Memory", r"^[1-9].* MB resident$"),
    ):
        expect(chart_of(page, title).locator(".value").first).to_have_text(re.compile(value))
    expect(page.get_by_role("img", name="Bytes.")).to_have_accessible_name(
        re.compile(r"^Bytes\. Now: in .*B/s, out .*B/s\. Highest: .*B/s\.$")
    )


def test_a_reader_who_comes_late_sees_the_past(
    start_server: StartServer, open_page: OpenPage, load: Load
) -> None:
    server = start_server()
    first = open_page(server).page
    load(server)
    expect(line_of(first, "Bytes")).to_have_attribute("d", re.compile("L.*L.*L.*L"), timeout=15_000)
    late = open_page(server).page
    late.get_by_role("button", name="Pause").click()
    expect(line_of(late, "Bytes")).to_have_attribute("d", re.compile("L.*L.*L"))


def test_a_reader_who_stops_is_named_as_the_slow_side(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server()
    page = open_page(server).page
    with RawStream((server.host, server.port), receive_buffer=4096) as stream:
        stream.socket.settimeout(1)
        try:
            while True:
                stream.send(b'{"id":"1","data":"' + b"x" * 60000 + b'"}\n')
        except TimeoutError:
            pass
        expect(page.locator("#streams tr")).to_contain_text(re.compile("reader|spooling"))


def test_one_of_several_processes_says_so(start_server: StartServer, open_page: OpenPage) -> None:
    options = ("--processes", "2", "--source", "log=file:/nowhere/log.ndjson")
    page = open_page(start_server(*options)).page
    expect(page.locator("#server")).to_have_text(re.compile(r"process \d+, one of 2$"))


def test_sources_and_subscribers_are_shown(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    page = open_page(server).page
    expect(page.locator("#sources tr")).to_have_text(re.compile(r"events\s*memory\s*up\s*0\s*0"))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("POST", "/real-time-process", body=b'{"source":"events"}')
    assert connection.getresponse().status == 200
    expect(page.locator("#sources tr")).to_have_text(re.compile(r"events\s*memory\s*up\s*1\s*0"))
    row = page.locator("#streams tr")
    expect(row).to_contain_text("/real-time-process (events)")
    expect(row).to_contain_text("source")
    connection.close()
    expect(row).to_have_count(0)


def test_pasted_records_come_back_and_a_bad_line_is_marked(
    start_server: StartServer, open_page: OpenPage
) -> None:
    watched = open_page(start_server())
    page = watched.page
    page.get_by_label("Records, one JSON object").fill(
        '{"id":"1","data":"hällo"}\n{"id":"ä","data":7}\n\n{"id":"3","data":"again"}'
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#paste-status")).to_have_text("2 results, 1 error")
    items = page.locator("#results li")
    expect(items).to_have_count(3)
    expect(items.nth(0)).to_have_text('{"id":"1","result":"processed_hällo","status":"success"}')
    expect(items.nth(1)).to_contain_text(
        "Line 2, byte 18: member 'data' must be a string or null (wrong_type)"
    )
    expect(items.nth(1).locator("mark")).to_have_text("7")
    expect(items.nth(2)).to_have_text('{"id":"3","result":"processed_again","status":"success"}')
    page.get_by_role("button", name="Show line 2 in the input").click()
    expect(page.get_by_label("Records, one JSON object")).to_be_focused()
    selected = page.evaluate(
        "() => { const box = document.getElementById('records');"
        " return box.value.slice(box.selectionStart, box.selectionEnd); }"
    )
    assert selected == "7"
    assert watched.complaints == []


def test_what_is_pasted_can_be_sent_to_a_processor(
    start_server: StartServer, open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    module = tmp_path_factory.mktemp("routes") / "routes.py"
    module.write_text(
        "import forstcore\n\n"
        "@forstcore.processor('shout')\n"
        "def shout(record: dict) -> dict:\n"
        "    return {'loud': record['data'].upper()}\n"
    )
    page = open_page(start_server("--processors", str(module))).page
    page.get_by_label("Endpoint").select_option("/shout")
    page.get_by_label("Records, one JSON object").fill('{"data":"hey"}\n{"data":null}')
    page.get_by_role("button", name="Send").click()
    items = page.locator("#results li")
    expect(items.nth(0)).to_have_text('{"loud":"HEY"}')
    expect(items.nth(1)).to_contain_text("processor_failed")


ROUTES = """
import forstcore, datetime

@forstcore.processor("more")
def more(record: dict):
    return {"n": record["n"] + 1}

@forstcore.processor("stamped")
def stamped(record: dict):
    return {"several": record["words"], "at": datetime.datetime.now().isoformat()}

@forstcore.processor("plain", compiled=False)
def plain(record: dict):
    return record
"""


@pytest.fixture
def routes(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Options of a server with processors of all kinds."""
    module = tmp_path_factory.mktemp("routes") / "routes.py"
    module.write_text(ROUTES)
    return "--processors", str(module)


def test_processors_are_shown_and_tried(
    start_server: StartServer, open_page: OpenPage, routes: tuple[str, str]
) -> None:
    watched = open_page(start_server(*routes))
    page = watched.page
    expect(page.locator("#processors-caption")).to_have_text(
        "Since the process started. 1 of 3 processors is compiled."
    )
    rows = page.locator("#processors tr")
    expect(rows).to_have_text(
        [
            re.compile(r"^more\s*Try\s*yes\s*0\s*0\s*0\s*$"),
            re.compile(r"^plain\s*Try\s*no, as declared\s*0\s*0\s*0\s*$"),
            re.compile(r"^stamped\s*Try\s*no: routes\.py:10:\d+: .*now.*0\s*0\s*0\s*$"),
        ]
    )
    records = page.get_by_label("Records, one JSON object")
    page.get_by_role("button", name="Try more").click()
    expect(page.get_by_label("Endpoint")).to_have_value("/more")
    expect(records).to_be_focused()
    records.fill('{"n":1}\n{"n":99999999999999999999}\n{"n":"x"}')
    page.get_by_role("button", name="Send").click()
    items = page.locator("#results li")
    expect(items.nth(0)).to_have_text('{"n":2}')
    expect(items.nth(1)).to_have_text('{"n":100000000000000000000}')
    expect(items.nth(2)).to_contain_text("processor_failed")
    expect(page.locator("#paste-status")).to_have_text("2 results, 1 error")
    expect(rows.nth(0)).to_have_text(re.compile(r"^more\s*Try\s*yes\s*2\s*1\s*2\s*[\d.]+ µs$"))
    expect(page.locator("#errors-caption")).to_have_text("Since the process started: 1 line.")
    assert watched.complaints == []


def test_an_empty_table_says_so_in_one_line(start_server: StartServer, open_page: OpenPage) -> None:
    page = open_page(start_server()).page
    expect(page.get_by_role("status").first).to_have_text("Live")
    for name, text in (
        ("streams", "No stream is open."),
        ("processors", "No processor is declared; --processors names modules that declare some."),
        (
            "pipelines",
            "No pipeline is declared; a TOML file declares each as a table [pipelines.NAME].",
        ),
        ("errors", "Since the process started: none."),
    ):
        table = page.locator("table").filter(has=page.locator(f"#{name}"))
        expect(table).to_have_text(text, use_inner_text=True)
    results = page.locator("#results").evaluate("e => getComputedStyle(e, '::before').content")
    assert results == '"No results yet."'


def test_each_table_scrolls_in_its_own_box_on_a_phone(
    start_server: StartServer, open_page: OpenPage, load: Load, routes: tuple[str, str]
) -> None:
    server = start_server(*routes)
    page = open_page(server, viewport={"width": 360, "height": 740}).page
    load(server)
    expect(page.locator("#streams tr")).to_have_count(1)
    expect(page.locator("#errors tr")).to_have_count(1)
    expect(page.locator("#processors tr")).to_have_count(3)
    boxes = page.locator("table").evaluate_all(
        "tables => tables.map((table) => { const box = table.closest('.scroll');"
        " const right = box.getBoundingClientRect().right;"
        " return [table.offsetWidth, box.clientWidth, box.scrollWidth, right]; })"
    )
    assert len(boxes) == 5
    for table, visible, reachable, right in boxes:
        assert right <= 360
        assert reachable >= table
        assert visible < 360
    assert boxes[0][2] > boxes[0][1]
    assert boxes[1][2] > boxes[1][1]
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360


def test_a_huge_paste_shows_a_part(start_server: StartServer, open_page: OpenPage) -> None:
    page = open_page(start_server()).page
    lines = "\n".join(f'{{"id":"{number}","data":"x"}}' for number in range(5000))
    # Not by typing: a browser takes a minute to insert so many lines.
    page.get_by_label("Records, one JSON object").evaluate(
        "(box, text) => { box.value = text; }", lines
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#paste-status")).to_have_text(
        "5,000 results, 0 errors; 4,000 more lines are not shown"
    )
    expect(page.locator("#results li")).to_have_count(1000)


def test_it_can_be_paused(start_server: StartServer, open_page: OpenPage, load: Load) -> None:
    server = start_server()
    page = open_page(server).page
    expect(page.get_by_role("status").first).to_have_text("Live")
    page.get_by_role("button", name="Pause").press("Enter")
    load(server)
    page.wait_for_timeout(2500)
    expect(page.locator("#streams tr")).to_have_count(0)
    page.get_by_role("button", name="Pause").press("Enter")
    expect(page.locator("#streams tr")).to_have_count(1)


def test_it_finds_the_server_again(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    page = open_page(server).page
    status = page.get_by_role("status").first
    expect(status).to_have_text("Live")
    assert server.stop() == 0
    expect(status).to_have_class("lost")
    start_server("--port", str(server.port))
    expect(status).to_have_text("Live", timeout=15_000)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (360, 740)], ids=["desk", "phone"])
def test_axe_has_nothing_serious_to_say(
    start_server: StartServer,
    open_page: OpenPage,
    load: Load,
    routes: tuple[str, str],
    scheme: str,
    size: tuple[int, int],
) -> None:
    server = start_server(*routes)
    watched = open_page(
        server,
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": size[0], "height": size[1]},
    )
    page = watched.page
    load(server)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#results li.error")).to_have_count(1)
    expect(page.locator("#streams tr")).not_to_have_count(0)
    expect(page.locator("#processors tr")).to_have_count(3)
    found = Axe().run(page).response["violations"]
    violations = [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]
    assert violations == []
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= size[0], "the page scrolls sideways"
    assert watched.complaints == []
    assert {url.startswith(server.url + "/") for url in watched.requests} == {True}


def test_it_can_be_used_by_keyboard(start_server: StartServer, open_page: OpenPage) -> None:
    page = open_page(start_server()).page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to trying it out")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Endpoint")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#paste-status")).to_have_text("3 results, 1 error")
