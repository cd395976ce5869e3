"""An invalid configuration is reported in one line, with exit status 2."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from forstcore.processors import REGISTRY
from server.cli import main
from server.config import load_config
from tests import children
from tests.certificates import make_certificates
from tests.servers import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Unix sockets and file modes")

DAMAGED = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
FILES = {
    "damaged": DAMAGED,
    "exits.py": "import sys\nsys.exit(3)\n",
    "interrupts.py": "raise KeyboardInterrupt\n",
    "lines.py": "raise ValueError('one\\ntwo')\n",
    "syntax.py": "def f(:\n",
    "two": "a\nb\n",
}


class Case(NamedTuple):
    """Options, variables or a TOML file, and part of the expected line."""

    said: str
    flags: str = ""
    env: str = ""
    toml: str = ""


TLS = "--tls-cert {tls}/server.pem --tls-key {tls}/server.key"
LONG = "/tmp/" + 120 * "x"

CASES = [
    # Names.
    Case("there is no variable FORSTCORE_PROT; did you mean FORSTCORE_PORT?", env="PROT=1"),
    Case("there is no variable FORSTCORE_MAX_STREAM", env="MAX_STREAM=1"),
    Case("did you mean FORSTCORE_MAX_STREAMS?", env="MAX_STREAM=1"),
    Case("there is no variable FORSTCORE_XYZZY", env="XYZZY=1"),
    Case("did you mean FORSTCORE_TOKEN_FILE?", env="TOKENFILE=x"),
    Case("there is no variable FORSTCORE_token", env="token=x"),
    Case("unrecognized arguments: --prot; did you mean --port?", "--prot 1"),
    Case("--token would show it to other users; use --token-file or FORSTCORE_TOKEN", "--token x"),
    Case("use --token-file or FORSTCORE_TOKEN", "--token=x"),
    Case("unrecognized arguments: --xyzzy", "--xyzzy"),
    Case("unrecognized arguments: --pipelines; --help", "--pipelines a.toml"),
    Case("unrecognized arguments: values without an option", "8080"),
    Case("there is no option 'prot'; did you mean port?", toml="prot = 1"),
    Case("there is no option 'server'", toml="[server]\nport = 1"),
    # Numbers and choices.
    Case("--port: port must be a whole number, not 'http'", "--port http"),
    Case("--port: port must be from 0 to 65,535, not 65536", "--port 65536"),
    Case("--port: expected one argument", "--port"),
    Case("FORSTCORE_PORT must be a whole number", env="PORT=http"),
    Case("set enableServiceLinks: false", env="PORT=tcp://10.0.0.1:80"),
    Case("port must be from 0 to 65,535", env="PORT=-1"),
    Case("port must be an integer, not a string", toml="port = '80'"),
    Case("port must be from 0 to 65,535", toml="port = 65536"),
    Case("--timeout: timeout must be a number, not 'soon'", "--timeout soon"),
    Case("timeout must be from 0.1 to 86,400 seconds", env="TIMEOUT=0"),
    Case("--processes: processes must be from 1 to 1,024 processes", "--processes 0"),
    Case("--workers: workers must be from 1", "--workers 0"),
    Case("must be one of auto, on, off, not 'maybe'", "--takeover maybe"),
    Case("must be one of text, json, not 'xml'", env="READY_LINE=xml"),
    Case("FORSTCORE_COMPRESSION must be true or false, not 'maybe'", env="COMPRESSION=maybe"),
    Case("compression must be a boolean, not an integer", toml="compression = 1"),
    Case("max_line_size must be from 1 to", toml="max_line_size = 0"),
    # Hosts and origins.
    Case("host must be a name or an IP address, without a port", "--host localhost:80"),
    Case("host must be a name or an IP address", "--host http://localhost"),
    Case("host must be a name or an IP address", "--host 127.0.0.256"),
    Case("host must be a name or an IP address", "--host 127.0.1"),
    Case("host must be text that is not empty", env="HOST="),
    Case("allow_host must be a name or an IP address", "--allow-host https://a.test"),
    Case("allow_host must be a name or an IP address", "--allow-host a.test:80"),
    Case("allow_host must be a name or an IP address", "--allow-host *"),
    Case("allow_host must be a name or an IP address", env="ALLOW_HOST=a.test,b/c"),
    Case("allow_origin must", "--allow-origin a.test"),
    Case("allow_origin must", "--allow-origin https://a.test/page"),
    Case("allow_origin must", "--allow-origin *"),
    Case("allow_origin must", env="ALLOW_ORIGIN=https://a.test:99999"),
    Case("trusted_proxy must be an address or a network", "--trusted-proxy proxy.test"),
    Case(
        "cannot listen on no-such-host.invalid:0: ",
        "--port 0 --host no-such-host.invalid --insecure",
    ),
    # Addresses and exposure.
    Case("other machines can reach host 0.0.0.0", "--host 0.0.0.0"),
    Case("other machines can reach host ::", "--host ::"),
    Case("unix_socket and port exclude each other", "--unix-socket s --port 1"),
    Case("unix_socket and host exclude each other", "--unix-socket s --host localhost"),
    Case("unix_socket and port exclude each other", toml="unix_socket = 's'\nport = 1"),
    Case(f"cannot listen on {LONG}: AF_UNIX path too long", f"--unix-socket {LONG}"),
    Case("cannot listen on {tmp}/no/s: No such file or directory", "--unix-socket {tmp}/no/s"),
    Case("cannot listen on {tmp}/empty/s: Not a directory", "--unix-socket {tmp}/empty/s"),
    # Files.
    Case("cannot read {tmp}/none.toml: No such file or directory", "--config {tmp}/none.toml"),
    Case("cannot read {tmp}: Is a directory", env="CONFIG={tmp}"),
    Case("(at line 1, column 8)", toml="port = "),
    Case("cannot read {tmp}/none: No such file or directory", "--token-file {tmp}/none"),
    Case("token_file {tmp}/empty is empty", "--token-file {tmp}/empty"),
    Case("tls_cert and tls_key go together", "--tls-cert a"),
    Case("tls_client_ca needs tls_cert and tls_key", "--tls-client-ca a"),
    Case(
        "tls_cert: cannot read {tmp}/none: No such file or directory",
        "--tls-cert {tmp}/none --tls-key {tls}/server.key",
    ),
    Case(
        "tls_key: cannot read {tmp}/none: No such file or directory",
        "--tls-cert {tls}/server.pem --tls-key {tmp}/none",
    ),
    Case("tls_client_ca: cannot read {tmp}/none: No such", f"{TLS} --tls-client-ca {{tmp}}/none"),
    Case("tls_client_ca {tmp}/empty: it is no PEM", f"{TLS} --tls-client-ca {{tmp}}/empty"),
    Case(
        "empty: it is no PEM file with a cert", "--tls-cert {tmp}/empty --tls-key {tls}/server.key"
    ),
    Case("they do not match", "--tls-cert {tls}/server.pem --tls-key {tmp}/other"),
    Case("the key in tls_key is encrypted", "--tls-cert {tls}/server.pem --tls-key {tmp}/locked"),
    Case("spool_dir: cannot create files in {tmp}/none", "--spool-dir {tmp}/none"),
    Case("errors: cannot write {tmp}/none/e", "--errors {tmp}/none/e"),
    # Processors and sources.
    Case("cannot load processors from no_such_module", "--port 0 --processors no_such_module"),
    Case("cannot load processors from {tmp}/none.py", "--port 0 --processors {tmp}/none.py"),
    Case("source must be NAME=URL", "--source orders"),
    Case("source 'a' is given twice", "--source a=memory: --source a=memory:"),
    Case("set processes to 1", "--processes 2 --source a=memory:"),
]

OTHERS = [
    # Types and tables in the TOML file.
    Case("port must be an integer, not an array", toml="port = [1]"),
    Case("port must be an integer, not a table", toml="[port]\na = 1"),
    Case("port must be an integer, not a boolean", toml="port = true"),
    Case("port must be an integer, not a float", toml="port = 1.5"),
    Case("port must be an integer, not a date or time", toml="port = 1979-05-27"),
    Case("timeout must be a float, not a boolean", toml="timeout = true"),
    Case("host must be a string, not an array", toml="host = ['a']"),
    Case("token must be a string, not an integer", toml="token = 1"),
    Case("processors must be an array of strings, not a string", toml="processors = 'a.py'"),
    Case("processors must be text that is not empty", toml="processors = [['a']]"),
    Case("processors must be text that is not empty", toml="processors = ['']"),
    Case("sources must be a table of names and URLs", toml="sources = ['a=memory:']"),
    Case("sources must be a table of names and URLs", toml="[[sources]]\na = 1"),
    Case("sources: 'a' must be a name, and its URL a string", toml="[sources]\na = 1"),
    Case("sources: 'a' must be a name", toml="[sources]\na = {b = 'memory:'}"),
    Case("sources: 'a=b' must be a name", toml="[sources]\n'a=b' = 'memory:'"),
    Case("source is given twice", toml="source = ['a=memory:']\nsources = {b = 'memory:'}"),
    Case("max_streams is given twice", toml="max-streams = 5\nmax_streams = 6"),
    Case("Cannot overwrite a value", toml="port = 1\nport = 2"),
    Case("there is no option ''", toml="'' = 1"),
    Case("there is no option 'config'", toml="config = 'x'"),
    Case("did you mean token_file?", toml="token_is_in_file = true"),
    Case("there are no pipelines", "--port 0", toml="pipelines = []"),
    # Numbers.
    Case("timeout must be from 0.1 to 86,400 seconds, not nan", toml="timeout = nan"),
    Case("timeout must be from 0.1 to 86,400 seconds, not inf", env="TIMEOUT=inf"),
    Case("not 1e+30", "--timeout 1e30"),
    Case("heartbeat must be from 0.05 to 3,600 seconds, not nan", "--heartbeat nan"),
    Case("drain_timeout must be from 0 to 3,600 seconds, not inf", "--drain-timeout 1e400"),
    Case("max_line_size must be a whole number, not '1e6'", "--max-line-size 1e6"),
    Case("max_line_size must be an integer, not a float", toml="max_line_size = 1e30"),
    Case("not 9223372036854775808", toml="max_line_size = 9223372036854775808"),
    Case("max_spool_size must be at least 0 bytes, not -1", "--max-spool-size -1"),
    Case("processes must be from 1 to 1,024 processes", env="PROCESSES=10000"),
    # Empty values, and NUL.
    Case("FORSTCORE_PORT must be a whole number, not ''", env="PORT="),
    Case("FORSTCORE_COMPRESSION must be true or false, not ''", env="COMPRESSION="),
    Case("config must be text that is not empty", env="CONFIG="),
    Case("config must be text that is not empty", "--config="),
    Case("token must be text that is not empty", env="TOKEN="),
    Case("spool_dir must be text that is not empty", "--spool-dir="),
    Case("unix_socket must be text without NUL", toml='unix_socket = "a\\u0000b"'),
    Case("tls_cert must be text without NUL", toml='tls_cert = "a\\u0000b"\ntls_key = "x"'),
    Case("errors must be text without NUL", toml='errors = "a\\u0000b"'),
    Case("processors must be text without NUL", toml='processors = ["a\\u0000b"]'),
    # Variables that the supervisor sets for its workers.
    Case("no variable FORSTCORE_WORKER; did you mean FORSTCORE_WORKERS?", env="WORKER=4"),
    Case("there is no variable FORSTCORE_LISTENER_FDS", env="LISTENER_FDS=3"),
    # Addresses.
    Case("is link-local and needs its interface: fe80::1%eth0", "--host fe80::1 --insecure"),
    Case("cannot listen on fe80::1%nosuch:8080", "--host fe80::1%nosuch --insecure"),
    Case("host must be a name or an IP address", "--host [::1]"),
    Case("other machines can reach host 127.test", "--host 127.test"),
    Case("{tls}/server.pem: there is a file or directory", "--unix-socket {tls}/server.pem"),
    Case("{tmp}: there is a file or directory of this name", "--unix-socket {tmp}"),
    # Tokens that no request could present.
    Case("token_file {tmp}/two: a token consists of ASCII", "--token-file {tmp}/two"),
    Case("token: a token consists of ASCII characters", env="TOKEN=pässword"),
    Case("token: a token consists of ASCII characters", toml='token = "a\\nb"'),
    Case("token: the token is too long for max_header_size, 8190", env=f"TOKEN={8190 * 'x'}"),
    Case("cannot read {tmp}: Is a directory", "--token-file {tmp}"),
    # Certificates.
    Case(
        "server.key: it is no PEM file with a certificate", f"{TLS} --tls-cert {{tls}}/server.key"
    ),
    Case("server.pem: it is no PEM file with a private", f"{TLS} --tls-key {{tls}}/server.pem"),
    Case(
        "tls_client_ca {tls}/server.key: it is no PEM", f"{TLS} --tls-client-ca {{tls}}/server.key"
    ),
    Case("a PEM file is damaged", f"{TLS} --tls-cert {{tmp}}/damaged"),
    Case("tls_client_ca {tmp}/damaged: it is damaged", f"{TLS} --tls-client-ca {{tmp}}/damaged"),
    # Processors and sources.
    Case("SyntaxError", "--port 0 --processors {tmp}/syntax.py"),
    Case("ValueError: one two (", "--port 0 --processors {tmp}/lines.py"),
    Case("SystemExit: 3", "--port 0 --processors {tmp}/exits.py"),
    Case("KeyboardInterrupt (", "--port 0 --processors {tmp}/interrupts.py"),
    Case("give the path of its file", "--port 0 --processors ."),
    Case("it is a directory", "--port 0 --processors {tmp}/folder.py"),
    Case("json declares no processors", "--port 0 --processors json"),
    Case(
        "source 'a' is in memory, so that its URL is memory: alone", "--port 0 --source a=memory:b"
    ),
]
CASES += OTHERS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Directories with the files that the cases name."""
    tls, tmp = tmp_path_factory.mktemp("tls"), tmp_path_factory.mktemp("tmp")
    make_certificates(tls)
    (tmp / "empty").touch()
    (tmp / "folder.py").mkdir()
    for name, text in FILES.items():
        (tmp / name).write_text(text)
    children.run(f"openssl genrsa -out {tmp}/other 2048".split(), check=True)
    children.run(
        f"openssl ec -aes256 -passout pass:secret -in {tls}/server.key -out {tmp}/locked".split(),
        check=True,
    )
    return {"tls": str(tls), "tmp": str(tmp)}


