"""The programs of docs/ray-and-spark.md, run by Ray and by Spark."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from tests import children
from tests.servers import ROOT

# They install several hundred megabytes, and start clusters.
pytestmark = pytest.mark.long

_PATIENCE = 900.0
_PROGRAMS = dict(
    re.findall(
        r"^## (Ray|Spark)$.*?^```python\n(.*?)^```$",
        (ROOT / "docs/ray-and-spark.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with Ray and Spark, and the packages of the tests."""
    if shutil.which("java") is None:
        pytest.skip("needs java")
    directory = tmp_path_factory.mktemp("ray-and-spark")
    venv.create(directory, symlinks=True)
    interpreter = directory / "bin" / "python"
    (packages,) = directory.glob("lib/python*/site-packages")
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "tests.pth").write_text("\n".join(paths) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"]
    options = ("--disable-pip-version-check", "--group", f"{ROOT}/pyproject.toml:partitions")
    done = children.run([*pip, *options], text=True, timeout=_PATIENCE)
    if done.returncode != 0:
        # Not a failure of CI: not every interpreter has wheels of both.
        pytest.skip(f"Ray and Spark do not install here: {done.stderr[-500:]}")
    return interpreter


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for their files; the paths of sockets in it must not be long."""
    with tempfile.TemporaryDirectory(prefix="home", dir="/tmp") as directory:
        yield Path(directory)


@pytest.mark.parametrize("name", ["Ray", "Spark"])
def test_all_partitions_are_processed(python: Path, home: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "orders").mkdir()
    orders = [{"id": number, "price": 2.5, "count": number % 7} for number in range(10_000)]
    for part in range(2):
        lines = (json.dumps(order) + "\n" for order in orders[part::2])
        (tmp_path / "orders" / f"{part}.ndjson").write_text("".join(lines))
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "RAY_TMPDIR": str(home),
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    program = tmp_path / "program.py"
    program.write_text(_PROGRAMS[name])
    done = children.run(
        [python, program], cwd=tmp_path, env=environment, text=True, timeout=_PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = pyarrow.parquet.read_table(tmp_path / "totals")
    assert sorted(table.to_pylist(), key=lambda row: int(row["id"])) == [
        {"id": order["id"], "total": order["price"] * order["count"]}
        for order in orders
        if order["count"]
    ]
