"""The configuration: flags, environment and TOML file, their order, and their checks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from forstcore.config import StreamLimits, options_of
from server.cli import main
from server.config import ServerConfig, load_config, show_config
from tests import children
from tests.servers import ROOT

TOKEN = "hush-4711"


class Sample(NamedTuple):
    """A value that is no default: as text for flags and variables, as TOML, and as parsed."""

    text: str
    toml: str
    value: Any


SAMPLES = {
    "timeout": Sample("12.5", "12.5", 12.5),
    "compression": Sample("false", "false", False),
    "max_line_size": Sample("4096", "4096", 4096),
    "max_stream_bytes": Sample("1000000", "1_000_000", 1_000_000),
    "max_stream_records": Sample("77", "77", 77),
    "max_ratio": Sample("5", "5", 5),
    "host": Sample("localhost", '"localhost"', "localhost"),
    "port": Sample("8181", "8181", 8181),
    "ready_line": Sample("json", '"json"', "json"),
    "end_with_parent": Sample("yes", "true", True),
    "unix_socket": Sample("forst.sock", '"forst.sock"', "forst.sock"),
    "processes": Sample("3", "3", 3),
    "processors": Sample("a.b,c.py", '["a.b", "c.py"]', ("a.b", "c.py")),
    "workers": Sample("4", "4", 4),
    "source": Sample("a=file:/b", '["a=file:/b"]', ("a=file:/b",)),
    "ring_size": Sample("100000", "100000", 100_000),
    "queue_size": Sample("2000", "2000", 2000),
    "buffer_size": Sample("64", "64", 64),
    "reload": Sample("on", "true", True),
    "insecure": Sample("true", "true", True),
    "allow_host": Sample("forst,proxy.test", '["forst", "proxy.test"]', ("forst", "proxy.test")),
    "allow_origin": Sample("https://app.test", '["https://app.test"]', ("https://app.test",)),
    "trusted_proxy": Sample("10.0.0.0/8,::1", '["10.0.0.0/8", "::1"]', ("10.0.0.0/8", "::1")),
    "token_file": Sample("token", '"token"', "token"),
    "tls_cert": Sample("cert.pem", '"cert.pem"', "cert.pem"),
    "tls_key": Sample("key.pem", '"key.pem"', "key.pem"),
    "tls_client_ca": Sample("ca.pem", '"ca.pem"', "ca.pem"),
    "max_connections": Sample("99", "99", 99),
    "max_streams": Sample("9", "9", 9),
    "max_header_size": Sample("512", "512", 512),
    "max_chunk_rate": Sample("250", "250", 250),
    "takeover": Sample("off", '"off"', "off"),
    "worker_kind": Sample("processes", '"processes"', "processes"),
    "header_timeout": Sample("1.5", "1.5", 1.5),
    "heartbeat": Sample("0.25", "0.25", 0.25),
    "stall": Sample("7", "7", 7.0),
    "spool_dir": Sample('a "quoted" \\ name', "'a \"quoted\" \\ name'", 'a "quoted" \\ name'),
    "max_spool_size": Sample("0", "0", 0),
    "drain_delay": Sample("2", "2", 2.0),
    "drain_timeout": Sample("0", "0", 0.0),
    "errors": Sample("bad.ndjson", '"bad.ndjson"', "bad.ndjson"),
    "max_errors_size": Sample("5", "5", 5),
    "dashboard": Sample("off", "false", False),
    "log_format": Sample("json", '"json"', "json"),
    "tracing": Sample("on", "true", True),
    "access_log": Sample("off", "false", False),
}
EXPECTED = {name: sample.value for name, sample in SAMPLES.items()}
# All at once, except for the one that excludes others.
TOGETHER = [name for name in SAMPLES if name != "unix_socket"]
EXPECTED_TOGETHER = {name: EXPECTED[name] for name in TOGETHER}

# A value out of range for each kind of bound, and how the message describes the range.
OUT_OF_RANGE = [
    ("port", "65536", "from 0 to 65,535"),
    ("port", "-1", "from 0 to 65,535"),
    ("processes", "0", "from 1 to 1,024 processes"),
    ("workers", "0", "from 1 to 10,000 workers"),
    ("buffer_size", "0", "from 1 to 1,000,000 records"),
    ("timeout", "0.05", "from 0.1 to 86,400 seconds"),
    ("timeout", "nan", "from 0.1 to 86,400 seconds"),
    ("timeout", "inf", "from 0.1 to 86,400 seconds"),
    ("max_line_size", "0", "from 1 to 1,073,741,824 bytes"),
    ("max_stream_bytes", "-5", "at least 0 bytes"),
    ("max_ratio", "100001", "from 1 to 100,000 times"),
    ("max_streams", "0", "at least 1 streams"),
    ("max_header_size", "255", "from 256 to 1,048,576 bytes"),
    ("max_chunk_rate", "0", "at least 1 chunks per second"),
    ("header_timeout", "3601", "from 0.1 to 3,600 seconds"),
    ("heartbeat", "0", "from 0.05 to 3,600 seconds"),
    ("stall", "0", "from 0.05 to 3,600 seconds"),
    ("drain_timeout", "-1", "from 0 to 3,600 seconds"),
]
NO_ORIGIN = [
    *("*", "null", "app.test", "https://", "https://app.test/path", "https://app.test//"),
    *("https://me@app.test", "https://app.test:port", "https://app.test:65536", "https://a b"),
    *("https://*.app.test", "https://app.test?x", "https://\u00e4pp.test", "//app.test"),
]
NO_NUMBER = [
    ("port", "http", "a whole number"),
    ("port", "80.5", "a whole number"),
    ("max_line_size", "", "a whole number"),
    ("timeout", "soon", "a number"),
]


def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return children.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        text=True,
    )


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    return "FORSTCORE_" + name.upper()


def as_flags(name: str) -> list[str]:
    sample = SAMPLES[name]
    if isinstance(sample.value, bool):
        return [flag(name) if sample.value else flag("no_" + name)]
    if isinstance(sample.value, tuple):
        return [part for value in sample.value for part in (flag(name), value)]
    return [flag(name), sample.text]


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def status_of(*arguments: str) -> int:
    """Run the command line in this process, which is faster; it ends before it listens."""
    return main([*arguments, "--print-config"])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the token file of the samples."""
    write(tmp_path / "token", TOKEN + "\n")
    return tmp_path


