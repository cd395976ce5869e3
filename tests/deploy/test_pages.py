"""The pages about deployment and scale match the files and the calculations."""

from __future__ import annotations

import json
import re

from benchmarks.scale import FIGURES, Scale
from server.config import build_parser
from tests.deploy.proxies import DEPLOY
from tests.servers import ROOT

DEPLOY_PAGE = (ROOT / "docs" / "deploy.md").read_text()
OF_OTHER_PROGRAMS = {
    *("--file", "--tag", "--build", "--scale"),  # docker
    *("--bootstrap-server", "--from-beginning", "--topic"),  # Kafka
    "--minutes",  # tests.rolling
}
SCALE_PAGE = (ROOT / "docs" / "scale.md").read_text()


def test_every_file_is_on_the_page() -> None:
    files = {
        str(path.relative_to(ROOT))
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix not in (".dockerignore", ".pyc")
    }
    assert set(re.findall(r"`(deploy/[\w./-]+)`", DEPLOY_PAGE)) == files


def test_every_option_in_the_files_is_one_of_the_server() -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", build_parser().format_help()))
    texts = [DEPLOY_PAGE, *((DEPLOY / name).read_text() for name in ("nginx.conf", "haproxy.cfg"))]
    for text in texts:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        named -= OF_OTHER_PROGRAMS
        assert named
        assert named <= known


def test_the_tables_are_what_the_script_prints() -> None:
    tables = Scale(json.loads(FIGURES.read_text())).tables()
    assert len(tables) == 6
    found = re.findall(r"(?:^\|.*\n)+", SCALE_PAGE, re.MULTILINE)
    assert [table.rstrip() for table in found] == tables


def test_figures_of_ones_own_change_the_tables() -> None:
    figures = json.loads(FIGURES.read_text())
    before = Scale(figures).tables()
    figures["cpu_seconds_per_gb"]["plain"] *= 2
    figures["assumed"] = {"load": 0.35}
    after = Scale(figures).tables()
    cores = [int(tables[1].splitlines()[2].split("|")[2]) for tables in (before, after)]
    # Twice the cost at half the load.
    assert 4 * cores[0] - 4 < cores[1] <= 4 * cores[0]
