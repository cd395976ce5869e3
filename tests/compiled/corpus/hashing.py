"""Pseudonyms, keys for deduplication, samples and shards: what is hashed."""

import base64
import hashlib
import hmac
import json
import uuid
import zlib

from tests.compiled.making import (
    address,
    boolean,
    email,
    hexadecimal,
    integer,
    maybe,
    moment,
    name,
    number,
    one_of,
    path,
    seconds,
    several,
    text,
    unique,
    word,
)

SALT = "9f3c-pepper"
PII_FIELDS = ["email", "phone", "full_name"]
SHARDS = 16
KEY = b"tenant-key-1"
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def pseudonym(user: dict) -> dict:
    digest = hashlib.sha256(user["email"].lower().encode()).hexdigest()
    return {"user": digest[:16], "country": user["country"]}


def hash_pii_fields(record):
    for field in PII_FIELDS:
        if field in record and record[field] is not None:
            value = str(record[field]).strip().lower()
            record[field] = hashlib.sha256((SALT + value).encode("utf-8")).hexdigest()
    return record


def dedupe_key(row: dict) -> dict:
    parts = [str(row.get(key, "")) for key in ("customer_id", "sku", "ordered_at")]
    row["dedupe_key"] = hashlib.md5("|".join(parts).encode("utf-8")).hexdigest()
    return row


def fingerprint_error(event: dict) -> dict:
    frames = event.get("stacktrace", [])
    top = [f"{f['module']}.{f['function']}" for f in frames if f.get("in_app")][:5]
    raw = event["type"] + "\n" + "\n".join(top)
    return {
        "id": event["event_id"],
        "fingerprint": hashlib.sha1(raw.encode()).hexdigest(),
        "title": f"{event['type']}: {event['value'][:60]}",
    }


def sample_by_user(event: dict):
    bucket = int(hashlib.md5(event["user_id"].encode()).hexdigest()[:8], 16) % 100
    if bucket >= 20:
        return None
    event["bucket"] = bucket
    return event


def shard_of(message: dict) -> dict:
    key = f"{message['tenant']}:{message['entity']}"
    shard = zlib.crc32(key.encode("utf-8")) % SHARDS
    return {"shard": f"shard-{shard:02d}", "key": key, "body": message["body"]}


def signed_subject(event: dict) -> dict:
    subject = event.pop("subject")
    event["subject_ref"] = hmac.new(KEY, subject.encode(), hashlib.sha256).hexdigest()
    return event


def stable_uuid(item: dict) -> dict:
    return {"id": str(uuid.uuid5(NAMESPACE, item["url"])), "url": item["url"]}


def anonymize_visit(visit: dict) -> dict:
    day = visit["ts"][:10]
    agent = visit.get("ua") or ""
    visitor = hashlib.blake2b(f"{day}{visit['ip']}{agent}".encode(), digest_size=8).hexdigest()
    a, b, *_ = visit["ip"].split(".")
    return {"visitor": visitor, "net": f"{a}.{b}.0.0/16", "page": visit["page"], "day": day}


def short_code(link: dict) -> dict:
    digest = hashlib.sha256(link["target"].encode()).digest()
    code = base64.urlsafe_b64encode(digest[:6]).decode().rstrip("=")
    return {"code": code, "target": link["target"]}


def content_hash(document: dict) -> dict:
    payload = {k: v for k, v in document.items() if k not in ("_id", "updated_at")}
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    document["_hash"] = hashlib.sha256(canonical.encode()).hexdigest()
    return document


def experiment_arm(request: dict) -> dict:
    digest = hashlib.sha1(f"checkout-button:{request['uid']}".encode()).digest()
    point = int.from_bytes(digest[:4], "big") / 2**32
    arm = "control" if point < 0.5 else "treatment" if point < 0.9 else "holdout"
    return {"uid": request["uid"], "arm": arm, "point": round(point, 6)}


RECORDS = [
    (pseudonym, {"email": email, "country": "DE"}),
    (
        hash_pii_fields,
        {
            "id": integer(1, 10**6),
            "email": maybe(email, 0.9),
            "phone": maybe(one_of("+49 170 1234567", None, 491701234567)),
            "full_name": maybe(name, 0.8),
            "plan": word,
        },
    ),
    (
        dedupe_key,
        {
            "customer_id": integer(1, 10**6),
            "sku": one_of("tea-1", "MUG-42"),
            "ordered_at": maybe(moment(), 0.9),
            "qty": integer(1, 9),
        },
    ),
    (
        fingerprint_error,
        {
            "event_id": hexadecimal(32),
            "type": one_of("ValueError", "KeyError", "TimeoutError"),
            "value": text(0, 12),
            "stacktrace": maybe(
                several(
                    {
                        "module": one_of("shop.cart", "django.core"),
                        "function": word,
                        "in_app": maybe(boolean, 0.8),
                    },
                    0,
                    8,
                ),
                0.9,
            ),
        },
    ),
    (sample_by_user, {"user_id": unique, "event": word, "value": maybe(number(0, 10))}),
    (
        shard_of,
        {"tenant": word, "entity": integer(1, 10**6), "body": {"text": text(1, 4), "n": [1, 2]}},
    ),
    (signed_subject, {"id": integer(1, 10**9), "subject": email, "action": word}),
    (stable_uuid, {"url": path}),
    (anonymize_visit, {"ts": moment(), "ip": address, "ua": maybe(text(1, 5)), "page": path}),
    (short_code, {"target": path}),
    (
        content_hash,
        {
            "_id": hexadecimal(24),
            "updated_at": seconds,
            "title": one_of(text(1, 4), name),
            "price": number(0, 100),
            "tags": several(word, 0, 3),
            "meta": {"b": maybe(True), "a": None},
        },
    ),
    (experiment_arm, {"uid": one_of(unique, integer(1, 10**6))}),
]