def test_the_samples_are_all_options_and_no_default() -> None:
    declared = {each.name: each.default for each, _, limits in options_of(ServerConfig)}
    assert set(declared) == {*SAMPLES, "token"}
    assert [name for name in SAMPLES if declared[name] == EXPECTED[name]] == []


def test_every_option_as_a_flag(place: Path) -> None:
    flags = [part for name in TOGETHER for part in as_flags(name)]
    done = run(*flags, "--print-config", cwd=place)
    assert done.returncode == 0
    assert values_of(done.stdout) == EXPECTED_TOGETHER


def test_every_option_as_a_variable(place: Path) -> None:
    env = {variable(name): SAMPLES[name].text for name in TOGETHER}
    done = run("--print-config", env=env, cwd=place)
    assert done.returncode == 0
    assert values_of(done.stdout) == EXPECTED_TOGETHER


@pytest.mark.parametrize("by_variable", [False, True])
def test_every_option_in_a_file(place: Path, by_variable: bool) -> None:
    path = write(place / "all.toml", all_toml())
    env = {"FORSTCORE_CONFIG": path} if by_variable else {}
    options = () if by_variable else ("--config", path)
    done = run(*options, "--print-config", env=env, cwd=place)
    assert done.returncode == 0
    assert values_of(done.stdout) == EXPECTED_TOGETHER


def all_toml() -> str:
    return "".join(f"{name} = {SAMPLES[name].toml}\n" for name in TOGETHER)


def values_of(toml: str) -> dict[str, Any]:
    """Read printed settings, lists as the tuples that they are in a configuration."""
    table = tomllib.loads(toml)
    return {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_option_alone(place: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    sample = SAMPLES[name]
    # Certificate and key go together, whichever of them is given.
    together = {"tls_cert", "tls_key"} if name.startswith("tls") else set()
    rest = [part for other in sorted(together - {name}) for part in as_flags(other)]
    path = write(place / "one.toml", f"{name} = {sample.toml}\n")
    for config in (
        load_config([*rest, *as_flags(name)], {}),
        load_config(rest, {variable(name): sample.text}),
        load_config([*rest, "--config", path], {}),
    ):
        assert getattr(config, name) == sample.value
        assert type(getattr(config, name)) is type(sample.value)


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "some.toml",
        'port = 1001\nmax_streams = 1001\nstall = 11\nallow_host = ["file"]\n',
    )
    env = {
        "FORSTCORE_CONFIG": path,
        "FORSTCORE_PORT": "1002",
        "FORSTCORE_MAX_STREAMS": "1002",
        "FORSTCORE_ALLOW_HOST": "environment",
    }
    done = run("--port", "1003", "--allow-host", "flag", "--print-config", env=env)
    values = values_of(done.stdout)
    assert values["port"] == 1003
    assert values["max_streams"] == 1002
    assert values["stall"] == 11
    assert values["heartbeat"] == 3
    assert values["allow_host"] == ("flag",)


def test_the_flag_for_the_file_wins_over_its_variable(tmp_path: Path) -> None:
    one = write(tmp_path / "one.toml", "port = 1001\n")
    two = write(tmp_path / "two.toml", "port = 1002\n")
    assert load_config(["--config", two], {"FORSTCORE_CONFIG": one}).port == 1002


def test_a_switch_can_be_turned_back_on() -> None:
    env = {"FORSTCORE_COMPRESSION": "no", "FORSTCORE_INSECURE": "yes"}
    config = load_config(["--compression", "--no-insecure"], env)
    assert (config.compression, config.insecure) == (True, False)


def test_keys_of_the_file_may_be_spelled_like_flags(tmp_path: Path) -> None:
    path = write(tmp_path / "dashes.toml", "max-line-size = 99\ntimeout = 5\n")
    config = load_config(["--config", path], {})
    assert (config.max_line_size, config.timeout) == (99, 5.0)
    assert type(config.timeout) is float


def test_the_printed_settings_load_to_the_same(place: Path) -> None:
    first = run("--config", write(place / "all.toml", all_toml()), "--print-config", cwd=place)
    again = run("--config", write(place / "p.toml", first.stdout), "--print-config", cwd=place)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout == first.stdout


def test_the_printed_defaults_load_to_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "printed.toml", show_config(ServerConfig()) + "\n")
    assert load_config(["--config", path], {}) == ServerConfig()


