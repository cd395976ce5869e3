"""The configuration of the server: defaults, TOML file, environment, flags, in that order."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from forstcore._json_log import FORMATS
from forstcore.config import Option, StreamLimits, option, options_of
from forstcore.errors import SourceError
from forstcore.sources import DEFAULT_RING_SIZE, SCHEMES, SourceUrl, without_password
from server.arguments import EPILOG, Parser
from server.config_checks import check_environment, check_hosts, check_listening, suggestion
from server.config_file import read_config_file, read_text
from server.origins import origins_of

__all__ = [
    "TOML_KEYS",
    "ServerConfig",
    "build_parser",
    "load_config",
    "networks_of",
    "read_token",
    "show_config",
]

PREFIX = "FORSTCORE_"

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_TOKEN = re.compile(r"[!-~]([ -~]*[!-~])?")  # What the value of a header can contain.
_NEXT_SOURCE = re.compile(r",(?=\s*[^\s=:/@,]+=)|,\s*$")
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class ServerConfig(StreamLimits):
    """All options of the server, including the fields of StreamLimits."""

    host: str = option("127.0.0.1", "address to listen on", metavar="ADDRESS")
    port: int = option(8080, "port to listen on, 0 for any free port", highest=65535)
    unix_socket: str | None = option(
        None, "path of a Unix socket (mode 0600) to listen on instead of a port", metavar="PATH"
    )
    ready_line: str = option(
        "text",
        "format of the line on standard output that says where the server listens",
        choices=("text", "json"),
    )
    end_with_parent: bool = option(
        False,
        "shut down when standard input ends or the parent process dies: for a program that "
        "starts the server through a pipe",
    )
    processes: int = option(
        1, "worker processes that share the port", lowest=1, highest=1024, unit="processes"
    )
    processors: tuple[str, ...] = option(
        (),
        "module with processors: its name, the path of its file, or an entry point of the "
        "group forstcore.processors (repeatable)",
        metavar="MODULE",
    )
    reload: bool = option(
        False, "for development: reload modules with processors when their files change"
    )
    source: tuple[str, ...] = option(
        (),
        f"source for real-time streams, NAME=URL with {':, '.join(SCHEMES)}: "
        "(repeatable; default: events=memory:)",
        metavar="NAME=URL",
    )
    ring_size: int = option(
        DEFAULT_RING_SIZE,
        "published data that an in-memory source keeps",
        lowest=1 << 16,
        unit="bytes",
    )
    queue_size: int = option(
        1 << 20,
        "results queued for a real-time subscriber; when full, the oldest are dropped",
        lowest=1 << 10,
        unit="bytes",
    )
    insecure: bool = option(
        False, "allow listening beyond loopback without a token or client certificates"
    )
    allow_host: tuple[str, ...] = option(
        (), "additional host name to accept in the Host header (repeatable)", metavar="HOST"
    )
    allow_origin: tuple[str, ...] = option(
        (), "origin whose web pages may use this server (repeatable)", metavar="ORIGIN"
    )
    trusted_proxy: tuple[str, ...] = option(
        (),
        "address or network of a proxy whose X-Forwarded-For is trusted, for logs and the "
        "dashboard (repeatable)",
        metavar="NETWORK",
    )
    token_file: str | None = option(
        None,
        "file with the required bearer token; alternatively set FORSTCORE_TOKEN",
        metavar="FILE",
    )
    token: str | None = option(None, "the bearer token itself", secret=True)
    tls_cert: str | None = option(
        None, "PEM file with the certificate chain of the server", metavar="FILE"
    )
    tls_key: str | None = option(
        None, "PEM file with the private key for --tls-cert", metavar="FILE"
    )
    tls_client_ca: str | None = option(
        None,
        "PEM file with the certificate authorities for required client certificates",
        metavar="FILE",
    )
    max_connections: int = option(
        16_384,
        "connections per process; a further one replaces the one that has waited longest for a "
        "request (lower if the limit on file descriptors requires it)",
        lowest=16,
        highest=1_000_000,
        unit="connections",
    )
    max_streams: int = option(
        1000, "concurrent streams per process; more are refused with 503", lowest=1, unit="streams"
    )
    max_header_size: int = option(
        8190,
        "maximum length of the request line and of a header field; longer ones get 431",
        lowest=256,
        highest=1 << 20,
        unit="bytes",
    )
    max_chunk_rate: int = option(
        10_000_000,
        "HTTP chunks per second and stream; faster senders are throttled",
        lowest=1,
        unit="chunks per second",
    )
    takeover: str = option(
        "auto",
        "decode chunked bodies with compiled code instead of aiohttp's parser",
        choices=("auto", "on", "off"),
    )
    header_timeout: float = option(
        15.0,
        "time limit for receiving the head of a request, for waiting for one, and for a client "
        "that does not read a response other than a stream",
        lowest=0.1,
        highest=3600,
        unit="seconds",
    )
    heartbeat: float = option(
        3.0,
        "interval of :ack on an idle stream with frames",
        lowest=0.05,
        highest=3600,
        unit="seconds",
    )
    stall: float = option(
        2.0,
        "a client that sends but reads nothing for this time is treated as half-duplex",
        lowest=0.05,
        highest=3600,
        unit="seconds",
    )
    spool_dir: str | None = option(
        None,
        "directory for spool files of half-duplex clients (default: the system's)",
        metavar="DIRECTORY",
    )
    max_spool_size: int = option(
        1 << 30, "maximum size of the spool file of a half-duplex client", unit="bytes"
    )
    drain_delay: float = option(
        0.0,
        "time after SIGTERM or SIGINT during which /readyz fails but streams are accepted, so "
        "that load balancers can react",
        highest=3600,
        unit="seconds",
    )
    drain_timeout: float = option(
        10.0,
        "time limit for open streams to end at shutdown",
        highest=3600,
        unit="seconds",
    )
    errors: str | None = option(
        None, "file to which rejected lines are appended, for forstcore replay", metavar="FILE"
    )
    max_errors_size: int = option(
        1 << 30, "maximum size of the --errors file; further lines are dropped", unit="bytes"
    )
    dashboard: bool = option(True, "serve a dashboard for browsers at GET /")
    log_format: str = option(
        "text",
        "format of the log, except for the access log, which is always JSON",
        choices=FORMATS,
    )
    tracing: bool = option(
        False,
        "export a span for each stream, each refused request and each batch of a pipeline, by "
        "OpenTelemetry's OTLP over HTTP; OTEL_ environment variables say where to",
    )
    access_log: bool = option(
        True, "write a JSON line for each stream and each refused request to standard error"
    )

    token_is_in_file: bool = False
    """Whether the token was read from `token_file` and can be reloaded."""

    pipeline_file: str | None = None
    """The TOML file, if it declares pipelines."""

    @property
    def sources(self) -> dict[str, str]:
        """The URLs of the sources by name.

        Raises:
            ValueError: one is not of the form NAME=URL.
        """
        # The default is one in-memory source, which only a single process can have.
        declared = self.source or (() if self.processes > 1 else ("events=memory:",))
        found: dict[str, str] = {}
        for text in declared:
            name, _, url = text.partition("=")
            if not _SOURCE_NAME.fullmatch(name) or not url:
                raise ValueError(
                    "source must be NAME=URL, the name of up to 64 lower case letters, digits, "
                    f"'-' and '_', not {without_password(text)!r}"
                )
            if name in found:
                raise ValueError(f"source {name!r} is given twice")
            if self.processes > 1 and url.startswith("memory:"):
                raise ValueError(
                    f"source {name!r} is in the memory of one process, and there are "
                    f"{self.processes}: set processes to 1, or use a broker"
                )
            if self.processes > 1 and _has_one_reader(name, url):
                raise ValueError(
                    f"source {name!r} has a client, whose session only one process can hold, and "
                    f"there are {self.processes}: set processes to 1, or leave client out"
                )
            found[name] = url
        return found


TOML_KEYS = frozenset(
    name
    for declared, _, _ in options_of(ServerConfig)
    for name in (declared.name, declared.name.replace("_", "-"))
) | {"sources"}
"""The keys of the server's own options in a TOML file."""


