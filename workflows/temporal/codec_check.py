"""Whether a worker can decrypt the releases that are under way on its task queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import DefaultPayloadConverter
from temporalio.service import RPCError

from workflows.temporal.codec_keys import UnreadablePayload, is_encrypted, make_unknown_key_error
from workflows.temporal.connection_settings import CODEC_SETTING

_RELEASES: Final = "WorkflowType = 'Rollout' AND ExecutionStatus = 'Running'"
_MOST_LOOKED_AT: Final = 50


async def find_unreadable(client: Client, task_queue: str) -> str | None:
    """Return why a release of a queue cannot be decoded here; None where all that run can.

    A worker without the key would take tasks of such a release, and fail them: its activities, too,
    whose failures count. One without a user's own codec would even reject it. The memos of
    releases, which Temporal lists, are encoded as the rest is. Where Temporal does not list them,
    nothing is known.
    """
    query = f"{_RELEASES} AND TaskQueue = '{task_queue}'"
    try:
        async for found in client.list_workflows(query, limit=_MOST_LOOKED_AT):
            try:
                await _check(client, list(found.raw_info.memo.fields.values()))
            except UnreadablePayload as error:
                return f"{found.id} is {error}"
    except RPCError:
        return None
    return None


async def _check(client: Client, payloads: Sequence[Payload]) -> None:
    """Raise :class:`UnreadablePayload` for what the client's codec does not decode."""
    codec = client.data_converter.payload_codec
    try:
        decoded = await codec.decode(payloads) if codec else payloads
    except UnreadablePayload:
        raise
    except Exception as error:
        raise UnreadablePayload(
            f"not decoded by the codec of this process: it raises {type(error).__name__}"
        ) from error
    known = DefaultPayloadConverter.default_encoding_payload_converters
    encodings = {converter.encoding.encode() for converter in known}
    for payload in decoded:
        if is_encrypted(payload):
            raise make_unknown_key_error(payload)
        encoding = payload.metadata.get("encoding", b"")
        if encoding not in encodings:
            name = encoding.decode(errors="replace")[:50]
            raise UnreadablePayload(
                f"encoded as {name!r}, for which this process has no codec ({CODEC_SETTING})"
            )
