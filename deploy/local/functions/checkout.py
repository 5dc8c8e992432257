"""The sample function that is live at first: it adds up an order."""

from typing import Any

PRICES = {"tea": 4, "coffee": 5, "cake": 7}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the total of an order: ``{"order": 7, "items": ["tea", "cake"]}``."""
    items = event.get("items", [])
    return {
        "order": event.get("order"),
        "total": sum(PRICES[item] for item in items),
        "version": context.function_version,
    }
