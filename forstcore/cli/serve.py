"""`forstcore serve`: run the server."""

from __future__ import annotations

import signal

import click
from click.shell_completion import CompletionItem

from forstcore.cli._signals import end_at_once
from forstcore.config import options_of
from server.cli import main
from server.config import ServerConfig

__all__ = ["command"]

_PATHS = {"FILE": "file", "PATH": "file", "MODULE": "file", "DIRECTORY": "dir"}
"""How shells complete values, by the option's metavar."""


class _Serve(click.Command):
    """The server's options, which click does not parse, for completion."""

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        options = {"--config": "TOML file with these settings", "--print-config": "", "--help": ""}
        for declared, kind, limits in options_of(ServerConfig):
            if not limits.secret:
                name = declared.name.replace("_", "-")
                options[f"--{name}"] = limits.help
                if kind is bool:
                    options[f"--no-{name}"] = limits.help
        return [
            CompletionItem(option, help=text)
            for option, text in options.items()
            if option.startswith(incomplete)
        ]


def _values(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the value of the option before it."""
    flag = (context.params["options"] or ("",))[-1]
    if flag == "--config":
        return [CompletionItem(incomplete, type="file")]
    for declared, _, limits in options_of(ServerConfig):
        if flag == "--" + declared.name.replace("_", "-"):
            if limits.metavar in _PATHS:
                return [CompletionItem(incomplete, type=_PATHS[limits.metavar])]
            return [CompletionItem(each) for each in limits.choices if each.startswith(incomplete)]
    return []


@click.command(
    cls=_Serve,
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, shell_complete=_values)
def command(options: tuple[str, ...]) -> int:
    """Run the server; `forstcore serve --help` lists its options."""
    # The server installs its own signal handlers.
    end_at_once()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return main(options)
