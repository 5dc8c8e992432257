"""Whether the release of a new schedule would be accepted, as things are now."""

from __future__ import annotations

from temporalio.client import Client

from workflows.client.errors import NoWorker, Refused
from workflows.client.plan import plan_release
from workflows.client.queue_outage import find_outages
from workflows.request import ReleaseRequest


async def preview_release(
    client: Client, request: ReleaseRequest, *, task_queue: str
) -> tuple[str, ...]:
    """Plan the release; return what a person should know, such as that its package is not there.

    Says so where it was not looked at, because no worker answers.
    """
    if outages := await find_outages(client, task_queue):
        return _describe_unseen("; ".join(outages))
    try:
        plan = await plan_release(client, request, task_queue=task_queue)
    except (NoWorker, Refused) as problem:
        return _describe_unseen(str(problem))
    refusals = (
        f"as things are now, the release would be rejected: {refusal}" for refusal in plan.refusals
    )
    return (*refusals, *plan.notes)


def _describe_unseen(reason: str) -> tuple[str, ...]:
    return (f"whether the release would be accepted was not looked at: {reason}",)
