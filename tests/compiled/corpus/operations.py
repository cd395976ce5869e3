"""What people do who run systems: severities, grok, alerts, resources."""

import ipaddress
import re
from enum import Enum, IntEnum

from tests.compiled.making import (
    address,
    integer,
    maybe,
    number,
    one_of,
    path,
    seconds,
    several,
    text,
    word,
)

SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
SYSLOG = re.compile(
    r"^<(?P<pri>\d{1,3})>(?P<version>\d) (?P<ts>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) "
    r"(?P<msgid>\S+) (?:-|\[(?P<sd>[^\]]*)\]) ?(?P<msg>.*)$"
)
NGINX = re.compile(
    r'(?P<ip>\S+) - (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" '
    r"(?P<status>\d{3}) (?P<bytes>\d+|-)"
)
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
FACTORS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
SECRETS = re.compile(r"(?i)\b(password|token|secret|api[_-]?key)=([^&\s]+)")
CARD = re.compile(r"\b(?:\d[ -]?){12}(\d{4})\b")
QUIET_PATHS = ("/health", "/metrics", "/ready")


class Level(IntEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Team(Enum):
    DB = "database"
    WEB = "frontend"
    OTHER = "platform"


def syslog(entry: dict) -> dict | None:
    match = SYSLOG.match(entry["message"])
    if not match:
        return None
    facility, severity = divmod(int(match["pri"]), 8)
    return {
        "facility": facility,
        "severity": SEVERITIES[severity],
        "host": match["host"],
        "app": match["app"],
        "pid": int(match["pid"]) if match["pid"].isdigit() else None,
        "message": match["msg"],
    }


def nginx(entry: dict) -> dict:
    m = NGINX.match(entry["log"])
    if m is None:
        return {"unparsed": entry["log"], "tags": ["_grokparsefailure"]}
    fields = m.groupdict()
    fields["status"] = int(fields["status"])
    fields["bytes"] = 0 if fields["bytes"] == "-" else int(fields["bytes"])
    fields["class"] = f"{fields['status'] // 100}xx"
    return fields


def level_number(record: dict) -> dict | None:
    level = record.get("level", "INFO").upper()
    if level in ("WARN", "WARNING"):
        number_ = Level.WARNING
    elif level in ("ERR", "ERROR", "FATAL", "CRITICAL"):
        number_ = Level.ERROR
    elif level == "DEBUG":
        return None
    else:
        number_ = Level.INFO
    record["level"] = number_.name
    record["level_number"] = number_.value
    return record


def severity_match(event: dict) -> dict:
    match event:
        case {"severity": int(number_)} if 0 <= number_ <= 7:
            label = SEVERITIES[number_]
        case {"severity": str(label)}:
            label = label.lower()
        case {"level": {"name": label}}:
            pass
        case _:
            label = "unknown"
    return {"id": event["id"], "severity": label}


def seconds_of(text_):
    total = 0
    for value, unit in DURATION.findall(text_):
        total += float(value) * FACTORS[unit]
    return total


def durations(job: dict) -> dict:
    spent = seconds_of(job["duration"])
    limit = seconds_of(job["timeout"])
    return {"job": job["name"], "seconds": round(spent, 3), "over": spent > limit}


def parse_size(text_):
    text_ = text_.strip().lower()
    number_ = text_.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text_[len(number_) :].strip().removesuffix("b")
    return int(float(number_) * SIZES.get(unit, 1))


def pod_resources(pod: dict) -> dict:
    requests = sum(parse_size(c["requests"]["memory"]) for c in pod["containers"])
    limits = sum(parse_size(c["limits"]["memory"]) for c in pod["containers"])
    ratio = limits / requests if requests else 0
    return {"pod": pod["name"], "requests": requests, "limits": limits, "ratio": round(ratio, 2)}


def mask_secrets(entry: dict) -> dict:
    message = SECRETS.sub(r"\1=***", entry["message"])
    message = CARD.sub(lambda m: "**** " + m.group(1), message)
    return {**entry, "message": message}


def classify_ip(hit: dict) -> dict:
    try:
        ip = ipaddress.ip_address(hit["ip"])
    except ValueError:
        return {"ip": hit["ip"], "kind": "invalid"}
    kind = "private" if ip.is_private else "public"
    return {"ip": str(ip), "kind": kind, "version": ip.version}


def cidr_by_hand(hit: dict) -> dict:
    octets = [int(part) for part in hit["ip"].split(".")]
    value = (octets[0] << 24) | (octets[1] << 16) | (octets[2] << 8) | octets[3]
    internal = (
        value >> 24 == 10 or value >> 20 == 0xAC1 or value >> 16 == 0xC0A8 or value >> 24 == 127
    )
    network = value & ~0xFF
    return {"n": value, "internal": internal, "network": f"{network:08x}"}


def alert_route(alert: dict) -> dict | None:
    labels = alert["labels"]
    if alert["status"] == "resolved" and labels.get("severity") != "critical":
        return None
    service = labels.get("service", "")
    if service.startswith(("pg-", "mysql-")) or "redis" in service:
        team = Team.DB
    elif service.startswith("web"):
        team = Team.WEB
    else:
        team = Team.OTHER
    return {
        "team": team.value,
        "title": f"[{labels.get('severity', 'none').upper()}] {labels['alertname']}",
        "text": alert.get("annotations", {}).get("summary", "").strip() or None,
    }


def drop_probes(request: dict) -> dict | None:
    path_ = request["path"].split("?", 1)[0]
    if path_ in QUIET_PATHS or request.get("ua", "").startswith("kube-probe"):
        return None
    if request["status"] < 400 and request["ms"] < 100:
        return None
    return request


def multiline_trace(event: dict) -> dict:
    lines = event["trace"].strip().split("\n")
    frames = [line.strip() for line in lines if line.lstrip().startswith("at ")]
    kind, _, message = lines[0].partition(": ")
    return {
        "exception": kind.rsplit(".", 1)[-1],
        "message": message,
        "depth": len(frames),
        "root": frames[-1][3:] if frames else None,
    }


def _nginx(chance):
    return (
        f"{address(chance)} - {chance.choice(('-', 'anna'))} [01/Mar/2026:10:00:00 +0000] "
        f'"{chance.choice(("GET", "POST"))} {path(chance)} HTTP/1.1" '
        f'{chance.choice((200, 404, 500))} {chance.choice(("-", "512"))} "-" "curl"'
    )


def _syslog(chance):
    return (
        f"<{chance.randrange(192)}>1 2026-03-01T10:00:00.003Z host-{chance.randrange(9)} app "
        f"{chance.choice(('-', '417'))} ID47 {chance.choice(('-', '[a b=1]'))} {text(0, 5)(chance)}"
    )


RECORDS = [
    (syslog, {"message": one_of(_syslog, _syslog, "garbage")}),
    (nginx, {"log": one_of(_nginx, _nginx, _nginx, "broken")}),
    (level_number, {"level": maybe(one_of("warn", "ERROR", "debug", "info")), "msg": text(0, 4)}),
    (
        severity_match,
        one_of(
            {"id": 1, "severity": integer(0, 7)},
            {"id": 2, "severity": one_of("WARN", "Info")},
            {"id": 3, "level": {"name": word}},
            {"id": 4},
        ),
    ),
    (durations, {"name": word, "duration": one_of("1h2m3.5s", "250ms", "90s"), "timeout": "2m"}),
    (
        pod_resources,
        {
            "name": word,
            "containers": several(
                {
                    "requests": {"memory": one_of("128Mi", "1Gi", "64 MB", "1000")},
                    "limits": {"memory": one_of("256Mi", "1.5Gi")},
                },
                0,
                3,
            ),
        },
    ),
    (
        mask_secrets,
        {
            "ts": seconds,
            "message": one_of(
                "login password=abc&x=1 ok", "card 4111 1111 1111 1111 used", text(1, 6)
            ),
        },
    ),
    (classify_ip, {"ip": one_of(address, address, "10.0.0.1", "999.1.1.1", "fe80::1")}),
    (cidr_by_hand, {"ip": one_of(address, "10.1.2.3", "192.168.0.9")}),
    (
        alert_route,
        {
            "status": one_of("firing", "resolved"),
            "labels": {
                "alertname": one_of("HighLatency", "DiskFull"),
                "severity": maybe(one_of("critical", "warning"), 0.9),
                "service": maybe(one_of("pg-main", "web-1", "cache-redis", "x")),
            },
            "annotations": maybe({"summary": one_of(text(0, 5), " ")}),
        },
    ),
    (
        drop_probes,
        {
            "path": one_of(path, "/health", "/metrics?x=1"),
            "status": one_of(200, 404, 500),
            "ms": number(1, 300),
            "ua": maybe(one_of("kube-probe/1.29", "curl")),
        },
    ),
    (
        multiline_trace,
        {
            "trace": one_of(
                "java.lang.StateError: closed\n\tat a.B.c(B.java:1)\n\tat d.E.f(E.java:2)\n",
                "Error",
                "os.Err: x: y\n   at main",
            )
        },
    ),
]

INTERPRETED = (classify_ip,)
