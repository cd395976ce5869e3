"""Removing and masking personal data."""

import re

from tests.compiled.making import (
    address,
    email,
    hexadecimal,
    integer,
    maybe,
    moment,
    name,
    one_of,
    text,
)

SECRET_KEYS = {"password", "token", "secret", "authorization", "ssn", "cvv"}
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
CARD = re.compile(r"\b(?:\d{4}[ -]?){3}\d{4}\b")
PHONE = re.compile(r"\+?\d[\d /-]{6,}\d")
DIGIT = re.compile(r"\d")
BEARER = re.compile(r"(?i)(bearer|token)\s+[a-z0-9._-]+")
SECRETS = {"password", "token"}
DROPPED = ["ip", "user_agent", "session"]


def mask_email(user: dict) -> dict:
    local, at, domain = user["email"].partition("@")
    if at:
        visible = local[:2] if len(local) > 2 else local[:1]
        user["email"] = visible + "*" * (len(local) - len(visible)) + "@" + domain
    return user


def mask_card(payment: dict) -> dict:
    number = payment["card"].replace(" ", "").replace("-", "")
    if not number.isdigit() or len(number) < 12:
        raise ValueError("not a card number")
    return {**payment, "card": "*" * (len(number) - 4) + number[-4:]}


def redact_keys(event: dict) -> dict:
    return {
        key: "[REDACTED]" if key.lower() in SECRET_KEYS else value for key, value in event.items()
    }


def redact_text(event: dict) -> dict:
    message = event["message"]
    message = EMAIL.sub("<email>", message)
    message = CARD.sub("<card>", message)
    message = PHONE.sub("<phone>", message)
    event["redacted"] = message != event["message"]
    event["message"] = message
    return event


def redact_all_strings(event: dict) -> dict:
    out = {}
    for key, value in event.items():
        if isinstance(value, str):
            out[key] = BEARER.sub(r"\1 ***", EMAIL.sub("***", value))
        else:
            out[key] = value
    return out


def anonymize_ip(event: dict) -> dict:
    ip = event["ip"]
    if ":" in ip:
        event["ip"] = ":".join(ip.split(":")[:3]) + "::"
    else:
        event["ip"] = ip.rsplit(".", 1)[0] + ".0"
    return event


def drop_fields(event: dict) -> dict:
    for field in DROPPED:
        event.pop(field, None)
    event.pop("email", None)
    return event


def age_band(person: dict) -> dict:
    age = 2026 - int(person["born"][:4])
    low = age // 10 * 10
    return {
        "id": person["id"],
        "band": f"{low}-{low + 9}" if age < 90 else "90+",
        "adult": age >= 18,
        "zip": person["zip"][:3].ljust(5, "x"),
    }


def normalize_phone(contact: dict) -> dict:
    digits = "".join(DIGIT.findall(contact["phone"]))
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0"):
        digits = "49" + digits[1:]
    contact["phone"] = f"+{digits}" if digits else None
    return contact


def redacted(value):
    if isinstance(value, dict):
        return {k: "***" if k in SECRETS else redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redacted(each) for each in value]
    return value


def redact_deeply(event: dict) -> dict:
    return redacted(event)


RECORDS = [
    (mask_email, {"id": integer(1, 99), "email": one_of(email, email, "none"), "name": name}),
    (
        mask_card,
        {"id": 1, "card": one_of("4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005")},
    ),
    (
        redact_keys,
        {"user": name, "Password": "geheim", "token": maybe(hexadecimal(20)), "n": integer(1, 9)},
    ),
    (
        redact_text,
        {
            "message": one_of(
                text(1, 9),
                "mail anna@example.com or call +49 30 1234567",
                "card 4111 1111 1111 1111 of bob.smith@corp.example.org!",
                "order 1234567890 für é@x.de",
            )
        },
    ),
    (
        redact_all_strings,
        {
            "header": one_of("Authorization: Bearer abc.DEF-1", "X: token  t0k_en", ""),
            "from": email,
            "size": integer(0, 999),
            "to": maybe([email]),
        },
    ),
    (anonymize_ip, {"ip": one_of(address, address, "2001:db8:1:2::7"), "path": "/x"}),
    (
        drop_fields,
        {
            "ip": maybe(address),
            "user_agent": maybe("curl"),
            "email": maybe(email),
            "session": {"id": 1},
            "kept": name,
        },
    ),
    (
        age_band,
        {
            "id": hexadecimal(8),
            "born": moment("%Y-%m-%d"),
            "zip": one_of("10115", "8001", "SW1A 1AA"),
        },
    ),
    (normalize_phone, {"phone": one_of("030 / 123 45", "0049-30-99", "+1 555 0100", "none")}),
    (
        redact_deeply,
        {
            "id": hexadecimal(4),
            "login": {"user": name, "password": one_of("x", 1), "tries": [1, {"token": "t"}]},
            "text": text(0, 3),
        },
    ),
]
