"""The job: failed requests of a web log, as a user writes the processor."""

import os
import re

import forstcore

LOWEST = int(os.environ.get("LOWEST_STATUS", "500"))
UUID = re.compile(r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?=/|$)")
NUMBER = re.compile(r"/[0-9]+(?=/|$)")
COUNTRIES = {
    "AR": "Argentina",
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CL": "Chile",
    "CN": "China",
    "CO": "Colombia",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "EG": "Egypt",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GR": "Greece",
    "ID": "Indonesia",
    "IN": "India",
    "IT": "Italy",
    "JP": "Japan",
    "KR": "South Korea",
    "MX": "Mexico",
    "MY": "Malaysia",
    "NG": "Nigeria",
    "NL": "Netherlands",
    "NO": "Norway",
    "PH": "Philippines",
    "PL": "Poland",
    "PT": "Portugal",
    "RU": "Russia",
    "SE": "Sweden",
    "SG": "Singapore",
    "TH": "Thailand",
    "TR": "Türkiye",
    "US": "United States",
    "VN": "Vietnam",
    "ZA": "South Africa",
}


def weblog(event: dict) -> dict | None:  # type: ignore[type-arg]
    status = event["response"]["status"]
    if status < LOWEST:
        return None
    request, client = event["request"], event["client"]
    route = request["path"].partition("?")[0].lower().rstrip("/")
    return {
        "time": event["ts"],
        "trace": event["id"],
        "method": request["method"],
        "route": NUMBER.sub("/:id", UUID.sub("/:uuid", route)) or "/",
        "status": status,
        "ms": round((request["end"] - request["start"]) * 1000),
        "country": COUNTRIES.get(client["country"], "Unknown"),
        "city": client["city"],
    }


forstcore.processor("weblog")(weblog)
forstcore.processor("weblog-interpreted", compiled=False)(weblog)
