"""Time stamps and durations."""

from datetime import UTC, datetime, timedelta

from tests.compiled.making import hexadecimal, integer, moment, number, one_of, seconds

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
OPENS, CLOSES = 9, 18
GRACE = timedelta(minutes=5)


def trip_minutes(trip: dict) -> dict:
    started = datetime.fromisoformat(trip["started"])
    ended = datetime.fromisoformat(trip["ended"])
    trip["minutes"] = round((ended - started).total_seconds() / 60, 1)
    return trip


def to_epoch(event: dict) -> dict:
    event["epoch"] = datetime.fromisoformat(event["at"]).timestamp()
    return event


def from_epoch(event: dict) -> dict:
    at = datetime.fromtimestamp(event["ts"], tz=UTC)
    return {"id": event["id"], "at": at.isoformat(), "day": at.strftime("%Y-%m-%d")}


def business_hours(call: dict) -> dict:
    at = datetime.fromisoformat(call["at"])
    working = at.weekday() < 5 and OPENS <= at.hour < CLOSES
    return {
        "id": call["id"],
        "weekday": WEEKDAYS[at.weekday()],
        "working": working,
        "hour": f"{at.hour:02d}:00",
    }


def hour_bucket(event: dict) -> dict:
    bucket = event["ts"] - event["ts"] % 3600
    return {"bucket": bucket, "minute": event["ts"] % 3600 // 60, "value": event["value"]}


def milliseconds_to_iso(event: dict) -> dict:
    moment = datetime.fromtimestamp(event["ts_ms"] / 1000, UTC)
    event["ts"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def is_late(delivery: dict) -> dict | None:
    due = datetime.fromisoformat(delivery["due"])
    delivered = datetime.fromisoformat(delivery["delivered"])
    if delivered <= due + GRACE:
        return None
    late = delivered - due
    return {"id": delivery["id"], "days": late.days, "hours": late.seconds // 3600}


def human_duration(job: dict) -> dict:
    total = int(job["seconds"])
    hours, rest = divmod(total, 3600)
    minutes, secs = divmod(rest, 60)
    job["duration"] = f"{hours}h {minutes:02}m {secs:02}s" if hours else f"{minutes}m {secs}s"
    return job


ISO = one_of(
    moment("%Y-%m-%dT%H:%M:%S"), moment("%Y-%m-%dT%H:%M:%S"), moment("%Y-%m-%dT%H:%M:%S.%f")
)

RECORDS = [
    (trip_minutes, {"id": hexadecimal(6), "started": ISO, "ended": ISO}),
    (to_epoch, {"at": one_of(moment("%Y-%m-%dT%H:%M:%SZ"), moment("%Y-%m-%dT%H:%M:%S+02:00"))}),
    (from_epoch, {"id": 1, "ts": one_of(seconds, number(0, 2e9, 3))}),
    (business_hours, {"id": 1, "at": ISO}),
    (hour_bucket, {"ts": seconds, "value": number(0, 9)}),
    (milliseconds_to_iso, {"ts_ms": integer(10**12, 2 * 10**12)}),
    (is_late, {"id": hexadecimal(6), "due": ISO, "delivered": ISO}),
    (human_duration, {"job": "x", "seconds": one_of(integer(0, 20000), number(0, 9999), "75")}),
]
