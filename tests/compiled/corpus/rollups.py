"""Roll-ups, variants and running totals."""

import json
import math
import operator
import zlib
from collections import defaultdict
from itertools import accumulate, product

from tests.compiled.making import hexadecimal, integer, name, number, one_of, several, text, word

WEIGHTS = (0.5, 0.3, 0.2)


def orders_by_category(customer: dict) -> dict:
    totals = defaultdict(lambda: {"orders": 0, "amount": 0.0, "skus": []})
    for order in customer["orders"]:
        total = totals[order["category"]]
        total["orders"] += 1
        total["amount"] += order["amount"]
        total["skus"].append(order["sku"])
    return {
        "customer": customer["id"],
        "totals": {
            category: {**total, "mean": round(total["amount"] / total["orders"], 2)}
            for category, total in totals.items()
        },
    }


def stock_variants(article: dict):
    for size, color in product(article["sizes"], article["colors"]):
        yield {"sku": f"{article['sku']}-{size}-{color[:2].upper()}", "size": size}


def balance_history(account: dict) -> dict:
    moves = [move["amount"] for move in account["moves"]]
    balances = list(accumulate(moves, initial=account["opening"]))
    return {
        "account": account["account"],
        "balances": [round(each, 2) for each in balances],
        "peaks": list(accumulate(balances, max))[-1],
        "falling": all(map(operator.gt, balances, balances[1:])),
    }


def weighted_score(candidate: dict) -> dict:
    marks = candidate["marks"]
    return {
        "name": candidate["name"],
        "score": round(sum(map(operator.mul, marks, WEIGHTS)), 3),
        "likelihood": math.prod(mark / 10 for mark in marks),
        "pairs": list(map(lambda mark, weight: f"{mark}@{weight}", marks, WEIGHTS)),
    }


def readable_payload(event: dict) -> dict:
    pretty = json.dumps(event["payload"], indent=2, sort_keys=True)
    return {"id": event["id"], "pretty": pretty, "lines": pretty.count("\n") + 1}


def partition_of_key(event: dict) -> dict:
    event["partition"] = zlib.adler32(event["id"].encode("utf-8")) % 12
    return event


RECORDS = [
    (
        orders_by_category,
        {
            "id": integer(1, 999),
            "orders": several({"category": word, "amount": number(1, 90), "sku": word}, 0, 6),
        },
    ),
    (
        stock_variants,
        {"sku": word, "sizes": several(one_of("S", "M", 40), 0, 3), "colors": several(word, 0, 3)},
    ),
    (
        balance_history,
        {
            "account": hexadecimal(6),
            "opening": one_of(0, number(1, 500)),
            "moves": several({"amount": number(-90, 90)}, 0, 6),
        },
    ),
    (weighted_score, {"name": name, "marks": several(integer(1, 10), 0, 4)}),
    (
        readable_payload,
        {
            "id": integer(1, 99),
            "payload": {"b": several(integer(0, 9), 0, 3), "a": {"t": text(0, 3)}},
        },
    ),
    (partition_of_key, {"id": hexadecimal(12)}),
]
