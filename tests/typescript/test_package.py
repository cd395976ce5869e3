"""The npm package: its own tests against a real server, and projects that install it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forstcore._version import VERSION
from tests import children
from tests.certificates import Certificates
from tests.servers import Server, launch
from tests.typescript.conftest import SOURCE, run

_LONG = {"endurance", "sidecar", "transports"}  # They start many servers.
_TESTS = [
    pytest.param(name, marks=[pytest.mark.long] if name in _LONG else [])
    for name in sorted(path.name.removesuffix(".test.ts") for path in SOURCE.glob("test/*.test.ts"))
]

# A caller that does not read is backpressure here, not a half-duplex client.
OPTIONS = ("--heartbeat", "0.1", "--stall", "60", "--no-access-log")

_STRICT = (
    "--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --verbatimModuleSyntax"
    " --noEmit --target ES2020"
)
_LIBRARIES = {
    "node": "--lib ES2020 --types node specification.ts own-types.ts node.ts node-only.ts",
    "browsers": "--lib ES2020,DOM --typeRoots nowhere specification.ts own-types.ts web.ts",
    "both": "--lib ES2023,DOM --types node specification.ts own-types.ts node.ts web.ts",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = launch(*OPTIONS)
    yield server
    server.kill()


@pytest.mark.parametrize("name", _TESTS)
def test_its_own_tests(
    package: Path, server: Server, certificates: Certificates, name: str
) -> None:
    done = children.run(
        ["node", "--test-reporter=tap", f"build/{name}.test.js"],
        cwd=package,
        env={
            **os.environ,
            "FORST_URL": server.url,
            "FORST_PYTHON": sys.executable,
            "FORST_CERTIFICATES": str(certificates.directory),
        },
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0\n" in done.stdout


@pytest.mark.parametrize(
    "libraries", ["node", "browsers", pytest.param("both", marks=pytest.mark.long)]
)
def test_a_project_compiles(package: Path, consumer: Path, libraries: str) -> None:
    compiler = package / "node_modules/typescript/bin/tsc"
    for module in ("--module NodeNext", "--module ESNext --moduleResolution Bundler"):
        run(f"node {compiler} {_STRICT} {module} {_LIBRARIES[libraries]}", consumer)


def test_the_examples_of_the_specification_run(package: Path, consumer: Path) -> None:
    sources = [
        option for name in ("sensor-data", "x") for option in ("--source", f"{name}=memory:")
    ]
    server = launch(*OPTIONS, *sources)
    try:
        code = (consumer / "specification.ts").read_text(encoding="utf-8")
        assert code.count("http://localhost:8080") == 3
        url = f"http://localhost:{server.port}"
        place = consumer / "specification"
        place.mkdir()
        (place / "specification.ts").write_text(code.replace("http://localhost:8080", url))
        compiler = package / "node_modules/typescript/bin/tsc"
        options = f"{_STRICT} --module NodeNext --types node".replace("--noEmit", "--noEmitOnError")
        run(f"node {compiler} {options} specification.ts", place)
        shutil.copy(consumer / "run-specification.mjs", place)
        assert run(f"node run-specification.mjs {url}", place).splitlines() == [
            "Processed: { id: '1', result: 'processed_a', status: 'success' }",
            "Dashboard: hot processed_x",
            "done 4",
            "processed_b",
            '{"id":"3","result":"processed_c","status":"success"}',
        ]
    finally:
        server.kill()


_CALL = """
const {{ ForstStreamingClient }} = {load};
(async () => {{
  const client = new ForstStreamingClient(process.argv[2]);
  const records = [{{ id: "1", data: "x" }}];
  for await (const one of client.streamToForst("streaming-process", records)) {{
    console.log(JSON.stringify(one));
  }}
}})();
"""


@pytest.mark.parametrize(
    ("file", "load"),
    [("call.mjs", 'await import("forstcore")'), ("call.cjs", 'require("forstcore")')],
)
def test_a_project_imports_it(consumer: Path, server: Server, file: str, load: str) -> None:
    (consumer / file).write_text(_CALL.format(load=load))
    printed = run(f"node {file} {server.url}", consumer)
    assert json.loads(printed) == {"id": "1", "result": "processed_x", "status": "success"}


_POST = """
import { POST } from "./web.mjs";
const body = '{"id":"1","data":"x"}\\n';
const response = await POST(new Request("http://127.0.0.1/process", { method: "POST", body }));
console.log(response.status, await response.text());
"""


def test_the_readme(consumer: Path, server: Server) -> None:
    text = (SOURCE / "README.md").read_text(encoding="utf-8")

    def blocks(language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    (code,) = blocks("ts")
    (consumer / "readme.mjs").write_text(code.replace("http://127.0.0.1:8080", server.url))
    assert run("node readme.mjs", consumer) == "processed_a record\n" * 3
    (processor,) = blocks("python")
    (consumer / "prices.py").write_text(processor)
    sidecar, web = blocks("js")
    (consumer / "sidecar.mjs").write_text(
        f"process.env.PYTHON = {json.dumps(sys.executable)};\n{sidecar}"
    )
    assert run("node sidecar.mjs", consumer) == "1 6\n"
    (consumer / "web.mjs").write_text(web.replace("http://127.0.0.1:8080", server.url))
    (consumer / "post.mjs").write_text(_POST)
    printed = run("node post.mjs", consumer)
    assert printed == '200 {"id":"1","result":"processed_x","status":"success"}\n\n'


def test_it_is_published_without_its_tests(package: Path, consumer: Path) -> None:
    installed = consumer / "node_modules/forstcore"
    found = {path.relative_to(installed).parts[0] for path in installed.rglob("*")}
    assert found == {"CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json"}
    described = json.loads((installed / "package.json").read_text())
    assert re.sub(r"-([a-z]+)\.", r"\1", described["version"]) == VERSION
    assert not described.get("dependencies")


@pytest.mark.long
@pytest.mark.parametrize("version", ["5.0.4", "5.9.3"])
def test_older_compilers_accept_it(consumer: Path, tmp_path: Path, version: str) -> None:
    run(f"npm install --no-audit --no-fund --prefix {tmp_path} typescript@{version}", tmp_path)
    compiler = tmp_path / "node_modules/typescript/bin/tsc"
    for files in _LIBRARIES.values():
        # Node's own declarations need a newer compiler than these.
        options = "--skipLibCheck" if "--types node" in files else ""
        options += " --module NodeNext --moduleResolution NodeNext"
        run(f"node {compiler} {_STRICT} {options} {files}", consumer)
