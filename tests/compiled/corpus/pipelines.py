"""Metrics, and what people bring along from other pipelines."""

import statistics

from tests.compiled.making import (
    boolean,
    hexadecimal,
    integer,
    maybe,
    number,
    one_of,
    path,
    seconds,
    several,
    text,
    unique,
    word,
)

LABELS = ("job", "instance", "env")


def prometheus_lines(sample: dict):
    labels = ",".join(f'{k}="{sample["labels"][k]}"' for k in sorted(sample["labels"]))
    for name_, value in sample["values"].items():
        yield {"line": f"{sample['prefix']}_{name_}{{{labels}}} {value}"}


def influx_line(point: dict) -> dict:
    tags = "".join(f",{k}={v}" for k, v in sorted(point["tags"].items()))
    fields = []
    for key, value in point["fields"].items():
        if isinstance(value, bool):
            fields.append(f"{key}={str(value).lower()}")
        elif isinstance(value, int):
            fields.append(f"{key}={value}i")
        elif isinstance(value, float):
            fields.append(f"{key}={value}")
        else:
            fields.append(f'{key}="{value}"')
    return {"line": f"{point['name']}{tags} {','.join(fields)} {int(point['ts']) * 10**9}"}


def metric_fanout(host: dict):
    base = {label: host["labels"].get(label, "none") for label in LABELS}
    for name_, value in host["metrics"].items():
        if isinstance(value, dict):
            for sub, inner in value.items():
                yield {**base, "metric": f"{name_}.{sub}", "value": inner, "ts": host["ts"]}
        else:
            yield {**base, "metric": name_, "value": value, "ts": host["ts"]}


def latency_stats(window: dict) -> dict:
    samples = window["samples"]
    if len(samples) < 2:
        return {"service": window["service"], "n": len(samples)}
    ordered = sorted(samples)
    return {
        "service": window["service"],
        "n": len(samples),
        "mean": round(statistics.mean(samples), 3),
        "median": statistics.median(samples),
        "p95": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
    }


def jitter(window: dict) -> dict:
    samples = window["samples"]
    spread = round(statistics.stdev(samples), 3) if len(samples) > 1 else 0.0
    return {"service": window["service"], "jitter": spread, "steady": spread < 10}


def benthos_mapping(doc: dict) -> dict:
    root = doc
    root["id"] = str(doc["id"])
    root["meta"] = {"source": "orders", "partition": doc.get("partition", 0)}
    if "debug" in root:
        del root["debug"]
    root["tags"] = list(dict.fromkeys(tag.lower() for tag in doc.get("tags", [])))
    root["total"] = sum(map(lambda line: line["price"], doc["lines"]))
    return root


def logstash_mutate(event: dict) -> dict:
    event["host"] = event.pop("hostname", event.get("host"))
    for field in ("beat", "offset", "prospector"):
        event.pop(field, None)
    event["message"] = event["message"].replace("\t", " ")
    event.setdefault("tags", []).append("mutated")
    if event.get("bytes"):
        event["bytes"] = int(event["bytes"])
    return event


def fluentbit_record(record: dict) -> dict:
    new_record = {}
    for k, v in record.items():
        if k == "kubernetes":
            for kk, vv in v.items():
                new_record["k8s_" + kk] = vv
        elif k.startswith("_"):
            continue
        else:
            new_record[k] = v
    new_record["cluster"] = "prod-eu"
    return new_record


def jq_group(doc: dict):
    by_state = {}
    for node in doc["nodes"]:
        by_state.setdefault(node["state"], []).append(node["name"])
    return [
        {"state": state, "count": len(names), "names": sorted(names)}
        for state, names in sorted(by_state.items())
    ]


def terraform_plan(plan: dict) -> dict:
    counts = {"create": 0, "update": 0, "delete": 0}
    risky = []
    for change in plan["resource_changes"]:
        for action in change["change"]["actions"]:
            if action in counts:
                counts[action] += 1
        if "delete" in change["change"]["actions"] and change["type"].startswith("aws_db"):
            risky.append(change["address"])
    return {"plan": plan["id"], **counts, "risky": risky, "empty": not any(counts.values())}


def deploy_diff(event: dict) -> dict:
    before, after = event["before"], event["after"]
    changed = {
        key: {"from": before.get(key), "to": after.get(key)}
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }
    return {"service": event["service"], "changed": changed, "count": len(changed)}


