"""The servers that are compared, and the load client: compiled, started and pinned to cores."""

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks import records
from benchmarks.building import BUILD, HERE, BenchmarkError, compile_program

ENDPOINT: Final = "/streaming-process"
_START_SECONDS: Final = 15.0

FORST: Final = "forstcore"
C_ECHO: Final = "C echo"
C_RECORDS: Final = "C records"
AIOHTTP_ECHO: Final = "aiohttp echo"
AIOHTTP_ORJSON: Final = "aiohttp + orjson"
GO: Final = "Go"
NODE: Final = "Node"


@dataclass(frozen=True)
class Server:
    """One contestant: `{port}` in the command becomes its port."""

    name: str
    command: tuple[str, ...]
    echoes: bool = False
    endpoint: str = ENDPOINT
    kinds: tuple[str, ...] = records.KINDS
    """Kinds of records that it processes correctly."""

    def takes(self, kind: str) -> bool:
        """Return whether it processes records of this kind correctly."""
        return kind in self.kinds


def _cores() -> tuple[int, int] | None:
    """Return the cores for the server and the client, or None if they cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    # First and last: adjacent ones may be hardware threads of the same core.
    return (allowed[-1], allowed[0]) if len(allowed) > 1 else None


CORES: Final = _cores()


def _pin(core: int) -> Callable[[], None] | None:
    return None if CORES is None else partial(os.sched_setaffinity, 0, {core})


def build() -> None:
    """Compile the load client and the C servers."""
    compiler = os.environ.get("CC", "cc")
    echo = HERE / "servers" / "echo.c"
    headers = sorted(HERE.glob("loadclient_*.h"))
    for name, source, included, options in (
        ("loadclient", HERE / "loadclient.c", headers, ("-O2",)),
        ("echo", echo, [], ("-O2",)),
        ("records", echo, [], ("-O3", "-march=native", "-DRECORDS")),
    ):
        command = [compiler, *options, "-o", str(BUILD / name), str(source)]
        compile_program(command, [source, *included], BUILD / name)


def contestants() -> tuple[list[Server], list[str]]:
    """Return the available servers, and a line for each unavailable one."""
    python = sys.executable
    found: list[Server] = []
    skipped: list[str] = []
    if (HERE.parent / "server" / "__main__.py").exists():
        found.append(Server(FORST, (python, "-m", "server", "--port", "{port}")))
    else:
        skipped.append(f"{FORST}: there is no server/__main__.py yet: skipped")
    found.append(Server(C_ECHO, (str(BUILD / "echo"), "--port", "{port}"), echoes=True))
    plain = Server(C_RECORDS, (str(BUILD / "records"), "--port", "{port}"))
    found.append(replace(plain, kinds=records.PLAIN_KINDS))
    module = (python, "-m", "benchmarks.servers.aiohttp_echo", "--port", "{port}")
    found.append(Server(AIOHTTP_ECHO, module, echoes=True))
    if importlib.util.find_spec("orjson"):
        module = (python, "-m", "benchmarks.servers.aiohttp_orjson", "--port", "{port}")
        found.append(Server(AIOHTTP_ORJSON, module))
    else:
        skipped.append(f"{AIOHTTP_ORJSON}: orjson is not installed: skipped")
    if shutil.which("go"):
        output = BUILD / "go-server"
        source = HERE / "servers" / "go"
        compile_program(
            ["go", "build", "-o", str(output), "."], source.iterdir(), output, directory=source
        )
        found.append(Server(GO, (str(output), "--port", "{port}")))
    else:
        skipped.append(f"{GO}: the go command is not installed: skipped")
    if node := shutil.which("node"):
        found.append(Server(NODE, (node, str(HERE / "servers" / "node.mjs"), "--port", "{port}")))
    else:
        skipped.append(f"{NODE}: the node command is not installed: skipped")
    return found, skipped


def versions() -> str:
    """Return the versions of the peers' software, on which their speed depends."""
    found = [f"Python {platform.python_version()}"]
    for package in ("aiohttp", "orjson"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    if go := shutil.which("go"):
        done = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
        found += done.stdout.removeprefix("go version ").split()[:1]
    if node := shutil.which("node"):
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        found.append(f"Node {done.stdout.strip()}")
    return ", ".join([*found, f"{platform.machine()} {sys.platform}"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise BenchmarkError(f"the server ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise BenchmarkError(f"the server did not listen within {_START_SECONDS:.0f} seconds")


@dataclass
class Running:
    """A server process and the port it listens on."""

    server: Server
    pid: int
    port: int

    def client(self, mode: str, body: Path, *options: str) -> dict[str, Any]:
        """Run the load client and return its report."""
        command = [
            str(BUILD / "loadclient"), mode, "--body", str(body), *options,
            "127.0.0.1", str(self.port), self.server.endpoint,
        ]  # fmt: skip
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=_pin(CORES[1]) if CORES else None,
        )
        if done.returncode:
            raise BenchmarkError(f"{self.server.name}, {mode}: {done.stderr.strip()}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@contextlib.contextmanager
def running(server: Server) -> Iterator[Running]:
    """Start a server on its own core; stop it at the end of the block."""
    port = _free_port()
    command = [part.format(port=port) for part in server.command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=HERE.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_pin(CORES[0]) if CORES else None,
        )
        try:
            _wait_for_port(process, port)
            yield Running(server, process.pid, port)
        except BenchmarkError as error:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-2000:]
            raise BenchmarkError(f"{error}\n{server.name} said:\n{said}") from None
        finally:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
