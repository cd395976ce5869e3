"""Webhooks, change events, chat messages."""

import re

from tests.compiled.making import (
    boolean,
    email,
    hexadecimal,
    integer,
    maybe,
    moment,
    name,
    number,
    one_of,
    seconds,
    several,
    text,
    unique,
    word,
)

OPERATIONS = {"c": "insert", "r": "snapshot", "u": "update", "d": "delete"}
MENTION = re.compile(r"(?<!\w)@(\w+)")
HASHTAG = re.compile(r"#(\w+)")
EMOJI = {":)": "🙂", ":(": "🙁", "<3": "❤"}
HANDLED = {"charge.succeeded", "charge.refunded", "charge.failed"}


def unwrap_change(message: dict) -> dict | None:
    payload = message["payload"]
    op = payload["op"]
    row = payload["before"] if op == "d" else payload["after"]
    if row is None:
        return None
    return {
        **row,
        "__op": OPERATIONS.get(op, op),
        "__table": payload["source"]["schema"] + "." + payload["source"]["table"],
        "__ts": payload["ts_ms"] / 1000,
        "__deleted": op == "d",
    }


def changed_columns(message: dict) -> dict | None:
    before, after = message["before"] or {}, message["after"] or {}
    changed = {
        column: [before.get(column), value]
        for column, value in after.items()
        if before.get(column) != value
    }
    if not changed:
        return None
    return {"id": after["id"], "changed": changed, "columns": sorted(changed)}


def stripe_charge(event: dict) -> dict | None:
    if event["type"] not in HANDLED:
        return None
    charge = event["data"]["object"]
    zero_decimal = charge["currency"] in ("jpy", "krw")
    amount = charge["amount"] if zero_decimal else charge["amount"] / 100
    card = charge.get("payment_method_details", {}).get("card", {})
    return {
        "event": event["id"],
        "kind": event["type"].split(".")[1],
        "charge": charge["id"],
        "amount": amount,
        "currency": charge["currency"].upper(),
        "card": f"{card['brand']} …{card['last4']}" if card else None,
        "email": (charge.get("billing_details") or {}).get("email"),
        "livemode": event["livemode"],
    }


def github_push(event: dict) -> dict:
    branch = event["ref"].removeprefix("refs/heads/")
    files = set()
    for commit in event["commits"]:
        files.update(commit["added"], commit["modified"])
    return {
        "repository": event["repository"]["full_name"],
        "branch": branch,
        "is_default": branch == event["repository"]["default_branch"],
        "pusher": event["pusher"]["name"],
        "commits": [
            {"sha": commit["id"][:7], "title": commit["message"].split("\n", 1)[0]}
            for commit in event["commits"]
        ],
        "files": sorted(files),
    }


def chat_message(message: dict) -> dict:
    body = message["text"]
    for smiley, emoji in EMOJI.items():
        body = body.replace(smiley, emoji)
    return {
        "channel": message["channel"].lstrip("#"),
        "user": message["user"],
        "text": body,
        "mentions": MENTION.findall(body),
        "tags": [tag.lower() for tag in HASHTAG.findall(body)],
        "question": body.rstrip().endswith("?"),
        "words": len(body.split()),
    }


def chat_command(message: dict) -> dict | None:
    text = message["text"].strip()
    if not text.startswith("/"):
        return None
    command, *arguments = text[1:].split()
    options = {}
    positional = []
    for argument in arguments:
        if argument.startswith("--") and "=" in argument:
            key, value = argument[2:].split("=", 1)
            options[key] = value
        else:
            positional.append(argument)
    return {"command": command.lower(), "arguments": positional, "options": options}


def delivery_event(event):
    details = event.get("details") or {}
    reason = details.get("reason", "").strip()
    bounced = event["event"] in ("bounce", "dropped")
    return {
        "to": event["email"].lower(),
        "domain": event["email"].lower().split("@")[-1],
        "bounced": bounced,
        "permanent": bounced and reason.startswith("5"),
        "reason": reason or None,
    }


ROW = {"id": integer(1, 99), "name": name, "price": maybe(number(0, 9)), "active": boolean}

RECORDS = [
    (
        unwrap_change,
        {
            "payload": {
                "op": one_of("c", "u", "d", "r", "t"),
                "before": one_of(None, ROW),
                "after": one_of(ROW, ROW, None),
                "source": {"schema": "public", "table": word},
                "ts_ms": integer(10**12, 2 * 10**12),
            }
        },
    ),
    (changed_columns, {"before": one_of(None, ROW, ROW), "after": ROW}),
    (
        stripe_charge,
        {
            "id": hexadecimal(14),
            "type": one_of(*sorted(HANDLED), "payout.paid"),
            "livemode": boolean,
            "created": seconds,
            "data": {
                "object": {
                    "id": hexadecimal(10),
                    "amount": integer(50, 10**6),
                    "currency": one_of("eur", "usd", "jpy"),
                    "billing_details": maybe(one_of({"email": email}, {}, None)),
                    "payment_method_details": maybe({"card": {"brand": "visa", "last4": "4242"}}),
                }
            },
        },
    ),
    (
        github_push,
        {
            "ref": one_of("refs/heads/main", "refs/heads/fix/é", "refs/tags/v1"),
            "repository": {"full_name": "a/b", "default_branch": "main", "id": integer(1, 99)},
            "pusher": {"name": name},
            "commits": several(
                {
                    "id": hexadecimal(40),
                    "message": one_of("Fix it", "Add\n\nmore", text(1, 4)),
                    "added": several(word, 0, 2),
                    "modified": several(word, 0, 2),
                },
                0,
                3,
            ),
        },
    ),
    (
        chat_message,
        {
            "channel": one_of("#general", "random"),
            "user": name,
            "text": one_of(text(1, 9), "hi @anna and @bob :) #Tea #tea", "a@b <3 ?", "Привет #мир"),
        },
    ),
    (
        chat_command,
        {
            "user": name,
            "text": one_of("/deploy api --env=prod now", "/HELP", "hello", " /a --b=c=d"),
        },
    ),
    (
        delivery_event,
        {
            "id": unique,
            "event": one_of("bounce", "delivered", "dropped"),
            "email": email,
            "at": moment(),
            "details": maybe(
                one_of({"reason": one_of("550 no such user", " 421 try later", "")}, None)
            ),
        },
    ),
]
