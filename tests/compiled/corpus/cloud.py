"""Audit trails, spans, metrics and bills of clouds."""

from tests.compiled.making import (
    address,
    boolean,
    hexadecimal,
    integer,
    maybe,
    moment,
    number,
    one_of,
    several,
    unique,
    word,
)

SENSITIVE_ACTIONS = {"DeleteBucket", "PutBucketPolicy", "CreateUser", "StopLogging"}
VALUE_FIELDS = ("stringValue", "intValue", "doubleValue", "boolValue")
SPAN_KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
REQUIRED_TAGS = ("team", "env", "cost-center")
VERBS = frozenset(["create", "update", "patch", "delete"])


def cloudtrail(event: dict) -> dict | None:
    if event.get("readOnly") is True:
        return None
    identity = event["userIdentity"]
    if identity["type"] == "IAMUser":
        actor = identity["userName"]
    elif identity["type"] == "AssumedRole":
        actor = identity["arn"].split("/")[-1]
    else:
        actor = identity["type"].lower()
    failed = "errorCode" in event
    return {
        "time": event["eventTime"],
        "service": event["eventSource"].split(".")[0],
        "action": event["eventName"],
        "actor": actor,
        "region": event["awsRegion"],
        "source": event["sourceIPAddress"],
        "failed": failed,
        "alert": event["eventName"] in SENSITIVE_ACTIONS and not failed,
    }


def attribute_value(value: dict):
    for field in VALUE_FIELDS:
        if field in value:
            found = value[field]
            return int(found) if field == "intValue" else found
    return None


def flatten_span(span: dict) -> dict:
    attributes = {each["key"]: attribute_value(each["value"]) for each in span["attributes"]}
    duration = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
    return {
        "trace_id": span["traceId"],
        "span_id": span["spanId"],
        "name": span["name"],
        "kind": SPAN_KINDS[span.get("kind", 0)],
        "duration_ms": duration / 1_000_000,
        "error": span.get("status", {}).get("code") == 2,
        "http_status": attributes.get("http.status_code"),
        "attributes": attributes,
    }


def kubernetes_audit(event: dict) -> dict | None:
    if event["verb"] not in VERBS or event["user"]["username"].startswith("system:"):
        return None
    ref = event.get("objectRef", {})
    name = "/".join(part for part in (ref.get("namespace"), ref.get("name")) if part)
    return {
        "id": event["auditID"],
        "who": event["user"]["username"],
        "what": f"{event['verb']} {ref.get('resource', '?')} {name}".rstrip(),
        "allowed": event["annotations"]["authorization.k8s.io/decision"] == "allow",
        "status": event["responseStatus"]["code"],
    }


def billing_line(line: dict) -> dict:
    tags = {tag["Key"].lower(): tag["Value"] for tag in line.get("tags", [])}
    missing = [tag for tag in REQUIRED_TAGS if not tags.get(tag)]
    cost = float(line["cost"])
    usage = float(line["usage"])
    return {
        "account": line["account"].zfill(12),
        "service": line["service"],
        "cost": round(cost, 4),
        "unit_cost": round(cost / usage, 6) if usage else None,
        "team": tags.get("team", "untagged"),
        "missing": missing,
    }


def flow_log(record: dict) -> dict | None:
    fields = record["message"].split(" ")
    if len(fields) != 14 or fields[13] != "OK":
        return None
    seconds = int(fields[11]) - int(fields[10])
    size = int(fields[9])
    return {
        "from": f"{fields[3]}:{fields[5]}",
        "to": f"{fields[4]}:{fields[6]}",
        "protocol": {"6": "tcp", "17": "udp", "1": "icmp"}.get(fields[7], fields[7]),
        "rate": size // seconds if seconds > 0 else size,
        "rejected": fields[12] == "REJECT",
        "internal": fields[3].startswith("10.") and fields[4].startswith("10."),
    }


def load_balancer(entry):
    target = entry.get("target_status_code", "-")
    times = [entry[key] for key in ("request_time", "target_time", "response_time")]
    total = sum(time for time in times if time >= 0)
    return {
        "target": None if target == "-" else int(target),
        "total": round(total, 6),
        "timed_out": -1 in times,
        "tls": entry.get("ssl_protocol") not in (None, "-"),
        "host": entry["url"].split("/")[2].split(":")[0],
    }


