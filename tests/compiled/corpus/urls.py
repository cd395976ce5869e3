"""URLs, query strings, referrers, user agents."""

import re
from urllib.parse import (
    parse_qs,
    parse_qsl,
    quote,
    unquote,
    unquote_plus,
    urlencode,
    urlparse,
    urlsplit,
)

from tests.compiled.making import (
    address,
    email,
    integer,
    maybe,
    name,
    one_of,
    path,
    seconds,
    word,
)

SEARCH_ENGINES = {"www.google.com": "google", "www.bing.com": "bing", "duckduckgo.com": "ddg"}
TRACKING = ("utm_", "gclid", "fbclid")
BOT = re.compile(r"bot|crawl|spider|slurp", re.IGNORECASE)
BROWSERS = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iOS"), ("Mac OS X", "macOS"))
VERSION = re.compile(r"(?:Edg|Firefox|Chrome|Version)/(\d+)")


def parse_url(hit: dict) -> dict:
    parts = urlsplit(hit["url"])
    return {"host": parts.hostname, "path": parts.path, "query": parse_qs(parts.query)}


def page_view(event: dict) -> dict:
    url = urlparse(event["url"])
    query = parse_qs(url.query)
    return {
        "host": url.netloc.lower(),
        "path": url.path or "/",
        "source": query.get("utm_source", ["direct"])[0],
        "campaign": query.get("utm_campaign", [None])[0],
        "secure": url.scheme == "https",
    }


def strip_tracking(event: dict) -> dict:
    url = urlparse(event["url"])
    kept = [(k, v) for k, v in parse_qsl(url.query) if not k.startswith(TRACKING)]
    clean = f"{url.scheme}://{url.netloc}{url.path}"
    if kept:
        clean += "?" + urlencode(kept)
    event["url"] = clean
    return event


def classify_referrer(hit: dict) -> dict:
    referrer = hit.get("referrer")
    if not referrer:
        medium = "direct"
    else:
        host = urlsplit(referrer).netloc
        medium = "organic" if host in SEARCH_ENGINES else "referral"
        if host.endswith("shop.test"):
            medium = "internal"
    return {"page": hit["page"], "medium": medium}


def search_terms(hit: dict):
    query = hit["url"].partition("?")[2]
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == "q":
            yield {"term": unquote_plus(value).strip().lower(), "at": hit["at"]}


def object_key(event: dict) -> dict:
    record = event["s3"]
    key = unquote_plus(record["object"]["key"])
    *folders, file = key.split("/")
    stem, dot, extension = file.rpartition(".")
    return {
        "bucket": record["bucket"]["name"],
        "folder": "/".join(folders),
        "stem": stem if dot else file,
        "extension": extension.lower() if dot else None,
    }


def link_for(customer: dict) -> dict:
    return {
        "id": customer["id"],
        "link": f"/c/{quote(customer['name'])}?mail={quote(customer['email'], safe='')}",
    }


def decoded_path(hit: dict) -> dict:
    raw, _, _ = hit["path"].partition("?")
    return {"path": unquote(raw), "depth": raw.count("/"), "leaf": raw.rsplit("/", 1)[-1]}


def user_agent(hit: dict) -> dict:
    agent = hit.get("ua", "")
    browser = next((label for token, label in BROWSERS if token in agent), "Other")
    system = "Other"
    for token, label in SYSTEMS:
        if token in agent:
            system = label
            break
    version = VERSION.search(agent)
    return {
        "ip": hit["ip"],
        "browser": browser,
        "os": system,
        "version": int(version.group(1)) if version else None,
        "bot": bool(BOT.search(agent)),
        "mobile": "Mobile" in agent,
    }


def tracking_pixel(hit: dict) -> dict:
    params = dict(parse_qsl(hit["query"], keep_blank_values=True))
    return {
        "account": params.get("tid", ""),
        "client": params.get("cid"),
        "kind": params.get("t", "pageview"),
        "title": params.get("dt", "")[:40],
        "at": hit["at"],
    }


def database_url(config: dict) -> dict:
    parts = urlsplit(config["dsn"])
    return {
        "service": config["service"],
        "engine": parts.scheme.split("+")[0],
        "host": parts.hostname or "localhost",
        "port": parts.port or 5432,
        "name": parts.path.lstrip("/"),
        "has_password": parts.password is not None,
    }


AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (iPhone; CPU OS 17_1 like Mac OS X) Version/17.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.4.0",
)
URL = one_of(
    "https://shop.test/cart?utm_source=news&utm_campaign=spring%20sale&id=7",
    "http://Shop.Test:8080/a/b?x=1&y=2&y=3#top",
    "https://shop.test",
    "https://shop.test/search?q=green+tea&gclid=abc",
    "/relative/only?a=b",
)

RECORDS = [
    (parse_url, {"url": one_of(path, "https://a.test:80/x?y=1&y=2", URL)}),
    (page_view, {"url": URL, "at": seconds}),
    (strip_tracking, {"id": integer(1, 999), "url": URL}),
    (
        classify_referrer,
        {
            "page": path,
            "referrer": maybe(one_of("https://www.google.com/", "https://m.shop.test/x", "", URL)),
        },
    ),
    (
        search_terms,
        {"url": one_of("/search?q=Green+Tea%20Pot&p=2", "/x", "/s?q=caf%C3%A9"), "at": seconds},
    ),
    (
        object_key,
        {
            "s3": {
                "bucket": {"name": word},
                "object": {"key": one_of("raw/2026/03/a+b.CSV", "x", "in/K%C3%B6ln.json.gz")},
            }
        },
    ),
    (link_for, {"id": integer(1, 999), "name": name, "email": email}),
    (decoded_path, {"path": one_of(path, "/a%20b/%E2%82%AC/c?x")}),
    (user_agent, {"ip": address, "ua": maybe(one_of(*AGENTS), 0.95)}),
    (
        tracking_pixel,
        {"query": one_of("tid=UA-1&cid=5.5&t=event&dt=A+%26+B", "v=1&tid=&dt", ""), "at": seconds},
    ),
    (
        database_url,
        {
            "service": word,
            "dsn": one_of(
                "postgresql+psycopg://app:s3cret@db.internal:5433/orders",
                "mysql://root@localhost/shop",
                "sqlite:///file.db",
            ),
        },
    ),
]
