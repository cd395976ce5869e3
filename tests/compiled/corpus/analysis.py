"""What analysts write: sessions, top-n, statistics, joins, text, places."""

import itertools
import math
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone

from tests.compiled.making import (
    hexadecimal,
    integer,
    joined,
    maybe,
    moment,
    name,
    number,
    one_of,
    several,
    text,
    unique,
    word,
)

EARTH_KM = 6371.0088
STORES = {
    "berlin": (52.5200, 13.4050),
    "paris": (48.8566, 2.3522),
    "tokyo": (35.6762, 139.6503),
}
GAP = 30 * 60
BERLIN_WINTER = timezone(timedelta(hours=1))
STOP_WORDS = frozenset(["the", "a", "an", "and", "or", "of", "to", "in", "is", "it"])
GRADES = ((90, "A"), (80, "B"), (70, "C"), (0, "F"))
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def haversine(lat1, lon1, lat2, lon2):
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    dphi = phi2 - phi1
    dlam = math.radians(lon2 - lon1)
    a = math.sin(dphi / 2) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(dlam / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(a))


def nearest_store(customer: dict) -> dict:
    best, distance = None, float("inf")
    for store, (lat, lon) in STORES.items():
        d = haversine(customer["lat"], customer["lon"], lat, lon)
        if d < distance:
            best, distance = store, d
    return {"id": customer["id"], "store": best, "km": round(distance, 1)}


def trip_length(trip: dict) -> dict:
    points = trip["points"]
    legs = [haversine(a["lat"], a["lon"], b["lat"], b["lon"]) for a, b in zip(points, points[1:])]
    return {
        "trip": trip["id"],
        "km": round(sum(legs), 3),
        "longest": round(max(legs, default=0), 3),
    }


def geohash_cell(ping: dict) -> dict:
    lat, lon = ping["location"]
    return {"device": ping["device"], "cell": f"{math.floor(lat * 10)}:{math.floor(lon * 10)}"}


def sessions(visitor: dict):
    times = sorted(visitor["hits"])
    if not times:
        return
    start = previous = times[0]
    count = 0
    for at in times:
        if at - previous > GAP:
            yield {"visitor": visitor["id"], "start": start, "end": previous, "hits": count}
            start, count = at, 0
        count += 1
        previous = at
    yield {"visitor": visitor["id"], "start": start, "end": previous, "hits": count}


def session_lists(visitor: dict) -> list:
    groups = []
    for hit in sorted(visitor["events"], key=lambda h: h["t"]):
        if groups and hit["t"] - groups[-1][-1]["t"] <= GAP:
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return [
        {"visitor": visitor["id"], "n": i, "pages": [h["page"] for h in group]}
        for i, group in enumerate(groups)
    ]


def top_words(document: dict) -> dict:
    words = [w.strip(".,!?").lower() for w in document["text"].split()]
    counts = Counter(w for w in words if w and w not in STOP_WORDS)
    return {"id": document["id"], "top": counts.most_common(3), "distinct": len(counts)}


def top_players(game: dict) -> dict:
    ranked = sorted(game["players"], key=lambda p: (-p["score"], p["name"]))
    return {
        "game": game["id"],
        "podium": [{"rank": i + 1, "name": p["name"]} for i, p in enumerate(ranked[:3])],
        "average": sum(p["score"] for p in ranked) / len(ranked) if ranked else None,
    }


