"""How another process finds the function of a processor."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from forstcore.errors import LoadError
from forstcore.loading import import_module
from forstcore.processors import REGISTRY, Processor, as_processor

__all__ = ["FunctionReference", "reference_to"]


@dataclass(frozen=True)
class FunctionReference:
    """Where a function is, or the function itself.

    Attributes:
        name: name of the processor.
        module: name of the module that declares it, or the path of its file; empty for none.
        attribute: name of the function in the module; empty if the module registers it.
        pickled: the pickled processor, if no module has it.
    """

    name: str
    module: str = ""
    attribute: str = ""
    pickled: bytes = b""

    def load(self) -> Processor:
        """Return the processor, in the other process.

        Raises:
            LoadError: it cannot be found; the message says why.
        """
        if self.pickled:
            import cloudpickle

            try:
                unpickled: Processor = cloudpickle.loads(self.pickled)
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                raise LoadError(f"cannot load {self.name!r}: {text}") from error
            return unpickled
        module = sys.modules[import_module(self.module)]
        if not self.attribute:
            if self.name not in REGISTRY:
                raise LoadError(f"{self.module} declares no processor {self.name!r} when imported")
            return REGISTRY[self.name]
        try:
            return as_processor(_attribute_of(module, self.attribute), self.name)
        except AttributeError as error:
            raise LoadError(f"cannot find {self.attribute} in {self.module}: {error}") from None


def reference_to(processor: Processor) -> FunctionReference:
    """Return how another process finds a processor.

    Raises:
        TypeError: it cannot; the message says what to do.
    """
    function, name = processor.function, processor.name
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    attribute = getattr(function, "__qualname__", "")
    by_name = by_attribute = None
    if module is not None and module.__name__ != "__main__":
        if REGISTRY.get(name) is processor:
            by_name = FunctionReference(name, module.__name__)
        with suppress(AttributeError):
            if _attribute_of(module, attribute) is function:
                by_attribute = FunctionReference(name, module.__name__, attribute)
    # A function within another one is not in its module, which may register it when imported.
    if by_name is not None and (by_attribute is not None or "<locals>" not in attribute):
        return by_name
    if by_attribute is not None:
        return by_attribute
    try:
        import cloudpickle

        return FunctionReference(name, pickled=cloudpickle.dumps(processor))
    except Exception as error:
        if by_name is not None:
            return by_name
        advice = "declare it at the top level of a module"
        if isinstance(error, ImportError):
            advice += " other than the program itself, or install cloudpickle"
        raise TypeError(
            f"processor {name!r} ({processor.place}) cannot be run in worker processes, because "
            f"they cannot import it ({error}): {advice}"
        ) from None


def _attribute_of(module: object, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name)
    return found
