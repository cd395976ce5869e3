"""Payloads within records: JSON in a string, base64, CSV, key=value pairs."""

import base64
import csv
import html
import io
import json

from tests.compiled.making import (
    address,
    boolean,
    hexadecimal,
    integer,
    joined,
    maybe,
    name,
    number,
    one_of,
    seconds,
    several,
    text,
    unique,
    word,
)

LEVELS = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}


def unwrap_notification(envelope: dict) -> dict:
    message = json.loads(envelope["Message"])
    return {"topic": envelope["TopicArn"].split(":")[-1], **message}


def firehose_record(record: dict) -> dict:
    payload = base64.b64decode(record["data"]).decode("utf-8")
    data = json.loads(payload)
    data["record_id"] = record["recordId"]
    return data


def pubsub_message(envelope):
    message = envelope["message"]
    body = json.loads(base64.b64decode(message["data"]))
    attributes = message.get("attributes", {})
    return {
        "id": message["messageId"],
        "kind": attributes.get("kind", "unknown"),
        "user": body["user"]["name"],
        "total": sum(item["qty"] * item["price"] for item in body["items"]),
    }


def kubernetes_line(line: dict) -> dict:
    log = line["log"].strip()
    parsed = None
    if log.startswith("{"):
        try:
            parsed = json.loads(log)
        except json.JSONDecodeError:
            parsed = None
    if parsed is None:
        return {"pod": line["kubernetes"]["pod_name"], "level": "unknown", "message": log}
    return {
        "pod": line["kubernetes"]["pod_name"],
        "level": parsed.get("level", "info").lower(),
        "message": parsed.get("msg") or parsed.get("message") or "",
        "fields": {k: v for k, v in parsed.items() if k not in ("level", "msg", "message", "ts")},
    }


def pino_line(entry: dict):
    try:
        inner = json.loads(entry["message"])
    except ValueError:
        return {"raw": entry["message"], "parse_error": True}
    return {
        "level": LEVELS.get(inner.get("level"), "INFO"),
        "msg": inner.get("msg", ""),
        "pid": inner.get("pid"),
        "req": inner.get("req", {}).get("id"),
    }


def outbox_event(row: dict) -> dict:
    payload = json.dumps({"id": row["id"], "name": row["name"], "tags": row.get("tags", [])})
    return {"aggregate": "customer", "type": "CustomerChanged", "payload": payload}


def stringify_nested(record: dict) -> dict:
    return {
        key: json.dumps(value) if isinstance(value, (dict, list)) else value
        for key, value in record.items()
    }


def basic_auth_user(request: dict) -> dict:
    header = request["headers"].get("authorization", "")
    user = None
    if header.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(header[6:]).decode("utf-8")
            user = decoded.split(":", 1)[0]
        except Exception:
            user = "<malformed>"
    return {"ip": request["ip"], "user": user}


def jwt_claims(request: dict) -> dict:
    token = request["token"]
    _header, payload, _signature = token.split(".")
    payload += "=" * (-len(payload) % 4)
    claims = json.loads(base64.urlsafe_b64decode(payload))
    return {
        "sub": claims["sub"],
        "scopes": claims.get("scope", "").split(),
        "expired": claims["exp"] < request["now"],
    }


def encode_body(event: dict) -> dict:
    body = event["body"]
    return {
        "id": event["id"],
        "body": base64.b64encode(body.encode("utf-8")).decode("ascii"),
        "size": len(body.encode("utf-8")),
    }


def csv_row(record: dict) -> dict:
    station, temperature, humidity, battery = record["csv"].split(",")
    return {
        "station": station.strip(),
        "temperature": float(temperature),
        "humidity": int(humidity) if humidity else None,
        "low_battery": float(battery or 0) < 3.3,
    }


def csv_table(upload: dict):
    lines = upload["content"].splitlines()
    header = [column.strip().lower().replace(" ", "_") for column in lines[0].split(",")]
    for number_, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        row = dict(zip(header, line.split(",")))
        row["_line"] = number_
        row["_file"] = upload["name"]
        yield row


def csv_quoted(upload: dict):
    for row in csv.DictReader(io.StringIO(upload["content"])):
        yield row


def syslog_pairs(entry: dict) -> dict:
    pairs = {}
    for part in entry["msg"].split():
        key, sep, value = part.partition("=")
        if sep:
            pairs[key] = value.strip('"')
    return {"host": entry["host"], **pairs}


def lorawan_payload(uplink: dict) -> dict:
    raw = bytes.fromhex(uplink["payload"])
    temperature = int.from_bytes(raw[0:2], "big", signed=True) / 100
    humidity = raw[2] / 2
    battery = int.from_bytes(raw[3:5], "big")
    return {
        "device": uplink["dev_eui"].upper(),
        "temperature": temperature,
        "humidity": humidity,
        "battery_mv": battery,
        "alarm": bool(raw[5] & 0x01),
    }