def filled(text: str, files: dict[str, str]) -> str:
    for name, path in files.items():
        text = text.replace(f"{{{name}}}", path)
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.said[:50])
def test_one_line_and_status_2(
    case: Case,
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # Modules of other tests declare processors when they are imported.
    for declared in list(REGISTRY):
        monkeypatch.delitem(REGISTRY, declared)
    arguments = filled(case.flags, files).split()
    if case.toml:
        path = tmp_path / "server.toml"
        path.write_text(case.toml + "\n")
        arguments += ["--config", str(path)]
    if case.env:
        name, _, value = filled(case.env, files).partition("=")
        monkeypatch.setenv(f"FORSTCORE_{name}", value)
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(str(ended.code))
    out, err = capfd.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("forstcore: ")
    assert err.count("\n") == 1
    assert filled(case.said, files) in err
    assert "Unknown error" not in err
    assert "Success" not in err


def test_there_are_sixty_cases_twice() -> None:
    assert len(CASES) - len(OTHERS) >= 60
    assert len(OTHERS) >= 60


@pytest.mark.parametrize("case", [case for case in CASES if not case.toml][::25])
def test_processes_end_so(case: Case, files: dict[str, str], tmp_path: Path) -> None:
    name, _, value = case.env.partition("=")
    done = children.run(
        [sys.executable, "-m", "server", *filled(case.flags, files).split()],
        cwd=ROOT,
        env={**os.environ, **({f"FORSTCORE_{name}": value} if name else {})},
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("forstcore: ")
    assert done.stderr.count("\n") == 1
    assert filled(case.said, files) in done.stderr


def test_variables_that_kubernetes_sets_for_a_service_are_no_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP"):
        monkeypatch.setenv(f"FORSTCORE_{name}", "x")
    for name in ("PORT_8080_TCP_ADDR", "PORT_8080_TCP_PORT", "PORT_8080_TCP_PROTO"):
        monkeypatch.setenv(f"FORSTCORE_{name}", "x")
    assert main(["--print-config"]) == 0
    assert capfd.readouterr().err == ""


def test_a_byte_order_mark_is_no_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config, token = tmp_path / "server.toml", tmp_path / "token"
    config.write_bytes(b"\xef\xbb\xbfport = 1234\r\n")
    token.write_bytes(b"\xef\xbb\xbfsecret\r\n")
    options = ["--config", str(config), "--token-file", str(token)]
    assert load_config(options, {}).token == "secret"
    assert main([*options, "--print-config"]) == 0
    assert "port = 1234" in capfd.readouterr().out


def test_a_socket_in_use_is_no_error_of_the_configuration(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        assert main(["--unix-socket", str(tmp_path / "s")]) == 1
    assert "Address already in use; another server listens there" in capfd.readouterr().err


def test_a_port_in_use_is_no_error_of_the_configuration(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["--port", str(other.getsockname()[1])]) == 1
    assert "Address already in use; choose another port with --port" in capfd.readouterr().err
