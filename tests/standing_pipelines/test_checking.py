"""All errors in a pipeline file are reported together, with their positions."""

from __future__ import annotations

from pathlib import Path

import pytest

from forstcore.errors import PipelineConfigError
from forstcore.pipelines import load_pipelines
from tests.standing_pipelines.workspace import PROCESSORS, Workspace, records

BASE = '[pipelines.a]\nsource = "file:in"\nsink = "file:out"\n'


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(PipelineConfigError) as caught:
        load_pipelines(str(path))
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [each.removeprefix(str(path)) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": there are no pipelines: declare each as a table [pipelines.NAME]"),
        ("pipelines = 5", ": there are no pipelines: declare each as a table [pipelines.NAME]"),
        ("[pipelines]\na = 5", ", [pipelines.a]: must be a table [pipelines.NAME]"),
        ("prt = 1\n" + BASE, ", prt: there is no such key: known are processors, state, pipeli"),
        ("processors = 'x'\n" + BASE, ", processors: must be a list of names of modules or"),
        ("processors = ['no.py']\n" + BASE, ", processors: cannot load processors from no.py: "),
        ("state = ''\n" + BASE, ", state: must be the path of a directory"),
        ("[pipelines.A]\n", ", [pipelines.A]: the name must be up to 64 lower case letters"),
        (
            BASE + "size = 1",
            ", [pipelines.a], size: there is no such key: known are errors, filter",
        ),
        (BASE + "workers = 0", ", [pipelines.a], workers: must be from 1 to 10,000 workers, not 0"),
        (BASE + "workers = true", ", [pipelines.a], workers: must be a whole number, not True"),
        (BASE + "workers = '1'", ", [pipelines.a], workers: must be a whole number, not '1'"),
        (BASE + "errors = 1", ", [pipelines.a], errors: must be text, not 1"),
        (BASE + "errors = ''", ", [pipelines.a], errors: must be text that is not empty"),
        (BASE + "worker_kind = 'x'", ", [pipelines.a], worker_kind: must be one of threads, "),
        (BASE + "filter = 'x'", ", [pipelines.a], filter: must be a table of conditions"),
        (BASE + "filter = {a = {b = 1}}", ", [pipelines.a], filter: filters.a"),
        (BASE + "processor = 'x'", ", [pipelines.a], processor: there is no processor 'x'; there "),
        (BASE + "errors = 'x:y'", ", [pipelines.a], errors: has a URL that starts with none of"),
        (BASE + "start = 'x'", ", [pipelines.a], start: the source has no offset 'x'"),
    ],
)
def test_each_problem_names_its_place(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems_of(tmp_path, text)
    assert found.startswith(problem)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(BASE, encoding="utf-8-sig")
    assert len(load_pipelines(str(tmp_path / "p.toml"))) == 1


@pytest.mark.parametrize(
    ("source", "sink", "is_loop"),
    [
        ("file:in", "file:in", True),
        ("file:./in", "file:in", True),
        ("file:*.ndjson", "file:out.ndjson", True),
        ("file:**/*.ndjson", "file:out.ndjson", True),
        ("file:*.ndjson", "file:out.ndjson?max_size=1MB", True),
        ("file:out-*.ndjson", "file:out.ndjson?max_size=1MB", True),
        ("file:out-*.ndjson", "file:out.ndjson", False),
        ("file:*.ndjson", "file:.out.ndjson", False),
        ("file:logs/*.ndjson", "file:out.ndjson", False),
        ("redis://h/0?stream=a", "redis://u:p@h/0?stream=a", True),
        ("redis://h/0", "redis://h/0?stream=a", True),
        ("redis://h/0?stream=a", "redis://h/1?stream=a", False),
        ("redis://h/0?stream=a", "redis://h/0?stream=b", False),
        ("kafka://h?topic=t&group=g", "kafka://h?topic=t", True),
        ("kafka://h?topic=t&group=g", "kafka://other?topic=t", False),
        ("nats://h?stream=s&subject=a.*", "nats://h?subject=a.b", True),
        ("nats://h?stream=s&subject=a.>", "nats://h?subject=b.a", False),
        ("nats://h?stream=s", "nats://h?stream=s&subject=a", True),
        ("mqtt://h/sensors/%23", "mqtt://h/sensors/out", True),
        ("mqtt://h/$share/g/sensors/+", "mqtt://h/sensors/out", True),
        ("mqtt://h/sensors/+", "mqtt://h/sensors/out/1", False),
    ],
)
def test_a_pipeline_must_not_read_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, sink: str, is_loop: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip(
        {"redis": "redis", "kafka": "confluent_kafka", "nats": "nats"}.get(
            source.partition(":")[0], "forstcore"
        )
    )
    text = f'[pipelines.a]\nsource = "{source}"\nsink = "{sink}"\n'
    Path("p.toml").write_text(text)
    if not is_loop:
        load_pipelines("p.toml")
        return
    why = "writes what the source reads, so results would be read again"
    assert problems_of(tmp_path, text) == [f", [pipelines.a], sink: {why}"]
    Path("p.toml").write_text(text + 'filter = {kind = "new"}')
    load_pipelines("p.toml")
    text = f'[pipelines.a]\nsource = "{source}"\nsink = "file:o"\nerrors = "{sink}"\n'
    assert problems_of(tmp_path, text) == [f", [pipelines.a], errors: {why}"]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        oops = 1
        [pipelines.a]
        source = "memory:"
        sink = "file:x?colour=red"
        processor = "double"
        [pipelines.b]
        source = "redis://user:hidden@127.0.0.1:1/0?stream=x&strem=y"
        [pipelines.c]
        sink = "nothing://user:hidden@host"
        source = "file:in?follow=maybe"
        """,
    )
    assert [each.split(": ")[0] for each in found] == [
        ", oops",
        ", [pipelines.b], sink",
        ", [pipelines.a], processor",
        ", [pipelines.a], source",
        ", [pipelines.a], sink",
        ", [pipelines.b], source",
        ", [pipelines.c], source",
        ", [pipelines.c], sink",
    ]
    assert "hidden" not in "".join(found)


def test_options_have_values_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET_FOR_TEST", 'a"b')
    monkeypatch.setenv("EMPTY_FOR_TEST", "")
    monkeypatch.delenv("UNSET_FOR_TEST", raising=False)
    path = tmp_path / "p.toml"
    path.write_text(
        BASE.replace("file:in", "file:${SET_FOR_TEST}/${UNSET_FOR_TEST:-in}${EMPTY_FOR_TEST}")
        + 'filter = {level = ["${EMPTY_FOR_TEST:-low}", "$${SET_FOR_TEST}", "$5"], n = {gt = 1}}\n'
        + 'errors = "file:${UNSET_FOR_TEST:-}errors"\n'
    )
    (pipeline,) = load_pipelines(str(path))
    assert pipeline.config.source == 'file:a"b/in'
    assert pipeline.config.filter == {"level": ["low", "${SET_FOR_TEST}", "$5"], "n": {"gt": 1}}
    assert pipeline.config.errors == "file:errors"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("${UNSET_FOR_TEST}", "has ${UNSET_FOR_TEST}, but there is no such environment variable"),
        ("a${", "has a ${ that is followed by no NAME}; write $${ for ${ itself"),
        ("${1}", "has a ${ that is followed by no NAME}; write $${ for ${ itself"),
        ("${A-b}", "has a ${ that is followed by no NAME}; write $${ for ${ itself"),
    ],
)
def test_a_reference_without_a_value_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    monkeypatch.delenv("UNSET_FOR_TEST", raising=False)
    text = BASE + f"errors = 'file:{value}'\nfilter = {{level = ['{value}']}}\n"
    assert problems_of(tmp_path, text) == [
        f", [pipelines.a], errors: {problem}",
        f", [pipelines.a], filter: {problem}",
    ]


def test_what_is_no_toml_is_an_error(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path, "[pipelines.a\n")
    assert found.startswith(": is not TOML: ")
    path = tmp_path / "other.toml"
    for encoding in ("latin-1", "utf-16"):
        path.write_text("é = 1\n", encoding=encoding)
        with pytest.raises(PipelineConfigError, match=r"other\.toml: is not UTF-8 text"):
            load_pipelines(str(path))


def test_the_file_of_a_server_is_run(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 10))
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    path = workspace.path / "pipelines.toml"
    options = "port = 8080\nmax-streams = 5\nprocesses = 2\n"
    path.write_text(options + path.read_text() + '[sources]\nevents = "memory:"\n')
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    assert workspace.read("out") == records(0, 10)
    path.write_text("prot = 8080\n" + path.read_text())
    done = workspace.run("--check")
    assert done.returncode == 3
    assert b"prot: there is no such key: known are processors, state, pipelines and" in done.stderr


def test_two_sinks_do_not_share_a_file(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 10))
    source = "file:in.ndjson?follow=no"
    workspace.declare(
        a={"source": source, "sink": "file:out", "errors": "file:errors"},
        b={"source": source, "sink": f"file:{workspace.path}/out", "errors": "file:b"},
        c={"source": source, "sink": "file:c", "errors": "file:./errors?max_size=1MB"},
        d={"source": source, "sink": "file:d", "errors": "file:d"},
    )
    done = workspace.run("--check")
    assert done.returncode == 3
    assert done.stderr.decode().splitlines() == [
        "forstcore: pipelines.toml, [pipelines.b], sink: is also the file of [pipelines.a], sink: "
        "each sink needs its own",
        "pipelines.toml, [pipelines.c], errors: is also the file of [pipelines.a], errors: "
        "each sink needs its own",
        "pipelines.toml, [pipelines.d], errors: is also the file of [pipelines.d], sink: "
        "each sink needs its own",
    ]
    # They may take turns.
    assert workspace.run("--check", "c").returncode == workspace.run("a").returncode == 0


def test_a_check_finds_directories_that_are_missing(workspace: Workspace) -> None:
    workspace.declare(
        copy={"source": "file:in", "sink": "file:missing/out", "errors": "file:/dev/null/errors"},
        good={"source": "file:in", "sink": "file:out"},
        over={"source": "file:in", "sink": "file:../."},
    )
    done = workspace.run("--check")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode().splitlines() == [
        "forstcore: pipelines.toml, [pipelines.copy], sink: cannot be written: there is no "
        "directory missing",
        "pipelines.toml, [pipelines.copy], errors: cannot be written: there is no directory "
        "/dev/null",
        "pipelines.toml, [pipelines.over], sink: cannot be written: .. is a directory",
    ]


def test_a_file_is_checked_without_running(workspace: Workspace) -> None:
    workspace.declare(
        first={
            "source": "file:in.ndjson",
            "sink": "file:out.ndjson",
            "processor": "double",
            "errors": "file:errors.ndjson",
        },
        second={
            "source": "redis://user:hidden@127.0.0.1:1/0?stream=x&group=g",
            "sink": "file:second.ndjson",
        },
        third={"source": "kafka://b:1?topic=x&group=g", "sink": "kafka://b:1?topic=y"},
    )
    done = workspace.run("--check")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "first: file:in.ndjson -> double -> file:out.ndjson; exactly once; "
        "errors: file:errors.ndjson",
        "second: redis://user:…@127.0.0.1:1/0?stream=x&group=g -> file:second.ndjson; "
        "at least once; errors: counted only",
        "third: kafka://b:1?topic=x&group=g -> kafka://b:1?topic=y; exactly once "
        "if source and sink are in the same cluster, otherwise at least once; errors: counted only",
    ]
    assert sorted(path.name for path in workspace.path.iterdir() if path.is_file()) == [
        "pipelines.toml",
        "processors.py",
    ]
    assert (workspace.path / "processors.py").read_text() == PROCESSORS


def test_a_file_with_problems_is_not_run(workspace: Workspace) -> None:
    workspace.declare(
        good={"source": "file:in.ndjson?follow=no", "sink": "file:out"},
        bad={"source": "file:in.ndjson?follow=no", "sink": "file:out", "workers": 0},
    )
    for arguments in ((), ("--check",), ("good",)):
        done = workspace.run(*arguments)
        assert done.returncode == 3
        assert done.stderr == (
            b"forstcore: pipelines.toml, [pipelines.bad], workers: must be from 1 to 10,000 "
            b"workers, not 0\n"
        )
    assert not (workspace.path / "out").exists()


def test_an_unknown_pipeline_is_an_error(workspace: Workspace) -> None:
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    done = workspace.run("cpoy")
    assert done.returncode == 3
    assert done.stderr == b"forstcore: pipelines.toml has no pipeline 'cpoy'; it has copy\n"