def container_stats(stats: dict) -> dict:
    cpu, before = stats["cpu"], stats["precpu"]
    used = cpu["total"] - before["total"]
    system = cpu["system"] - before["system"]
    percent = used / system * stats["cpus"] * 100 if system > 0 and used > 0 else 0.0
    memory = stats["memory"]
    networks = stats.get("networks") or {}
    return {
        "container": stats["id"][:12],
        "cpu": round(percent, 2),
        "memory": round(memory["usage"] / memory["limit"] * 100, 2),
        "received": sum(each["rx"] for each in networks.values()),
        "sent": sum(each["tx"] for each in networks.values()),
    }


def _flow(chance):
    start = 1_767_225_600 + chance.randrange(10**6)
    return (
        f"2 123456789012 eni-1 10.0.{chance.randrange(9)}.5 {address(chance)} "
        f"{chance.randrange(65536)} 443 {chance.choice((6, 17, 50))} 9 {chance.randrange(10**6)} "
        f"{start} {start + chance.randrange(60)} {chance.choice(('ACCEPT', 'REJECT'))} OK"
    )


COUNTER = {"total": integer(0, 10**9), "system": integer(0, 10**10)}

RECORDS = [
    (
        cloudtrail,
        {
            "eventTime": moment(),
            "eventSource": one_of("s3.amazonaws.com", "iam.amazonaws.com"),
            "eventName": one_of("DeleteBucket", "PutObject", "CreateUser"),
            "awsRegion": "eu-central-1",
            "sourceIPAddress": address,
            "readOnly": maybe(boolean),
            "errorCode": maybe("AccessDenied", 0.2),
            "userIdentity": one_of(
                {"type": "IAMUser", "userName": word},
                {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/deploy/anna"},
                {"type": "Root"},
            ),
        },
    ),
    (
        flatten_span,
        {
            "traceId": hexadecimal(32),
            "spanId": hexadecimal(16),
            "name": word,
            "kind": maybe(integer(0, 5), 0.8),
            "startTimeUnixNano": "1767225600000000000",
            "endTimeUnixNano": one_of("1767225600123456789", "1767225600000000001"),
            "status": maybe(one_of({}, {"code": 2})),
            "attributes": several(
                one_of(
                    {"key": "http.status_code", "value": {"intValue": "200"}},
                    {"key": "http.route", "value": {"stringValue": "/x"}},
                    {"key": "ok", "value": {"boolValue": True}},
                    {"key": "x", "value": {}},
                ),
                0,
                4,
            ),
        },
    ),
    (
        kubernetes_audit,
        {
            "auditID": unique,
            "verb": one_of("create", "get", "delete"),
            "user": {"username": one_of("anna", "system:node:1")},
            "objectRef": maybe({"resource": "pods", "namespace": maybe("shop"), "name": word}, 0.8),
            "annotations": {"authorization.k8s.io/decision": one_of("allow", "forbid")},
            "responseStatus": {"code": one_of(200, 403)},
        },
    ),
    (
        billing_line,
        {
            "account": one_of("42", "123456789012"),
            "service": word,
            "cost": one_of("0.0123456", "12.5", 3.25),
            "usage": one_of("744", "0", 12),
            "tags": maybe(several({"Key": one_of("Team", "env"), "Value": one_of(word, "")}, 0, 3)),
        },
    ),
    (flow_log, {"message": one_of(_flow, _flow, "2 NODATA")}),
    (
        load_balancer,
        {
            "url": one_of("https://shop.test:443/cart", "http://a.b/"),
            "target_status_code": maybe(one_of("200", "-"), 0.8),
            "request_time": number(0, 0.01, 6),
            "target_time": one_of(number(0, 2, 6), -1),
            "response_time": number(0, 0.01, 6),
            "ssl_protocol": maybe(one_of("TLSv1.3", "-")),
        },
    ),
    (
        container_stats,
        {
            "id": hexadecimal(64),
            "cpus": integer(1, 16),
            "cpu": COUNTER,
            "precpu": COUNTER,
            "memory": {"usage": integer(10**6, 10**9), "limit": 2**32},
            "networks": maybe({"eth0": {"rx": integer(0, 10**9), "tx": integer(0, 10**9)}}),
        },
    ),
]
