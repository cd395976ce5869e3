"""Shared by all commands: lookup, error messages and exit statuses."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Never

import click

import forstcore
from forstcore._importing import without_collecting
from forstcore._json_log import print_json, wants_json
from forstcore.cli._server_package import import_server_package
from forstcore.cli._signals import Interrupted, interrupt
from forstcore.errors import ForstError, RecordError, StreamFailedError

__all__ = ["BAD_LINES", "FAILED", "run"]

BAD_LINES = 1
"""Exit status: invalid lines, for commands that check or require valid ones."""
FAILED = 3
"""Exit status: a file, a server or the stream failed."""

_COMMANDS = (
    "serve",
    "process",
    "run",
    "pipelines",
    "send",
    "publish",
    "watch",
    "validate",
    "check",
    "replay",
    "bench",
    "info",
)

_WITH_SERVER = ("serve", "run")
"""The commands that import modules of the server."""

_EPILOG = """\b
Exit status: 0 done, 1 bad lines (validate, or --on-error fail), 2 wrong usage,
3 a file, a server or a stream failed. After Ctrl-C or a closed pipe it ends by
that signal, as Unix tools do.

\b
Completion; for zsh or fish, with zsh_source or fish_source:
  eval "$(_FORSTCORE_COMPLETE=bash_source forstcore)"
"""


class Ended(Exception):
    """A command was ended by a signal, or must exit as if by one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Commands(click.Group):
    """Commands, each imported on first use."""

    def invoke(self, context: click.Context) -> Any:
        try:
            result = super().invoke(context)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # The reader closed the pipe: end by SIGPIPE. click would exit with a status of its own,
            raise Ended(getattr(signal, "SIGPIPE", signal.SIGINT)) from None
        except Interrupted as error:
            # and print "Aborted!" for an interrupt.
            raise Ended(error.number) from None

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(context, arguments)
        # Imports are done; from now on signals must let the command clean up.
        interrupt()
        return found

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # click would cut descriptions off.
        commands = [(name, self.get_command(context, name)) for name in _COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, found.get_short_help_str(200)) for name, found in commands if found]
            )

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        with without_collecting():
            if name in _WITH_SERVER:
                import_server_package()
            found: Any = importlib.import_module(f"forstcore.cli.{name}").command
        return found if isinstance(found, click.Command) else None


@click.group(cls=_Commands, epilog=_EPILOG)
@click.version_option(forstcore.__version__, message="forstcore %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def forst(debug: bool) -> None:
    """Process streams of NDJSON records, here or through a server."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; see `forstcore.cli.main`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _open_closed()
    if "run" in given and wants_json(given, os.environ):
        # Before anything can fail.
        print_json()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # File names may not be valid UTF-8.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        status = forst.main(given, prog_name="forstcore", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        number = int(signal.SIGINT)
    except Ended as error:
        number = error.number
    except Exception as error:
        if "--debug" in given:
            raise
        print(f"forstcore: {_in_words(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            # Python would flush again at exit, fail, and exit with status 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BAD_LINES if _is_about_lines(error) else FAILED
    # After the handlers, because the exception keeps frames alive, and with them drafts that are
    # not yet removed.
    _end_by(number)


def _open_closed() -> None:
    """Open standard streams that are closed, so that no other file gets their descriptors.

    Reading and writing them still fails, and messages are lost.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _end_by(number: int) -> Never:
    """End by a signal, so that the shell sees the signal as the cause."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if os.name == "posix":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)


def _is_about_lines(error: Exception) -> bool:
    stopped = isinstance(error, StreamFailedError) and error.code == "bad_record"
    return stopped or isinstance(error, RecordError)


def _in_words(error: Exception) -> str:
    if isinstance(error, ForstError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    text = " ".join(str(error).split())
    if isinstance(error, LookupError | ValueError | TypeError) and text:
        return text.strip("'\"")
    return f"{type(error).__name__}: {text} (--debug shows where)"