_TYPES = {declared.name: kind for declared, kind, _ in options_of(ServerConfig)}


def _has_one_reader(name: str, url: str) -> bool:
    """Return whether a source is an MQTT session, which only one process can hold."""
    if not url.startswith(("mqtt:", "mqtts:")):
        return False
    try:
        return bool(SourceUrl(name, url).take("client"))
    except SourceError:
        # `open_source` reports the error.
        return False


def load_config(argv: Sequence[str] | None, environ: Mapping[str, str]) -> ServerConfig:
    """Read the configuration from the command line, the environment and a TOML file.

    Args:
        argv: the arguments; `sys.argv` if None.
        environ: environment variables, `FORSTCORE_PORT` for `--port` and so on.

    Raises:
        ValueError: a value is invalid; the message names the option.
        OSError: the TOML file or the token file cannot be read.
        SystemExit: the arguments are invalid, or request help.
    """
    arguments = vars(_parsed_arguments(argv))
    check_environment(environ, PREFIX, _TYPES)
    path = config_file(argv, environ)
    arguments.pop("config", None)
    arguments.pop("print_config", None)
    from_file = read_config_file(path, _TYPES) if path else {}
    from_environment = _from_environment(environ)
    address = {"host": ServerConfig.host, "port": ServerConfig.port}
    check_listening(address, from_file, from_environment, arguments)
    values = from_file | from_environment
    values |= {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments.items()
    }
    config = ServerConfig(**values)
    if config.token:
        _check_token("token", config.token, config.max_header_size)
    if config.token_file and not config.token:
        config = dataclasses.replace(config, token_is_in_file=True)
        config = dataclasses.replace(config, token=read_token(config))
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ValueError("tls_cert and tls_key go together: set both or neither")
    if config.tls_client_ca and not config.tls_cert:
        raise ValueError("tls_client_ca needs tls_cert and tls_key")
    # Validate: these raise ValueError.
    _ = config.sources
    networks_of(config.trusted_proxy)
    origins_of(config.allow_origin)
    check_hosts(config.host, config.allow_host)
    return config


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse the addresses and networks of `trusted_proxy`.

    Raises:
        ValueError: one is neither; the message names it.
    """
    return tuple(map(_network, texts))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"trusted_proxy must be an address or a network: {error}") from None


def config_file(argv: Sequence[str] | None, environ: Mapping[str, str]) -> str | None:
    """Return the path of the TOML file, None if there is none."""
    path: str | None = getattr(_parsed_arguments(argv), "config", environ.get(PREFIX + "CONFIG"))
    if path is not None:
        Option("").check("config", path)
    return path


def read_token(config: ServerConfig) -> str | None:
    """Return the token, read from its file if there is one.

    Raises:
        ValueError: the file is empty or not UTF-8.
        OSError: the file cannot be read.
    """
    if not config.token_is_in_file or config.token_file is None:
        return config.token
    token = read_text(config.token_file).strip()
    if not token:
        raise ValueError(f"token_file {config.token_file} is empty")
    _check_token(f"token_file {config.token_file}", token, config.max_header_size)
    return token


def _check_token(name: str, token: str, max_header_size: int) -> None:
    """Raise ValueError if no request can present a token, which would get 401 without a reason."""
    if _TOKEN.fullmatch(token) is None:
        raise ValueError(f"{name}: a token consists of ASCII characters, with no space at its ends")
    if len("Authorization: Bearer ") + len(token) > max_header_size:
        raise ValueError(f"{name}: the token is too long for max_header_size, {max_header_size}")


def show_config(config: ServerConfig) -> str:
    """Return a configuration as TOML, without secrets."""
    lines = []
    for declared, _, limits in options_of(ServerConfig):
        value = getattr(config, declared.name)
        if value is None or limits.secret:
            lines.append(f"# {declared.name}: {'set' if value else 'not set'}")
        elif isinstance(value, bool):
            lines.append(f"{declared.name} = {str(value).lower()}")
        elif isinstance(value, tuple):
            shown = map(without_password, value) if declared.name == "source" else value
            texts = map(_quoted, shown)
            lines.append(f"{declared.name} = [{', '.join(texts)}]")
        else:
            lines.append(f"{declared.name} = {_quoted(value) if isinstance(value, str) else value}")
    return "\n".join(lines)


def _parsed_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = build_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        # Do not show values: one could be a token.
        names = [text.partition("=")[0] for text in unknown if text.startswith("-")]
        if "--token" in names:
            parser.error(f"--token would show it to other users; use --token-file or {PREFIX}TOKEN")
        known = ["--" + name.replace("_", "-") for name in sorted(_TYPES)]
        hint = suggestion(names[0], known) if names else ""
        listed = " ".join(names) or "values without an option"
        parser.error(f"unrecognized arguments: {listed}{hint}")
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser, with a flag for each field that is not secret."""
    parser = Parser(
        prog="forstcore serve",
        description="Stream NDJSON records through forstcore over HTTP.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        # `--token X` must not abbreviate `--token-file`, which would show X in an error.
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with these settings")
    parser.add_argument(
        "--print-config", action="store_true", help="show the effective settings and exit"
    )
    for declared, kind, limits in options_of(ServerConfig):
        if limits.secret:
            continue
        flag = "--" + declared.name.replace("_", "-")
        text = limits.help + _default_text(declared.default)
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
        elif kind is tuple:
            parser.add_argument(flag, action="append", metavar=limits.metavar, help=text)
        else:
            metavar = limits.metavar or {int: "N", float: "SECONDS", str: "TEXT"}[kind]
            if limits.unit == "bytes":
                metavar = "BYTES"
            if limits.choices:
                metavar = f"{{{','.join(limits.choices)}}}"
            reader = _reader(declared.name, kind, limits)
            parser.add_argument(flag, type=reader, metavar=metavar, help=text)
    return parser


def _default_text(default: object) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return f" (default: {'on' if default else 'off'})"
    return f" (default: {default:g})" if isinstance(default, float) else f" (default: {default})"


def _reader(name: str, kind: type, limits: Option) -> Any:
    def read(text: str) -> Any:
        try:
            value = _parsed(name, kind, text)
            limits.check(name, value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return read


def _parsed(name: str, kind: type, text: str) -> Any:
    """Parse the text of a flag or an environment variable as a value of type `kind`."""
    if kind is bool:
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
        raise ValueError(f"{name} must be true or false, not {text!r}")
    if kind is tuple:
        # A password in a URL may contain a comma; a separating comma is followed by NAME=.
        parts = _NEXT_SOURCE.split(text) if name.lower().endswith("source") else text.split(",")
        return tuple(part.strip() for part in parts if part.strip())
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} must be {wanted}, not {text!r}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        declared.name: _parsed(PREFIX + declared.name.upper(), kind, environ[variable])
        for declared, kind, _ in options_of(ServerConfig)
        if (variable := PREFIX + declared.name.upper()) in environ
    }


def _quoted(text: str) -> str:
    # TOML basic strings equal JSON strings, except for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
