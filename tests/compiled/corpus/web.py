"""URLs, user agents, referrers, sessions."""

import re

from tests.compiled.making import (
    address,
    hexadecimal,
    integer,
    maybe,
    moment,
    number,
    one_of,
    path,
    unique,
)

UUID = re.compile(r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?=/|$)")
NUMBER = re.compile(r"/[0-9]+(?=/|$)")
COUNTRIES = {"DE": "Germany", "FR": "France", "JP": "Japan", "BR": "Brazil", "US": "United States"}
BROWSERS = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
]
BOT = re.compile(r"bot|crawl|spider|slurp", re.IGNORECASE)
VERSION = re.compile(r"(?:Firefox|Chrome|Version|curl)/(\d+)(?:\.(\d+))?")
HOST = re.compile(r"^(?P<scheme>https?)://(?P<host>[^/:?#]+)(?::(?P<port>\d+))?")


def web_log(event: dict) -> dict | None:
    status = event["response"]["status"]
    if status < 300:
        return None
    request, client = event["request"], event["client"]
    route = request["path"].partition("?")[0].lower().rstrip("/")
    route = NUMBER.sub("/:id", UUID.sub("/:uuid", route)) or "/"
    return {
        "time": event["ts"],
        "trace": event["id"],
        "method": request["method"],
        "route": route,
        "status": status,
        "ms": round((request["end"] - request["start"]) * 1000),
        "country": COUNTRIES.get(client["country"], "Unknown"),
        "city": client["city"],
    }


def browser_of(agent: str) -> str:
    for mark, browser in BROWSERS:
        if mark in agent:
            return browser
    return "Other"


def parse_user_agent(hit: dict) -> dict:
    agent = hit.get("user_agent") or ""
    version = VERSION.search(agent)
    return {
        "session": hit["session"],
        "browser": browser_of(agent),
        "version": int(version.group(1)) if version else None,
        "mobile": "Mobile" in agent or "Android" in agent,
        "bot": BOT.search(agent) is not None,
    }


def split_query(hit: dict) -> dict:
    page, _, query = hit["url"].partition("?")
    parameters = {}
    if query:
        for pair in query.split("&"):
            key, _, value = pair.partition("=")
            parameters[key] = value.replace("+", " ")
    return {"page": page, "parameters": parameters, "count": len(parameters)}


def campaign(hit: dict) -> dict | None:
    query = hit["url"].split("?", 1)
    if len(query) < 2:
        return None
    found = dict(pair.split("=", 1) for pair in query[1].split("&") if "=" in pair)
    utm = {key[4:]: value for key, value in found.items() if key.startswith("utm_")}
    return {"visitor": hit["visitor"], **utm} if utm else None


def referrer_host(hit: dict) -> dict:
    referrer = hit.get("referrer")
    match = HOST.match(referrer) if referrer else None
    if match is None:
        return {**hit, "source": "direct"}
    host = match["host"].lower().removeprefix("www.")
    return {
        **hit,
        "source": "search" if host.split(".")[0] in ("google", "bing") else host,
        "secure": match.group("scheme") == "https",
        "port": int(match["port"] or 443),
    }


def status_class(hit):
    status = str(hit["status"])
    hit["class"] = f"{status[0]}xx"
    hit["cacheable"] = hit["method"] in ("GET", "HEAD") and status in {"200", "301", "404"}
    size = hit.get("bytes", 0)
    for unit in ("B", "KB", "MB"):  # noqa: B007
        if size < 1024:
            break
        size /= 1024
    hit["size"] = f"{size:.1f} {unit}"
    return hit


def page_depth(hit: dict) -> dict:
    segments = [segment for segment in hit["path"].split("/") if segment]
    extension = segments[-1].rpartition(".")[2] if segments and "." in segments[-1] else ""
    return {
        "depth": len(segments),
        "section": segments[0] if segments else "home",
        "breadcrumb": " > ".join(segment.capitalize() for segment in segments),
        "extension": extension,
        "trailing": hit["path"].endswith("/"),
    }


AGENT = one_of(
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "curl/8.5.0",
)
URL = one_of(path, "https://shop.test/p?utm_source=news&utm_campaign=may&id=7", "/s?q=green+tea&")

RECORDS = [
    (
        web_log,
        {
            "ts": moment(),
            "id": hexadecimal(16),
            "request": {
                "method": one_of("GET", "POST"),
                "path": one_of(path, path, lambda chance: f"/users/{unique(chance)}/"),
                "start": number(1.7e9, 1.8e9, 3),
                "end": number(1.7e9, 1.8e9, 3),
            },
            "response": {"status": one_of(200, 301, 404, 500)},
            "client": {
                "ip": address,
                "country": one_of(*COUNTRIES, "XX"),
                "city": one_of("München", "東京", "-"),
            },
        },
    ),
    (parse_user_agent, {"session": unique, "user_agent": maybe(one_of(AGENT, AGENT, None), 0.9)}),
    (split_query, {"url": URL}),
    (campaign, {"visitor": hexadecimal(8), "url": URL}),
    (
        referrer_host,
        {
            "path": path,
            "referrer": maybe(
                one_of("https://www.google.com/search?q=a", "http://News.test:8080/x", "", "app:")
            ),
        },
    ),
    (
        status_class,
        {
            "method": one_of("GET", "POST"),
            "status": one_of(200, 301, 404, 500),
            "bytes": maybe(integer(0, 10**7), 0.8),
        },
    ),
    (page_depth, {"path": one_of(path, "/", "/docs/index.html", "a//b/")}),
]
