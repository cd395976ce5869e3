"""The tests of the published npm package, in all runtimes that it supports."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests import children
from tests.certificates import Certificates
from tests.servers import launch
from tests.typescript.conftest import run
from tests.typescript.test_package import OPTIONS

pytestmark = pytest.mark.long

# The command that runs a file of tests, and its output if none has failed.
_NODE = ("node --test-reporter=tap", "\n# fail 0\n")
_RUNTIMES = {
    "node@20": _NODE,
    "node@22": _NODE,
    "node@24": _NODE,
    "bun@1": ("bun test --timeout 120000", "\n 0 fail\n"),
    "deno@2": ("deno test --allow-all --no-check --node-modules-dir=manual", " 0 failed "),
}
_OTHERS = {"endurance", "transports"}  # They take long, and use Node's own TLS.


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_the_package_in(
    runtime: str, package: Path, consumer: Path, certificates: Certificates, tmp_path: Path
) -> None:
    run(
        f"npm install --no-audit --no-fund --prefer-offline --prefix {tmp_path} {runtime}", tmp_path
    )
    # Next to the installed package, so that they import it.
    shutil.copytree(package / "build", consumer / "build", dirs_exist_ok=True)
    command, passed = _RUNTIMES[runtime]
    program, *options = command.split()
    server = launch(*OPTIONS)
    environment = {
        **os.environ,
        "FORST_URL": server.url,
        "FORST_PYTHON": sys.executable,
        "FORST_CERTIFICATES": str(certificates.directory),
        "NO_COLOR": "1",
    }
    try:
        for test in sorted((consumer / "build").glob("*.test.js")):
            if test.name.partition(".")[0] in _OTHERS:
                continue
            done = children.run(
                [tmp_path / "node_modules/.bin" / program, *options, f"./build/{test.name}"],
                cwd=consumer,
                env=environment,
                text=True,
                timeout=240,
            )
            printed = done.stdout + done.stderr
            assert done.returncode == 0, f"{test.name}: {printed}"
            assert passed in printed, printed
    finally:
        server.kill()
