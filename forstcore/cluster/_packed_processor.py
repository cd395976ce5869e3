"""Serialize processors for workers."""

from __future__ import annotations

import functools
import hashlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader
from pathlib import Path
from typing import Any

import cloudpickle

from forstcore.errors import LoadError
from forstcore.loading import Loader, load_errors
from forstcore.processors import REGISTRY, Processor, as_processor

__all__ = ["PackedProcessor", "pack_processor"]

_LOCK = threading.Lock()


@dataclass(frozen=True)
class PackedProcessor:
    """A serialized processor.

    Attributes:
        name: name of the processor; with modules, the name under which one declares it.
        pickled: the pickled processor; empty if a module declares it.
        modules: name or path of each module, and its source; the source is None if the
            workers have the module installed.
    """

    name: str
    pickled: bytes
    modules: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def stamp(self) -> str:
        """Digest of the serialized processor."""
        return hashlib.sha256(repr((self.name, self.pickled, self.modules)).encode()).hexdigest()

    def unpack(self) -> Processor:
        """Return the processor, on a worker; cached in each process.

        Raises:
            LoadError: the processor cannot be loaded here; the message says why.
        """
        with _LOCK:
            return _unpacked(self)


def pack_processor(processor: object, modules: Sequence[str]) -> PackedProcessor:
    """Serialize a processor.

    Args:
        processor: as for `as_processor`; with modules, a name that one of them declares, or
            None for the built-in one.
        modules: name or path of each module.

    Raises:
        LoadError: a file cannot be read.
        LookupError, TypeError: it is not a processor or cannot be pickled; the message says why.
    """
    if modules and isinstance(processor, str):
        return PackedProcessor(processor, b"", tuple(map(_packed, modules)))
    if modules and processor is not None:
        raise TypeError("with modules, the processor is the name that one of them declares")
    found = as_processor(processor)
    try:
        pickled = cloudpickle.dumps(found)
    except Exception as error:
        raise TypeError(
            f"processor {found.name!r} cannot be sent to workers ({error}): declare it in a "
            "module, give that in modules, and its name as the processor"
        ) from None
    return PackedProcessor(found.name, pickled)


def _is_file(name: str) -> bool:
    """Return whether a module is specified by its path."""
    return name.endswith(".py") or "/" in name or "\\" in name


def _packed(name: str) -> tuple[str, bytes | None]:
    if not _is_file(name):
        return name, None
    path = Path(name).resolve()
    try:
        return str(path), path.read_bytes()
    except OSError as error:
        raise LoadError(f"cannot load processors from {name}: {error.strerror}") from None


@functools.lru_cache(maxsize=16)
def _unpacked(packed: PackedProcessor) -> Processor:
    if not packed.modules:
        try:
            found: Processor = cloudpickle.loads(packed.pickled)
        except Exception as error:
            raise LoadError(f"cannot load {packed.name!r}: {_text(error)}") from error
        return found
    installed = [name for name, source in packed.modules if source is None]
    declared = dict(Loader(installed).load()) if installed else {}
    for name, source in packed.modules:
        if source is not None:
            declared |= _declared_by(name, source)
    if packed.name not in declared:
        known = ", ".join(sorted(declared)) or "none"
        raise LoadError(f"there is no processor {packed.name!r}; declared are: {known}")
    return declared[packed.name]


def _declared_by(path: str, source: bytes) -> dict[str, Processor]:
    """Import the source of a file from another machine; return the processors it declares."""
    # The same path may have been imported with other contents in this process.
    name = f"{path}#{hashlib.sha256(source).hexdigest()[:16]}"
    spec = importlib.machinery.ModuleSpec(name, _BytesImporter(path, source), origin=path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    if Path(path).exists() and str(Path(path).parent) not in sys.path:
        # Modules in the same directory can be imported if the directory exists here.
        sys.path.append(str(Path(path).parent))
    before = dict(REGISTRY)
    REGISTRY.clear()
    sys.modules[name] = module
    try:
        with load_errors(path):
            assert spec.loader is not None
            spec.loader.exec_module(module)
        return dict(REGISTRY)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)


class _BytesImporter(InspectLoader):
    """Import a module from its source.

    Args:
        path: path of the source, for tracebacks.
        source: the source.
    """

    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source

    def get_source(self, _name: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, _name: str) -> Any:
        return self.source_to_code(self._source, self._path)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
