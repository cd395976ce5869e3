"""Readings of sensors and messages of devices."""

import math
from typing import Final

from tests.compiled.making import (
    boolean,
    hexadecimal,
    integer,
    maybe,
    moment,
    number,
    one_of,
    seconds,
    several,
)

LIMITS: Final = {"temperature": (-40.0, 85.0), "humidity": (0, 100), "pressure": (300, 1100)}
FACTORS = {"m": 1, "cm": 0.01, "mm": 0.001, "km": 1000, "ft": 0.3048}
COMPASS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]
FLAGS = (("low_battery", 0x01), ("tampered", 0x02), ("charging", 0x04), ("gps", 0x10))
HOME = (52.52, 13.405)
EARTH_KM = 6371.0


def to_celsius(reading: dict) -> dict:
    return {
        "sensor": reading["sensor"],
        "celsius": round((reading["fahrenheit"] - 32) * 5 / 9, 2),
        "at": reading["at"],
    }


def check_limits(reading: dict) -> dict | None:
    limits = LIMITS.get(reading["kind"])
    if limits is None:
        return None
    low, high = limits
    value = reading["value"]
    reading["ok"] = low <= value <= high
    if not reading["ok"]:
        reading["excess"] = round(value - high if value > high else low - value, 3)
    return reading


def summarize_samples(message: dict) -> dict:
    samples = message["samples"]
    if not samples:
        return {"device": message["device"], "count": 0}
    mean = sum(samples) / len(samples)
    variance = sum((sample - mean) ** 2 for sample in samples) / len(samples)
    middle = sorted(samples)[len(samples) // 2]
    return {
        "device": message["device"],
        "count": len(samples),
        "min": min(samples),
        "max": max(samples),
        "mean": round(mean, 3),
        "deviation": round(math.sqrt(variance), 3),
        "median": middle,
    }


def status_flags(message: dict) -> dict:
    status = message["status"]
    return {
        "device": message["device"],
        "flags": [name for name, bit in FLAGS if status & bit],
        "channel": (status >> 8) & 0x0F,
    }


def wind(reading: dict) -> dict:
    degrees = reading["degrees"] % 360
    reading["from"] = COMPASS[round(degrees / 45) % 8]
    reading["kmh"] = round(reading["ms"] * 3.6, 1)
    if reading["kmh"] > 75:
        reading["warning"] = "storm"
    return reading


def to_meters(reading: dict) -> dict:
    factor = FACTORS[reading["unit"].strip().lower()]
    return {"id": reading["id"], "meters": reading["value"] * factor}


def distance_from_home(position: dict) -> dict:
    lat, lon = position["lat"], position["lon"]
    dlat = math.radians(lat - HOME[0])
    dlon = math.radians(lon - HOME[1])
    a = (
        math.sin(dlat / 2) ** 2
        + math.cos(math.radians(HOME[0])) * math.cos(math.radians(lat)) * math.sin(dlon / 2) ** 2
    )
    km = 2 * EARTH_KM * math.asin(math.sqrt(a))
    return {"vehicle": position["vehicle"], "km": round(km, 2), "away": km > 10}


def grid_cell(position: dict) -> dict:
    x = math.floor(position["lon"] * 10)
    y = math.floor(position["lat"] * 10)
    return {"cell": f"{x}:{y}", "vehicle": position["vehicle"], "speed": int(position["speed"])}


def decode_payload(uplink: dict) -> dict | None:
    payload = uplink["payload"]
    if len(payload) != 8:
        return None
    temperature = int(payload[0:4], 16)
    if temperature >= 0x8000:
        temperature -= 0x10000
    return {
        "device": uplink["device"],
        "temperature": temperature / 10,
        "humidity": int(payload[4:6], 16) / 2,
        "battery": min(100, int(payload[6:8], 16)),
    }


def battery(message):
    volts = message["millivolts"] / 1000
    percent = (volts - 3.0) / (4.2 - 3.0) * 100
    percent = max(0, min(100, percent))
    return {
        "device": message["device"],
        "percent": int(percent),
        "level": "low" if percent < 20 else "ok" if percent < 80 else "full",
        "seen": message["time"] - message["time"] % 60,
    }


def smooth(message: dict) -> dict:
    values = message["values"]
    smoothed = []
    last = None
    for value in values:
        last = value if last is None else 0.25 * value + 0.75 * last
        smoothed.append(round(last, 4))
    message["values"] = smoothed[::2]
    message["peak"] = max(smoothed, default=None)
    return message


RECORDS = [
    (to_celsius, {"sensor": "t1", "fahrenheit": number(-40, 220, 1), "at": moment()}),
    (
        check_limits,
        {"kind": one_of(*LIMITS, "light"), "value": one_of(number(-60, 1500, 1), integer(0, 120))},
    ),
    (summarize_samples, {"device": hexadecimal(6), "samples": several(number(0, 50, 1), 0, 9)}),
    (status_flags, {"device": hexadecimal(6), "status": integer(0, 0xFFFF)}),
    (wind, {"degrees": one_of(integer(0, 719), number(0, 360, 1)), "ms": number(0, 40, 1)}),
    (
        to_meters,
        {"id": integer(1, 9), "unit": one_of("m", "cm", " KM", "ft"), "value": number(0, 9)},
    ),
    (
        distance_from_home,
        {"vehicle": hexadecimal(4), "lat": number(47, 55, 5), "lon": number(6, 15, 5)},
    ),
    (
        grid_cell,
        {
            "vehicle": hexadecimal(4),
            "lat": number(-90, 90, 5),
            "lon": number(-180, 180, 5),
            "speed": one_of(number(0, 130, 1), integer(0, 130), "50"),
        },
    ),
    (
        decode_payload,
        {"device": hexadecimal(6), "payload": one_of(hexadecimal(8), hexadecimal(8), "", "12")},
    ),
    (battery, {"device": hexadecimal(6), "millivolts": integer(2800, 4300), "time": seconds}),
    (
        smooth,
        {"values": several(one_of(number(0, 9), integer(0, 9)), 0, 8), "online": maybe(boolean)},
    ),
]
