"""The command line, `forstcore`: one module for each command."""

from forstcore.cli._main import main

__all__ = ["main"]
