"""Orders, invoices, carts and payments."""

from tests.compiled.making import (
    boolean,
    email,
    integer,
    maybe,
    moment,
    name,
    number,
    one_of,
    several,
    unique,
    word,
)

VAT = {"DE": 0.19, "FR": 0.2, "AT": 0.2, "NL": 0.21, "HU": 0.27}
TO_EUR = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17, "CHF": 1.05, "JPY": 0.0061}
FREE_SHIPPING = 50.0
STATES = {
    "created": ("open", False),
    "paid": ("open", True),
    "shipped": ("closed", True),
    "refunded": ("closed", False),
}


def order_total(order: dict) -> dict:
    total = sum(item["price"] * item["quantity"] for item in order["items"])
    count = sum(item["quantity"] for item in order["items"])
    shipping = 0.0 if total >= FREE_SHIPPING else 4.9
    return {
        "order": order["id"],
        "items": count,
        "net": round(total, 2),
        "shipping": shipping,
        "total": round(total + shipping, 2),
    }


def with_vat(order: dict) -> dict:
    rate = VAT.get(order["country"], 0)
    net = order["net"]
    tax = round(net * rate, 2)
    order["tax"] = tax
    order["gross"] = round(net + tax, 2)
    order["rate"] = f"{rate:.0%}"
    return order


def validate_order(order: dict) -> dict:
    if not order.get("customer"):
        raise ValueError("order has no customer")
    if not order["items"]:
        raise ValueError(f"order {order['id']} is empty")
    for position, item in enumerate(order["items"], start=1):
        if item["quantity"] <= 0:
            raise ValueError(f"item {position} of order {order['id']} has no quantity")
    return {"id": order["id"], "customer": order["customer"], "ok": True}


def discount(order: dict) -> dict:
    amount = order["amount"]
    if order.get("coupon") == "WELCOME":
        percent = 15
    elif amount >= 1000:
        percent = 10
    elif amount >= 250:
        percent = 5
    elif order.get("vip", False):
        percent = 3
    else:
        percent = 0
    return {
        "id": order["id"],
        "percent": percent,
        "pay": round(amount * (100 - percent) / 100, 2),
        "saved": round(amount * percent / 100, 2),
    }


def to_euros(payment: dict) -> dict | None:
    try:
        rate = TO_EUR[payment["currency"]]
    except KeyError:
        return None
    cents = payment["amount_cents"]
    return {
        "id": payment["id"],
        "eur": round(cents / 100 * rate, 2),
        "original": f"{cents // 100}.{cents % 100:02d} {payment['currency']}",
    }


def order_state(event):
    state, active = STATES.get(event["status"], ("unknown", None))
    return {"id": event["id"], "state": state, "active": active, "at": event["at"]}


def split_name(customer: dict) -> dict:
    parts = customer["name"].strip().split(" ")
    customer["first_name"] = parts[0]
    customer["last_name"] = parts[-1] if len(parts) > 1 else ""
    customer["initials"] = "".join(part[0].upper() for part in parts if part)
    customer["email"] = customer["email"].strip().lower()
    return customer


def abandoned_cart(cart: dict) -> dict | None:
    if cart["checked_out"] or not cart["lines"]:
        return None
    best = max(cart["lines"], key=lambda line: line["price"])
    cheapest = min(line["price"] for line in cart["lines"])
    return {
        "cart": cart["id"],
        "value": round(sum(line["price"] for line in cart["lines"]), 2),
        "lines": len(cart["lines"]),
        "best": best["sku"],
        "cheapest": cheapest,
        "skus": ",".join(sorted(line["sku"] for line in cart["lines"])),
    }


def invoice_number(invoice: dict) -> dict:
    year, month = invoice["date"][:4], invoice["date"][5:7]
    number = f"{invoice['series'].upper()}-{year}{month}-{invoice['sequence']:06d}"
    text = "%s: %s owes %.2f %s" % (  # noqa: UP031
        number,
        invoice["customer"],
        invoice["amount"],
        invoice.get("currency", "EUR"),
    )
    return {"number": number, "text": text}


LINE = {"sku": one_of("T-100", "T-200", "B-7", "X"), "price": number(0.5, 120)}
ITEM = {"name": word, "price": number(0.5, 120), "quantity": integer(1, 5)}

RECORDS = [
    (order_total, {"id": integer(1, 10**6), "items": several(ITEM, 0, 5), "note": name}),
    (
        with_vat,
        {"id": integer(1, 999), "country": one_of("DE", "FR", "HU", "US"), "net": number(1, 900)},
    ),
    (
        validate_order,
        {
            "id": integer(1, 999),
            "customer": name,
            "items": several({"quantity": integer(1, 9)}, 1, 3),
        },
    ),
    (
        discount,
        {
            "id": unique,
            "amount": one_of(number(1, 2000), integer(1, 2000)),
            "coupon": maybe(one_of("WELCOME", "OLD")),
            "vip": maybe(boolean),
        },
    ),
    (
        to_euros,
        {
            "id": unique,
            "currency": one_of("EUR", "USD", "JPY", "XXX"),
            "amount_cents": integer(0, 10**7),
        },
    ),
    (order_state, {"id": 7, "status": one_of(*STATES, "lost"), "at": moment()}),
    (split_name, {"name": one_of("Ann Lee", "Bob", " Mary Jo Ray ", name), "email": email}),
    (
        abandoned_cart,
        {"id": unique, "checked_out": one_of(False, False, True), "lines": several(LINE, 0, 4)},
    ),
    (
        invoice_number,
        {
            "series": one_of("re", "GS"),
            "date": moment("%Y-%m-%d"),
            "sequence": integer(1, 99999),
            "customer": name,
            "amount": number(1, 5000),
            "currency": maybe("USD", 0.3),
        },
    ),
]
