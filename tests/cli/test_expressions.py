"""`forstcore process --where` and `--map`, and `forstcore check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forstcore.cli._expressions import processor_of_expressions
from tests.cli.conftest import Run

LINES = (
    b'{"id":"1","status":200}\n{"id":"2","status":503}\nnope\n{"id":"3"}\n{"id":"4","status":500}\n'
)


def test_expressions_are_compiled() -> None:
    for where, result in (
        ('r["status"] >= 500', '{"id": r["id"]}'),
        (None, '[{"n": n} for n in range(r["count"])]'),
        ('r.get("id")  # a comment', None),
    ):
        processor = processor_of_expressions(where, result)
        assert processor.program is not None, processor.compilation_report


def test_records_are_selected_and_changed(run: Run) -> None:
    done = run(
        *("process", "--where", 'r["status"] >= 500', "--map", '{"id": r["id"]}'),
        *("--on-error", "emit"),
        stdin=LINES,
    )
    first, invalid, failed, last = map(json.loads, done.stdout.splitlines())
    assert (first, last) == ({"id": "2"}, {"id": "4"})
    assert (invalid["line"], invalid["code"]) == (3, "invalid_json")
    assert (failed["line"], failed["message"]) == (4, "KeyError: 'status'")


def test_expressions_that_do_not_compile_are_interpreted(run: Run) -> None:
    done = run("process", "--map", "datetime.date.today().year > r['n']", stdin=b'{"n":1}\n')
    assert done.stdout == b"true\n"
    first, line, caret = done.stderr.decode().splitlines()
    assert first.startswith(
        "forstcore: the expression does not compile, so Python runs it: a call of "
    )
    assert line == "    datetime.date.today().year > r['n']"
    assert caret == "    ^"
    where = "'ä' > str(datetime.date.today())"
    done = run("process", "--where", where, "--map", 'r["n"]', stdin=b'{"n":1}\n')
    assert done.stdout == b"1\n"
    *_, line, caret = done.stderr.decode().splitlines()
    assert line[caret.index("^") :] == "datetime.date.today())"
    assert run("process", "--map", 'r["n"]', stdin=b'{"n":1}\n').stderr == b""


def test_an_error_is_shown_with_a_caret(run: Run) -> None:
    done = run("process", "--where", 'r["status"] >= 5x')
    assert done.returncode == 2
    *_, line, caret = done.stderr.decode().splitlines()
    assert line == '    r["status"] >= 5x'
    assert caret.strip() == "^"
    assert run("process", "--map", "a; b").returncode == 2
    assert run("process", "--map", "r", "--processor", "x").returncode == 2


ROUTES = """
import forstcore
SEEN = []

@forstcore.processor("fine")
def fine(event: dict):
    return {"id": event["id"]}

@forstcore.processor("counts")
def counts(event: dict):
    SEEN.append(event["id"])
    return event
"""


@pytest.mark.parametrize("has_all", [True, False])
def test_check(run: Run, tmp_path: Path, has_all: bool) -> None:
    path = tmp_path / "routes.py"
    text = ROUTES
    if has_all:
        text = text.replace('"counts")', '"counts", compiled=False)')
    path.write_text(text)
    done = run("check", "routes.py")
    assert done.returncode == (0 if has_all else 1)
    counts, fine = done.stdout.decode().splitlines()
    assert fine == "fine: compiled"
    if has_all:
        assert counts == "counts: not compiled, as declared"
    else:
        assert counts.startswith(f"counts: not compiled: {path}:11:5: ")
    report = json.loads(run("check", "--json", "routes.py").stdout)
    assert [each["compiled"] for each in report["processors"]] == [False, True]
    if not has_all:
        assert report["processors"][0]["reason"]["line"] == 11
