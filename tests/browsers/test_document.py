"""The code of docs/browsers.md, run in a page of another origin."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.servers import ROOT, Server, wait_until

_TEXT = (ROOT / "docs/browsers.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```js\n(.*?)^```\n(?:\nprints\n\n```text\n(.*?)^```)?", _TEXT, re.M | re.S)


@pytest.mark.parametrize("number", range(len(_BLOCKS)))
def test_code(page: Page, server: Server, number: int) -> None:
    code: str = _BLOCKS[number][0]
    wanted: str = _BLOCKS[number][1]
    printed: list[str] = []
    page.on("console", lambda message: printed.append(f"{message.text}\n"))
    code = code.replace("127.0.0.1:8080", f"{server.host}:{server.port}")
    code = code.replace('from "forstcore"', 'from "/esm/index.js"')
    imports, rest = re.findall(r"^import .*", code, re.M), re.sub(r"(?m)^import .*", "", code)
    page.on("pageerror", lambda error: printed.append(str(error)))
    page.add_script_tag(
        type="module",
        content="\n".join([*imports, f"{{ {rest} }}", "document.title = 'done';"]),
    )
    page.wait_for_function("document.title === 'done'", timeout=30_000)

    def is_complete() -> bool:
        page.wait_for_timeout(10)
        return "".join(printed) == wanted

    wait_until(is_complete, 20)
