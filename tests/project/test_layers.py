"""The layers: imports go downwards only, and in no circle."""

from __future__ import annotations

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import children

ROOT = Path(__file__).parent.parent.parent

# From the bottom to the top. A folder or module imports from lower layers, and within itself.
LAYERS = (
    ("forstcore._plural", "forstcore._json_log"),
    (
        "forstcore.errors",
        "forstcore.wire",
        "forstcore._version",
        "forstcore._include",
        "forstcore._heap",
        "forstcore._importing",
    ),
    ("forstcore._tracing",),
    ("forstcore.native",),
    ("forstcore._core",),
    ("forstcore._proc",),
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

KNOW_HTTP = {"forstcore.cli", "forstcore.client", "forstcore.integration", "forstcore.retry"}
HTTP_MODULES = {"forstcore/sinks/http.py"}

# Commands run the package of the server, and know its options; workers of a cluster are asked for
# their version.
UPWARDS = {
    "forstcore/cli/run.py": {"server.config"},
    "forstcore/cli/serve.py": {"server.cli", "server.config"},
    "forstcore/cluster/_run.py": {"forstcore"},
}


CYTHON_IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+c?import\s+\(?([\w, ]*)|c?import\s+([\w.]+))", re.MULTILINE
)
HTTP_IMPORT = re.compile(r"^\s*(?:from|import) (?:aiohttp|http)\b", re.MULTILINE)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def sources() -> list[Path]:
    return [
        path
        for package in ("forstcore", "server")
        for path in sorted((ROOT / package).rglob("*"))
        if path.suffix in {".py", ".pyx", ".pxd"}
    ]


MODULES = {module_of(path) for path in sources()}


def module_named(name: str) -> str:
    """The module of ours that `name` is, or is in; empty if there is none."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def imports(path: Path) -> set[str]:
    """What a file imports of ours, cimports and what it runs as a module included."""
    text = path.read_text()
    found: set[str] = set()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found.update(name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                found.update(f"{node.module}.{name.name}" for name in node.names)
            elif isinstance(node, ast.Call) and "run_module" in ast.unparse(node.func):
                found.add(ast.literal_eval(node.args[0]))
    else:
        for package, names, module in re.findall(
            r"^\s*(?:from\s+([\w.]+)\s+c?import\s+\(?([\w, ]*)|c?import\s+([\w.]+))",
            text,
            re.MULTILINE,
        ):
            if module:
                found.add(module)
            else:
                first = names.split(",")[0].strip()
                found.add(f"{package}.{first}")
    return {name for name in map(module_named, found) if name} - {module_of(path)}


def layer_of(module: str) -> str:
    while module not in RANKS:
        module = module.rpartition(".")[0]
    return module


def test_each_module_has_a_layer() -> None:
    # The packages themselves hold no module that has no place of its own.
    assert [
        module
        for module in MODULES
        if layer_of(module) in {"forstcore", "server"} and module not in RANKS
    ] == []


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    layer = layer_of(module_of(path))
    upwards = [
        name
        for name in imports(path)
        if layer_of(name) != layer
        and RANKS[layer_of(name)] >= RANKS[layer]
        and name not in UPWARDS.get(str(path.relative_to(ROOT)), set())
    ]
    assert upwards == []


def test_there_is_no_circle() -> None:
    # What declares (.pxd) and what defines (.pyx) are two files, and compiled one after the other.
    graph: dict[str, set[str]] = {}
    for path in sources():
        kind = ".pyx" if path.suffix == ".pyx" else ""
        graph.setdefault(module_of(path) + kind, set()).update(imports(path))
    with_circle = None
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        with_circle = error.args[1]
    assert with_circle is None


@pytest.mark.parametrize("module", ["aiohttp", "orjson", "asyncio"])
def test_importing_forstcore_stays_light(module: str) -> None:
    code = f"import sys, forstcore; sys.exit({module!r} in sys.modules)"
    assert children.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_worker_processes_need_no_event_loop() -> None:
    code = "import sys, forstcore.engine.worker_main; sys.exit('asyncio' in sys.modules)"
    assert children.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_only_client_and_server_know_http() -> None:
    for path in sources():
        layer = layer_of(module_of(path))
        if str(path.relative_to(ROOT)) in HTTP_MODULES:
            continue
        if not layer.startswith(("forstcore._client", "server")) and layer not in KNOW_HTTP:
            assert not re.search(
                r"^\s*(?:from|import) (?:aiohttp|http)\b", path.read_text(), re.M
            ), path
