"""Help, completion, and the commands that only report: validate, bench, info."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

import forstcore
from forstcore import cli
from tests.cli.conftest import RECORDS, Run, Start
from tests.servers import ROOT

COMMANDS = [path.stem for path in Path(cli.__file__).parent.glob("[a-z]*.py")]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", COMMANDS)
def test_help(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.lower().startswith(b"usage: ")
    if name not in ("bench", "serve"):
        assert b"Examples:\n    forstcore " + name.encode() in done.stdout


def test_help_lists_all_commands(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", done.stdout.decode(), re.MULTILINE)
    assert b"Exit status:" in done.stdout


def test_version(run: Run) -> None:
    assert run("--version").stdout.decode() == f"forstcore {forstcore.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    done = run(env={"_FORSTCORE_COMPLETE": f"{shell}_source"})
    if b"Bash version" in done.stderr:
        pytest.skip("needs a newer bash")
    assert done.returncode == 0
    assert b"forstcore" in done.stdout
    words = {"COMP_WORDS": "forstcore va", "COMP_CWORD": "1"}
    done = run(env={"_FORSTCORE_COMPLETE": "bash_complete", **words})
    assert done.stdout == b"plain,validate\n"
    words = {"COMP_WORDS": "forstcore serve --tls-c", "COMP_CWORD": "2"}
    done = run(env={"_FORSTCORE_COMPLETE": "bash_complete", **words})
    assert {"plain,--tls-cert", "plain,--tls-client-ca"} <= {*done.stdout.decode().splitlines()}
    values = {
        "--log-format ": "plain,text\nplain,json\n",
        "--log-format j": "plain,json\n",
        "--tls-cert ": "file,\n",
        "--spool-dir ./x": "dir,./x\n",
        "--port ": "\n",
    }
    for typed, completed in values.items():
        words = {"COMP_WORDS": f"forstcore serve --reload {typed}", "COMP_CWORD": "4"}
        done = run(env={"_FORSTCORE_COMPLETE": "bash_complete", **words})
        assert done.stdout.decode() == completed


def test_help_is_complete(run: Run) -> None:
    shown = " ".join(run("--help").stdout.decode().split())
    assert "..." not in shown.replace("[ARGS]...", "")
    text = run("serve", "--help").stdout.decode()
    assert "--takeover {auto,on,off}" in text
    assert "--tls-cert FILE" in text
    assert "TEXT" not in text


def test_validate_finds_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(RECORDS)
    done = run("validate", "good")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_validate_shows_each_bad_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(RECORDS.rstrip())
    long = '{"id":"' + "ä" * 100 + '","data":7,"more":"' + "x" * 100 + '"}'
    (tmp_path / "bad").write_text('{"id":"1"}\n{"id":2}\n\n' + long + '\n"\x1b[31m\n')
    done = run("validate", "good", "bad")
    assert done.returncode == 1
    marked = "    …" + "ä" * 27 + '","data":7,"more":"' + "x" * 26 + "…"
    assert done.stdout.decode().splitlines() == [
        "bad:2:6: member 'id' must be a string or null (wrong_type)",
        '    {"id":2}',
        "          ^",
        "bad:4:216: member 'data' must be a string or null (wrong_type)",
        marked,
        " " * marked.index("7") + "^",
        "bad:5:1: a control character in a string must be escaped (invalid_json)",
        '    "�[31m',
        "     ^",
    ]
    assert done.stderr.startswith(b"forstcore: 3 lines were rejected: ")


def test_validate_options(run: Run, tmp_path: Path) -> None:
    assert run("validate", "--any-object", stdin=b'{"id":2}\n').returncode == 0
    assert run("validate", "--any-object", stdin=b"[]\n").returncode == 1
    done = run("validate", "--limit", "2", "--errors", "all", stdin=b"nope\n" * 5)
    assert done.returncode == 1
    assert done.stdout.count(b"nope") == 2
    assert done.stdout.endswith(b"\xe2\x80\xa6\n")
    assert len((tmp_path / "all").read_bytes().splitlines()) == 5
    done = run("validate", "--any-object", "--processor", "x")
    assert done.returncode == 2


def test_validate_can_be_interrupted(start: Start) -> None:
    process = start("validate")
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"nope\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"-:1:0: ")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT


def test_bench(run: Run, start: Start) -> None:
    done = run("bench", "--size", "1", "--runs", "1")
    assert (done.returncode, done.stderr) == (0, b"")
    report = done.stdout.decode().splitlines()
    assert re.match(r"\d+ MB, [\d,]+ records, 1 run, scan path \w+$", report[0])
    assert re.match(r"the core, one thread +[\d,]+ MB/s +[\d.]+ M records/s", report[1])
    assert re.match(r"the engine, \d+ workers? +[\d,]+ MB/s", report[2])
    assert run("bench", "--size", "0").returncode == 2
    process = start("bench", "--size", "64", "--runs", "100")
    assert process.stdout
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT


def test_info(run: Run) -> None:
    done = run("info", "--json", env={"FORSTCORE_TOKEN": "hush-4711", "FORSTCORE_PORT": "81"})
    report = json.loads(done.stdout)
    assert report["forstcore"] == forstcore.__version__
    assert report["scan_path"] in report["scan_paths"]
    assert report["variables"] == {"FORSTCORE_PORT": "81", "FORSTCORE_TOKEN": "set"}
    assert (report["wire_version"], report["processors"]) == (1, [])
    assert {"orjson", "msgspec", "redis", "dask"} <= set(report["libraries"])
    plain = run("info")
    assert b"scan_path: " in plain.stdout
    assert b"processors: none" in plain.stdout
    assert run("info", "--yaml").returncode == 2


def test_info_shows_which_processors_are_compiled(run: Run, tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text(
        "import forstcore, datetime\n\n"
        "@forstcore.processor('fine')\n"
        "def fine(record: dict):\n"
        "    return {'id': record['id']}\n\n"
        "@forstcore.processor('stamped')\n"
        "def stamped(record: dict):\n"
        "    return {'id': record['id'], 'at': datetime.datetime.now().isoformat()}\n"
    )
    shown = run("info", "routes.py").stdout.decode().partition("processors:\n")[2]
    checked = run("check", "routes.py").stdout.decode()
    assert shown == "".join(f"  {line}\n" for line in checked.splitlines())
    assert "  fine: compiled\n  stamped: not compiled: " in shown
    report = json.loads(run("info", "routes.py", "--json").stdout)
    checked_report = json.loads(run("check", "routes.py", "--json").stdout)
    assert report["processors"] == checked_report["processors"]


@pytest.mark.real_start
def test_a_signal_during_an_import_ends_the_command(start: Start, tmp_path: Path) -> None:
    """Exceptions that are raised meanwhile may get lost, as here."""
    (tmp_path / "click.py").write_text(
        "import sys, time\n"
        "sys.stdout.write('imports')\n"
        "sys.stdout.flush()\n"
        "while True:\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    except BaseException:\n"
        "        pass\n"
    )
    process = start("info", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert process.stdout
    assert process.stdout.read(7) == b"imports"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_destructor_ends_the_command(
    start: Start, tmp_path: Path, number: int
) -> None:
    """Python drops the exceptions of destructors."""
    (tmp_path / "slow.py").write_text(
        "import sys, time\n"
        "class Slow:\n"
        "    def __del__(self):\n"
        "        sys.stdout.write('destroys')\n"
        "        sys.stdout.flush()\n"
        "        time.sleep(60)\n"
        "Slow()\n"
        "time.sleep(60)\n"
    )
    process = start("process", "-o", "out", "--processors", "slow.py")
    assert process.stdout
    assert process.stdout.read(8) == b"destroys"
    process.send_signal(number)
    assert process.wait(60) == -number
    assert process.stderr
    assert process.stderr.read() == b""
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith("draft")] == []
