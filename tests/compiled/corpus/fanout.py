"""Several results for a record, by lists and by yield."""

from collections.abc import Iterator

from tests.compiled.making import (
    hexadecimal,
    integer,
    moment,
    name,
    number,
    one_of,
    several,
    text,
    word,
)

METRICS = ("temperature", "humidity", "pressure")


def order_lines(order: dict) -> list[dict]:
    return [
        {
            "order": order["id"],
            "line": number,
            "sku": item["sku"],
            "amount": round(item["price"] * item.get("quantity", 1), 2),
        }
        for number, item in enumerate(order["items"], 1)
    ]


def explode_metrics(reading: dict) -> Iterator[dict]:
    for metric in METRICS:
        if reading.get(metric) is not None:
            yield {
                "device": reading["device"],
                "at": reading["at"],
                "metric": metric,
                "value": reading[metric],
            }


def words_of(document: dict) -> Iterator[dict]:
    counts = {}
    for token in document["text"].lower().split():
        token = token.strip(".,!?")
        if len(token) > 3:
            counts[token] = counts.get(token, 0) + 1
    for token, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield {"document": document["id"], "word": token, "count": count}


def mirror_and_alert(event: dict):
    yield {"topic": "all", **event}
    if event["value"] > event["threshold"]:
        yield {"topic": "alerts", "id": event["id"], "over": event["value"] - event["threshold"]}


def pairs(basket: dict) -> list:
    items = sorted(set(basket["items"]))
    out = []
    for i, first in enumerate(items):
        for second in items[i + 1 :]:
            out.append({"pair": f"{first}+{second}", "basket": basket["id"]})
    return out


def pivot(row):
    keys = [key for key in row if key not in ("id", "name")]
    return [{"id": row["id"], "key": key, "value": row[key]} for key in keys]


def in_batches(job: dict) -> Iterator[dict]:
    ids = job["ids"]
    size = job.get("size", 3)
    for start in range(0, len(ids), size):
        yield {"job": job["job"], "batch": start // size, "ids": ids[start : start + size]}


RECORDS = [
    (
        order_lines,
        {
            "id": integer(1, 99),
            "items": several(
                {"sku": hexadecimal(4), "price": number(1, 50), "quantity": integer(1, 3)}, 0, 4
            ),
        },
    ),
    (
        explode_metrics,
        {
            "device": hexadecimal(4),
            "at": moment(),
            "temperature": one_of(number(0, 30, 1), None),
            "humidity": integer(0, 100),
        },
    ),
    (words_of, {"id": 1, "text": one_of(text(0, 15), "Tea, tea, coffee! Größe größe.")}),
    (
        mirror_and_alert,
        {"id": hexadecimal(4), "value": integer(0, 100), "threshold": one_of(50, 62.5)},
    ),
    (pairs, {"id": 1, "items": several(word, 0, 4)}),
    (pivot, {"id": integer(1, 9), "name": name, "a": integer(0, 9), "b": None, "c": number(0, 9)}),
    (in_batches, {"job": word, "ids": several(integer(1, 999), 0, 10), "size": integer(1, 4)}),
]
