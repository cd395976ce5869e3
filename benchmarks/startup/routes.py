"""Twenty processors as people write them, to measure how long it takes to start with them."""

import re
from typing import Any, Final

from forstcore import processor

LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50}
SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
IGNORED_PATHS = frozenset({"/health", "/healthz", "/metrics", "/ready"})
COMBINED = re.compile(
    r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+)[^"]*" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$'
)
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
DURATION = re.compile(r"\b(?:took|in|after) (\d+(?:\.\d+)?) ?(ms|s)\b")


@processor("add-severity")
def add_severity(event: dict) -> dict:
    level = event.get("level", "info").lower()
    event["severity"] = LEVELS.get(level, 0)
    event["is_error"] = event["severity"] >= 40
    return event


@processor("only-slow-requests")
def only_slow_requests(event: dict) -> dict | None:
    if event["path"] in IGNORED_PATHS:
        return None
    ms = event["duration"] * 1000
    if ms < 250 and event["status"] < 500:
        return None
    return {
        "request_id": event["request_id"],
        "route": event["method"] + " " + event["path"].split("?")[0],
        "ms": round(ms, 1),
        "slow": ms >= 1000,
        "status": event["status"],
    }


@processor("parse-access-log")
def parse_access_log(line: dict) -> dict:
    match = COMBINED.match(line["message"])
    if match is None:
        return {"ok": False, "message": line["message"]}
    size = match.group(8)
    return {
        "ok": True,
        "ip": match.group(1),
        "user": None if match.group(3) == "-" else match.group(3),
        "time": match.group(4),
        "method": match.group(5),
        "path": match.group(6),
        "status": int(match.group(7)),
        "size": 0 if size == "-" else int(size),
        "agent": match.group(10),
    }


@processor("parse-logfmt")
def parse_logfmt(line: dict) -> dict:
    fields = {}
    for part in line["message"].split():
        key, found, value = part.partition("=")
        if found:
            fields[key] = value.strip('"')
        else:
            fields[key] = True
    fields["host"] = line["host"]
    return fields


@processor("decode-syslog-priority")
def decode_syslog_priority(record: dict) -> dict:
    pri = int(record["pri"])
    return {
        **record,
        "facility": pri // 8,
        "severity": SEVERITIES[pri % 8],
        "tag": record["tag"].rstrip(":").split("[", 1)[0],
    }


@processor("last-frame-of-traceback")
def last_frame_of_traceback(event: dict[str, Any]) -> dict[str, Any] | None:
    trace = event.get("traceback")
    if not trace:
        return None
    frames = FRAME.findall(trace)
    lines = trace.strip().splitlines()
    error, _, message = lines[-1].partition(": ")
    out = {"service": event["service"], "error": error, "message": message, "depth": len(frames)}
    if frames:
        file, line, function = frames[-1]
        out["where"] = f"{file.rsplit('/', 1)[-1]}:{line} ({function})"
    return out


@processor("kubernetes-log")
def kubernetes_log(record: dict) -> dict | None:
    k8s = record["kubernetes"]
    if k8s["namespace_name"] in ("kube-system", "kube-public"):
        return None
    labels = k8s.get("labels", {})
    app = labels.get("app") or labels.get("app.kubernetes.io/name") or k8s["container_name"]
    return {
        "@timestamp": record["time"],
        "message": record["log"].rstrip("\n"),
        "stream": record.get("stream", "stdout"),
        "app": app,
        "namespace": k8s["namespace_name"],
        "pod": k8s["pod_name"],
        "node": k8s.get("host", "unknown"),
        "version": labels.get("version", "latest"),
    }


@processor("extract-duration")
def extract_duration(event):
    match = DURATION.search(event["msg"])
    if match:
        value = float(match[1])
        if match[2] == "s":
            value *= 1000
        event["took_ms"] = value
    return event


@processor("shorten-logger-name")
def shorten_logger_name(event: dict) -> dict:
    *packages, last = event["logger"].split(".")
    event["logger"] = ".".join([each[:1] for each in packages] + [last])
    if len(event["message"]) > 60:
        event["message"] = event["message"][:57] + "..."
    return event


MAX_TAGS: Final = 3


@processor("normalize-tags")
def normalize_tags(event: dict) -> dict:
    tags = event.get("tags") or []
    if isinstance(tags, str):
        tags = tags.split(",")
    clean = sorted({tag.strip().lower() for tag in tags if tag.strip()})
    return {"id": event["id"], "tags": clean[:MAX_TAGS], "dropped": max(0, len(clean) - MAX_TAGS)}


