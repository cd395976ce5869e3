"""Generate the page of the HTTP API from its OpenAPI document."""

from __future__ import annotations

from typing import Any

from forstcore.processors import Processor
from server.api.openapi import openapi_document
from server.config import ServerConfig

__all__ = ["cell", "http_page"]

Json = dict[str, Any]

_HEAD = """\
# HTTP API

This page is generated from the OpenAPI 3.1 document. Every server provides its own at
`GET /openapi.json`, which includes its processors, sources and authentication.
[The wire contract](wire.md) describes the lines of a stream.

"""
# A placeholder for the endpoints of all processors.
_ANY_PROCESSOR = {
    "<name>": Processor(
        "<name>", "dict", None, takes="the annotated type", doc="Process with <name>"
    )
}


def cell(text: str) -> str:
    """Put the text of a table cell on one line."""
    return " ".join(text.split()).replace("|", r"\|")


def http_page() -> str:
    """Write the page of the HTTP API."""
    config = ServerConfig(source=("events=memory:",), pipeline_file="server.toml")
    document = openapi_document(config, _ANY_PROCESSOR)
    parts = [_HEAD, document["info"]["description"]]
    for tag in document["tags"]:
        parts.append(f"\n## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_operation(document, f"{method.upper()} {path}", operation))
    parts.append(_errors(document))
    parts.append("\n## Schemas\n")
    for name, schema in document["components"]["schemas"].items():
        parts.append(f"\n### {name}\n\n{_text(schema.get('description', ''))}\n")
        parts.append(_members(schema))
    return "".join(parts)


def _operation(document: Json, name: str, operation: Json) -> str:
    parts = [f"\n### `{name}`\n\n{_text(operation['summary'])}.\n"]
    if about := operation.get("description"):
        parts.append(f"\n{_text(about)}\n")
    if found := [_resolved(document, each) for each in operation.get("parameters", [])]:
        rows = [
            f"| `{each['name']}` ({each['in']}) | {_values(each)} | "
            f"{cell(_text(each.get('description', '')))} |"
            for each in found
        ]
        parts.append(_table("| parameter | values | |", rows))
    if body := operation.get("requestBody"):
        parts.append(f"\n**Request:** {_bodies(body['content'])}{_text(body['description'])}\n")
    for status, response in operation["responses"].items():
        if status < "400":
            media = response.get("content", {})
            parts.append(
                f"\n**Response {status}:** {_bodies(media)}{_text(response['description'])}\n"
            )
    problems = [f"[{status}](#errors)" for status in operation["responses"] if status >= "400"]
    parts.append(f"\n**Errors:** {', '.join(problems)}.\n")
    return "".join(parts)


def _bodies(content: Json) -> str:
    """List the media types, grouped by content."""
    names: dict[str, list[str]] = {}
    for name, media in content.items():
        schema: Json = media.get("x-line-schema") or media.get("schema") or {}
        kinds = [_kind(each) for each in schema.get("anyOf", [schema])]
        about = " or ".join(kind for kind in kinds if kind.startswith("["))
        lines = "lines of " if about and "x-line-schema" in media else ""
        names.setdefault(f" ({lines}{about})" if about else "", []).append(f"`{name}`")
    return "".join(f"{', '.join(each)}{about}. " for about, each in names.items())


def _errors(document: Json) -> str:
    rows = []
    for name, response in document["components"]["responses"].items():
        headers = ", ".join(f"`{each}`" for each in response["headers"])
        about = cell(_text(response["description"]))
        rows.append(f"| {name.removeprefix('Problem')} | {headers} | {about} |")
    head = "\n## Errors\n\nEach is an `application/problem+json` with a [Problem](#problem).\n"
    return head + _table("| status | headers | |", rows)


def _members(schema: Json) -> str:
    rows = [
        f"| `{name}` | {_values({'schema': each})} | {cell(_text(each.get('description', '')))} |"
        for name, each in schema.get("properties", {}).items()
    ]
    return _table("| member | values | |", rows) if rows else ""


def _table(head: str, rows: list[str]) -> str:
    return "\n".join(["", head, "|---|---|---|", *rows, ""])


def _values(parameter: Json) -> str:
    """Describe the values of a parameter briefly."""
    schema = parameter.get("schema")
    if schema is None:
        return "JSON: " + _kind(parameter["content"]["application/json"]["schema"])
    text = _kind(schema)
    return f"{text}, default `{schema['default']}`" if "default" in schema else text


def _kind(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    kinds = schema.get("type", "any")
    if kinds == "array":
        return f"array of {_kind(schema['items'])}"
    bounds = [f"{word} {schema[key]:,}" for key, word in _BOUNDS if key in schema]
    return " ".join([" or ".join([kinds] if isinstance(kinds, str) else kinds), *bounds])


_BOUNDS = (("minimum", "from"), ("maximum", "to"))


def _text(text: str) -> str:
    # Escape placeholders such as <name>, which would be treated as HTML elements.
    parts = text.split("`")
    return "`".join(
        part if number % 2 else part.replace("<", r"\<") for number, part in enumerate(parts)
    )


def _resolved(document: Json, item: Json) -> Json:
    if "$ref" not in item:
        return item
    _, kind, name = item["$ref"].removeprefix("#/").split("/")
    found: Json = document["components"][kind][name]
    return found
