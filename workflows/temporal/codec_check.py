"""Whether a worker can decrypt the releases that are under way in its namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from workflows.temporal.codec_keys import UnreadablePayload

_RELEASES: Final = "WorkflowType = 'Rollout' AND ExecutionStatus = 'Running'"
_MOST_LOOKED_AT: Final = 50


async def find_unreadable(client: Client) -> str | None:
    """Return why a release that runs cannot be decrypted here; None where all of them can.

    A worker without the key would take tasks of such a release, and fail them: its activities, too,
    whose failures count. The memos of releases, which Temporal lists, name their key. Where
    Temporal does not list them, nothing is known.
    """
    try:
        async for found in client.list_workflows(_RELEASES, limit=_MOST_LOOKED_AT):
            try:
                await client.data_converter.decode(_list_memos(found))
            except UnreadablePayload as error:
                return f"{found.id} is {error}"
    except RPCError:
        return None
    return None


def _list_memos(found: WorkflowExecution) -> Sequence[Payload]:
    return list(found.raw_info.memo.fields.values())
