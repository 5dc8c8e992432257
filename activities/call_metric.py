"""The metric of calls to AWS Lambda; the worker exports it with Temporal's."""

from __future__ import annotations

from temporalio import activity


def count_call(operation: str, outcome: str) -> None:
    """Count a request that was sent; ``outcome`` is a fault, ``ok`` or ``Cancelled``.

    Only within an activity: elsewhere there is no meter.
    """
    if not activity.in_activity():
        return
    meter = activity.metric_meter().with_additional_attributes(
        {"operation": operation, "outcome": outcome}
    )
    meter.create_counter(
        "lambda_api_calls", "Requests sent to AWS Lambda, by operation and fault (ok: none)"
    ).add(1)
