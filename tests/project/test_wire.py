"""Documents, examples and scripts name what `forstcore.wire` declares."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from forstcore import RecordError, RecordStream, wire
from forstcore._client.frame_reader import Summary
from forstcore._core.filter import OPERATORS
from forstcore._proc import ERROR_CODES
from forstcore.engine.in_process import Counts
from forstcore.errors import RETRIABLE_STATUSES
from server.api.schemas import COMPONENTS
from tests.servers import ROOT

PAGE = (ROOT / "docs/reference/wire.md").read_text(encoding="utf-8")
BROWSERS_PAGE = (ROOT / "docs/browsers.md").read_text(encoding="utf-8")
SOURCES_PAGE = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "clients/typescript/src"
DASHBOARD = ROOT / "server/dashboard/static/paste.js"

HEADERS = {*wire.REQUEST_HEADERS, wire.FORST_DELIVERY, *wire.TRAILERS}
CONTROL_LINES = {kind.decode() for kind in wire.CONTROL_LINES}


def rows_of(title: str) -> dict[str, str]:
    """The tables of a section of the page: the name in the first column, and the rest."""
    section = re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[
        0
    ]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))


def documents() -> list[Path]:
    folders = ("docs", "examples", "deploy")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    found = [path for path in found if "node_modules" not in path.parts]
    return [ROOT / "README.md", *found, *PACKAGE.glob("*.ts"), DASHBOARD]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_header_that_is_named_is_declared(path: Path) -> None:
    named = set(re.findall(r"\bForst-[A-Z][\w-]*\w", path.read_text(encoding="utf-8")))
    assert named <= HEADERS


def test_the_page_lists_the_request_headers() -> None:
    rows = rows_of("Request")
    assert {name for name in rows if name.startswith(wire.FORST_PREFIX)} == {*wire.REQUEST_HEADERS}
    for mode in wire.ON_ERROR_MODES:
        assert f"`{mode}`" in rows[wire.FORST_ON_ERROR]
    for name in wire.NDJSON_TYPES:
        assert f"`{name}`" in rows["Accept"]
    assert rows_of("Lines that are no records").keys() >= {*wire.ON_ERROR_MODES}


def test_the_page_lists_the_codes_of_lines() -> None:
    rows = rows_of("Lines that are no records")
    assert rows.keys() - {wire.FORST_ON_ERROR, *wire.ON_ERROR_MODES} == {*ERROR_CODES}
    for code in ERROR_CODES:
        assert f"``{code}``" in (RecordError.__doc__ or "")


def test_the_pages_list_the_control_lines() -> None:
    items = re.findall(r"^- `(:\w+)[ `]", PAGE + SOURCES_PAGE, re.MULTILINE)
    assert {*items} == CONTROL_LINES


def test_documents_list_the_operators_of_filters() -> None:
    operators = set(OPERATORS)
    conditions = COMPONENTS["schemas"]["Filters"]["additionalProperties"]["anyOf"]
    assert set(conditions[-1]["properties"]) == operators
    table = SOURCES_PAGE.partition("\n## Filters\n")[2].partition("\n## ")[0]
    for name in operators:
        assert f'"{name}":' in table or f"`{name}`" in table, name


def test_the_page_shows_the_trailers() -> None:
    assert re.findall(r"^(Forst-\w+): \d", PAGE, re.MULTILINE) == [*wire.TRAILERS]
    assert {*wire.TRAILERS.values()} <= wire.COUNTERS.keys()


def test_the_core_accepts_the_declared_modes() -> None:
    for mode in wire.ON_ERROR_MODES:
        RecordStream(on_error=mode)


def test_the_schema_describes_the_control_lines() -> None:
    schema = COMPONENTS["schemas"]["ControlLine"]
    for kind in CONTROL_LINES:
        assert f"`{kind} " in schema["description"]
        assert re.search(rf"[(|]{kind} ", schema["pattern"])


def test_the_client_counts_what_the_server_counts() -> None:
    assert Summary.__annotations__.keys() == {
        *(*wire.COUNTERS, *wire.OPTIONAL_COUNTERS),
        *("digest", "errors_by_code"),
    }
    assert Counts.__annotations__.keys() == {
        *(*wire.COUNTERS, *wire.OPTIONAL_COUNTERS),
        "errors_by_code",
    }


def test_the_dashboard_names_what_is_declared() -> None:
    text = DASHBOARD.read_text(encoding="utf-8")
    kinds = set(re.findall(r'"(:[a-z]+) ?"', text))
    assert {":end", ":error", ":rejected"} <= kinds <= CONTROL_LINES


def test_the_package_names_what_is_declared() -> None:
    names = dict(
        re.findall(
            r'^export const (\w+) = "([^"]+)";', (PACKAGE / "wire.ts").read_text(), re.MULTILINE
        )
    )
    headers = {name for name in names.values() if name.startswith(wire.FORST_PREFIX)}
    assert headers <= HEADERS
    kinds = {name for name in names.values() if name.startswith(":")}
    assert {":end", ":error", ":rejected"} <= kinds <= CONTROL_LINES | {wire.ROOM.decode()}
    assert names["HEADER_PREFIX"] == wire.FORST_PREFIX.lower()
    assert (names["NDJSON"], names["PROBLEM_TYPE"]) == (wire.NDJSON, wire.PROBLEM_TYPE)


@pytest.mark.parametrize("value", [wire.NDJSON, wire.PROBLEM_TYPE, wire.EVENTS_TYPE])
def test_media_types_are_written_in_one_file(value: str) -> None:
    folders = (ROOT / "forstcore", ROOT / "server")
    files = {
        path for folder in folders for path in folder.rglob("*.py") if value in path.read_text()
    }
    assert files == {ROOT / "forstcore" / "wire.py"}
    assert {path.name for path in PACKAGE.rglob("*.ts") if value in path.read_text()} <= {"wire.ts"}


def test_the_package_and_the_page_about_browsers_know_the_parameters() -> None:
    text = (PACKAGE / "wire.ts").read_text()
    parameters = dict(re.findall(r'^export const (\w+)_PARAMETER = "(\w+)";', text, re.MULTILINE))
    assert parameters == {"ROOM": wire.ROOM_PARAMETER, "TICKET": wire.TICKET_PARAMETER}
    for name in parameters.values():
        assert f"`{name}=" in BROWSERS_PAGE


def test_documents_list_the_events() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", BROWSERS_PAGE.partition("| event |")[2], re.MULTILINE)
    assert {*rows} == {"message", *wire.EventType}
    # This page is generated from the OpenAPI description.
    page = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)` \([^)]*\)", page)) >= {*wire.EventType}


def test_the_package_knows_codes_modes_and_counters() -> None:
    (codes,) = re.findall(
        r"RETRIABLE_CODES.*new Set\(\[(.*)\]\)", (PACKAGE / "wire.ts").read_text()
    )
    assert {*re.findall(r'"(\w+)"', codes)} == wire.RETRIABLE_CODES
    (statuses,) = re.findall(
        r"RETRIABLE_STATUSES.*new Set\(\[(.*)\]\)", (PACKAGE / "wire.ts").read_text()
    )
    assert set(map(int, statuses.split(", "))) == RETRIABLE_STATUSES
    text = (PACKAGE / "records.ts").read_text()
    (modes,) = re.findall(r"^export type OnError = (.*);", text, re.MULTILINE)
    assert [mode.strip('"') for mode in modes.split(" | ")] == [*wire.ON_ERROR_MODES]
    modules = "".join(path.read_text() for path in PACKAGE.glob("*.ts"))
    compared = {*re.findall(r'code [!=]== "(\w+)"', modules)} - {"string"}
    assert compared <= {*wire.StreamErrorCode}
    summary = text.partition("export interface Summary {")[2].partition("\n}")[0]
    assert {*re.findall(r"^  (\w+)\??:", summary, re.MULTILINE)} == Summary.__annotations__.keys()


def test_every_code_of_streams_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    for code in wire.StreamErrorCode:
        assert f"StreamError(StreamErrorCode.{code.name}" in re.sub(r"\(\s+", "(", text)


def test_python_rejects_lines_with_codes_of_the_core() -> None:
    calls = [
        node
        for path in (ROOT / "forstcore").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RecordError"
    ]
    codes = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert "processor_failed" in codes
    assert codes <= {*ERROR_CODES}


def constants(path: Path) -> Iterator[object]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            yield node.value


def test_names_are_spelled_in_one_module() -> None:
    declared: set[object] = {*HEADERS, *wire.CONTROL_LINES, wire.ROOM, wire.EVENTS_TYPE}
    declared |= {wire.LAST_EVENT_ID, *wire.EXPOSED_HEADERS} - {"Retry-After"}
    paths = [path for folder in ("forstcore", "server") for path in (ROOT / folder).rglob("*.py")]
    spelled = {path.relative_to(ROOT).as_posix() for path in paths if {*constants(path)} & declared}
    assert spelled == {"forstcore/wire.py"}
