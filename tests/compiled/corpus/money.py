"""Invoices, payments, currencies, taxes."""

import math
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

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
    several,
    text,
    word,
)

RATES = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17, "JPY": 0.0061, "CHF": 1.04}
MINOR_UNITS = {"JPY": 0, "KWD": 3}
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
VAT = {"DE": 19, "FR": 20, "LU": 17}
TERMS = {"net30": 30, "net14": 14, "immediate": 0}
FREE_SHIPPING_FROM = 50
CENT = Decimal("0.01")


def to_euro(payment: dict) -> dict:
    currency = payment["currency"].upper()
    if currency not in RATES:
        raise ValueError(f"unknown currency: {currency}")
    payment["amount_eur"] = round(payment["amount"] * RATES[currency], 2)
    return payment


def minor_units(charge: dict) -> dict:
    digits = MINOR_UNITS.get(charge["currency"], 2)
    return {
        "id": charge["id"],
        "amount": int(round(charge["amount"] * 10**digits)),
        "digits": digits,
    }


def invoice_totals(invoice):
    subtotal = 0
    tax_by_rate = {}
    for line in invoice["lines"]:
        amount = line["qty"] * line["unit_price"] * (1 - line.get("discount_pct", 0) / 100)
        subtotal += amount
        rate = str(line["tax_rate"])
        tax_by_rate[rate] = tax_by_rate.get(rate, 0) + amount * line["tax_rate"] / 100
    tax = sum(tax_by_rate.values())
    invoice["subtotal"] = round(subtotal, 2)
    invoice["tax"] = {rate: round(value, 2) for rate, value in sorted(tax_by_rate.items())}
    invoice["total"] = round(subtotal + tax, 2)
    return invoice


def decimal_vat(sale: dict) -> dict:
    net = Decimal(str(sale["net"]))
    rate = Decimal(VAT.get(sale["country"], 0)) / 100
    vat = (net * rate).quantize(CENT, rounding=ROUND_HALF_UP)
    return {"id": sale["id"], "net": str(net), "vat": str(vat), "gross": str(net + vat)}


def due_date(invoice: dict) -> dict:
    issued = date.fromisoformat(invoice["issued"])
    due = issued + timedelta(days=TERMS.get(invoice.get("terms"), 30))
    while due.weekday() >= 5:
        due += timedelta(days=1)
    return {"number": invoice["number"], "due": due.isoformat(), "days": (due - issued).days}


def dunning_letter(account: dict) -> str | None:
    open_items = [item for item in account["items"] if not item["paid"]]
    if not open_items:
        return None
    total = sum(item["amount"] for item in open_items)
    symbol = SYMBOLS.get(account.get("currency", "EUR"), "¤")
    text_ = "Dear {name},\n{count} invoice(s) over {symbol}{total:,.2f} are open.".format(
        name=account["name"], count=len(open_items), symbol=symbol, total=total
    )
    return {"to": account["email"], "subject": f"Reminder {account['level'] + 1}", "text": text_}


def cart_summary(cart: dict) -> dict:
    quantities = Counter()
    total = 0.0
    for item in cart["items"]:
        quantities[item["sku"]] += item["qty"]
        total += item["qty"] * item["price"]
    shipping = 0 if total >= FREE_SHIPPING_FROM else 4.95
    return {
        "cart": cart["id"],
        "skus": len(quantities),
        "top": quantities.most_common(1)[0][0] if quantities else None,
        "total": round(total + shipping, 2),
        "free_shipping": shipping == 0,
    }


def ledger_entries(transfer: dict):
    amount = transfer["amount"]
    yield {"account": transfer["from"], "debit": amount, "credit": 0, "ref": transfer["ref"]}
    yield {"account": transfer["to"], "debit": 0, "credit": amount, "ref": transfer["ref"]}
    fee = max(0.35, min(amount * 0.015, 15))
    if transfer.get("express"):
        fee *= 2
    yield {"account": "fees", "debit": 0, "credit": round(fee, 2), "ref": transfer["ref"]}


def revenue_by_category(order: dict) -> dict:
    revenue = defaultdict(float)
    for item in order["items"]:
        revenue[item.get("category", "other")] += item["price"] * item["qty"]
    return {"order": order["id"], "revenue": {k: round(v, 2) for k, v in revenue.items()}}


