"""The layers: imports go downwards only, and in no circle."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import children
from tests.project.source_imports import (
    cython_imports,
    included_headers,
    python_imports,
    typescript_imports,
)

ROOT = Path(__file__).parent.parent.parent
TYPESCRIPT = ROOT / "clients/typescript/src"

# From the bottom to the top. A folder or module imports from lower layers, and within itself.
LAYERS = (
    (
        "forstcore._addresses",
        "forstcore._decimals",
        "forstcore._plural",
        "forstcore._json_log",
        "forstcore._zones",
    ),
    (
        "forstcore.errors",
        "forstcore.wire",
        "forstcore._version",
        "forstcore._include",
        "forstcore._heap",
        "forstcore._importing",
        "forstcore._received_signals",
    ),
    ("forstcore._tracing",),
    ("forstcore.forstcore_bits",),
    ("forstcore.forstcore_digits", "forstcore.forstcore_halfway", "forstcore.forstcore_powers"),
    ("forstcore.forstcore_numbers",),
    ("forstcore.forstcore_nested",),
    ("forstcore.forstcore",),
    ("forstcore.native",),
    ("forstcore._core",),
    ("forstcore._proc", "forstcore._environment"),
    ("forstcore._io", "forstcore.config", "forstcore.records", "forstcore._cancelling"),
    ("forstcore.formats",),
    ("forstcore.compiled",),
    ("forstcore.compilation",),
    ("forstcore.processors", "forstcore.retry"),
    ("forstcore.loading",),
    ("forstcore.engine", "forstcore.sources", "forstcore._client"),
    ("forstcore.sinks",),
    ("forstcore.pipelines",),
    ("forstcore.client", "forstcore.cluster"),
    ("forstcore.integration",),
    ("forstcore",),
    ("forstcore.cli",),
    ("forstcore.__main__",),
    ("server",),
    ("server.origins",),
    ("server.arguments", "server.config_checks"),
    ("server.config_file",),
    ("server.errors", "server.config", "server.background"),
    ("server.observe",),
    ("server.http",),
    ("server.streams",),
    ("server.live", "server.pipelines"),
    ("server.api", "server.dashboard"),
    ("server.process",),
    ("server.app",),
    ("server.worker",),
    ("server.supervisor",),
    ("server.cli",),
    ("server.healthcheck",),
    ("server.__main__",),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

TYPESCRIPT_LAYERS = (
    ("platform", "records", "wire", "transport", "bytes"),
    ("errors", "input", "leavable", "readable"),
    ("address", "chunked-body", "flat-records", "given"),
    ("config",),
    ("frames", "retry", "encoder", "window"),
    ("node-transport", "fetch-transport", "web-socket-transport"),
    ("connection", "producer"),
    ("stream-request",),
    ("transfer", "upload", "subscription"),
    ("options", "results", "byte-stream"),
    ("client",),
    ("sidecar", "forward"),
    ("request-handler",),
    ("integration",),
    ("index",),
)
TYPESCRIPT_RANKS = {name: rank for rank, layer in enumerate(TYPESCRIPT_LAYERS) for name in layer}

KNOW_HTTP = {"forstcore.cli", "forstcore.client", "forstcore.integration", "forstcore.retry"}
HTTP_MODULES = {"forstcore/sinks/http.py"}

# Commands run the package of the server, and know its options; workers of a cluster are asked for
# their version.
UPWARDS = {
    "forstcore/cli/_server_package.py": {"server"},
    "forstcore/cli/run.py": {"server.config"},
    "forstcore/cli/serve.py": {"server.cli", "server.config"},
    "forstcore/cluster/_run.py": {"forstcore"},
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


SOURCES = [
    path
    for package in ("forstcore", "server")
    for path in sorted((ROOT / package).rglob("*"))
    if path.suffix in {".py", ".pyi", ".pyx", ".pxd", ".h"}
]
MODULES = {module_of(path) for path in SOURCES}


def module_named(name: str) -> str:
    """The module of ours that `name` is, or is in; empty if there is none."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def names_in(path: Path) -> Iterator[tuple[str, str]]:
    """What a file imports, and the suffix of the file that declares it: .pxd, .h, or any."""
    text = path.read_text()
    if path.suffix in {".pyx", ".pxd"}:
        imported, cimported = cython_imports(text)
        yield from ((name, "") for name in imported)
        yield from ((name, ".pxd") for name in cimported)
    elif path.suffix in {".py", ".pyi"}:
        yield from ((name, "") for name in python_imports(text))
    if path.suffix in {".pyx", ".pxd", ".h"}:
        for header in included_headers(text, is_c=path.suffix == ".h"):
            for folder in (path.parent, ROOT / "forstcore"):
                if (included := (folder / header).resolve()) in SOURCES:
                    yield module_of(included), ".h"


