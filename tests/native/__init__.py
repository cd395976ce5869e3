"""Native processors, built for the tests with the header that is shipped."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

import forstcore

__all__ = ["build"]


def build(source: Path, directory: Path, *, undefined: tuple[str, ...] = ()) -> ModuleType:
    """Compile one C file into a directory and import it as an extension module.

    Args:
        source: the file.
        directory: receives what the compiler writes.
        undefined: macros that the compiler is told to forget.
    """
    # Here, because each process of a test run loads this module, and few build anything.
    from setuptools import Distribution, Extension

    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip("needs a C compiler")
    extension = Extension(
        source.stem,
        [str(source)],
        include_dirs=[forstcore.get_include()],
        undef_macros=list(undefined),
    )
    command = Distribution({"name": source.stem, "ext_modules": [extension]}).get_command_obj(
        "build_ext"
    )
    command.build_lib = command.build_temp = os.fspath(directory)
    command.ensure_finalized()
    command.run()
    path = command.get_ext_fullpath(source.stem)
    spec = importlib.util.spec_from_file_location(source.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
