"""Finds the release that a name means now, one that still waits for a worker included."""

from __future__ import annotations

from temporalio.client import Client, WorkflowExecutionDescription

from workflows.client.errors import Ambiguous, NoSuchRelease, Refused
from workflows.client.lookup import find_workflow, parse_name
from workflows.client.rejected_release import find_rejected
from workflows.client.unbegun_release import PendingRelease, list_pending, read_pending
from workflows.domain.target import Target


async def find_release(
    client: Client, target: str | Target
) -> WorkflowExecutionDescription | PendingRelease:
    """Find the running release of a target, else the one that has not begun, else the last one.

    One that was rejected before it had a rollout is the last resort.
    Raises as :func:`~workflows.client.lookup.find_workflow` does, and ``Ambiguous`` where several
    have not begun.
    """
    try:
        found = await find_workflow(client, target)
    except (NoSuchRelease, Refused):  # Refused: search attributes are not registered
        if (pending := await _find_pending(client, target)) is not None:
            return pending
        parsed = parse_name(target)
        if parsed and (rejected := await find_rejected(client, parsed)):
            return rejected
        raise
    if found.close_time is None:
        return await read_pending(client, found) or found
    return await _find_pending(client, target) or found


async def _find_pending(client: Client, target: str | Target) -> PendingRelease | None:
    if (parsed := parse_name(target)) is None:
        return None
    pending = [one for one in await list_pending(client, parsed) if one.is_at(parsed)]
    if len(pending) > 1:
        ids = ", ".join(one.id for one in pending)
        raise Ambiguous(f"several releases of {target} have not begun yet: name one of {ids}")
    return pending[0] if pending else None


async def list_pending_of(client: Client, target: str | Target) -> list[PendingRelease]:
    """List the releases of a target's function and alias that have not begun.

    None where the target is the id of a workflow.
    """
    parsed = parse_name(target)
    return await list_pending(client, parsed) if parsed else []