def imports(path: Path) -> set[tuple[str, str]]:
    """The modules of ours that a file imports, cimports, includes, or runs as a module."""
    named = {(module_named(name), kind) for name, kind in names_in(path)}
    return {(name, kind) for name, kind in named if name}


def layer_of(module: str) -> str:
    while module not in RANKS:
        module = module.rpartition(".")[0]
    return module


def circle_in(graph: dict[str, set[str]]) -> object:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_each_module_has_a_layer() -> None:
    # The packages themselves hold no module that has no place of its own.
    assert [
        module
        for module in MODULES
        if layer_of(module) in {"forstcore", "server"} and module not in RANKS
    ] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    layer = layer_of(module_of(path))
    upwards = {
        name
        for name, _ in imports(path)
        if layer_of(name) != layer and RANKS[layer_of(name)] >= RANKS[layer]
    }
    assert upwards - UPWARDS.get(str(path.relative_to(ROOT)), set()) == set()


def test_exceptions_are_needed() -> None:
    for path, names in UPWARDS.items():
        assert names <= {name for name, _ in imports(ROOT / path)}, path


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        # What declares (.pxd) and what defines (.pyx) are two files, and compiled one after the
        # other. A stub (.pyi) is not imported by anything.
        kind = path.suffix if path.suffix in {".pxd", ".pyi", ".h"} else ""
        node = module_of(path) + kind
        graph.setdefault(node, set()).update(
            name + declared for name, declared in imports(path) if name + declared != node
        )
        if path.suffix == ".pyx":
            # The module is also imported when the program runs.
            graph[node].update(name for name, _ in imports(path) if name != node)
    assert circle_in(graph) is None


def test_modules_of_the_package_import_downwards() -> None:
    graph = {path.stem: typescript_imports(path.read_text()) for path in TYPESCRIPT.glob("*.ts")}
    assert graph.keys() == TYPESCRIPT_RANKS.keys()
    assert circle_in(graph) is None
    upwards = [
        (module, name)
        for module, names in graph.items()
        for name in names
        if TYPESCRIPT_RANKS.get(name, len(TYPESCRIPT_LAYERS)) > TYPESCRIPT_RANKS[module]
    ]
    assert upwards == []


@pytest.mark.parametrize("module", ["aiohttp", "orjson", "asyncio"])
def test_importing_forstcore_stays_light(module: str) -> None:
    code = f"import sys, forstcore; sys.exit({module!r} in sys.modules)"
    assert children.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_worker_processes_need_no_event_loop() -> None:
    code = "import sys, forstcore.engine.worker_main; sys.exit('asyncio' in sys.modules)"
    assert children.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_only_client_and_server_know_http() -> None:
    for path in SOURCES:
        layer = layer_of(module_of(path))
        if str(path.relative_to(ROOT)) in HTTP_MODULES:
            continue
        if not layer.startswith(("forstcore._client", "server")) and layer not in KNOW_HTTP:
            packages = {name.partition(".")[0] for name, _ in names_in(path)}
            assert not packages & {"aiohttp", "http"}, path
