"""Generated functions: the same bytes as in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiled.generated.exploring import Difference, Totals, check, explore
from tests.compiled.generated.shrinking import shrink

SAME = "def f(r):\n    x = 1\n    if r['a']:\n        x = 2\n    return {'n': r['n'], 'x': x}\n"
OTHER = "def f(r):\n    return {'n': r['n'], 'x': 2}\n"


def explore_all(seed: str, functions: int, records: int, directory: Path) -> Totals:
    totals = Totals()
    for name, found in explore(seed, functions, records, directory, totals):
        raise AssertionError(f"seed {name}\n{shrink(found, directory)}")
    return totals


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(4))
def test_same_bytes(seed: int, tmp_path: Path) -> None:
    totals = explore_all(f"short {seed}", 40, 30, tmp_path)
    assert totals.functions == 40


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_same_bytes_of_many(seed: int, tmp_path: Path) -> None:
    # Some functions make texts that no memory is large enough for.
    resource = pytest.importorskip("resource", reason="needs limits of memory")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, before[1]))
    try:
        explore_all(f"long {seed}", 100, 100, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_difference_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference that there is wherever `x` is in a result stays, and little else."""

    def differs(source: str, data: bytes, directory: Path, totals: Totals) -> Difference | None:
        fails = "'x'" in source and "f(r)" in source and b'"n"' in data
        return Difference(source, data, b"1", b"2") if fails else None

    monkeypatch.setattr("tests.compiled.generated.shrinking.check", differs)
    data = b'{"m":1}\n{"a":[1,2],"n":12,"b":{"c":"text"}}\n'
    smaller = shrink(Difference(SAME, data, b"", b""), tmp_path)
    assert smaller.source == "def f(r):\n    return 'x'\n"
    assert smaller.data == b'{"n": 0}\n'


def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.compiled.generated.exploring.run_program",
        lambda *_: type("Run", (), {"output": b'{"n":1}\n', "lines": 1, "given_back": 0})(),
    )
    found = check(OTHER, b'{"n":1}\n', tmp_path, Totals())
    assert found is not None
    assert (found.expected, found.got) == (b'{"n":1,"x":2}\n', b'{"n":1}')
