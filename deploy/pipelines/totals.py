"""The processor of pipelines.toml."""

from forstcore import processor


@processor("totals", compiled=True)
def totals(order: dict):
    """Return what a customer pays for an order."""
    total = sum(item["price"] * item["count"] for item in order["items"])
    return {"id": order["id"], "customer": order["customer"], "total": round(total, 2)}