def histogram(batch: dict) -> dict:
    buckets = [0] * 10
    for value in batch["values"]:
        index = min(int(value // 10), 9)
        buckets[index] += 1
    return {"batch": batch["id"], "buckets": buckets, "mode": buckets.index(max(buckets))}


def grouped_sales(day: dict):
    rows = sorted(day["sales"], key=lambda s: s["region"])
    for region, group in itertools.groupby(rows, key=lambda s: s["region"]):
        amounts = [s["amount"] for s in group]
        yield {"region": region, "total": round(sum(amounts), 2), "count": len(amounts)}


def pivot_table(report: dict) -> dict:
    table = defaultdict(dict)
    for row in report["rows"]:
        table[row["product"]][row["month"]] = row["units"]
    return {"report": report["id"], "table": table}


def moving_average(series: dict) -> dict:
    values, size = series["values"], max(series.get("window", 3), 1)
    averages = [round(sum(values[i : i + size]) / size, 3) for i in range(len(values) - size + 1)]
    return {"id": series["id"], "averages": averages}


def z_scores(series: dict) -> dict:
    values = series["values"]
    n = len(values)
    if n < 2:
        return {"id": series["id"], "outliers": []}
    mean = sum(values) / n
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    deviation = math.sqrt(variance)
    if deviation == 0:
        return {"id": series["id"], "outliers": []}
    return {
        "id": series["id"],
        "outliers": [i for i, v in enumerate(values) if abs(v - mean) / deviation > 2],
    }


def running_totals(account: dict):
    balance = account.get("opening", 0)
    for entry in account["entries"]:
        balance += entry["amount"]
        entry["balance"] = round(balance, 2)
        yield entry


def grade(exam: dict) -> dict:
    score = exam["points"] / exam["max"] * 100
    letter = next(letter for limit, letter in GRADES if score >= limit)
    return {"student": exam["student"], "score": f"{score:.1f} %", "grade": letter}


def join_names(order: dict) -> dict:
    products = {p["id"]: p for p in order["products"]}
    order["lines"] = [
        {**line, "name": products[line["product_id"]]["name"]}
        for line in order["lines"]
        if line["product_id"] in products
    ]
    del order["products"]
    return order


def explode_tags(row):
    return [{"id": row["id"], "tag": tag} for tag in row.get("tags") or [None]]


def melt(row: dict):
    for column in row:
        if column.startswith("q"):
            yield {"id": row["id"], "quarter": column.upper(), "value": row[column]}


def month_report(event: dict) -> dict:
    at = datetime.strptime(event["at"], "%d/%m/%Y %H:%M:%S")
    return {
        "month": f"{MONTHS[at.month - 1]} {at.year}",
        "quarter": (at.month - 1) // 3 + 1,
        "iso": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "monday": (at - timedelta(days=at.weekday())).date().isoformat(),
    }


def local_hour(event: dict) -> dict:
    utc = datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
    local = utc.astimezone(BERLIN_WINTER)
    return {"hour": local.hour, "night": local.hour < 6, "local": local.strftime("%d.%m.%Y %H:%M")}


def time_bucket(event: dict) -> dict:
    ts = event["ts"] / 1000
    bucket = int(ts - ts % 300)
    start = datetime.fromtimestamp(bucket, tz=UTC)
    return {
        "bucket": start.isoformat(),
        "key": f"{event['metric']}@{bucket}",
        "value": event["value"],
    }


def age_group(person: dict) -> dict:
    born = datetime.strptime(person["born"], "%Y-%m-%d")
    today = datetime.strptime(person["as_of"], "%Y-%m-%d")
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    group = "minor" if age < 18 else f"{age // 10 * 10}s"
    return {"id": person["id"], "age": age, "group": group}


def overlap(booking: dict) -> dict:
    def minutes(text_):
        hours, mins = text_.split(":")
        return int(hours) * 60 + int(mins)

    slots = [(minutes(s["from"]), minutes(s["to"])) for s in booking["slots"]]
    slots.sort()
    clashes = sum(1 for (_, end), (start, _) in zip(slots, slots[1:]) if start < end)
    return {"room": booking["room"], "clashes": clashes, "busy": sum(b - a for a, b in slots)}


def transpose(sheet: dict) -> dict:
    columns = list(zip(*sheet["rows"]))
    return {"sheet": sheet["id"], "columns": [list(c) for c in columns]}


def flatten_once(batch: dict) -> dict:
    flat = list(itertools.chain.from_iterable(batch["groups"]))
    return {"id": batch["id"], "items": flat, "unique": sorted(set(flat))}


def bought_together(basket: dict):
    for a, b in itertools.combinations(sorted(set(basket["items"])), 2):
        yield {"basket": basket["id"], "pair": f"{a}+{b}"}


def similarity(pair: dict) -> dict:
    a, b = set(pair["a"].lower().split()), set(pair["b"].lower().split())
    union = a | b
    score = len(a & b) / len(union) if union else 1.0
    return {"id": pair["id"], "jaccard": round(score, 4), "missing": sorted(a - b)}


def slug(article: dict) -> dict:
    title = article["title"].strip().lower()
    out = []
    for char in title:
        if char.isalnum():
            out.append(char)
        elif out and out[-1] != "-":
            out.append("-")
    return {"id": article["id"], "slug": "".join(out).strip("-")[:40], "words": len(title.split())}


def review_mood(review: dict) -> dict:
    score = 0
    for token in review["text"].lower().replace(",", " ").split():
        match token:
            case "thanks" | "great" | "please":
                score += 1
            case "broken" | "slow" | "failed":
                score -= 1
            case _:
                continue
    label = ("negative", "neutral", "positive")[(score > 0) - (score < 0) + 1]
    return {
        "id": review["id"],
        "score": score,
        "label": label,
        "stars": "★" * min(review["stars"], 5),
    }


POINT = {"lat": number(-60, 60, 5), "lon": number(-170, 170, 5)}

RECORDS = [
    (
        nearest_store,
        {"id": integer(1, 999), "lat": number(-60, 60, 4), "lon": number(-170, 170, 4)},
    ),
    (trip_length, {"id": hexadecimal(6), "points": several(POINT, 0, 5)}),
    (geohash_cell, {"device": word, "location": [number(-90, 90, 5), number(-180, 180, 5)]}),
    (sessions, {"id": hexadecimal(6), "hits": several(integer(0, 20000), 0, 8)}),
    (
        session_lists,
        {"id": hexadecimal(6), "events": several({"t": integer(0, 9000), "page": word}, 0, 6)},
    ),
    (
        top_words,
        {"id": integer(1, 99), "text": joined(" ", one_of(word, "the", "A", "tea!", name), 0, 15)},
    ),
    (
        top_players,
        {"id": integer(1, 99), "players": several({"name": name, "score": integer(0, 50)}, 0, 6)},
    ),
    (histogram, {"id": integer(1, 99), "values": several(number(0, 120), 0, 12)}),
    (
        grouped_sales,
        {"sales": several({"region": one_of("eu", "us", "asia"), "amount": number(1, 99)}, 0, 6)},
    ),
    (
        pivot_table,
        {
            "id": integer(1, 9),
            "rows": several(
                {"product": word, "month": one_of("01", "02"), "units": integer(0, 9)}, 0, 5
            ),
        },
    ),
    (
        moving_average,
        {"id": word, "values": several(number(0, 9), 0, 8), "window": maybe(integer(1, 4))},
    ),
    (z_scores, {"id": word, "values": several(one_of(number(0, 9), 100), 0, 12)}),
    (
        running_totals,
        {"opening": maybe(number(0, 99)), "entries": several({"amount": number(-50, 50)}, 0, 4)},
    ),
    (grade, {"student": name, "points": number(0, 60, 1), "max": 60}),
    (
        join_names,
        {
            "id": integer(1, 99),
            "lines": several({"product_id": integer(1, 4), "qty": integer(1, 3)}, 0, 3),
            "products": several({"id": integer(1, 4), "name": word}, 1, 4),
        },
    ),
    (explode_tags, {"id": integer(1, 99), "tags": maybe(one_of(several(word, 0, 3), None))}),
    (
        melt,
        {"id": integer(1, 99), "q1": number(0, 9), "q2": number(0, 9), "year": 2026, "q3": None},
    ),
    (month_report, {"at": moment("%d/%m/%Y %H:%M:%S")}),
    (local_hour, {"at": moment()}),
    (
        time_bucket,
        {"ts": one_of(1772000000123, 1772000000500), "metric": word, "value": number(0, 9)},
    ),
    (age_group, {"id": integer(1, 99), "born": moment("19%y-%m-%d"), "as_of": moment("%Y-%m-%d")}),
    (
        overlap,
        {
            "room": word,
            "slots": several(
                {"from": one_of("08:00", "09:30", "10:15"), "to": one_of("10:30", "11:00")}, 0, 4
            ),
        },
    ),
    (transpose, {"id": 1, "rows": one_of([[1, 2], [3, 4], [5, 6]], [], [["a"], ["b"]])}),
    (flatten_once, {"id": 1, "groups": several(several(integer(0, 9), 0, 4), 0, 4)}),
    (bought_together, {"id": 1, "items": several(one_of("tea", "mug", "pot"), 0, 4)}),
    (similarity, {"id": 1, "a": text(0, 6), "b": text(0, 6)}),
    (slug, {"id": 1, "title": one_of(text(1, 5), " Hello,  World! ", name)}),
    (review_mood, {"id": unique, "text": text(0, 10), "stars": integer(0, 5)}),
]
