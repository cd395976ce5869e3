"""Every input of the corpus, past findings among them, and some thousand changed ones.

Deterministic, and with the build that there is: what `make fuzz` does with sanitizers and
coverage, for seconds instead of hours.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from random import Random

import pytest

from fuzz import TARGETS, target
from tests import children
from tests.servers import ROOT

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
pytest.importorskip(
    "orjson", reason="orjson has no free-threaded wheels" if FREE_THREADED else "needs orjson"
)

CORPUS = ROOT / "fuzz" / "corpus"
# As many as take a few seconds.
CHANGED = {
    "stream": 2000,
    "records": 1500,
    "native": 800,
    "shapes": 300,
    "chunked": 4000,
    "frames": 4000,
}


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def changed(random: Random, inputs: list[bytes]) -> bytes:
    """Change an input in a few places."""
    data = bytearray(random.choice(inputs))
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(data))
        stop = min(start + random.randint(0, 8), len(data))
        match random.randrange(5):
            case 0:
                data[start:stop] = random.randbytes(stop - start)
            case 1:
                data[start:start] = random.randbytes(random.randint(1, 8))
            case 2:
                del data[start:stop]
            case 3:
                data[start:start] = data[start:stop] * random.randint(1, 20)
            case 4:
                other = random.choice(inputs)
                data[start:] = other[random.randint(0, len(other)) :][:4096]
    return bytes(data)


def test_every_target_has_seeds() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert all(seeds(name) for name in TARGETS)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_the_corpus(path: Path) -> None:
    target(path.parent.name)(path.read_bytes())


@pytest.mark.parametrize("share", [1 / 3, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs(name: str, share: float) -> None:
    random = Random(name)
    inputs = seeds(name)
    check = target(name)
    for _ in range(round(CHANGED[name] * share)):
        data = changed(random, inputs)
        try:
            check(data)
        except Exception as finding:
            raise AssertionError(f"{name}: bytes.fromhex({data.hex()!r})") from finding


def test_a_file_is_checked_by_hand() -> None:
    path = CORPUS / "stream" / "crlf"
    done = children.run(
        [sys.executable, "-m", "fuzz", "stream", path],
        cwd=ROOT,
        text=True,
        check=True,
    )
    assert done.stdout == f"{path}: no finding\n"


@pytest.mark.parametrize("module", ["fuzz", "fuzz.explore"])
def test_there_is_no_such_target(module: str) -> None:
    done = children.run(
        [sys.executable, "-m", module, "chunk", "file"],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("chunk", *TARGETS))


def test_a_finding_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference from the reference implementation fails the target."""
    monkeypatch.setattr("fuzz.oracle.rows_of", lambda output: [])
    with pytest.raises(AssertionError):
        target("stream")((CORPUS / "stream" / "crlf").read_bytes())
