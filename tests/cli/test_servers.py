"""Commands that use a server: send, replay, publish, watch, serve."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests import look_alikes
from tests.cli.conftest import RECORDS, RESULTS, Run, Start, answers_each_at_once
from tests.servers import Server, StartServer, launch

BAD = b'{"id":"1"}\n{"id":2}\n'


def test_send_gives_what_process_gives(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(RECORDS + BAD)
    here = run("process", "in.ndjson", "-o", "here")
    there = run("send", server.url, "in.ndjson", "-o", "there")
    assert (here.returncode, there.returncode) == (0, 0)
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()
    assert here.stderr == there.stderr == b"forstcore: 1 line was rejected: wrong_type 1\n"


def test_send_as_it_comes(start: Start, server: Server) -> None:
    answers_each_at_once(start("send", f"{server.host}:{server.port}/streaming-process"))


def test_send_options(run: Run, server: Server) -> None:
    done = run("send", server.url, "--on-error", "emit", "--compress", stdin=BAD)
    assert done.returncode == 0
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["success", "error"]
    done = run("send", server.url, "--on-error", "fail", stdin=BAD)
    assert done.returncode == 1
    assert done.stderr == (
        b"forstcore: line 2, byte 6: -: member 'id' must be a string or null (wrong_type)\n"
    )


def test_send_survives_a_server_that_dies(start: Start, tmp_path: Path) -> None:
    servers = [launch("--no-access-log")]
    port = str(servers[0].port)
    process = start("send", servers[0].url, "--errors", "errors", "-o", "out")
    assert process.stdin
    chance = random.Random(1)
    sent = 0
    try:
        for _ in range(3):
            for _ in range(chance.randint(20, 60)):
                process.stdin.write(RECORDS + BAD)
                sent += 1
            process.stdin.flush()
            servers[-1].kill()
            servers.append(launch("--no-access-log", "--port", port))
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        servers[-1].kill()
    one = b'{"id":"1","result":"processed_","status":"success"}\n'
    assert (tmp_path / "out").read_bytes() == (RESULTS + one) * sent
    errors = [json.loads(line) for line in (tmp_path / "errors").read_text().splitlines()]
    assert [each["line"] for each in errors] == [1002 * number for number in range(1, sent + 1)]
    assert {each["raw"] for each in errors} == {'{"id":2}'}


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("http://127.0.0.1:1", 3, b"cannot be reached"),
        ("{server}/nowhere", 3, b"there is no '/nowhere' here"),
        ("ftp://127.0.0.1", 2, b"base URL must start with"),
    ],
)
def test_send_says_what_is_wrong(
    run: Run, server: Server, url: str, status: int, said: bytes
) -> None:
    done = run("send", url.format(server=server.url), "--attempts", "1", stdin=RECORDS)
    assert done.returncode == status
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_tokens(run: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-4711")
    server = launch("--no-access-log", "--token-file", str(tmp_path / "token"))
    try:
        done = run("send", server.url, stdin=RECORDS)
        assert done.returncode == 3
        assert b"bearer token" in done.stderr
        done = run("send", server.url, stdin=RECORDS, env={"FORSTCORE_TOKEN": "hush-4711"})
        assert (done.returncode, done.stdout) == (0, RESULTS)
        done = run("publish", "events", "--server", server.url, "--token", "x", stdin=RECORDS)
        assert done.returncode == 3
    finally:
        server.kill()


def test_send_can_be_interrupted(start: Start, server: Server, tmp_path: Path) -> None:
    process = start("send", server.url, "-o", "out")
    assert process.stdin
    process.stdin.write(RECORDS)
    process.stdin.flush()
    while not [path for path in tmp_path.iterdir() if path.name.startswith(".")]:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    assert process.stderr
    assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_replay(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(RECORDS + BAD + b'{"id":"4","data":"\xff"}\n')
    assert run("process", "in", "--errors", "errors").returncode == 0
    # Somebody mends one of them.
    mended = (tmp_path / "errors").read_text().replace('{\\"id\\":2}', '{\\"id\\":\\"2\\"}')
    (tmp_path / "errors").write_text(mended)
    for options in ((), ("--to", server.url)):
        done = run("replay", "errors", "--errors", "still", *options)
        assert done.returncode == 0
        assert done.stdout == b'{"id":"2","result":"processed_","status":"success"}\n'
        (left,) = map(json.loads, (tmp_path / "still").read_text().splitlines())
        assert (left["file"], left["line"], left["code"]) == ("in", 1003, "invalid_utf8")


def test_replay_reads_past_what_is_damaged(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"".join(b'{"id":%d,"data":"x"}\n' % n for n in range(8)))
    assert run("process", "in", "--errors", "errors").returncode == 0
    lines = (tmp_path / "errors").read_bytes().replace(b'{\\"id\\":', b'{\\"n\\":').splitlines()
    damaged = [
        lines[0],
        lines[1][:50],  # torn
        lines[2][:-30] + lines[3],  # torn, and another behind it
        lines[4] + lines[5],  # without the LF between them
        b"\0" * 5000 + lines[6],  # what some systems leave after a crash
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
        lines[7].replace(b'"line":8', b'"line":1e999'),
        lines[7].replace(b'"line":8', b'"line":-1'),
        lines[7].replace(b'"raw":"', b'"raw":"\\n'),
        lines[7].replace(b'}"}', b'}","cut":true}'),
    ]
    assert damaged[-1] != lines[7]
    (tmp_path / "errors").write_bytes(b"\n".join(damaged))
    done = run("replay", "errors", "-o", "out")
    assert done.returncode == 1
    results = (tmp_path / "out").read_bytes()
    assert results == b'{"id":"","result":"processed_x","status":"success"}\n' * 5
    reported = done.stderr.decode().splitlines()
    numbers = [int(each.split("line ")[1].split(":")[0]) for each in reported[:-1]]
    assert numbers == [2, 3, 5, 6, 7, 9, 10, 11, 12]
    assert reported[-1] == "forstcore: 9 damaged lines were left out of errors"
    # What fails again has the place that it had in the first place.
    text = b"\n".join(damaged).replace(b'{\\"n\\":', b'{\\"id\\":')
    (tmp_path / "errors").write_bytes(text)
    done = run("replay", "errors", "--errors", "still", "-o", "out")
    assert done.returncode == 1
    found = [json.loads(line) for line in (tmp_path / "still").read_text().splitlines()]
    assert [(each["file"], each["line"]) for each in found] == [
        ("in", number) for number in (1, 4, 5, 6, 7)
    ]


def test_a_server_that_is_down_is_reported_before_the_last_attempt(run: Run) -> None:
    done = run("send", "http://127.0.0.1:9", "--attempts", "3", stdin=RECORDS)
    assert done.returncode == 3
    first, last = done.stderr.decode().splitlines()
    assert re.search(
        r"^http://127.0.0.1:9/\S+ cannot be reached: .*; reconnecting in \d\.\d seconds$", first
    )
    assert last.startswith("forstcore: http://127.0.0.1:9")


def test_replay_refuses_what_is_no_error_file(run: Run, tmp_path: Path) -> None:
    for content, why in (
        (RECORDS, b"it has no member raw_base64"),
        (b"[]\n", b"it is no object"),
        (b"x\n", b"Expecting value: line 1 column 1 (char 0)"),
    ):
        (tmp_path / "other").write_bytes(content)
        done = run("replay", "other")
        assert done.returncode == 3
        assert done.stderr == b"forstcore: other, line 1: not a line of an error file: %b\n" % why
    done = run("replay", "other", "--errors", "other")
    assert done.returncode == 2
    assert (tmp_path / "other").read_bytes() == b"x\n"


@pytest.fixture
def subscriber(start: Start, server: Server) -> subprocess.Popen[bytes]:
    """A `watch` that takes part when this is there: it has shown a first record."""
    process = start("watch", "events", "--server", server.url, "--processor", "pass")
    return process


def publish_until(run: Run, server: Server, seen: threading.Event) -> None:
    """Publish repeatedly, because a subscriber does not receive earlier records."""
    end = time.monotonic() + 30
    while not seen.is_set() and time.monotonic() < end:
        done = run(
            "publish", "events", "--server", server.url, stdin=b'{"id":"1","level":"high"}\n'
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_is_published_can_be_watched(
    run: Run, server: Server, subscriber: subprocess.Popen[bytes]
) -> None:
    assert subscriber.stdout
    seen = threading.Event()
    publisher = threading.Thread(target=publish_until, args=(run, server, seen))
    publisher.start()
    line = subscriber.stdout.readline()
    seen.set()
    publisher.join()
    assert json.loads(line) == {"id": "1", "level": "high"}
    subscriber.send_signal(signal.SIGINT)
    assert subscriber.wait(60) == -signal.SIGINT
    assert subscriber.stderr
    assert subscriber.stderr.read() == b""


def test_watch_filters(run: Run, server: Server) -> None:
    records = b'{"id":"1","level":"low"}\n{"id":"2","level":"high"}\n{"id":"3","level":3}\n'
    assert run("publish", "events", "--server", server.url, stdin=records).returncode == 0
    for wanted, number in (("high", "2"), ("3", "3")):
        done = run(
            *("watch", "events", "--server", server.url, "--from", "start", "--count", "1"),
            *("--filter", f"level={wanted}", "--filter", f"id={json.dumps(number)}"),
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["id"] == number


def test_watch_goes_on_when_the_server_was_away(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    file.write_bytes(b'{"id":"1"}\n')
    options = ("--no-access-log", "--source", f"log=file:{file}")
    servers = [launch(*options)]
    process = start(
        *("watch", "log", "--server", servers[0].url, "--from", "start", "--processor", "pass")
    )
    assert process.stdout
    try:
        assert json.loads(process.stdout.readline()) == {"id": "1"}
        servers[0].kill()
        with file.open("ab") as log:
            log.write(b'{"id":"2"}\n')
        servers.append(launch(*options, "--port", str(servers[0].port)))
        assert json.loads(process.stdout.readline()) == {"id": "2"}
    finally:
        servers[-1].kill()


def test_watch_shows_a_table_on_a_terminal(run: Run, start: Start, server: Server) -> None:
    records = b'{"id":"1","level":"\x7f"}\n{"id":"2","place":"cellar"}\n'
    assert run("publish", "events", "--server", server.url, stdin=records).returncode == 0
    ours, theirs = pty.openpty()
    process = start(
        *("watch", "events", "--server", server.url, "--from", "start", "--processor", "pass"),
        stdout=theirs,
        env={"COLUMNS": "100", "LINES": "30"},
    )
    os.close(theirs)
    screen = b""
    while b"cellar" not in screen:
        screen += os.read(ours, 10_000)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    while b"\x1b[?1049l" not in screen:
        screen += os.read(ours, 10_000)
    os.close(ours)
    assert re.search(rb"id +level +place", screen)
    assert b"\x7f" not in screen


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["publish", "nowhere"], 3, b"there is no source 'nowhere'"),
        (["watch", "nowhere"], 3, b"there is no source 'nowhere'"),
        (["watch", "events", "--filter", "level"], 2, b"'level' is neither name=value"),
        (["watch", "events", "--from", "yesterday"], 3, b"from"),
        (["watch", "events", "--processor", "nothing"], 3, b"there is no 'nothing'"),
        (["publish", "events", "--on-error", "fail"], 3, b"line 1"),
    ],
)
def test_what_the_server_refuses(
    run: Run, server: Server, arguments: list[str], status: int, said: bytes
) -> None:
    done = run(*arguments, stdin=b"nope\n", env={"FORSTCORE_SERVER": server.url})
    assert done.returncode == status
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_publish_counts_bad_lines(run: Run, server: Server) -> None:
    done = run("publish", "events", "--server", server.url, stdin=RECORDS + b"nope\n")
    assert done.returncode == 0
    assert done.stderr == b"forstcore: 1 line was rejected: invalid 1\n"


def test_serve_is_the_server(run: Run, start: Start) -> None:
    done = run("serve", "--help")
    assert done.returncode == 0
    assert b"--max-line-size" in done.stdout
    assert run("serve", "--port", "x").returncode == 2
    process = start("serve", "--port", "0")
    assert process.stdout
    assert re.match(rb"forstcore listens on http://127\.0\.0\.1:\d+", process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["echo", "later"])
@pytest.mark.parametrize("mode", ["skip", "emit"])
@pytest.mark.parametrize("way", ["process", "stdin", "send", "replay"])
def test_results_that_look_like_errors_are_results(
    run: Run, start_one: StartServer, tmp_path: Path, way: str, mode: str, name: str
) -> None:
    (tmp_path / "routes.py").write_text(look_alikes.PROCESSORS)
    alike = [line + b"\n" for line in look_alikes.LOOK_ALIKES]
    good = b"".join(alike)
    bad = b'{"status":"error","line":9'
    (tmp_path / "in").write_bytes((good + bad + b"\n") * 100)
    modules = ("--processors", "routes.py", "--processor", name)
    errors = ("--errors", "errors", "--on-error", mode)
    if way == "process":
        done = run("process", "in", *errors, *modules)
    elif way == "stdin":
        done = run("process", *errors, *modules, stdin=(tmp_path / "in").read_bytes())
    elif way == "send":
        server = start_one("--no-access-log", "--processors", str(tmp_path / "routes.py"))
        done = run("send", f"{server.url}/{name}", "in", *errors)
    else:
        # The lines that the built-in processor refuses, through one that does not.
        assert run("process", "in", "--errors", "first", "-o", "none").returncode == 0
        done = run("replay", "first", "--errors", "errors", *modules)
        mode = "skip"
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in (tmp_path / "errors").read_text().splitlines()]
    assert [(each["line"], each["raw"].encode()) for each in found] == [
        (number, bad) for number in range(4, 401, 4)
    ]
    lines = done.stdout.splitlines(keepends=True)
    kept = [line for line in lines if line in alike]
    if way == "replay":
        assert lines == []
        return
    assert kept == alike * 100
    assert len(lines) == (300 if mode == "skip" else 400)
