"""Hooks of schemathesis, which loads this module by its name."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response, SerializationContext
from schemathesis.core.failures import Failure

from server.http.compression import CODINGS, encoder_for

_UNKNOWN = "x-schemathesis-unknown-property"


@schemathesis.serializer("application/x-ndjson", "application/json")
def encoded(context: SerializationContext, value: Any) -> bytes:
    """Write a body in the content coding of its header; a list becomes one line per item."""
    if isinstance(value, str):
        body = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, list) and context.case.media_type == "application/x-ndjson":
        body = b"".join(json.dumps(each, default=repr).encode() + b"\n" for each in value)
    else:
        body = json.dumps(value, default=repr).encode()
    headers = context.case.headers
    coding = str(headers["Content-Encoding"]) if headers and "Content-Encoding" in headers else ""
    if coding not in CODINGS:
        return body
    encoder = encoder_for(coding)
    return encoder.encode(body) + encoder.finish()


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Change a generated request according to rules that only the texts of the document state."""
    if case.headers and case.headers.get("Forst-On-Error") == "fail":
        # Without frames such a stream may be cut.
        case.headers["Forst-Frames"] = "1"
    if case.headers and case.headers.get("Forst-Ack") == "1":
        # Such a request must stay open, which this one does not.
        case.headers["Forst-Ack"] = "if-needed"
    if isinstance(case.body, dict) and isinstance(case.body.get("from"), str):
        # Only a source knows which offsets are valid.
        case.body["from"] = "start"


@schemathesis.hook
def filter_failure(
    _context: HookContext, _failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Ignore failures to refuse a header that is not ours, or to accept an invalid line."""
    if case.headers and _UNKNOWN in case.headers:
        return False
    # No schema describes the lines of a body; 422 is used only for these.
    return response.status_code != 422
