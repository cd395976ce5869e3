"""Money that is computed with the module decimal."""

from collections import defaultdict
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation

from tests.compiled.making import integer, maybe, moment, name, number, one_of, several, word

CENT = Decimal("0.01")
TAX_RATES = {"DE": Decimal("0.19"), "FR": Decimal("0.20"), "LU": Decimal("0.17")}
TO_EUR = {"USD": Decimal("1.0842"), "GBP": Decimal("0.8561"), "EUR": Decimal(1)}
TIERS = [(Decimal("10000"), Decimal("0.05")), (Decimal("1000"), Decimal("0.02"))]
ZERO = Decimal()


def money(value):
    return Decimal(str(value)).quantize(CENT, rounding=ROUND_HALF_UP)


def invoice_in_decimals(invoice: dict) -> dict:
    net = Decimal("0")
    for line in invoice["lines"]:
        discount = Decimal(line.get("discount", "0")) / 100
        net += (Decimal(line["price"]) * line["qty"] * (1 - discount)).quantize(CENT)
    tax = (net * TAX_RATES.get(invoice["country"], Decimal("0"))).quantize(
        CENT, rounding=ROUND_HALF_UP
    )
    return {
        "number": invoice["number"],
        "net": str(net),
        "tax": str(tax),
        "total": f"{net + tax:,.2f}",
    }


def converted_payment(payment: dict) -> dict:
    try:
        amount = Decimal(str(payment["amount"]))
    except InvalidOperation:
        return {"id": payment["id"], "error": "bad amount"}
    if amount <= 0 or payment["currency"] not in TO_EUR:
        return {"id": payment["id"], "error": "not payable"}
    euros = (amount / TO_EUR[payment["currency"]]).quantize(CENT, ROUND_HALF_EVEN)
    return {"id": payment["id"], "eur": float(euros), "cents": int(euros * 100)}


def account_balance(account: dict):
    balance = money(account["opening"])
    lowest = balance
    for booking in account["bookings"]:
        balance += money(booking["amount"]) * (-1 if booking["kind"] == "debit" else 1)
        lowest = min(lowest, balance)
    if balance == ZERO:
        return None
    return {
        "owner": account["owner"],
        "balance": str(balance),
        "lowest": str(lowest),
        "overdrawn": lowest < 0,
    }


def split_bill(bill: dict) -> dict:
    total = sum((Decimal(item["price"]) for item in bill["items"]), Decimal("0.00"))
    share = (total / bill["guests"]).quantize(CENT, rounding=ROUND_DOWN)
    rest = total - share * bill["guests"]
    return {
        "table": bill["table"],
        "first": str(share + rest),
        "others": str(share),
        "even": rest.is_zero(),
    }


def commission(deal: dict) -> dict:
    volume = Decimal(deal["volume"])
    rate = next((rate for limit, rate in TIERS if volume >= limit), Decimal("0.01"))
    return {"agent": deal["agent"], "rate": f"{rate:.1%}", "due": str(round(volume * rate, 2))}


def spending_by_category(month: dict) -> list:
    totals = defaultdict(list)
    for expense in month["expenses"]:
        totals[expense["category"]].append(Decimal(str(expense["amount"])))
    return [
        {
            "month": month["month"],
            "category": category,
            "sum": str(sum(amounts)),
            "largest": str(max(amounts)),
            "mean": str((sum(amounts) / len(amounts)).quantize(Decimal("0.1"))),
        }
        for category, amounts in sorted(totals.items())
    ]


def parsed_price(offer: dict) -> dict:
    text = offer["price"].replace("€", "").replace(".", "").replace(",", ".").strip()
    try:
        offer["price"] = str(Decimal(text).normalize())
    except (InvalidOperation, ValueError):
        offer["price"] = None
    return offer


PRICE = one_of("19.99", "0.05", "1249.00", "7", "3.333")

RECORDS = [
    (
        invoice_in_decimals,
        {
            "number": one_of("2026-17", "B9"),
            "country": one_of("DE", "FR", "LU", "US"),
            "lines": several(
                {"price": PRICE, "qty": integer(1, 40), "discount": maybe(one_of("10", "2.5"))},
                0,
                5,
            ),
        },
    ),
    (
        converted_payment,
        {
            "id": integer(1, 999),
            "amount": one_of("19.99", "1200", number(1, 900), "-4", "12,50", "x"),
            "currency": one_of("EUR", "USD", "GBP", "SEK"),
        },
    ),
    (
        account_balance,
        {
            "owner": name,
            "opening": one_of(0, number(1, 900), "100.005"),
            "bookings": several({"amount": number(1, 90), "kind": one_of("debit", "credit")}, 0, 6),
        },
    ),
    (
        split_bill,
        {
            "table": integer(1, 20),
            "guests": integer(1, 7),
            "items": several({"price": PRICE}, 0, 6),
        },
    ),
    (commission, {"agent": name, "volume": one_of("250", "999.99", "1000", "48000.50")}),
    (
        spending_by_category,
        {
            "month": moment("%Y-%m"),
            "expenses": several({"category": word, "amount": number(1, 300)}, 0, 6),
        },
    ),
    (parsed_price, {"sku": word, "price": one_of("1.249,00 €", "€ 19,90", "5", "gratis", "")}),
]
