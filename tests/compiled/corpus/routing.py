"""Routing, classification, scoring, feature flags."""

import re

from tests.compiled.making import (
    boolean,
    email,
    hexadecimal,
    integer,
    maybe,
    name,
    number,
    one_of,
    several,
    text,
    word,
)

QUEUES = {
    "billing": ["invoice", "refund", "payment", "charge"],
    "technical": ["error", "crash", "slow", "timeout"],
    "account": ["password", "login", "locked"],
}
ROUTES = [
    (re.compile(r"^/api/v\d+/orders"), "orders"),
    (re.compile(r"^/api/v\d+/users/\d+"), "users"),
    (re.compile(r"^/static/|\.(?:css|js|png)$"), "static"),
]
WEIGHTS = {"new_account": 20, "foreign_card": 25, "night": 10, "mismatch": 30}
SPAM_WORDS = ("casino", "viagra", "winner", "free money")
ROLLOUT = {"new-search": 25, "dark-mode": 100, "beta": 0}
SEVERITY = {("disk", True): "page", ("disk", False): "ticket", ("cpu", True): "page"}


def ticket_queue(ticket: dict) -> dict:
    text = (ticket["subject"] + " " + ticket["body"]).lower()
    ticket["queue"] = "general"
    for queue, words in QUEUES.items():
        if any(word in text for word in words):
            ticket["queue"] = queue
            break
    ticket["urgent"] = "urgent" in text or ticket.get("plan") == "enterprise"
    return ticket


def ticket_priority(ticket: dict) -> dict:
    score = 0
    if ticket["customer"]["tier"] in ("gold", "platinum"):
        score += 50
    score += min(ticket["replies"], 5) * 4
    if "!" in ticket["subject"]:
        score += 5
    if ticket["subject"].isupper():
        score += 10
    priority = 1 if score >= 60 else 2 if score >= 30 else 3
    return {"id": ticket["id"], "score": score, "priority": f"P{priority}"}


def route_name(path: str) -> str:
    for pattern, route in ROUTES:
        if pattern.search(path):
            return route
    return "other"


def route_request(request: dict) -> dict:
    request["route"] = route_name(request["path"])
    return request


def spam_score(message: dict) -> dict:
    body = message["body"].lower()
    score = sum(2 for word in SPAM_WORDS if word in body)
    score += body.count("http")
    score += 3 if message["from"].endswith((".biz", ".info")) else 0
    letters = sum(1 for char in message["body"] if char.isupper())
    if message["body"] and letters / len(message["body"]) > 0.5:
        score += 2
    return {"id": message["id"], "score": score, "spam": score >= 4}


def enabled_features(user: dict) -> dict:
    bucket = int(user["id"][-4:], 16) % 100
    enabled = [feature for feature, percent in ROLLOUT.items() if bucket < percent]
    if user.get("staff"):
        enabled = list(ROLLOUT)
    return {"id": user["id"], "bucket": bucket, "features": enabled}


def fraud_score(payment: dict) -> dict:
    signals = payment.get("signals", [])
    score = sum(WEIGHTS.get(signal, 5) for signal in signals)
    if payment["amount"] > 1000 and "new_account" in signals:
        score *= 1.5
    decision = "block" if score >= 60 else "review" if score >= 30 else "accept"
    return {"payment": payment["id"], "score": score, "decision": decision}


def alert(event):
    full = event["used"] / event["size"] > 0.9
    action = SEVERITY.get((event["kind"], full))
    if action is None:
        return None
    percent = 100 * event["used"] / event["size"]
    return {"action": action, "text": f"{event['kind']} on {event['host']} at {percent:.1f}%"}


def sentiment(review: dict) -> dict:
    good = bad = 0
    for token in re.split(r"\W+", review["text"].lower()):
        if token in {"good", "great", "love", "thanks", "fast"}:
            good += 1
        elif token in {"bad", "slow", "broken", "terrible", "refund"}:
            bad += 1
    stars = review.get("stars", 3)
    mood = "positive" if good - bad + stars - 3 > 0 else "negative" if bad > good else "neutral"
    return {"product": review["product"], "mood": mood, "good": good, "bad": bad}


