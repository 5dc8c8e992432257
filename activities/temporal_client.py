"""The Temporal client of the worker that runs an activity."""

from __future__ import annotations

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
