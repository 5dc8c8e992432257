"""The metrics of calls to AWS, and of what guards find; the worker exports them with Temporal's."""

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


def count_look(guard: str, outcome: str) -> None:
    """Count a look of a guard at CloudWatch: of ``alarms`` or ``metrics``.

    ``outcome`` is ``ok``, ``red``, ``missing`` or ``no_data`` for alarms, ``ok`` or ``no_data`` for
    metrics, and ``failed`` for both. Only within an activity.
    """
    if not activity.in_activity():
        return
    meter = activity.metric_meter().with_additional_attributes({"guard": guard, "outcome": outcome})
    meter.create_counter("guard_looks", "Looks of guards at CloudWatch, by what they found").add(1)