VAT = {"DE": 0.19, "FR": 0.2, "AT": 0.2, "NL": 0.21, "HU": 0.27}
TO_EUR = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17, "CHF": 1.05, "JPY": 0.0061}
FREE_SHIPPING = 50.0
STATES = {
    "created": ("open", False),
    "paid": ("open", True),
    "shipped": ("closed", True),
    "refunded": ("closed", False),
}


@processor("order-total")
def order_total(order: dict) -> dict:
    total = sum(item["price"] * item["quantity"] for item in order["items"])
    count = sum(item["quantity"] for item in order["items"])
    shipping = 0.0 if total >= FREE_SHIPPING else 4.9
    return {
        "order": order["id"],
        "items": count,
        "net": round(total, 2),
        "shipping": shipping,
        "total": round(total + shipping, 2),
    }


@processor("with-vat")
def with_vat(order: dict) -> dict:
    rate = VAT.get(order["country"], 0)
    net = order["net"]
    tax = round(net * rate, 2)
    order["tax"] = tax
    order["gross"] = round(net + tax, 2)
    order["rate"] = f"{rate:.0%}"
    return order


@processor("validate-order")
def validate_order(order: dict) -> dict:
    if not order.get("customer"):
        raise ValueError("order has no customer")
    if not order["items"]:
        raise ValueError(f"order {order['id']} is empty")
    for position, item in enumerate(order["items"], start=1):
        if item["quantity"] <= 0:
            raise ValueError(f"item {position} of order {order['id']} has no quantity")
    return {"id": order["id"], "customer": order["customer"], "ok": True}


@processor("discount")
def discount(order: dict) -> dict:
    amount = order["amount"]
    if order.get("coupon") == "WELCOME":
        percent = 15
    elif amount >= 1000:
        percent = 10
    elif amount >= 250:
        percent = 5
    elif order.get("vip", False):
        percent = 3
    else:
        percent = 0
    return {
        "id": order["id"],
        "percent": percent,
        "pay": round(amount * (100 - percent) / 100, 2),
        "saved": round(amount * percent / 100, 2),
    }


@processor("to-euros")
def to_euros(payment: dict) -> dict | None:
    try:
        rate = TO_EUR[payment["currency"]]
    except KeyError:
        return None
    cents = payment["amount_cents"]
    return {
        "id": payment["id"],
        "eur": round(cents / 100 * rate, 2),
        "original": f"{cents // 100}.{cents % 100:02d} {payment['currency']}",
    }


@processor("order-state")
def order_state(event):
    state, active = STATES.get(event["status"], ("unknown", None))
    return {"id": event["id"], "state": state, "active": active, "at": event["at"]}


@processor("split-name")
def split_name(customer: dict) -> dict:
    parts = customer["name"].strip().split(" ")
    customer["first_name"] = parts[0]
    customer["last_name"] = parts[-1] if len(parts) > 1 else ""
    customer["initials"] = "".join(part[0].upper() for part in parts if part)
    customer["email"] = customer["email"].strip().lower()
    return customer


@processor("abandoned-cart")
def abandoned_cart(cart: dict) -> dict | None:
    if cart["checked_out"] or not cart["lines"]:
        return None
    best = max(cart["lines"], key=lambda line: line["price"])
    cheapest = min(line["price"] for line in cart["lines"])
    return {
        "cart": cart["id"],
        "value": round(sum(line["price"] for line in cart["lines"]), 2),
        "lines": len(cart["lines"]),
        "best": best["sku"],
        "cheapest": cheapest,
        "skus": ",".join(sorted(line["sku"] for line in cart["lines"])),
    }


@processor("invoice-number")
def invoice_number(invoice: dict) -> dict:
    year, month = invoice["date"][:4], invoice["date"][5:7]
    number = f"{invoice['series'].upper()}-{year}{month}-{invoice['sequence']:06d}"
    text = "%s: %s owes %.2f %s" % (  # noqa: UP031
        number,
        invoice["customer"],
        invoice["amount"],
        invoice.get("currency", "EUR"),
    )
    return {"number": number, "text": text}


COMPASS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]
FLAGS = (("low_battery", 0x01), ("tampered", 0x02), ("charging", 0x04), ("gps", 0x10))
HOME = (52.52, 13.405)
EARTH_KM = 6371.0


@processor("to-celsius")
def to_celsius(reading: dict) -> dict:
    return {
        "sensor": reading["sensor"],
        "celsius": round((reading["fahrenheit"] - 32) * 5 / 9, 2),
        "at": reading["at"],
    }
