"""Attributes of classes that can become constants of the program because they never change."""

from __future__ import annotations

import ast
import sys
from typing import Any

from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import FunctionSource
from forstcore.compiled.tables import (
    check_attribute_only_read,
    has_values,
    is_immutable,
    uses_of,
)

__all__ = ["check_class_attribute", "is_reassigned"]


def check_class_attribute(
    source: FunctionSource, node: ast.Attribute, kind: type, value: Any
) -> None:
    """Check that what a class has under a name can be a constant.

    Args:
        source: of the function that uses it.
        node: the attribute.
        kind: the class.
        value: of the attribute.

    Raises:
        Unsupported: it may change, or is no value of programs.
    """
    if is_reassigned(kind, node.attr):
        raise Unsupported(node, f"{ast.unparse(node)!r} may change")
    if is_immutable(value):
        return
    if not isinstance(value, dict | list | set) or not has_values(value, [0]):
        raise Unsupported(node, f"the attribute {node.attr} of {kind.__name__}")
    for each in kind.__mro__:
        module = sys.modules.get(each.__module__)
        if node.attr in vars(each) and module is not None:
            check_attribute_only_read(source, node, module, value)
            if not uses_of(module).reads_attribute(node.attr, value):
                raise Unsupported(node, f"{ast.unparse(node)!r} may change", "make it a global")
            return


def is_reassigned(kind: type, name: str) -> bool:
    """Whether the module of a class, or of one of its bases, assigns an attribute of it."""
    names = {each.__name__ for each in kind.__mro__}
    modules = {sys.modules.get(each.__module__) for each in kind.__mro__ if each is not object}
    return any(uses_of(each).assigns_to_class(name, names) for each in modules if each is not None)
