"""The Temporal client of the worker that runs an activity, and what activities read with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from temporalio import activity
from temporalio.client import Client


def find_client() -> Client | None:
    """Return the client; None outside of a worker, such as in a plain call of an operation."""
    if not activity.in_activity():
        return None
    try:
        return activity.client()
    except RuntimeError:  # the activity was not started by a worker that has one
        return None


async def read_workflow_input(client: Client, workflow_id: str, run_id: str) -> Mapping[str, Any]:
    """Return the input that a run was started with; empty where it is no JSON object."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    started = await anext(aiter(handle.fetch_history_events(page_size=1)), None)
    if started is None:
        return {}
    payloads = started.workflow_execution_started_event_attributes.input.payloads
    given: list[object] = await client.data_converter.decode(payloads)
    first = given[0] if given else None
    return cast("Mapping[str, Any]", first) if isinstance(first, Mapping) else {}