def pick_languages(user: dict) -> dict:
    languages = []
    for part in user["accept_language"].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        languages.append((-weight, tag.split("-")[0].lower()))
    languages.sort()
    return {"user": user["id"], "languages": [tag for _, tag in languages if tag]}


def on_signup(event: dict) -> dict:
    return {"user": event["user"], "mail": "welcome", "plan": event.get("plan", "free")}


def on_payment(event: dict) -> dict | None:
    if event["amount"] <= 0:
        return None
    return {"user": event["user"], "mail": "receipt", "amount": f"{event['amount']:.2f}"}


def on_other(event: dict) -> dict:
    return {"user": event["user"], "ignored": event["type"]}


HANDLERS = {"signup": on_signup, "payment": on_payment, "deleted": lambda event: None}


def dispatched(event: dict) -> dict | None:
    return HANDLERS.get(event["type"], on_other)(event)


def without_secrets(event: dict) -> dict:
    event.pop("token", None)
    return event


def with_domain(event: dict) -> dict:
    event["domain"] = event["user"].rpartition("@")[2]
    return event


STEPS = [without_secrets, with_domain]


def through_steps(event: dict) -> dict:
    for step in STEPS:
        event = step(event)
    return event


CHECKS = {
    "user": lambda event: "@" in event["user"],
    "amount": lambda event: event["amount"] > 0,
}


def checked(event: dict) -> dict:
    return {"user": event["user"], "failed": [n for n, check in CHECKS.items() if not check(event)]}


def message(name: str, *labels: str, **fields: object) -> dict:
    return {"message": name, "labels": labels, **fields}


def messages(event: dict) -> dict:
    return message("event", event["type"], "new", user=event["user"], amount=event["amount"])


EVENT = {
    "type": one_of("signup", "payment", "deleted", "other"),
    "user": email,
    "amount": number(-5, 50),
    "plan": maybe(one_of("gold", "free")),
    "token": maybe(hexadecimal(8)),
}

RECORDS = [
    (
        ticket_queue,
        {"id": 1, "subject": text(1, 4), "body": text(2, 12), "plan": maybe("enterprise", 0.2)},
    ),
    (
        ticket_priority,
        {
            "id": integer(1, 999),
            "subject": one_of("HELP", "Help me!", text(1, 3)),
            "replies": integer(0, 9),
            "customer": {"name": name, "tier": one_of("gold", "free")},
        },
    ),
    (
        route_request,
        {
            "path": one_of(
                "/api/v1/orders/7", "/api/v2/users/12", "/static/a", "/x.css", "/", "/api/v1/x"
            )
        },
    ),
    (
        spam_score,
        {
            "id": integer(1, 9),
            "from": one_of(email, "win@x.biz"),
            "body": one_of(text(2, 9), "FREE MONEY at http://a http://b", "You are a WINNER", ""),
        },
    ),
    (enabled_features, {"id": hexadecimal(24), "staff": maybe(boolean, 0.2)}),
    (
        fraud_score,
        {
            "id": hexadecimal(8),
            "amount": number(1, 3000),
            "signals": maybe(several(one_of(*WEIGHTS, "other"), 0, 4), 0.8),
        },
    ),
    (
        alert,
        {
            "kind": one_of("disk", "cpu", "net"),
            "host": word,
            "used": integer(0, 1000),
            "size": integer(900, 1000),
        },
    ),
    (
        sentiment,
        {
            "product": hexadecimal(4),
            "text": one_of("Great, fast, thanks!", "slow & broken", text(1, 8)),
            "stars": maybe(integer(1, 5)),
        },
    ),
    (
        pick_languages,
        {"id": 1, "accept_language": one_of("de-DE,de;q=0.9,en;q=0.8", "en", "*", "fr;q=x, it")},
    ),
    (dispatched, EVENT),
    (through_steps, EVENT),
    (checked, EVENT),
    (messages, EVENT),
]