def card_number(payment: dict) -> dict:
    digits = "".join(c for c in payment["card"] if c.isdigit())
    total = 0
    for i, digit in enumerate(reversed(digits)):
        n = int(digit)
        if i % 2 == 1:
            n *= 2
            if n > 9:
                n -= 9
        total += n
    brand = "visa" if digits[:1] == "4" else "mastercard" if digits[:2] in {"51", "55"} else "other"
    return {"brand": brand, "valid": total % 10 == 0, "masked": digits[:6] + "*" * 6 + digits[-4:]}


def iban_check(account: dict) -> dict:
    iban = account["iban"].replace(" ", "").upper()
    moved = iban[4:] + iban[:4]
    number_ = "".join(str(int(c, 36)) for c in moved)
    remainder = 0
    for digit in number_:
        remainder = (remainder * 10 + int(digit)) % 97
    return {"iban": iban, "country": iban[:2], "valid": remainder == 1}


def installments(loan: dict):
    monthly = loan["rate"] / 100 / 12
    months = loan["months"]
    if monthly:
        payment = loan["amount"] * monthly / (1 - math.pow(1 + monthly, -months))
    else:
        payment = loan["amount"] / months
    left = loan["amount"]
    for month in range(1, min(months, 3) + 1):
        interest = left * monthly
        left -= payment - interest
        yield {
            "loan": loan["id"],
            "month": month,
            "interest": round(interest, 2),
            "left": round(left, 2),
        }


def refund_ratio(day: dict) -> dict:
    try:
        ratio = day["refunds"] / day["sales"]
    except ZeroDivisionError:
        ratio = None
    except (KeyError, TypeError):
        return {"day": day.get("day"), "error": "incomplete"}
    return {"day": day["day"], "ratio": ratio and round(ratio, 4), "alert": (ratio or 0) > 0.2}


ITEM = {
    "sku": one_of("tea-1", "mug-2", "pot-3"),
    "qty": integer(1, 5),
    "price": number(1, 60),
    "category": maybe(one_of("food", "kitchen"), 0.8),
}

RECORDS = [
    (
        to_euro,
        {"id": hexadecimal(12), "amount": number(1, 900), "currency": one_of("EUR", "usd", "JPY")},
    ),
    (
        minor_units,
        {"id": integer(1, 999), "amount": number(0, 500), "currency": one_of("EUR", "JPY", "KWD")},
    ),
    (
        invoice_totals,
        {
            "number": one_of("2026-001", "A77"),
            "lines": several(
                {
                    "qty": integer(1, 9),
                    "unit_price": number(1, 99),
                    "tax_rate": one_of(7, 19, 0),
                    "discount_pct": maybe(one_of(10, 2.5), 0.3),
                },
                0,
                4,
            ),
        },
    ),
    (
        decimal_vat,
        {"id": integer(1, 999), "net": number(1, 900), "country": one_of("DE", "FR", "US")},
    ),
    (
        due_date,
        {
            "number": integer(1, 999),
            "issued": moment("%Y-%m-%d"),
            "terms": maybe(one_of("net30", "net14", "immediate", "x")),
        },
    ),
    (
        dunning_letter,
        {
            "name": name,
            "email": email,
            "currency": maybe(one_of("EUR", "USD", "SEK")),
            "level": integer(0, 2),
            "items": several({"amount": number(1, 5000), "paid": boolean}, 0, 4),
        },
    ),
    (cart_summary, {"id": hexadecimal(8), "items": several(ITEM, 0, 4)}),
    (
        ledger_entries,
        {
            "from": one_of("a1", "a2"),
            "to": one_of("b1", "b2"),
            "amount": number(1, 3000),
            "ref": hexadecimal(10),
            "express": maybe(boolean),
        },
    ),
    (revenue_by_category, {"id": integer(1, 999), "items": several(ITEM, 0, 4)}),
    (
        card_number,
        {"card": one_of("4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005")},
    ),
    (
        iban_check,
        {"iban": one_of("DE89 3704 0044 0532 0130 00", "FR14 2004 1010 0505 0001 3M02 606")},
    ),
    (
        installments,
        {
            "id": integer(1, 999),
            "amount": integer(1000, 50000),
            "rate": one_of(3.5, 4.9, 0),
            "months": one_of(12, 24, 2),
        },
    ),
    (
        refund_ratio,
        {
            "day": moment("%Y-%m-%d"),
            "refunds": maybe(number(0, 90), 0.9),
            "sales": one_of(number(100, 300), 0),
            "note": text(0, 2),
            "kind": word,
        },
    ),
]
