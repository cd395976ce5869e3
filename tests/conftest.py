"""Settings and fixtures shared by every test."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from forstcore import _proc
from tests import children, preloaded
from tests.certificates import Certificates, make_certificates
from tests.native import build
from tests.servers import WAYS, Server, StartServer, launch

IN_CI = bool(os.environ.get("CI"))

# The duration of an example depends on the load of the machine.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "default")

children.default_signals()


_BUILDING = {"built", "installed", "site"}  # Fixtures that build packages or pages.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option of the full check, for which `.ci/install` has installed everything."""
    parser.addoption(
        "--fail-missing",
        action="store_true",
        help="fail where a test needs a program that is missing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let `make test` try a third of the examples; `make test-long` tries all."""
    if config.option.markexpr == "not long":
        settings.register_profile("few", max_examples=settings().max_examples // 3)
        settings.load_profile("few")


def _import_modules(root: Path) -> None:
    """Import all test modules, in another order in each process of pytest-xdist.

    They are compiled by whoever comes first. All processes would come to each at the same time.
    """
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    paths = sorted(root.glob("tests/**/test_*.py"))
    first = len(paths) * number // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for path in (*paths[first:], *paths[:first]):
        # Whatever is wrong, or missing, is reported when the module is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


@settings(max_examples=1, database=None)
@given(strategies.none())
def _do_nothing(_value: None) -> None:
    """Let hypothesis create the objects that it keeps."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without the garbage collector, which would search what is kept until the end.

    Each process of pytest-xdist collects all tests: that takes it half of the time without. Frozen,
    they do not slow down the collections of tests either.
    """
    gc.disable()
    if "PYTEST_XDIST_WORKER" in os.environ and not session.config.option.file_or_dir:
        _import_modules(session.config.rootpath)
    try:
        return (yield)
    finally:
        # From Python 3.14 on, hypothesis warns if its own generator is created after the freezing.
        _do_nothing()
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what repeats other tests, and what builds packages, to the long run.

    That is the second way to read bodies, scan paths but for the fastest, and of a test that is
    marked `one_in` all cases but the first of each so many.
    """
    paths = set(_proc.scan_paths()[1:])
    cases: Counter[str] = Counter()
    for item in items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        names = ("start_server", "shared_server", "served", "attacked")
        ways = [parameters.get(name) for name in names]
        is_second = "aiohttp" in ways and item.get_closest_marker("both_ways") is None
        is_slower = parameters.get("scan_path") in paths
        if is_second or is_slower or _BUILDING & {*item.fixturenames}:
            item.add_marker(pytest.mark.long)
        elif sample := item.get_closest_marker("one_in"):
            name = item.nodeid.partition("[")[0]
            if cases[name] % sample.args[0]:
                item.add_marker(pytest.mark.long)
            cases[name] += 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fork the processes of most tests, which are loaded already."""
    preloaded.turn(on=not any(map(item.get_closest_marker, ("long", "real_start"))))


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Restore the loggers, which a server in this process changes."""
    logger = logging.getLogger("forstcore")
    handlers, propagate, level = [*logger.handlers], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Native processors, one for each thing that one can do."""
    return build(Path(__file__).parent / "native" / "cases.c", tmp_path_factory.mktemp("native"))


@pytest.fixture(params=_proc.scan_paths())
def scan_path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on every scan path this CPU has."""
    before = _proc.scan_path()
    _proc.use_scan_path(request.param)
    yield request.param
    _proc.use_scan_path(before)


def _fail_if_it_could_not_run(
    report: pytest.TestReport | pytest.CollectReport, config: pytest.Config
) -> None:
    """Turn a skip because of a missing program into a failure, with `--fail-missing`."""
    if not (report.skipped and isinstance(report.longrepr, tuple)):
        return
    if not config.getoption("--fail-missing"):
        return
    reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    if reason.startswith("needs "):
        report.outcome = "failed"
        report.longrepr = f"a test must not be skipped here: it {reason}"


# A machine that lacks a tool would otherwise stay green and test nothing.
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Check the skips of tests, and make their reports serializable."""
    report = yield
    _fail_if_it_could_not_run(report, item.config)
    # pytest-xdist cannot send surrogates, which some tests log.
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Check the skips of whole modules."""
    report = yield
    _fail_if_it_could_not_run(report, collector.config)
    return report


@pytest.fixture
def start_one() -> Iterator[StartServer]:
    """Start servers with the given options; all are ended after the test."""
    servers: list[Server] = []

    def start(*options: str, env: dict[str, str] | None = None, log: Path | None = None) -> Server:
        servers.append(launch(*options, env=env, log=log))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(params=["takeover", "aiohttp"])
def start_server(request: pytest.FixtureRequest, start_one: StartServer) -> StartServer:
    """Start servers as `start_one` does, which read bodies in one way and in the other.

    The other way belongs to the long run, unless the test is marked `both_ways`.
    """
    way = WAYS[request.param]

    def start(*options: str, env: dict[str, str] | None = None, log: Path | None = None) -> Server:
        return start_one(*options, env={**way, **(env or {})}, log=log)

    return start


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """A server with default options."""
    return start_server()


@pytest.fixture(scope="module", params=["takeover", "aiohttp"])
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server without a log, for all tests of a module, which leave it as it was."""
    server = launch("--no-access-log", env=WAYS[request.param])
    yield server
    server.kill()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of a server and of two clients."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
