"""How schemathesis sends what it makes up; it loads this module by its name."""

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
    """Write a body in the content coding that its header names; of a list, a line each."""
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
    """Do what the document says of a request, but its schemas cannot."""
    if case.headers and case.headers.get("Forst-On-Error") == "fail":
        # Without frames such a stream may be cut.
        case.headers["Forst-Frames"] = "1"
    if case.headers and case.headers.get("Forst-Ack") == "1":
        # Such a request goes on, which this one does not.
        case.headers["Forst-Ack"] = "if-needed"
    if isinstance(case.body, dict) and isinstance(case.body.get("from"), str):
        # What an offset is, only a source knows.
        case.body["from"] = "start"


@schemathesis.hook
def filter_failure(
    _context: HookContext, _failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Leave out failures to refuse a header of somebody else, or to take a line that is bad."""
    if case.headers and _UNKNOWN in case.headers:
        return False
    # No schema says what the lines of a body are; 422 is for nothing else.
    return response.status_code != 422
