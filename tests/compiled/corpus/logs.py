"""Log lines: parsing, enriching, filtering."""

import re
from typing import Any, Final

from tests.compiled.making import (
    address,
    hexadecimal,
    integer,
    joined,
    maybe,
    moment,
    name,
    number,
    one_of,
    path,
    text,
    unique,
    word,
)

LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50}
SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
IGNORED_PATHS = frozenset({"/health", "/healthz", "/metrics", "/ready"})
COMBINED = re.compile(
    r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+)[^"]*" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$'
)
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
DURATION = re.compile(r"\b(?:took|in|after) (\d+(?:\.\d+)?) ?(ms|s)\b")


def add_severity(event: dict) -> dict:
    level = event.get("level", "info").lower()
    event["severity"] = LEVELS.get(level, 0)
    event["is_error"] = event["severity"] >= 40
    return event


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


def decode_syslog_priority(record: dict) -> dict:
    pri = int(record["pri"])
    return {
        **record,
        "facility": pri // 8,
        "severity": SEVERITIES[pri % 8],
        "tag": record["tag"].rstrip(":").split("[", 1)[0],
    }


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


def extract_duration(event):
    match = DURATION.search(event["msg"])
    if match:
        value = float(match[1])
        if match[2] == "s":
            value *= 1000
        event["took_ms"] = value
    return event


def shorten_logger_name(event: dict) -> dict:
    *packages, last = event["logger"].split(".")
    event["logger"] = ".".join([each[:1] for each in packages] + [last])
    if len(event["message"]) > 60:
        event["message"] = event["message"][:57] + "..."
    return event


MAX_TAGS: Final = 3


def normalize_tags(event: dict) -> dict:
    tags = event.get("tags") or []
    if isinstance(tags, str):
        tags = tags.split(",")
    clean = sorted({tag.strip().lower() for tag in tags if tag.strip()})
    return {"id": event["id"], "tags": clean[:MAX_TAGS], "dropped": max(0, len(clean) - MAX_TAGS)}


def _combined(chance: Any) -> str:
    when = moment("%d/%b/%Y:%H:%M:%S +0000")(chance)
    size = chance.choice(("-", str(chance.randrange(90000))))
    return (
        f"{address(chance)} - {chance.choice(('-', 'frank'))} [{when}] "
        f'"GET {path(chance)} HTTP/1.1" {chance.choice((200, 304, 404))} {size} "-" "curl/8.5.0"'
    )


def _traceback(chance: Any) -> str:
    frames = "".join(
        f'  File "/srv/app/{word(chance)}.py", line {chance.randrange(1, 400)}, in {word(chance)}\n'
        f"    {word(chance)}()\n"
        for _ in range(chance.randint(0, 3))
    )
    return f"Traceback (most recent call last):\n{frames}ValueError: bad {word(chance)}\n"


RECORDS = [
    (
        add_severity,
        {"time": moment(), "level": one_of("INFO", "debug", "Error", "trace"), "msg": text(1, 8)},
    ),
    (
        only_slow_requests,
        {
            "request_id": hexadecimal(16),
            "method": one_of("GET", "POST"),
            "path": one_of(path, path, "/health"),
            "duration": number(0, 1.5, 4),
            "status": one_of(200, 404, 502),
        },
    ),
    (parse_access_log, {"message": one_of(_combined, _combined, text(1, 5)), "file": "access.log"}),
    (
        parse_logfmt,
        {"message": joined(" ", one_of("a=1", 'user="x"', "ok", "took=12ms"), 0, 6), "host": word},
    ),
    (
        decode_syslog_priority,
        {"pri": one_of(integer(0, 191), "34"), "tag": one_of("sshd[312]:", "cron:"), "host": word},
    ),
    (
        last_frame_of_traceback,
        {"service": word, "traceback": one_of(_traceback, _traceback, None, "")},
    ),
    (
        kubernetes_log,
        {
            "time": moment(),
            "log": joined("", text(1, 6), 1, 1),
            "stream": maybe(one_of("stderr", "stdout"), 0.8),
            "kubernetes": {
                "namespace_name": one_of("shop", "kube-system", "default"),
                "pod_name": joined("-", hexadecimal(5), 2, 3),
                "container_name": word,
                "host": maybe("node-1"),
                "labels": maybe({"app": maybe(word), "version": maybe("1.4.2")}, 0.8),
            },
        },
    ),
    (
        extract_duration,
        {"msg": one_of(text(1, 4), "done in 12.5ms", "query took 3 s", "failed after 40 ms")},
    ),
    (
        shorten_logger_name,
        {"logger": joined(".", word, 1, 4), "message": text(1, 20), "user": name},
    ),
    (
        normalize_tags,
        {
            "id": unique,
            "tags": one_of(["Web", " edge", "web"], "a,b , ,C,d", None, [], ["x", "y", "z", "zz"]),
        },
    ),
]