@pytest.mark.parametrize("text", ["tab\there", "line\nfeed", "bell\x07", "del\x7f", "é ☃ 𝄞"])
def test_any_text_is_printed_as_toml(tmp_path: Path, text: str) -> None:
    config = ServerConfig(spool_dir=text, processors=(text, '"'))
    path = tmp_path / "printed.toml"
    path.write_text(show_config(config) + "\n", encoding="utf-8")
    assert load_config(["--config", str(path)], {}) == config


def test_print_config_cannot_be_cut_short_and_start_a_server() -> None:
    # An address of a documentation network: nothing can listen there.
    done = run("--print-conf", "--host", "192.0.2.1", "--insecure")
    assert done.returncode == 2 or "insecure = true" in done.stdout


@pytest.mark.parametrize("way", ["file", "variable", "toml"])
def test_the_token_is_never_printed(
    place: Path, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options: list[str] = []
    if way == "file":
        options = ["--token-file", str(place / "token")]
    elif way == "toml":
        options = ["--config", write(place / "token.toml", f'token = "{TOKEN}"\n')]
    else:
        monkeypatch.setenv("FORSTCORE_TOKEN", TOKEN)
    assert status_of(*options) == 0
    out, err = capsys.readouterr()
    assert TOKEN not in out + err
    assert "token: set" in out
    assert "token" not in tomllib.loads(out)


def test_there_is_no_flag_for_the_token(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Other users of a machine see the command lines of its processes.
    with pytest.raises(SystemExit) as ended:
        load_config(["--token", str(place / "token")], {})
    assert ended.value.code == 2
    assert "--token" in capsys.readouterr().err


def test_white_space_around_the_token_is_no_part_of_it(place: Path) -> None:
    path = write(place / "spaced", f"\n  {TOKEN} \r\n")
    assert load_config(["--token-file", path], {}).token == TOKEN


def test_the_token_itself_wins_over_its_file(place: Path) -> None:
    path = str(place / "token")
    assert load_config(["--token-file", path], {"FORSTCORE_TOKEN": "other"}).token == "other"


@pytest.mark.parametrize(("name", "text", "allowed"), OUT_OF_RANGE + NO_NUMBER)
def test_a_bad_flag_is_refused(
    name: str, text: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        load_config([f"{flag(name)}={text}"], {})
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert flag(name) in last
    assert allowed in last


@pytest.mark.parametrize(("name", "text", "allowed"), OUT_OF_RANGE + NO_NUMBER)
def test_a_bad_variable_is_refused(name: str, text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed) as refused:
        load_config([], {variable(name): text})
    assert name in str(refused.value).lower()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", NO_ORIGIN)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^allow_origin must ") as refused:
        load_config(["--allow-origin", text], {})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("name", "text", "allowed"), OUT_OF_RANGE)
def test_a_bad_value_in_the_file_is_refused(
    tmp_path: Path, name: str, text: str, allowed: str
) -> None:
    path = write(tmp_path / "bad.toml", f"{name} = {text}\n")
    with pytest.raises(ValueError, match=allowed) as refused:
        load_config(["--config", path], {})
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        ("port = 65536", ["port", "from 0 to 65,535"]),
        ('port = "80"', ["port", "int"]),
        ("port = true", ["port", "int"]),
        ("port = 80.0", ["port", "int"]),
        ("compression = 1", ["compression", "bool"]),
        ("host = 1", ["host", "str"]),
        ('allow_host = "a"', ["allow_host"]),
        ("allow_host = [1]", ["allow_host"]),
        ("frobnicate = 1", ["frobnicate", "no option"]),
        ("[server]\nport = 80", ["server", "no option"]),
        ("port = ", ["bad.toml", "line 1"]),
        ('tls_cert = "a"', ["tls_cert", "tls_key"]),
        ('tls_client_ca = "a"', ["tls_client_ca", "tls_cert"]),
    ],
)
def test_a_bad_file_ends_it_with_one_line(
    tmp_path: Path, toml: str, wanted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("--config", write(tmp_path / "bad.toml", toml + "\n")) == 2
    assert_one_line(capsys.readouterr().err, wanted)


def assert_refused(done: subprocess.CompletedProcess[str], wanted: list[str]) -> None:
    assert done.returncode == 2
    assert_one_line(done.stderr, wanted)
    assert done.stdout == ""


def assert_one_line(stderr: str, wanted: list[str]) -> None:
    assert stderr.startswith("forstcore: ")
    assert stderr.count("\n") == 1
    assert [word for word in wanted if word not in stderr] == []


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("FORSTCORE_PORT", "65536", ["port", "from 0 to 65,535"]),
        ("FORSTCORE_PORT", "http", ["FORSTCORE_PORT", "whole number"]),
        ("FORSTCORE_COMPRESSION", "maybe", ["FORSTCORE_COMPRESSION", "true or false"]),
        ("FORSTCORE_TIMEOUT", "0", ["timeout", "from 0.1 to 86,400 seconds"]),
        ("FORSTCORE_CONFIG", "no-such.toml", ["no-such.toml", "No such file"]),
        ("FORSTCORE_TOKEN_FILE", "no-such", ["no-such", "No such file"]),
    ],
)
def test_a_bad_variable_ends_it_with_one_line(
    name: str,
    text: str,
    wanted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, text)
    assert status_of() == 2
    assert_one_line(capsys.readouterr().err, wanted)


