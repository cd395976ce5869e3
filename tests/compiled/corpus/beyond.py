"""Functions that use more than the compiler knows: other libraries, recursion, state."""

import hashlib
import json
from urllib.parse import parse_qs, urlsplit

from tests.compiled.making import email, hexadecimal, integer, name, one_of, path, text, word

SECRETS = {"password", "token"}


def pseudonym(user: dict) -> dict:
    digest = hashlib.sha256(user["email"].lower().encode()).hexdigest()
    return {"user": digest[:16], "country": user["country"]}


def unwrap_notification(envelope: dict) -> dict:
    message = json.loads(envelope["Message"])
    return {"topic": envelope["TopicArn"].split(":")[-1], **message}


def parse_url(hit: dict) -> dict:
    parts = urlsplit(hit["url"])
    return {"host": parts.hostname, "path": parts.path, "query": parse_qs(parts.query)}


def redacted(value):
    if isinstance(value, dict):
        return {k: "***" if k in SECRETS else redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redacted(each) for each in value]
    return value


def redact_deeply(event: dict) -> dict:
    return redacted(event)


RECORDS = [
    (pseudonym, {"email": email, "country": "DE"}),
    (unwrap_notification, {"TopicArn": "arn:a:b:orders", "Message": one_of('{"id":1}', "{", "[]")}),
    (parse_url, {"url": one_of(path, "https://a.test:80/x?y=1&y=2")}),
    (
        redact_deeply,
        {
            "id": hexadecimal(4),
            "login": {"user": name, "password": word, "tries": [integer(0, 9), {"token": "t"}]},
            "text": text(0, 3),
        },
    ),
]