def html_comment(comment: dict) -> dict:
    body = html.escape(comment["body"].strip())
    return {"author": html.escape(comment["author"]), "html": f"<p>{body}</p>"}


def _json_text(chance):
    return json.dumps(
        {
            "level": chance.choice((20, 30, 50, 35)),
            "time": 1_767_225_600 + chance.randrange(10**6),
            "msg": " ".join(chance.choice(("started", "größer", 'a "b"', "x/y")) for _ in range(3)),
            "pid": chance.randrange(65536),
            "req": {"id": f"{chance.getrandbits(32):x}"},
        },
        ensure_ascii=chance.random() < 0.5,
    )


def _klog(chance):
    return json.dumps(
        {
            "ts": chance.random() * 1e9,
            "level": chance.choice(("INFO", "error", "Warn")),
            "msg": chance.choice(("", "sync done", "retry in 5s")),
            "attempt": chance.randrange(5),
            "took": round(chance.random(), 3),
        }
    )


def _base64(make_text):
    return lambda chance: base64.b64encode(make_text(chance).encode()).decode()


def _order(chance):
    items = [
        {"qty": chance.randrange(1, 5), "price": round(chance.uniform(1, 9), 2)}
        for _ in range(chance.randrange(4))
    ]
    return json.dumps({"user": {"name": chance.choice(("Anna", "Jürgen"))}, "items": items})


def _token(chance):
    claims = json.dumps(
        {"sub": f"user-{chance.randrange(1000)}", "exp": chance.randrange(2 * 10**9)}
        | ({"scope": "read write"} if chance.random() < 0.5 else {})
    )
    body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


def _csv(chance):
    rows = [
        f"{chance.randrange(100)},{chance.choice(('tea', 'mug'))},{chance.uniform(1, 9):.2f}"
        for _ in range(chance.randrange(4))
    ]
    return "\n".join(["Id,Product Name,Price", *rows, ""])


RECORDS = [
    (
        unwrap_notification,
        {
            "TopicArn": "arn:aws:sns:eu-central-1:1:orders",
            "Message": one_of('{"id":1}', '{"id": 2, "lines": [1.5, {"a": null}]}', _order),
        },
    ),
    (firehose_record, {"recordId": hexadecimal(24), "data": _base64(_json_text)}),
    (
        pubsub_message,
        {
            "message": {
                "data": _base64(_order),
                "messageId": unique,
                "attributes": maybe({"kind": word}),
            }
        },
    ),
    (
        kubernetes_line,
        {
            "log": one_of(_klog, "plain text\n", " {broken", "I0301 started"),
            "stream": "stdout",
            "kubernetes": {"pod_name": word, "namespace": "shop"},
        },
    ),
    (pino_line, {"message": one_of(_json_text, _json_text, "not json")}),
    (
        outbox_event,
        {"id": integer(1, 999), "name": name, "tags": maybe(several(word, 0, 3))},
    ),
    (
        stringify_nested,
        {
            "id": unique,
            "ok": boolean,
            "meta": {"a": [1, 2.5, None, True], "b": {"c": name}},
            "list": several(one_of(word, number(0, 1), integer(0, 9)), 0, 4),
        },
    ),
    (
        basic_auth_user,
        {
            "ip": address,
            "headers": {
                "authorization": maybe(one_of("Basic YW5uYTpzZWNyZXQ=", "Bearer x", "basic Zm9v"))
            },
        },
    ),
    (jwt_claims, {"token": _token, "now": seconds}),
    (encode_body, {"id": integer(1, 10**6), "body": one_of(text(0, 12), name)}),
    (
        csv_row,
        {"csv": one_of("k7, 21.5,40,3.61", "b1,-3.25,,3.1", "x , 0,99,")},
    ),
    (csv_table, {"name": "products.csv", "content": _csv}),
    (csv_quoted, {"content": one_of('a,b\n1,"x, y"\n', "a,b\n1,2\n3,4\n")}),
    (
        syslog_pairs,
        {
            "host": word,
            "msg": joined(" ", one_of("action=drop", 'src="10.0.0.1"', "spt=443", "note"), 0, 6),
        },
    ),
    (lorawan_payload, {"dev_eui": hexadecimal(16), "payload": hexadecimal(12)}),
    (
        html_comment,
        {"author": one_of(name, "<b>x</b>"), "body": one_of(text(1, 8), "a < b && \"c\" > 'd'")},
    ),
]

INTERPRETED = (csv_quoted,)
