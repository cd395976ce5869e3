"""Calls of the standard library whose arguments are more than values: an algorithm, a namespace."""

from __future__ import annotations

import ast
import hashlib
import hmac
import json
import uuid
from typing import Any

from forstcore.compiled.pattern_calls import PatternCalls
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING

__all__ = ["LibraryCalls"]

_DIGESTS = {getattr(hashlib, name): name for name in ("md5", "sha1", "sha224", "sha256", "sha384")}
_DIGESTS[hashlib.sha512] = "sha512"


class LibraryCalls(PatternCalls):
    """Compile calls of functions of the standard library."""

    def call_library(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call whose arguments have to be known beforehand; return whether it is one."""
        if callee is str and len(node.args) == 1 and not keywords:
            return self._text_of_uuid(node.args[0], to)
        if callee is hmac.new:
            self._hmac(node, keywords, to)
        elif callee is json.dumps:
            self._dumps(node, keywords, to)
        elif callee in _DIGESTS:
            _require_digest(node, callee)
            return False
        else:
            return False
        return True

    def _text_of_uuid(self, node: ast.expr, to: int) -> bool:
        """Compile str(uuid.uuid5(namespace, name))."""
        if not (isinstance(node, ast.Call) and self.static(node.func) is uuid.uuid5):
            return False
        if len(node.args) != 2 or node.keywords:
            raise Unsupported(node, "a call of uuid5 with other arguments")
        namespace = self.static(node.args[0])
        if not isinstance(namespace, uuid.UUID):
            raise Unsupported(node.args[0], f"the namespace {ast.unparse(node.args[0])}")
        known = ast.copy_location(ast.Constant(namespace.bytes), node.args[0])
        self.call_native(node, "<text of uuid5>", [known, node.args[1]], {}, to)
        return True

    def _hmac(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        arguments = dict(zip(("key", "msg", "digestmod"), node.args, strict=False)) | keywords
        if "digestmod" not in arguments:
            raise Unsupported(node, "a call of hmac.new without digestmod")
        algorithm = arguments["digestmod"]
        callee = self.static(algorithm)
        if callee in _DIGESTS:
            _require_digest(algorithm, callee)
            arguments["digestmod"] = ast.copy_location(ast.Constant(_DIGESTS[callee]), algorithm)
        self.call_native(node, "hmac.new", [], arguments, to)

    def _dumps(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        keywords = dict(keywords)
        otherwise = keywords.pop("default", None)
        if otherwise is not None:
            # Values that only another function could write are given back.
            if self.static(otherwise) is MISSING:
                raise Unsupported(otherwise, f"the function {ast.unparse(otherwise)}")
            is_str = self.static(otherwise) is str
            keywords["default"] = ast.copy_location(ast.Constant(is_str), otherwise)
        self.call_native(node, "json.dumps", node.args, keywords, to)


def _require_digest(node: ast.expr, digest: Any) -> None:
    """Check that an algorithm may be used: some systems refuse old ones."""
    try:
        digest(b"")
    except ValueError as error:
        raise Unsupported(node, f"a digest that is refused here ({error})") from None