def test_bad_values_end_the_process(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.toml", "port = 65536\n")
    assert_refused(run("--config", path), ["port", "from 0 to 65,535"])
    assert_refused(run(env={"FORSTCORE_PORT": "65536"}), ["port", "from 0 to 65,535"])


@pytest.mark.parametrize("name", ["config", "token_file"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b'host = "\xff"\n')
    for path, reason in ((tmp_path, "Is a directory"), (binary, "")):
        assert status_of(flag(name), str(path)) == 2
        assert_one_line(capsys.readouterr().err, [str(path), reason])


def test_an_empty_token_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "empty", "\n")
    assert status_of("--token-file", path) == 2
    assert_one_line(capsys.readouterr().err, ["token_file", path, "empty"])


@pytest.mark.parametrize("name", ["token", "tls_cert", "tls_client_ca", "unix_socket", "host"])
def test_an_empty_text_is_refused_or_the_same_as_nothing(name: str) -> None:
    # An option that is half set would be guarded in one place and open in another.
    config = None
    with contextlib.suppress(ValueError):
        config = load_config([], {variable(name): ""})
    assert config is None or getattr(config, name) == getattr(ServerConfig(), name)


def test_a_bad_flag_ends_it_without_a_traceback() -> None:
    done = run("--port", "65536")
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "from 0 to 65,535, not 65536" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "text", "allowed"), OUT_OF_RANGE)
def test_the_classes_refuse_what_is_out_of_range(name: str, text: str, allowed: str) -> None:
    value = float(text) if isinstance(EXPECTED[name], float) else int(text)
    wrong: dict[str, Any] = {name: value}
    classes: list[type[StreamLimits]] = [ServerConfig]
    if name in {declared.name for declared, _, _ in options_of(StreamLimits)}:
        classes.append(StreamLimits)
    for each in classes:
        with pytest.raises(ValueError, match=f"{name} must be {allowed}"):
            each(**wrong)


def test_help_lists_every_option() -> None:
    done = run("--help", env={"COLUMNS": "200"})
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for declared, kind, limits in options_of(ServerConfig):
        if limits.secret:
            assert f"{flag(declared.name)} " not in text.replace(flag("token_file"), "")
            continue
        assert f" {flag(declared.name)}" in text
        assert limits.help in text
        if kind is bool:
            assert flag("no_" + declared.name) in text
    for word in ("--config", "--print-config", "FORSTCORE_MAX_LINE_SIZE", "max_line_size = "):
        assert word in text
