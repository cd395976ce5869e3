"""Log lines of a web server: nested, about 351 bytes, a tenth of them with \\u escapes."""

from typing import Any, Final

from benchmarks.shapes.source import RandomSource, write_ascii_json, write_json

_COUNTRY_CODES: Final = (
    "DE FR US GB CN JP BR IN RU ZA NG EG MX CA AU ES IT PL SE NO FI DK NL BE AT CH CZ PT GR TR "
    "KR VN TH ID MY SG PH AR CL CO"
)
_COUNTRIES: Final = _COUNTRY_CODES.split()
_UNKNOWN_COUNTRY: Final = "XX"
_CITIES: Final = {
    "DE": ("München", "Köln", "Berlin"),
    "FR": ("Besançon", "Paris"),
    "CN": ("北京", "上海"),
    "JP": ("東京", "大阪"),
    "BR": ("São Paulo", "Brasília"),
    "RU": ("Москва", "Казань"),
    "PL": ("Łódź", "Kraków"),
    "ES": ("Málaga", "Madrid"),
}
_UNKNOWN_CITY: Final = ("-",)
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
    "curl/8.5.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Safari/604.1",
    "okhttp/4.12.0",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
)
_METHODS: Final = ("GET", "GET", "GET", "POST", "PUT")
_PATH_WORDS: Final = "users orders items Cart checkout api v1 v2 static search profile reviews"
_SEGMENTS: Final = _PATH_WORDS.split()
_QUERIES: Final = ("café", "a%20b", "x", "page=3&sort=asc", "東京")
_TAGS: Final = ("web", "edge", "beta", "mobile", "internal", "canary", "cdn")


def _path(source: RandomSource) -> str:
    path = "".join(f"/{_segment(source)}" for _ in range(source.between(1, 4)))
    if source.chance(0.1):
        path += "/"
    if source.chance(0.3):
        path += f"?q={source.choice(_QUERIES)}"
    return path


def _segment(source: RandomSource) -> str:
    if source.chance(0.65):
        return source.choice(_SEGMENTS)
    if source.chance(0.57):
        return str(source.between(1, 9_999_999))
    return "-".join(source.hexadecimal(digits) for digits in (8, 4, 4, 4, 12))


def _status(source: RandomSource) -> int:
    if source.chance(0.75):
        return 200
    if source.chance(0.72):
        return source.choice((301, 304, 404, 403))
    return source.choice((500, 502, 503, 504))


def weblog(source: RandomSource) -> str:
    """Return a record with its LF."""
    time = source.tick(20)
    start = source.clock_ms / 1000
    country = _UNKNOWN_COUNTRY if source.chance(0.02) else source.choice(_COUNTRIES)
    record: dict[str, Any] = {
        "ts": time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{source.clock_ms % 1000:03}Z",
        "id": source.hexadecimal(16),
        "request": {
            "method": source.choice(_METHODS),
            "path": _path(source),
            "start": start,
            "end": round(start + source.exponential(0.2), 3),
            "bytes": source.between(0, 200_000),
        },
        "response": {"status": _status(source), "cache": source.chance(0.4)},
        "client": {
            "ip": f"{source.between(1, 223)}.{source.below(256)}.{source.below(256)}"
            f".{source.between(1, 254)}",
            "country": country,
            "city": source.choice(_CITIES.get(country, _UNKNOWN_CITY)),
            "agent": source.choice(_AGENTS),
        },
        "tags": source.sample(_TAGS, source.between(0, 3)),
    }
    if source.chance(0.05):
        record["error"] = None
    write = write_ascii_json if source.chance(0.1) else write_json
    return write(record) + "\n"