def version_order(package: dict) -> dict:
    def key(version):
        return tuple(int(part) for part in version.split("."))

    newest = max(package["versions"], key=key)
    return {
        "name": package["name"],
        "newest": newest,
        "outdated": key(package["installed"]) < key(newest),
        "all": sorted(package["versions"], key=key, reverse=True)[:3],
    }


def retry_backoff(task: dict) -> dict:
    attempts = 0
    delay = task.get("delay", 1.0)
    waited = 0.0
    while waited + delay <= task["budget"] and attempts < 10:
        waited += delay
        delay = min(delay * 2, 30)
        attempts += 1
    return {"task": task["id"], "attempts": attempts, "waited": waited}


def bounded_history(session: dict) -> dict:
    """Keep the last events; a marker stands for what was left out."""
    events = session["events"]
    left_out = len(events) - session["keep"]
    if left_out > 0:
        events[:left_out] = [{"kind": "left-out", "count": left_out}]
    path = session["path"].split("/")
    del path[:1], path[3:]
    return {**session, "events": events, "path": path}


RECORDS = [
    (
        bounded_history,
        {
            "id": hexadecimal(8),
            "keep": integer(1, 4),
            "events": several({"kind": word, "at": seconds}, 0, 6),
            "path": path,
        },
    ),
    (
        prometheus_lines,
        {
            "prefix": word,
            "labels": {"job": word, "env": "prod", "az": maybe("a")},
            "values": {"count": integer(0, 10**6), "sum": number(0, 100), "up": one_of(0, 1)},
        },
    ),
    (
        influx_line,
        {
            "name": word,
            "tags": {"host": word, "az": maybe("b")},
            "fields": {"a": integer(0, 9), "b": number(0, 9), "c": boolean, "d": word},
            "ts": seconds,
        },
    ),
    (
        metric_fanout,
        {
            "ts": seconds,
            "labels": {"job": word, "env": maybe("prod")},
            "metrics": {"cpu": number(0, 1), "disk": {"read": integer(0, 99), "write": 0}, "up": 1},
        },
    ),
    (
        latency_stats,
        {
            "service": word,
            "samples": one_of(several(number(0, 500), 0, 20), several(integer(1, 99), 1, 9)),
        },
    ),
    (
        jitter,
        {
            "service": word,
            "samples": one_of(several(number(0, 500), 0, 20), several(integer(1, 99), 1, 9)),
        },
    ),
    (
        benthos_mapping,
        {
            "id": integer(1, 999),
            "partition": maybe(integer(0, 9)),
            "debug": maybe({"x": 1}),
            "tags": maybe(several(one_of("New", "new", "VIP"), 0, 3)),
            "lines": several({"price": number(1, 9)}, 0, 3),
        },
    ),
    (
        logstash_mutate,
        {
            "hostname": maybe(word),
            "host": maybe(word),
            "beat": maybe({"v": 1}),
            "message": one_of(text(1, 4), "a\tb"),
            "tags": maybe(["x"]),
            "bytes": maybe(one_of("12", 7, "0", 0)),
        },
    ),
    (
        fluentbit_record,
        {
            "log": text(1, 4),
            "_tag": maybe("x"),
            "kubernetes": maybe({"pod": word, "ns": "shop"}),
            "n": integer(0, 9),
        },
    ),
    (
        jq_group,
        {"nodes": several({"name": hexadecimal(4), "state": one_of("up", "down", "drain")}, 0, 6)},
    ),
    (
        terraform_plan,
        {
            "id": unique,
            "resource_changes": several(
                {
                    "address": word,
                    "type": one_of("aws_db_instance", "aws_s3_bucket"),
                    "change": {"actions": one_of(["create"], ["delete", "create"], ["no-op"])},
                },
                0,
                4,
            ),
        },
    ),
    (
        deploy_diff,
        {
            "service": word,
            "before": {"image": one_of("a:1", "a:2"), "replicas": one_of(1, 2), "x": maybe(1)},
            "after": {"image": one_of("a:1", "a:2"), "replicas": one_of(1, 2), "y": maybe(None)},
        },
    ),
    (
        version_order,
        {
            "name": word,
            "installed": one_of("1.2.3", "1.10", "2.0.0"),
            "versions": several(one_of("1.2.3", "1.10.0", "2.0.1", "1.9"), 1, 5),
        },
    ),
    (retry_backoff, {"id": unique, "delay": maybe(number(0.1, 3)), "budget": integer(1, 120)}),
]
