"""Statements that bind a name to a local function or a module."""

from __future__ import annotations

import ast
import importlib
import sys
from typing import Any

from forstcore.compiled.exceptions import Exceptions
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Definition, LocalFunction, defaults_of
from forstcore.compiled.source import MISSING

__all__ = ["Definitions"]


class Definitions(Exceptions):
    """Compile definitions and imports within the function."""

    def _do_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            raise Unsupported(node, "a decorator of a local function")
        self.define(node.name, node, node)

    def define(self, name: str, node: ast.stmt, definition: Definition) -> None:
        """Record a local function; its defaults are evaluated here."""
        if name not in self.scope.once or self.branches > self.scope.branches:
            raise Unsupported(node, "a local function that is defined twice, or conditionally")
        defaults: dict[str, int] = {}
        for parameter, value in defaults_of(definition).items():
            register = defaults[parameter] = self.code.variable()
            self.into(value, register)
        self.scope.functions[name] = LocalFunction(definition, defaults)

    def _do_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            owner = self.scope.owner(name)
            if owner is None or name not in owner.bound:
                raise Unsupported(node, f"nonlocal {name} before it has a value", "assign it first")

    def _do_Import(self, node: ast.Import) -> None:
        for each in node.names:
            if each.asname is None and "." in each.name:
                raise Unsupported(node, f"import {each.name}", "import it at the top")
            self._import(node, each.asname or each.name, each.name, None)

    def _do_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            if node.level or node.module is None:
                raise Unsupported(node, "a relative import in a function", "import it at the top")
            self._import(node, each.asname or each.name, node.module, each.name)

    def _import(self, node: ast.stmt, name: str, module: str, attribute: str | None) -> None:
        # An import may have side effects, unless it has already run or is of the standard library.
        if module not in sys.modules and module.partition(".")[0] not in sys.stdlib_module_names:
            raise Unsupported(node, f"the import of {module}", "import it at the top")
        if name not in self.scope.once or self.branches > self.scope.branches:
            raise Unsupported(node, "an import in a condition", "import it at the top")
        value: Any = importlib.import_module(module)
        if attribute is not None:
            value = getattr(value, attribute, MISSING)
        if value is MISSING:
            raise Unsupported(node, f"the import of {attribute} from {module}")
        self.scope.imports[name] = value
