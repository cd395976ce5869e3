"""Modules with processors: found by name, by path or as entry points, and loaded again."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Container, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from forstcore.errors import LoadError
from forstcore.processors import REGISTRY, Processor

__all__ = ["ENTRY_POINTS", "Loader"]

ENTRY_POINTS = "forstcore.processors"
"""Group of the entry points by which packages name their modules with processors."""

_OURS = str(Path(__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Loader:
    """Load modules with processors, and load them again when they have changed.

    Args:
        names: for each module its name, the path of its file, or the name of an entry point
            of the group `ENTRY_POINTS`.
        again: whether they may be loaded again; no compiled files are written then, because
            Python takes one for current if its source has the same size and was changed
            within the same second.

    Attributes:
        processors: what has been declared, by name.

    Thread-safety: one call at a time.
    """

    def __init__(self, names: Sequence[str], *, again: bool = False) -> None:
        self.processors: Mapping[str, Processor] = {}
        self._names = names
        self._reserved: Container[str] = ()
        if again:
            sys.dont_write_bytecode = True
        # What was imported on the way, libraries left out, and how its files were then.
        self._modules: set[str] = set()
        self._stamps: dict[str, tuple[int, int]] = {}

    def load(self, reserved: Container[str] = ()) -> Mapping[str, Processor]:
        """Import the modules, and return all processors that are declared then.

        Args:
            reserved: names that no processor may have.

        Raises:
            LoadError: a module cannot be imported, or a name is in use.
        """
        self._reserved = reserved
        before = set(sys.modules)
        try:
            with REGISTRY.strictly():
                for name in self._names:
                    self._modules.add(_import(name))
                    if not REGISTRY:
                        raise LoadError(f"{name} declares no processors")
                for found in REGISTRY.values():
                    if found.name in reserved:
                        raise LoadError(
                            f"the processor {found.place} cannot be called {found.name!r}: "
                            "that is the path of another endpoint"
                        )
        finally:
            self._modules |= {
                name
                for name in set(sys.modules) - before
                if name.partition(".")[0] not in before and _is_own(name)
            }
            # Of what has been looked at before it was loaded, the earlier stamp is the safe one.
            self._stamps = self._look() | self._stamps
        self.processors = dict(REGISTRY)
        return self.processors

    def has_changed(self) -> bool:
        """Tell whether a file that was loaded has changed since; each change is told once."""
        stamps = self._look()
        # A file that is being written may be away for a moment.
        changed = [path for path in stamps if self._stamps.get(path) != stamps[path]]
        self._stamps |= stamps
        return bool(changed)

    def reload(self) -> Mapping[str, Processor]:
        """Import the modules again; after an error all is as before.

        Functions that are running, or that somebody keeps, stay as they were.

        Raises:
            LoadError: as `load`.
        """
        modules = {name: sys.modules.pop(name) for name in self._modules if name in sys.modules}
        declared = dict(REGISTRY)
        REGISTRY.drop(modules)
        importlib.invalidate_caches()
        try:
            return self.load(self._reserved)
        except LoadError:
            for name in self._modules:
                sys.modules.pop(name, None)
            sys.modules.update(modules)
            REGISTRY.clear()
            REGISTRY.update(declared)
            raise

    def _look(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for name in self._modules:
            file = _file_of(name)
            if file and Path(file).exists():
                found = Path(file).stat()
                stamps[file] = (found.st_mtime_ns, found.st_size)
        return stamps


def _import(name: str) -> str:
    """Import what a name stands for; return the name of the module."""
    try:
        if name.endswith(".py") or "/" in name or "\\" in name:
            return _import_file(Path(name))
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            return importlib.import_module(entry.module).__name__
        return importlib.import_module(name).__name__
    except (Exception, SystemExit) as error:
        raise LoadError(f"cannot load processors from {name}: {_cause(error)}") from error


def _import_file(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    path = path.resolve()
    # Its neighbours can be imported, but take the place of nothing.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    # Its bare name may be another module's.
    name = str(path)
    if name in sys.modules:
        return name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return name


def _file_of(name: str) -> str | None:
    module: ModuleType | None = sys.modules.get(name)
    return getattr(module, "__file__", None)


def _is_own(name: str) -> bool:
    """Tell whether a module is no library."""
    file = _file_of(name)
    return file is not None and not file.startswith(_LIBRARIES)


def _cause(error: BaseException) -> str:
    """Say what went wrong, and where outside of the machinery of imports."""
    text = f"{type(error).__name__}: {error}"
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<frozen"))
    ]
    if places and not isinstance(error, SyntaxError):
        text += f" ({places[-1].filename}, line {places[-1].lineno})"
    return text
