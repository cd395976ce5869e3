"""The table of pipelines, and its buttons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import OpenPage
from tests.servers import StartServer

CONFIG = """
[pipelines.copy]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/out.ndjson"
errors = "file:{directory}/errors.ndjson"

[pipelines.lost]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/missing/out.ndjson"

[pipelines.once]
source = "file:{directory}/in.ndjson?follow=no"
sink = "file:{directory}/once.ndjson"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a file of records, one of them bad, and a server's configuration."""
    (tmp_path / "in.ndjson").write_text('{"n":1}\nbroken\n{"n":2}\n')
    (tmp_path / "server.toml").write_text(CONFIG.format(directory=tmp_path))
    return tmp_path


def row_of(page: Page, name: str) -> Locator:
    """Find the row of a pipeline."""
    return page.locator("#pipelines tr").filter(has=page.get_by_role("rowheader", name=name))


def test_pipelines_are_shown(
    start_server: StartServer, open_page: OpenPage, directory: Path
) -> None:
    watched = open_page(start_server("--config", str(directory / "server.toml")))
    page = watched.page
    day = r"\d\d:\d\d:\d\d"
    expect(page.locator("#pipelines-caption")).to_have_text(
        "Since the process started. 1 of 3 pipelines runs."
    )
    expect(page.locator("#pipelines tr")).to_have_text(
        [
            re.compile(
                rf"^copy\s*running\s*Pause\s*Stop\s*2\s*[\d.]+/s\s*0 B\s*1\s*{day}: "
                r"line 2, byte 0: .* \(invalid_json\)$"
            ),
            re.compile(
                rf"^lost\s*failed\s*Start\s*Stop\s*0\s*0/s\s*0\s*{day}: sink 'lost' cannot be "
                r"written: .*No such file or directory.*$"
            ),
            re.compile(r"^once\s*ended\s*Start\s*Stop\s*2\s*[\d.]+/s\s*1\s*$"),
        ]
    )
    found = Axe().run(page).response["violations"]
    assert [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found] == []
    assert watched.complaints == []


def test_pipelines_are_controlled_with_the_token(
    start_server: StartServer, open_page: OpenPage, directory: Path
) -> None:
    (directory / "token").write_text("secret-token")
    config = ("--config", str(directory / "server.toml"))
    watched = open_page(start_server(*config, "--token-file", str(directory / "token")))
    page = watched.page
    page.get_by_label("Bearer token").fill("secret-token")
    page.get_by_label("Bearer token").press("Enter")
    row = row_of(page, "copy")
    status = page.locator("#pipelines-status")
    expect(row).to_contain_text("running")
    page.get_by_role("button", name="Pause copy").press("Enter")
    expect(status).to_have_text("copy is paused.")
    expect(row).to_contain_text("paused")
    start = page.get_by_role("button", name="Start copy")
    # The same button: who uses the keyboard stays where they were.
    expect(start).to_be_focused()
    start.press("Enter")
    expect(status).to_have_text("copy is running.")
    stop = page.get_by_role("button", name="Stop copy")
    expect(stop).to_have_attribute("aria-disabled", "false")
    stop.click()
    expect(row).to_contain_text("stopped")
    expect(stop).to_have_attribute("aria-disabled", "true")
    (directory / "server.toml").write_text("[pipelines.copy]\nsink = 5\n")
    start.click()
    expect(status).to_contain_text("Cannot start copy: its file was changed: ")
    problems = [each for each in watched.complaints if "409" not in each]
    # Chromium reports each response with an error: the first had no token yet.
    assert [each for each in problems if "401" not in each] == []


@pytest.mark.long
def test_the_table_fits_a_phone(
    start_server: StartServer, open_page: OpenPage, directory: Path
) -> None:
    server = start_server("--config", str(directory / "server.toml"))
    page = open_page(server, viewport={"width": 360, "height": 740}, has_touch=True).page
    expect(row_of(page, "lost")).to_contain_text("failed")
    stop = page.get_by_role("button", name="Stop copy")
    stop.scroll_into_view_if_needed()
    box = stop.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
    stop.tap()
    expect(row_of(page, "copy")).to_contain_text("stopped")
